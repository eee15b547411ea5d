package tso

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/milvus-coord/milvus/internal/errs"
)

// idPatience is how long a caller waits for a block of ids that reaches beyond the stored bound.
const idPatience = 3 * time.Second

// IDs hands out positive int64 ids. Make one for each term, call Start, then Run; Alloc is safe for concurrent use from
// Start on.
type IDs struct {
	a      *allocator
	wanted atomic.Uint64 // the largest end of a block that somebody waits for
}

// NewIDs makes the id allocator of one term. It does no I/O.
func NewIDs(cfg Config) (*IDs, error) {
	a, err := newAllocator(cfg, "id")
	if err != nil {
		return nil, err
	}
	a.limitFor = func(bound uint64) uint64 { return bound }
	return &IDs{a: a}, nil
}

// Start reads the stored bound and stores the first one of this term, waiting for an etcd that is away until ctx ends.
func (i *IDs) Start(ctx context.Context) error { return i.a.start(ctx) }

// Run keeps the bound ahead. It blocks until ctx or the term ends and returns why.
func (i *IDs) Run(ctx context.Context) error { return i.a.keep(ctx, i.target) }

// target is where the bound should be, or 0 if it is far enough ahead.
func (i *IDs) target() int64 {
	bound, _ := i.a.state()
	reached := max(i.a.next.Load(), i.wanted.Load())
	if reached+value(window/2) <= bound {
		return 0
	}
	return millisOf(reached) + 1 + window
}

// Alloc takes count ids that follow one another and returns the first. A block that reaches beyond the stored bound
// waits for the next one, at most a few seconds; then, and while the term is in doubt, it fails with errs.NotReady,
// retriable. A count of 0 is a plain error.
func (i *IDs) Alloc(ctx context.Context, count uint32) (uint64, error) {
	if count == 0 {
		return 0, errors.New("0 ids in one request: it must be at least 1")
	}
	first, ok := i.a.take(count)
	if !ok {
		var err error
		if first, err = i.await(ctx, count); err != nil {
			return 0, err
		}
	}
	if first+uint64(count)+value(window/2) > i.a.limit.Load() {
		i.a.nudge()
	}
	return i.a.valid(first)
}

// await takes count ids as soon as the bound has moved far enough.
func (i *IDs) await(ctx context.Context, count uint32) (uint64, error) {
	timer := time.NewTimer(idPatience)
	defer timer.Stop()
	for {
		_, changed := i.a.state() // before the try: a bound that moves after it is not missed
		if first, ok := i.a.take(count); ok {
			return first, nil
		}
		i.want(i.a.next.Load() + uint64(count))
		select {
		case <-changed:
		case <-timer.C:
			return 0, errs.NotReady.Withf("id allocator: the bound stored in etcd is used up, a new one is not stored yet")
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for ids: %w", context.Cause(ctx))
		}
	}
}

// want tells the keeper how far the bound must reach.
func (i *IDs) want(end uint64) {
	for {
		old := i.wanted.Load()
		if end <= old || i.wanted.CompareAndSwap(old, end) {
			break
		}
	}
	i.a.nudge()
}
