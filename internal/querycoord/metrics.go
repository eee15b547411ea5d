package querycoord

import (
	"context"
	"time"
)

// measureEvery is how often the gauges are brought up to date.
const measureEvery = 10 * time.Second

// measure keeps Milvus' gauges in step with the tables for one term, and takes them away at its end: the next active one
// has them.
func (q *QueryCoord) measure(ctx context.Context) error {
	if q.metrics == nil {
		<-ctx.Done()
		return nil
	}
	defer q.metrics.Show(false)
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	for {
		q.tables.Read(func(t *tables) {
			q.metrics.Collections.Set(float64(t.collections.Len()))
			q.metrics.Partitions.Set(float64(t.partitions.Len()))
		})
		q.metrics.Show(true)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
