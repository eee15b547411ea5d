package rootcoord

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// chores are what a term does behind answered calls: the steps after a drop, the undoing of a failed creation. Nothing of
// them is stored. What says that they are to be done is the state in the metadata, Creating or Dropping, which the next
// term finds; so every step may be done twice.
type chores struct {
	ctx    context.Context // of the term's work
	cancel context.CancelFunc
	logger *zap.Logger
	pace   pace
	slots  chan struct{} // taken while a step is tried

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // Add under mu while not closed
}

// pace is how long a chore waits before it tries again: twice as long each time.
type pace struct{ first, longest time.Duration }

// step is a part of a chore.
type step struct {
	name string
	do   func(ctx context.Context) error
}

// errNotYet is the answer of a step that is to be asked again and means no harm by it.
var errNotYet = errors.New("not yet")

// stepsAtOnce bounds how many steps are tried at a time, so that a mass of drops does not flood brokers and peers.
const stepsAtOnce = 16

func newChores(term *sessionutil.Term, pace pace, logger *zap.Logger) *chores {
	c := &chores{logger: logger, pace: pace, slots: make(chan struct{}, stepsAtOnce)}
	c.ctx, c.cancel = context.WithCancel(term.Context())
	return c
}

// start does the steps in order, each until it succeeds, and closes done when the last has or the term's work has ended.
func (c *chores) start(what string, id int64, steps ...step) (done <-chan struct{}) {
	ended := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		close(ended)
		return ended
	}
	c.running.Go(func() {
		defer close(ended)
		for _, s := range steps {
			if !c.persist(what, id, s) {
				return
			}
		}
	})
	return ended
}

// persist tries a step until it succeeds. It tells whether it did before the end.
func (c *chores) persist(what string, id int64, s step) bool {
	for wait := c.pace.first; ; wait = min(2*wait, c.pace.longest) {
		err := c.try(s)
		switch {
		case err == nil:
			return true
		case c.ctx.Err() != nil:
			return false
		case !errors.Is(err, errNotYet):
			c.logger.Warn("a step behind a DDL failed, it will be tried again", zap.String("work", what),
				zap.String("step", s.name), zap.Int64("id", id), zap.Duration("in", wait), zap.Error(err))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
			return false
		}
	}
}

func (c *chores) try(s step) error {
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	defer func() { <-c.slots }()
	return s.do(c.ctx)
}

// close ends all chores and waits for them. None begins any more.
func (c *chores) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.running.Wait()
}
