package clock

import (
	"context"
	"time"
)

// Sleep waits for d or the end of ctx, whose cause it returns. It does not count while the machine is suspended.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
