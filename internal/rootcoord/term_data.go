package rootcoord

import (
	"context"
	"fmt"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"

	"github.com/milvus-coord/milvus/internal/mq"
	"github.com/milvus-coord/milvus/internal/proxies"
	"github.com/milvus-coord/milvus/internal/rootcoord/datapath"
	"github.com/milvus-coord/milvus/internal/rootcoord/ticks"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// DataPath says where the data of the cluster's collections go.
type DataPath struct {
	Queue        mq.Config
	Ticks        bool // time ticks, and the messages that they order
	TickInterval time.Duration
	TickSilence  time.Duration // after which a proxy is left out of them; 0: never
}

// Waits of a term for others.
const (
	ddlPatience  = 10 * time.Second // for DataCoord or QueryCoord to be there, in a DDL
	tickPatience = 30 * time.Second // for ticks to pass the message of a drop
)

// connect opens the data path of a term, if the cluster has one, and makes the term's time ticks.
func (r *RootCoord) connect(ctx context.Context, term *sessionutil.Term, p *parts) error {
	floor, err := p.timestamps.Alloc(ctx, 1)
	if err != nil {
		return fmt.Errorf("floor of the time ticks: %w", err)
	}
	cfg := ticks.Config{
		Floor: floor, Timestamp: func(ctx context.Context) (uint64, error) { return p.timestamps.Alloc(ctx, 1) },
		Channels: p.channels.used, Now: time.Now, Logger: r.logger,
	}
	if r.cfg.Data == nil {
		p.ticks = ticks.New(cfg)
		return nil
	}
	queue, err := mq.Open(r.cfg.Data.Queue, r.logger)
	if err != nil {
		return err
	}
	p.queue = queue
	cfg.Interval, cfg.Silence = r.cfg.Data.TickInterval, r.cfg.Data.TickSilence
	if r.cfg.Data.Ticks {
		cfg.Send = func(ctx context.Context, channel string, ts uint64) error {
			if !term.Valid() { // another one may publish ticks by now
				return p.ddl.notReady(errTermOver)
			}
			m, err := mq.TimeTick(ts, term.ServerID())
			if err != nil {
				return err
			}
			began := time.Now()
			_, err = queue.Send(ctx, channel, m)
			if err == nil && r.metrics != nil {
				r.metrics.TimeTickTook.Observe(float64(time.Since(began)) / float64(time.Millisecond))
			}
			return err
		}
	}
	p.ticks = ticks.New(cfg)
	p.data = datapath.New(datapath.Config{
		DataCoord: p.peers.clients[0], QueryCoord: p.peers.clients[1], Patience: ddlPatience, Logger: r.logger,
		Messages: &datapath.Channels{
			Producer: queue, Ticks: p.ticks, Silent: !r.cfg.Data.Ticks, ServerID: term.ServerID(), Patience: tickPatience,
		},
	})
	return nil
}

// followSources keeps the sources of ticks at the proxies that there are, until ctx ends.
func followSources(ctx context.Context, caller *proxies.Caller, t *ticks.Ticker) error {
	for {
		ids, changed := caller.Watch()
		t.SetSources(ids)
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// tickHandlers answer the proxies' reports of how far they are.
type tickHandlers struct{ *parts }

// UpdateChannelTimeTick notes up to where a proxy is on its channels.
func (h *tickHandlers) UpdateChannelTimeTick(_ context.Context, req *internalpb.ChannelTimeTickMsg) (*commonpb.Status, error) {
	return status(h.ticks.Report(req.GetBase().GetSourceID(), req))
}
