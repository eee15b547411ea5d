package tso

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// logicalBits is how far the milliseconds are shifted in a value.
const logicalBits = 18

// allocator is what Timestamps and IDs have in common: values in [next, limit) are free, and limit never exceeds the
// bound that is stored.
type allocator struct {
	cfg   Config
	kind  string // for messages: "timestamp" or "id"
	store store  // owned by Start, then by Run
	// limitFor answers how far values may go at present below a bound. It is called under mu.
	limitFor func(bound uint64) uint64

	next  atomic.Uint64 // the first value that was not handed out
	limit atomic.Uint64 // the first value that may not be; 0 while the stored bound is in doubt

	mu      sync.Mutex    // keeps bound and limit together; never held during I/O
	bound   uint64        // the stored one, as a value; 0 while it is in doubt
	changed chan struct{} // closed and replaced whenever the bound has moved

	wake chan struct{} // one element: the keeper should look at the bound
}

func newAllocator(cfg Config, kind string) (*allocator, error) {
	if cfg.Client == nil || cfg.Term == nil || cfg.Key == "" || cfg.Logger == nil {
		return nil, fmt.Errorf("tso: %s allocator: Client, Term, Key and Logger are required", kind)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &allocator{
		cfg: cfg, kind: kind, store: store{cfg: cfg},
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}, nil
}

// now is the wall clock in milliseconds, 0 for a clock that stands before 1970.
func (a *allocator) now() int64 { return max(0, a.cfg.Now().UnixMilli()) }

// start reads the stored bound and stores one that is ahead of it and of the wall clock. Nothing can be handed out before.
func (a *allocator) start(ctx context.Context) error {
	for {
		stored, err := a.store.read(ctx)
		if err != nil {
			return err
		}
		first := max(a.now(), stored+1)
		err = a.store.write(ctx, first+window)
		if errors.Is(err, sessionutil.ErrGuard) {
			continue // written between the two; read again
		}
		if err != nil {
			return err
		}
		a.raise(value(first))
		a.setBound(first + window)
		return nil
	}
}

// take hands out count values, unless that many are not free.
func (a *allocator) take(count uint32) (first uint64, ok bool) {
	for {
		first = a.next.Load()
		end := first + uint64(count)
		if end > a.limit.Load() {
			return 0, false
		}
		if a.next.CompareAndSwap(first, end) {
			return first, true
		}
	}
}

// raise skips values: the next one handed out is at least v.
func (a *allocator) raise(v uint64) {
	for {
		old := a.next.Load()
		if v <= old || a.next.CompareAndSwap(old, v) {
			return
		}
	}
}

// valid answers first if it may be answered: the term is asked after the value was taken.
func (a *allocator) valid(first uint64) (uint64, error) {
	if !a.cfg.Term.Valid() {
		return 0, errs.NotReady.Withf("%s allocator: this process cannot tell whether it is still the active one", a.kind)
	}
	return first, nil
}

func (a *allocator) setBound(millis int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bound = value(millis)
	a.limit.Store(a.limitFor(a.bound))
	close(a.changed)
	a.changed = make(chan struct{})
}

// suspend stops allocation until the next setBound. It tells whether it had been going on.
func (a *allocator) suspend() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	going := a.bound != 0
	a.bound = 0
	a.limit.Store(0)
	return going
}

// state is the bound and what is closed when it moves.
func (a *allocator) state() (bound uint64, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bound, a.changed
}

// nudge asks the keeper to look at the bound.
func (a *allocator) nudge() {
	select {
	case a.wake <- struct{}{}:
	default: // it has been asked already
	}
}

// keep moves the bound to what target asks for, each time it is woken, until ctx or the term ends. target answers 0 when
// the bound is far enough ahead.
func (a *allocator) keep(ctx context.Context, target func() int64) error {
	var failing time.Time // when the present row of failures began
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.wake:
		}
		millis := target()
		if millis == 0 {
			continue
		}
		err := a.extend(ctx, millis)
		switch {
		case err == nil && !failing.IsZero():
			a.cfg.Logger.Info("allocator's bound is stored again",
				zap.String("key", a.cfg.Key), zap.Duration("after", time.Since(failing)))
			failing = time.Time{}
		case err == nil:
		case ctx.Err() != nil || errors.Is(err, sessionutil.ErrDeposed):
			return err
		default:
			if failing.IsZero() {
				failing = time.Now()
				a.cfg.Logger.Warn("cannot store the allocator's bound, trying again; allocation goes on up to the old one",
					zap.String("key", a.cfg.Key), zap.Error(err))
			}
			a.nudge()
			if err := clock.Sleep(ctx, retryPause); err != nil {
				return err
			}
		}
	}
}

// extend stores a bound of at least millis. When another writer has moved the key, nothing is handed out until a bound
// is stored that lies above the other's, and everything handed out from then on lies above it too.
func (a *allocator) extend(ctx context.Context, millis int64) error {
	err := a.store.write(ctx, millis)
	for errors.Is(err, sessionutil.ErrGuard) {
		if a.suspend() {
			a.cfg.Logger.Warn("another writer has moved the allocator's bound, continuing above it",
				zap.String("key", a.cfg.Key), zap.Error(err))
		}
		var foreign int64
		if foreign, err = a.store.read(ctx); err != nil {
			return err
		}
		a.raise(value(foreign + 1))
		millis = max(millis, foreign+1+window)
		err = a.store.write(ctx, millis)
	}
	if err != nil {
		return err
	}
	a.setBound(millis)
	return nil
}

// value is the first value of a millisecond; millisOf is its inverse, rounding down.
func value(millis int64) uint64 { return uint64(millis) << logicalBits }

func millisOf(v uint64) int64 { return int64(v >> logicalBits) }
