package datacoord

import (
	"context"
	"time"

	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"

	"github.com/milvus-coord/milvus/internal/metatable"
)

// measureEvery is how often segments are counted. That looks at each of them, so seldom, and only if something has changed.
const measureEvery = 30 * time.Second

// measure keeps Milvus' gauges in step with the tables for one term, and takes them away at its end: the next active one
// has them.
func (d *DataCoord) measure(ctx context.Context) error {
	if d.metrics == nil {
		<-ctx.Done()
		return nil
	}
	defer d.metrics.Segments.Reset()
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	for counted := int64(-1); ; {
		if now := d.follower.Applied(); now != counted {
			counted = now
			d.countSegments()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// segmentKind is what segments are counted by.
type segmentKind struct{ state, level, order string }

func (d *DataCoord) countSegments() {
	var segments *metatable.Table[*datapb.SegmentInfo]
	d.tables.Read(func(t *tables) { segments = t.segments })
	kinds := map[segmentKind]int{}
	segments.Range("", func(_ string, row metatable.Row[*datapb.SegmentInfo]) bool {
		order := "unsorted"
		if row.Value.GetIsSorted() {
			order = "sorted"
		}
		kinds[segmentKind{row.Value.GetState().String(), row.Value.GetLevel().String(), order}]++
		return true
	})
	d.metrics.Segments.Reset()
	for k, n := range kinds {
		d.metrics.Segments.WithLabelValues(k.state, k.level, k.order).Set(float64(n))
	}
}
