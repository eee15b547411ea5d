package sessionutil

import (
	"context"
	"time"
)

// requestTimeout bounds one request to etcd outside the heartbeat; an etcd election takes about a second.
const requestTimeout = 3 * time.Second

// retryPause grows from 20 ms to 1 s: quick enough for an etcd that has just come back, slow enough for one that is away.
func retryPause(try int) time.Duration {
	return min(20*time.Millisecond<<min(try, 10), time.Second)
}

// sleep waits for d or the end of ctx, whose cause it returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
