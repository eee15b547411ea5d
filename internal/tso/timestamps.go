package tso

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/errs"
)

const (
	// tick is how often timestamps follow the wall clock.
	tick = 10 * time.Millisecond
	// lead is how many ms the counter's overflow may carry timestamps ahead of the wall clock between two ticks.
	lead = 10
	// patience is how long a caller waits for the next millisecond when all values up to lead are used.
	patience = 500 * time.Millisecond
)

// MaxTimestamps is the largest block of timestamps that one call may ask for.
const MaxTimestamps = 1<<logicalBits - 1

// Timestamps hands out hybrid timestamps that follow the wall clock. Make one for each term, call Start, then Run; Alloc
// is safe for concurrent use from Start on.
type Timestamps struct {
	a *allocator
}

// NewTimestamps makes the timestamp allocator of one term. It does no I/O.
func NewTimestamps(cfg Config) (*Timestamps, error) {
	a, err := newAllocator(cfg, "timestamp")
	if err != nil {
		return nil, err
	}
	t := &Timestamps{a: a}
	a.limitFor = t.limitFor
	return t, nil
}

// Start reads the stored bound and stores the first one of this term, waiting for an etcd that is away until ctx ends.
func (t *Timestamps) Start(ctx context.Context) error { return t.a.start(ctx) }

// Run follows the wall clock and keeps the bound ahead. It blocks until ctx or the term ends and returns why.
func (t *Timestamps) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.a.keep(ctx, t.target) })
	group.Go(func() error {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-ticker.C:
				t.follow()
			}
		}
	})
	return group.Wait()
}

// follow moves timestamps to the wall clock and asks for a new bound in good time.
func (t *Timestamps) follow() {
	t.a.mu.Lock()
	defer t.a.mu.Unlock()
	if t.a.bound == 0 {
		return // the keeper is at it
	}
	t.a.limit.Store(t.limitFor(t.a.bound))
	if t.ahead()+window/2 > millisOf(t.a.bound) {
		t.a.nudge()
	}
}

// limitFor moves timestamps to the wall clock, if that is ahead, and answers how far the counter may carry until the next
// tick: a little beyond the wall clock, or into the next millisecond when the clock is behind.
func (t *Timestamps) limitFor(bound uint64) uint64 {
	now := t.a.now()
	t.a.raise(value(min(now, millisOf(bound)-1)))
	return min(bound, value(max(now+lead, millisOf(t.a.next.Load())+2)))
}

// ahead is the millisecond that has been reached, by the wall clock or by counting.
func (t *Timestamps) ahead() int64 { return max(t.a.now(), millisOf(t.a.next.Load())) }

// target is where the bound should be, or 0 if it is far enough ahead.
func (t *Timestamps) target() int64 {
	bound, _ := t.a.state()
	ahead := t.ahead()
	if ahead+window/2 <= millisOf(bound) {
		return 0
	}
	return ahead + window
}

// Alloc takes count timestamps that follow one another and returns the first. It fails with errs.NotReady, retriable,
// while the stored bound is used up or the term is in doubt, and plainly for a count of 0 or above [MaxTimestamps].
func (t *Timestamps) Alloc(ctx context.Context, count uint32) (uint64, error) {
	if count == 0 || count > MaxTimestamps {
		return 0, fmt.Errorf("%d timestamps in one request: it must be 1 to %d", count, MaxTimestamps)
	}
	if first, ok := t.a.take(count); ok {
		return t.a.valid(first)
	}
	return t.allocSlowly(ctx, count)
}

// allocSlowly waits for the next millisecond.
func (t *Timestamps) allocSlowly(ctx context.Context, count uint32) (uint64, error) {
	for deadline := time.Now().Add(patience); ; {
		bound, _ := t.a.state()
		if t.a.next.Load()+uint64(count) > bound {
			t.a.nudge()
			return 0, errs.NotReady.Withf("timestamp allocator: the bound stored in etcd is used up, a new one is not stored yet")
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("timestamps are exhausted: more than %d a millisecond were asked for over %v", MaxTimestamps, patience)
		}
		if err := clock.Sleep(ctx, tick/2); err != nil {
			return 0, fmt.Errorf("wait for a timestamp: %w", err)
		}
		if first, ok := t.a.take(count); ok {
			return t.a.valid(first)
		}
	}
}

// Saved is the stored bound as wall-clock time; the zero time while it is in doubt.
func (t *Timestamps) Saved() time.Time {
	bound, _ := t.a.state()
	if bound == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millisOf(bound))
}
