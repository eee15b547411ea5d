package rootcoord

import (
	"context"
	"path"
	"time"

	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/metrics"
)

// metricsInterval is how often the gauges are brought up to date. Nothing of it walks the collections.
const metricsInterval = 10 * time.Second

// gauges keeps Milvus' gauges in step with the tables for one term.
type gauges struct {
	*parts
	out      *metrics.RootCoord
	named    map[string]bool        // databases that have a label
	behind   map[string]bool        // channels that have one
	halfDone map[halfDone]time.Time // since when this term sees them
}

// halfDone is a collection that is neither created nor dropped completely, or a partition that is not.
type halfDone struct{ collection, partition int64 }

func newGauges(p *parts, out *metrics.RootCoord) *gauges {
	return &gauges{parts: p, out: out, named: map[string]bool{}, behind: map[string]bool{}, halfDone: map[halfDone]time.Time{}}
}

// run updates the gauges until ctx ends, and takes them away then: the next active one has them.
func (g *gauges) run(ctx context.Context) error {
	ticker := time.NewTicker(metricsInterval)
	defer ticker.Stop()
	defer g.out.Collections.Reset()
	defer g.out.TickLag.Reset()
	defer g.out.Show(false)
	for {
		g.update(ctx, time.Now())
		g.out.Show(true)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (g *gauges) update(ctx context.Context, now time.Time) {
	collections := make(map[string]int)
	g.meta.view.Read(func(r catalog.Reader) {
		for _, db := range r.Databases() {
			collections[db.Info.GetName()] = r.CollectionCount(db.Info.GetId())
		}
		g.out.Partitions.Set(float64(r.Partitions()))
		g.countHalfDone(r, now)
	})
	g.out.Databases.Set(float64(len(collections)))
	for name := range g.named {
		if _, ok := collections[name]; !ok {
			g.out.Collections.DeleteLabelValues(name)
			delete(g.named, name)
		}
	}
	for name, n := range collections {
		g.named[name] = true
		g.out.Collections.WithLabelValues(name).Set(float64(n))
	}
	users, roles, groups := g.access.Counts()
	g.out.Users.Set(float64(users))
	g.out.Roles.Set(float64(roles))
	g.out.PrivilegeGroups.Set(float64(groups))
	g.out.DMLChannels.Set(float64(len(g.channels.used())))
	g.out.MsgStreams.Set(float64(g.channels.size()))
	if ts, err := g.timestamps.Alloc(ctx, 1); err == nil {
		g.out.Timestamp.Set(float64(physicalMillis(ts)) / 1000)
	}
	if saved := g.timestamps.Saved(); !saved.IsZero() {
		g.out.TimestampSaved.Set(float64(saved.UnixMilli()) / 1000)
	}
	g.measureTicks(now)
}

// countHalfDone tells how many objects are half done, and for how long this term has seen the oldest. When it began is not
// stored anywhere.
func (g *gauges) countHalfDone(r catalog.Reader, now time.Time) {
	still := make(map[halfDone]time.Time)
	oldest := now
	see := func(h halfDone) {
		since, known := g.halfDone[h]
		if !known {
			since = now
		}
		still[h] = since
		if since.Before(oldest) {
			oldest = since
		}
	}
	for _, c := range r.Unfinished() {
		if !c.Created() {
			see(halfDone{collection: c.ID()})
			continue
		}
		for _, p := range c.Partitions {
			if !p.Created() {
				see(halfDone{c.ID(), p.ID()})
			}
		}
	}
	g.halfDone = still
	g.out.UnfinishedDDL.Set(float64(len(still)))
	g.out.UnfinishedDDLAge.Set(now.Sub(oldest).Seconds())
}

// measureTicks tells how far behind the clock the last tick is on each channel that has one.
func (g *gauges) measureTicks(now time.Time) {
	used := map[string]bool{}
	for _, name := range g.channels.used() {
		if ts := g.ticks.Published(name); ts > 0 {
			used[name] = true
			g.out.TickLag.WithLabelValues(name).Set(float64(now.UnixMilli() - int64(physicalMillis(ts)))) //nolint:gosec // 46 bits
		}
	}
	for name := range g.behind {
		if !used[name] {
			g.out.TickLag.DeleteLabelValues(name)
		}
	}
	g.behind = used
}

// queued counts for how long a DDL waited for others. The name of the call is in the context that gRPC made.
func queued(out *metrics.RootCoord) func(ctx context.Context, took time.Duration) {
	return func(ctx context.Context, took time.Duration) {
		if method, ok := grpc.Method(ctx); ok && out != nil {
			out.Queued(path.Base(method), took)
		}
	}
}
