package rootcoord

import (
	"context"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
)

// What is hidden is taken away here, by the term that hid it or by a later one: both do the same steps.

// cleanUp takes away a collection that is Dropping, or that was Creating when its creation failed or its term ended.
func (p *parts) cleanUp(c *model.Collection) (done <-chan struct{}) {
	if c.Info.GetState() == etcdpb.CollectionState_CollectionCreating {
		return p.undoCreation(c)
	}
	return p.finishDrop(c, announced)
}

// silence says whether the readers of the channels are told of a drop.
type silence bool

const (
	announced silence = false
	silently  silence = true // a drop replayed from another cluster, whose message comes by itself
)

// finishDrop does what is left of a drop whose collection is hidden.
func (p *parts) finishDrop(c *model.Collection, quiet silence) <-chan struct{} {
	var steps []step
	if p.data != nil {
		steps = append(steps,
			reaching(failpoint.DropReleased, step{"release", func(ctx context.Context) error { return p.data.Release(ctx, c) }}),
			reaching(failpoint.DropUnindexed, step{"drop indexes", func(ctx context.Context) error { return p.data.DropIndex(ctx, c) }}))
		if !quiet {
			steps = append(steps, reaching(failpoint.DropAnnounced,
				step{"announce", func(ctx context.Context) error { return p.data.AnnounceDrop(ctx, c) }}))
		}
	}
	steps = append(steps, p.releaseChannels(c))
	if p.data != nil {
		steps = append(steps, p.rest(), reaching(failpoint.DropConfirmed, p.confirm(c.ID(), allPartitions)))
	}
	steps = append(steps, reaching(failpoint.DropRemoved, p.remove(c)))
	return p.chores.start("drop collection", c.ID(), steps...)
}

// undoCreation takes away what a failed creation has written. Nobody was told that it exists, and there are no data.
func (p *parts) undoCreation(c *model.Collection) <-chan struct{} {
	var steps []step
	if p.data != nil {
		steps = append(steps, reaching(failpoint.UndoAnnounced,
			step{"announce", func(ctx context.Context) error { return p.data.AnnounceDrop(ctx, c) }}))
	}
	steps = append(steps, p.releaseChannels(c), reaching(failpoint.UndoRemoved, p.remove(c)))
	return p.chores.start("undo create collection", c.ID(), steps...)
}

// finishPartitionDrop does what is left of a drop whose partition is hidden. A partition is Created by the transaction that
// writes it, so one that is Creating is Milvus' own and has never had data.
func (p *parts) finishPartitionDrop(c *model.Collection, partition model.Partition) <-chan struct{} {
	var steps []step
	if p.data != nil && partition.Info.GetState() != etcdpb.PartitionState_PartitionCreating {
		steps = append(steps,
			reaching(failpoint.PartitionAnnounced,
				step{"announce", func(ctx context.Context) error { return p.data.AnnouncePartitionDrop(ctx, c, partition) }}),
			p.rest(),
			reaching(failpoint.PartitionDropConfirm, p.confirm(c.ID(), partition.ID())))
	}
	steps = append(steps, reaching(failpoint.PartitionDropped, step{"remove", func(ctx context.Context) error {
		return p.ddl.do(ctx, keep(keylock.Write(collectionLock(c.ID()))), repeatable, func(ctx context.Context) error {
			return p.writer.DropPartition(ctx, c.ID(), partition.ID())
		})
	}}))
	return p.chores.start("drop partition", partition.ID(), steps...)
}

// reaching passes a failpoint when the step is done.
func reaching(point failpoint.Point, s step) step {
	return step{s.name, func(ctx context.Context) error {
		err := s.do(ctx)
		if err == nil {
			failpoint.Reach(point)
		}
		return err
	}}
}

// releaseChannels is the one step that may not be done twice; it cannot fail.
func (p *parts) releaseChannels(c *model.Collection) step {
	return step{"release channels", func(context.Context) error {
		p.channels.release(c.Info.GetPhysicalChannelNames())
		return nil
	}}
}

// rest is a pause before DataCoord is asked for the first time: the nodes have the message of the drop still to read.
func (p *parts) rest() step {
	var until time.Time
	return step{"wait for the nodes", func(context.Context) error {
		if until.IsZero() {
			until = time.Now().Add(p.settle)
		}
		if time.Now().Before(until) {
			return errNotYet
		}
		return nil
	}}
}

func (p *parts) confirm(collectionID, partitionID int64) step {
	return step{"confirm that the data are gone", func(ctx context.Context) error {
		gone, err := p.data.Confirm(ctx, collectionID, partitionID)
		if err == nil && !gone {
			err = errNotYet
		}
		return err
	}}
}

func (p *parts) remove(c *model.Collection) step {
	return step{"remove", func(ctx context.Context) error {
		return p.ddl.do(ctx, keep(keylock.Write(collectionLock(c.ID()))), repeatable, func(ctx context.Context) error {
			return p.writer.DropCollection(ctx, c.ID())
		})
	}}
}

// aliasesOf are the names that an expiry of the collection is about, besides its own.
func (p *parts) aliasesOf(c *model.Collection) (names []string) {
	p.meta.view.Read(func(r catalog.Reader) { names = namesOf(r.AliasesOf(c.ID())) })
	return names
}

// expireHidden makes the proxies forget a collection that an earlier term hid: it may not have come to telling them.
func (p *parts) expireHidden(ctx context.Context, c *model.Collection) {
	p.expire(ctx, change{
		kind: commonpb.MsgType_DropCollection, database: p.databaseOf(c), collection: c, aliases: p.aliasesOf(c), name: c.Name(),
	})
}

// expirePartition makes the proxies forget a partition, or that there is none.
func (p *parts) expirePartition(ctx context.Context, kind commonpb.MsgType, database string, c *model.Collection, partition string) {
	p.expire(ctx, change{kind: kind, database: database, collection: c, name: partition})
}

func (p *parts) databaseOf(c *model.Collection) (name string) {
	p.meta.view.Read(func(r catalog.Reader) {
		if db := r.Database(c.DBID()); db != nil {
			name = db.Info.GetName()
		}
	})
	return name
}
