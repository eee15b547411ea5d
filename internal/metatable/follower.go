package metatable

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
)

// KV is one key as it is, or was deleted, at a revision.
type KV struct {
	Key            string
	Value          []byte // nil if deleted
	CreateRevision int64
	ModRevision    int64
	Deleted        bool
}

// State is what a follower feeds, from one goroutine.
type State interface {
	// Load builds, aside, what all yields, in no order, and returns the function that puts it in the place of everything,
	// at once for readers. That function is not called if the snapshot turned out to be incomplete.
	Load(revision int64, all iter.Seq[KV]) (swap func())
	// Apply makes all changes of one revision, at once for readers.
	Apply(revision int64, changes []KV)
}

// Config describes a follower.
type Config struct {
	Name     string // for the log
	Client   *clientv3.Client
	Prefixes []string // at least one; each ends in "/"; they do not overlap
	State    State
	Logger   *zap.Logger
}

// Follower keeps a State up to date. All methods are safe for concurrent use.
type Follower struct {
	cfg     Config
	loaded  chan struct{} // closed by Run after the first snapshot
	ask     chan struct{} // a wish for progress
	waiters waiters
}

// New makes a follower. It does no I/O.
func New(cfg Config) *Follower {
	return &Follower{cfg: cfg, loaded: make(chan struct{}), ask: make(chan struct{}, 1)}
}

// Loaded is closed when the state holds a first snapshot.
func (f *Follower) Loaded() <-chan struct{} { return f.loaded }

// Applied is the revision up to which the state is complete; 0 before the first snapshot.
func (f *Follower) Applied() int64 { return f.waiters.current() }

// eventPatience is how long WaitFor expects an event before it asks for progress. An own write always brings one.
const eventPatience = 20 * time.Millisecond

// WaitFor returns when the state is complete up to revision, for a caller that expects an event at that revision: its
// own write. It returns the cause of ctx if that ends first.
func (f *Follower) WaitFor(ctx context.Context, revision int64) error {
	return f.wait(ctx, revision, eventPatience)
}

// Barrier is WaitFor for a caller that may be waiting for a revision that touched nothing in the ranges.
func (f *Follower) Barrier(ctx context.Context, revision int64) error {
	return f.wait(ctx, revision, 0)
}

func (f *Follower) wait(ctx context.Context, revision int64, patience time.Duration) error {
	err := f.waiters.wait(ctx, revision, patience, func() {
		select {
		case f.ask <- struct{}{}:
		default: // somebody's wish waits already
		}
	})
	if err != nil {
		return fmt.Errorf("%s: wait for revision %d, at %d: %w", f.cfg.Name, revision, f.Applied(), err)
	}
	return nil
}

// reach is called when the state is complete up to revision.
func (f *Follower) reach(revision int64) { f.waiters.reach(revision) }

// Run feeds the state until ctx ends, and returns nil then. Run may be called once.
func (f *Follower) Run(ctx context.Context) error {
	for failed := 0; ctx.Err() == nil; {
		began := time.Now()
		revision, count, err := f.load(ctx)
		if err != nil {
			if failed++; failed == patientTries && ctx.Err() == nil {
				f.cfg.Logger.Warn("cannot read the metadata, still trying", zap.String("table", f.cfg.Name), zap.Error(err))
			}
			_ = clock.Sleep(ctx, min(20*time.Millisecond<<min(failed, 6), time.Second))
			continue
		}
		failed = 0
		f.cfg.Logger.Info("metadata loaded", zap.String("table", f.cfg.Name), zap.Int64("revision", revision),
			zap.Int("keys", count), zap.Duration("took", time.Since(began).Round(time.Millisecond)))
		f.reach(revision)
		select {
		case <-f.loaded:
		default:
			close(f.loaded)
		}
		f.follow(ctx)
	}
	return nil
}

// patientTries are the failures that are not worth a line in the log: etcd may be starting, too.
const patientTries = 3

// follow watches from the revision after the snapshot. It returns when ctx ends or history was compacted away. Of a watch
// that breaks again before it has brought anything, the first time is logged.
func (f *Follower) follow(ctx context.Context) {
	brokenAt := int64(-1)
	for ctx.Err() == nil {
		err := f.watch(ctx, f.Applied()+1)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errCompacted):
			f.cfg.Logger.Warn("the watched history was compacted, reading the metadata anew", zap.String("table", f.cfg.Name))
			return
		case brokenAt != f.Applied():
			brokenAt = f.Applied()
			f.cfg.Logger.Warn("watch of the metadata broke, resuming", zap.String("table", f.cfg.Name),
				zap.Int64("revision", brokenAt), zap.Error(err))
		}
		_ = clock.Sleep(ctx, 50*time.Millisecond)
	}
}
