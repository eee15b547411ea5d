package rootcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// errTermOver ends the DDLs under way when the term's work ends.
var errTermOver = errors.New("rootcoord's term is over")

// ddl runs the changes of one term: each under its locks, on the term's context instead of the caller's. A caller that
// goes away is answered at once, and its write goes on under the locks until the outcome is known: were they given back
// before, the next DDL on the name would decide on a state that is about to change.
type ddl struct {
	serverID int64
	logger   *zap.Logger
	locks    *keylock.Table
	waited   func(ctx context.Context, took time.Duration) // for metrics

	ctx    context.Context // of the term's work
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // Add under mu while not closed
}

func newDDL(term *sessionutil.Term, waited func(context.Context, time.Duration), logger *zap.Logger) *ddl {
	d := &ddl{serverID: term.ServerID(), logger: logger, locks: keylock.New(), waited: waited}
	d.ctx, d.cancel = context.WithCancelCause(term.Context())
	return d
}

// patience is how long the end of a term's work waits for writes whose outcome is open.
const patience = time.Second

// close lets no DDL begin any more, interrupts what can be, and waits for those under way. Where etcd does not answer a
// write cannot be interrupted: it ends with the term, which ends when the work has, so it is waited for but a moment.
// It tells whether all have ended.
func (d *ddl) close() bool {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel(errTermOver)
	done := make(chan struct{})
	go func() { d.running.Wait(); close(done) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		d.logger.Warn("etcd does not answer, leaving writes under way to the end of the term")
		return false
	}
}

// Whether a DDL that is done twice succeeds twice: then its caller may be told to send it again when nobody knows whether
// it was done.
const (
	repeatable = true
	once       = false
)

// do runs work under the locks and returns its error as the caller is to see it.
func (d *ddl) do(ctx context.Context, locks kept, again bool, work func(ctx context.Context) error) error {
	began := time.Now()
	release, err := d.acquire(ctx, locks)
	if err != nil {
		return err
	}
	d.waited(ctx, time.Since(began))
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		release()
		return d.notReady(errTermOver)
	}
	d.running.Add(1)
	d.mu.Unlock()

	done := make(chan error, 1)
	go func() {
		defer d.running.Done()
		defer release()
		done <- d.contain(work)
	}()
	select {
	case err := <-done:
		return d.outcome(err, again)
	case <-ctx.Done():
		return fmt.Errorf("the call ended before its outcome was known: %w", context.Cause(ctx))
	}
}

// contain turns a panic into an error: it would end the process here, where no interceptor catches it.
func (d *ddl) contain(work func(ctx context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			d.logger.Error("panic in a DDL", zap.Any("panic", p), zap.Stack("stack"))
			err = errs.Internal.Withf("panic: %v", p)
		}
	}()
	return work(d.ctx)
}

// acquire takes the locks, and takes others when what they are named by has changed meanwhile.
func (d *ddl) acquire(ctx context.Context, locks kept) (release func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(errTermOver) })()
	for {
		wanted := locks()
		release, err := d.locks.Acquire(ctx, wanted...)
		if errors.Is(err, errTermOver) {
			return nil, d.notReady(err)
		}
		if err != nil {
			return nil, fmt.Errorf("wait for another DDL on the same name: %w", err)
		}
		if slices.Equal(wanted, locks()) {
			return release, nil
		}
		release()
	}
}

// outcome is the error of a DDL as its caller is to see it.
func (d *ddl) outcome(err error, again bool) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sessionutil.ErrDeposed): // nothing was written
		return d.notReady(err)
	case d.ctx.Err() != nil && again: // it may have been written, or was, and the term ended before it came back
		return d.notReady(err)
	case errors.Is(err, sessionutil.ErrGuard):
		return fmt.Errorf("another program writes RootCoord's keys: %w", err)
	}
	return err
}

func (d *ddl) notReady(cause error) error {
	return errs.NotReady.With(cause.Error(), errs.F(Name, d.serverID))
}
