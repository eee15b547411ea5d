package coord

import (
	"context"
	"time"
)

const (
	// measureEvery is how often the tables are measured: a read of etcd and a request for progress each time.
	measureEvery = 5 * time.Second
	// measurePatience is how long etcd has to answer, and then the tables to reach its revision.
	measurePatience = time.Second
)

// measureTables tells until ctx ends how far the tables are behind etcd, in standby and while active. That nothing comes by
// the watch is no sign of being level: etcd is asked.
func (c *Coordinator) measureTables(ctx context.Context) {
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	for levelAt := time.Now(); ; { // nothing is known to be missed yet
		asked := time.Now()
		behind := c.behind(ctx)
		if ctx.Err() != nil {
			return
		}
		if behind == 0 {
			levelAt = asked
		}
		c.Metrics.TablesMeasured(c.Role.Name(), levelAt, behind, c.Role.Damaged())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// behind is by how many revisions the tables are behind etcd; below zero if etcd does not answer.
func (c *Coordinator) behind(ctx context.Context) int64 {
	asking, cancel := context.WithTimeout(ctx, measurePatience)
	defer cancel()
	revision, err := c.Revision(asking)
	if err != nil {
		return -1
	}
	catching, cancel := context.WithTimeout(ctx, measurePatience)
	defer cancel()
	return max(revision-c.Role.CatchUp(catching, revision), 0)
}
