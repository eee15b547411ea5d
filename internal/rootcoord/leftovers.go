package rootcoord

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/model"
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
	names := p.limits.Channels
	if len(names) == 0 {
		names = channelNames(r.cfg.Cluster+"-"+r.cfg.DmlChannel, p.limits.DmlChannelNum, inUse)
	}
	p.channels = newChannelPool(names, inUse)
	return left
}

// clear finishes what was being dropped and undoes what was being created: nobody was told that it exists. It returns when
// that is done or ctx ends.
func (l leftovers) clear(ctx context.Context, p *parts) {
	if len(l.collections)+len(l.partitions) == 0 {
		return
	}
	var under []<-chan struct{}
	for _, c := range l.collections {
		if c.Damage != nil {
			p.logger.Warn("cannot clear away a collection that an earlier term left half done", zap.Int64("collectionID", c.ID()),
				zap.Error(c.Damage))
			continue
		}
		p.expireHidden(ctx, c)
		under = append(under, p.cleanUp(c))
	}
	for _, left := range l.partitions {
		if c := p.meta.view.Collection(left.collectionID); c != nil {
			if partition, ok := c.Partition(left.partitionID); ok {
				p.expirePartition(ctx, commonpb.MsgType_DropPartition, p.databaseOf(c), c, partition.Info.GetPartitionName())
				under = append(under, p.finishPartitionDrop(c, partition))
			}
		}
	}
	for _, done := range under {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
	p.logger.Info("cleared away what earlier terms left half done", zap.Int("removed", len(under)))
}
