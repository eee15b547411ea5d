package rootcoord

import (
	"context"
	"time"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/metrics"
)

// metricsInterval is how often the gauges are brought up to date. Counting partitions looks at every collection.
const metricsInterval = 10 * time.Second

// gauges keeps Milvus' gauges in step with the tables for one term.
type gauges struct {
	*parts
	out   *metrics.RootCoord
	named map[string]bool // databases that have a label
}

// run updates the gauges until ctx ends, and takes the databases' labels away then: the next active one has them.
func (g *gauges) run(ctx context.Context) error {
	ticker := time.NewTicker(metricsInterval)
	defer ticker.Stop()
	defer g.out.Collections.Reset()
	defer g.out.TickLag.Reset()
	for {
		g.update(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (g *gauges) update(ctx context.Context) {
	counts := make(map[string]int)
	partitions := 0
	g.meta.view.Read(func(r catalog.Reader) {
		for _, db := range r.Databases() {
			counts[db.Info.GetName()] = r.CollectionCount(db.Info.GetId())
		}
		for c := range r.AllCollections() {
			if c.Created() {
				partitions += int(countPartitions(c, latest, false))
			}
		}
	})
	for name := range g.named {
		if _, ok := counts[name]; !ok {
			g.out.Collections.DeleteLabelValues(name)
			delete(g.named, name)
		}
	}
	for name, n := range counts {
		g.named[name] = true
		g.out.Collections.WithLabelValues(name).Set(float64(n))
	}
	g.out.Databases.Set(float64(len(counts)))
	g.updateTicks(time.Now())
	users, roles, groups := g.access.Counts()
	g.out.Users.Set(float64(users))
	g.out.Roles.Set(float64(roles))
	g.out.PrivilegeGroups.Set(float64(groups))
	g.out.Partitions.Set(float64(partitions))
	g.out.DMLChannels.Set(float64(len(g.channels.used())))
	if ts, err := g.timestamps.Alloc(ctx, 1); err == nil {
		g.out.Timestamp.Set(float64(physicalMillis(ts)) / 1000)
	}
	if saved := g.timestamps.Saved(); !saved.IsZero() {
		g.out.TimestampSaved.Set(float64(saved.UnixMilli()) / 1000)
	}
}

// updateTicks tells how old the last time tick of each channel in use is. A channel without one is not shown.
func (g *gauges) updateTicks(now time.Time) {
	g.out.TickLag.Reset()
	for _, name := range g.channels.used() {
		if ts := g.ticks.Published(name); ts > 0 {
			g.out.TickLag.WithLabelValues(name).Set(float64(now.UnixMilli()) - float64(physicalMillis(ts)))
		}
	}
}
