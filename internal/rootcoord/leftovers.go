package rootcoord

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
)

// leftovers are what earlier terms began and did not finish. They are listed before the first call of the term is let
// in: later, a collection that is Creating is one that somebody is creating.
type leftovers struct {
	collections []*model.Collection // that are not Created
	partitions  []partitionLeft     // that are not, of collections that are
}

type partitionLeft struct{ collectionID, partitionID int64 }

// take counts what is there into a new ledger and channel pool, and lists the leftovers.
func (r *RootCoord) take(p *parts) leftovers {
	var left leftovers
	var inUse map[string]int
	p.ledger = newLedger(p.limits)
	r.view.Read(func(rd catalog.Reader) {
		databases := rd.Databases()
		p.ledger.databases = len(databases)
		for _, db := range databases {
			if n := rd.CollectionCount(db.Info.GetId()); n > 0 {
				p.ledger.collections[db.Info.GetId()] = n
			}
		}
		p.ledger.total, p.ledger.capacity = rd.Total(), rd.Capacity()
		inUse = rd.ChannelUse()
		for _, c := range rd.Unfinished() {
			if !c.Created() {
				left.collections = append(left.collections, c)
				continue
			}
			for _, part := range c.Partitions {
				if !part.Created() {
					left.partitions = append(left.partitions, partitionLeft{c.ID(), part.ID()})
				}
			}
		}
	})
	p.channels = newChannelPool(r.cfg.Cluster, p.limits.DmlChannelNum, inUse)
	return left
}

// clear finishes what was being dropped and undoes what was being created: nobody was told that it exists. What fails is
// left to the next term.
func (l leftovers) clear(ctx context.Context, p *parts) {
	removed := 0
	try := func(id int64, remove func(ctx context.Context) error) {
		locks := keep(keylock.Write(collectionLock(id)))
		switch err := p.ddl.do(ctx, locks, repeatable, remove); {
		case err == nil:
			removed++
		case ctx.Err() == nil:
			p.logger.Warn("cannot clear away what an earlier term left half done, the next term will try again",
				zap.Int64("collectionID", id), zap.Error(err))
		}
	}
	for c := range slices.Values(l.collections) {
		try(c.ID(), func(ctx context.Context) error {
			if err := p.writer.DropCollection(ctx, c.ID()); err != nil {
				return err
			}
			p.channels.release(c.Info.GetPhysicalChannelNames())
			return nil
		})
	}
	for _, part := range l.partitions {
		try(part.collectionID, func(ctx context.Context) error {
			return p.writer.DropPartition(ctx, part.collectionID, part.partitionID)
		})
	}
	if removed > 0 {
		p.logger.Info("cleared away what earlier terms left half done", zap.Int("removed", removed))
	}
}
