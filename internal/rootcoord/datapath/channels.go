package datapath

import (
	"context"
	"fmt"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"golang.org/x/sync/errgroup"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/mq"
	"github.com/milvus-coord/milvus/internal/rootcoord/ticks"
)

// Channels sends the messages of a DDL, in order with the time ticks.
type Channels struct {
	Producer mq.Producer
	Ticks    *ticks.Ticker
	// Silent says that there are no ticks, and then no messages of drops either: nobody would know when to read them.
	Silent   bool
	ServerID int64
	Patience time.Duration // the longest wait for ticks to pass a message
}

var _ Messages = (*Channels)(nil)

// CreateCollection implements Messages. No tick is held back for it: of this message only the position is used.
func (ch *Channels) CreateCollection(ctx context.Context, c *model.Collection) ([]*commonpb.KeyDataPair, error) {
	partitions := make([]int64, 0, len(c.Partitions))
	for _, p := range c.Partitions {
		partitions = append(partitions, p.ID())
	}
	m, err := mq.CreateCollection(mq.Collection{
		ID: c.ID(), Name: c.Name(), PartitionIDs: partitions, Schema: schemaOf(c),
		VirtualChannels: c.Info.GetVirtualChannelNames(), PhysicalChannels: c.Info.GetPhysicalChannelNames(),
	}, c.Info.GetCreateTime())
	if err != nil {
		return nil, err
	}
	return ch.send(ctx, c.Info.GetPhysicalChannelNames(), m)
}

// DropCollection implements Messages.
func (ch *Channels) DropCollection(ctx context.Context, c *model.Collection) error {
	if ch.Silent {
		return nil
	}
	ts, err := ch.ordered(ctx, c.Info.GetPhysicalChannelNames(), func(ts uint64) (mq.Message, error) { return mq.DropCollection(c.ID(), c.Name(), ts, ch.ServerID) })
	if err != nil {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, ch.Patience)
	defer cancel()
	for _, name := range c.Info.GetPhysicalChannelNames() {
		if err := ch.Ticks.WaitFor(bound, name, ts); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("wait for a time tick on %s: %w", name, err)
			}
			return errs.Unavailable.With(fmt.Sprintf("no time tick has passed %d", ts), errs.F("channel", name))
		}
	}
	return nil
}

// DropPartition implements Messages.
func (ch *Channels) DropPartition(ctx context.Context, c *model.Collection, p model.Partition) error {
	if ch.Silent {
		return nil
	}
	_, err := ch.ordered(ctx, c.Info.GetPhysicalChannelNames(), func(ts uint64) (mq.Message, error) {
		return mq.DropPartition(c.ID(), p.ID(), p.Info.GetPartitionName(), ts, ch.ServerID)
	})
	return err
}

// ordered sends a message whose timestamp no tick that comes before it on a channel reaches.
func (ch *Channels) ordered(ctx context.Context, names []string, make func(ts uint64) (mq.Message, error)) (uint64, error) {
	hold, err := ch.Ticks.Begin(ctx, names...)
	if err != nil {
		return 0, err
	}
	defer hold.Done()
	m, err := make(hold.Timestamp())
	if err != nil {
		return 0, err
	}
	_, err = ch.send(ctx, names, m)
	return hold.Timestamp(), err
}

// ReplicateEnd implements Messages.
func (ch *Channels) ReplicateEnd(ctx context.Context, names []string, database, collection, replicateID string) error {
	if ch.Silent || len(names) == 0 {
		return nil
	}
	_, err := ch.ordered(ctx, names, func(ts uint64) (mq.Message, error) {
		return mq.ReplicateEnd(database, collection, replicateID, ts, ch.ServerID)
	})
	return err
}

// send stores a message on each channel and returns where.
func (ch *Channels) send(ctx context.Context, names []string, m mq.Message) ([]*commonpb.KeyDataPair, error) {
	positions := make([]*commonpb.KeyDataPair, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() error {
			at, err := ch.Producer.Send(ctx, name, m)
			positions[i] = &commonpb.KeyDataPair{Key: name, Data: at}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return positions, nil
}
