package metatable

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
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
	// Load builds, aside, what all yields, and returns the function that puts it in the place of everything, at once for
	// readers. That function is not called if the snapshot turned out to be incomplete.
	Load(revision int64, all iter.Seq[KV]) (swap func())
	// Apply makes all changes of one revision, at once for readers.
	Apply(revision int64, changes []KV)
}

// Config describes a follower.
type Config struct {
	Name     string // for the log
	Client   *clientv3.Client
	Prefixes []string // each ends in "/"; they do not overlap
	State    State
	Logger   *zap.Logger
}

// Follower keeps a State up to date. All methods are safe for concurrent use.
type Follower struct {
	cfg    Config
	loaded chan struct{}
	ask    chan struct{} // a wish for progress

	mu      sync.Mutex
	applied int64
	changed chan struct{} // closed and replaced when applied grows
}

// New makes a follower. It does no I/O.
func New(cfg Config) *Follower {
	return &Follower{
		cfg: cfg, loaded: make(chan struct{}), ask: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// Loaded is closed when the state holds a first snapshot.
func (f *Follower) Loaded() <-chan struct{} { return f.loaded }

// Applied is the revision up to which the state is complete; 0 before the first snapshot.
func (f *Follower) Applied() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applied
}

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
	var timer *time.Timer
	for {
		f.mu.Lock()
		applied, changed := f.applied, f.changed
		f.mu.Unlock()
		if applied >= revision {
			return nil
		}
		if timer == nil {
			timer = time.NewTimer(patience)
			defer timer.Stop()
		}
		select {
		case <-changed:
		case <-timer.C:
			select {
			case f.ask <- struct{}{}:
			default: // somebody's wish is under way
			}
			patience = min(max(2*patience, time.Millisecond), 100*time.Millisecond)
			timer.Reset(patience)
		case <-ctx.Done():
			return fmt.Errorf("%s: wait for revision %d, at %d: %w", f.cfg.Name, revision, applied, context.Cause(ctx))
		}
	}
}

func (f *Follower) reached(revision int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if revision > f.applied {
		f.applied = revision
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// Run feeds the state until ctx ends, and returns nil then. Run may be called once.
func (f *Follower) Run(ctx context.Context) error {
	for try := 0; ctx.Err() == nil; try++ {
		began := time.Now()
		revision, count, err := f.load(ctx)
		if err != nil {
			if ctx.Err() == nil && (try == 3 || try%120 == 119) {
				f.cfg.Logger.Warn("cannot read the metadata, still trying", zap.String("table", f.cfg.Name), zap.Error(err))
			}
			pause(ctx, min(20*time.Millisecond<<min(try, 6), time.Second))
			continue
		}
		try = 0
		f.cfg.Logger.Info("metadata loaded", zap.String("table", f.cfg.Name), zap.Int64("revision", revision),
			zap.Int("keys", count), zap.Duration("took", time.Since(began).Round(time.Millisecond)))
		f.reached(revision)
		select {
		case <-f.loaded:
		default:
			close(f.loaded)
		}
		f.follow(ctx)
	}
	return nil
}

// follow watches from the revision after the snapshot. It returns when ctx ends or history was compacted away.
func (f *Follower) follow(ctx context.Context) {
	logged := false
	for ctx.Err() == nil {
		err := f.watch(ctx, f.Applied()+1)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errCompacted):
			f.cfg.Logger.Warn("the watched history was compacted, reading the metadata anew", zap.String("table", f.cfg.Name))
			return
		case !logged:
			logged = true
			f.cfg.Logger.Warn("watch of the metadata broke, resuming", zap.String("table", f.cfg.Name), zap.Error(err))
		}
		pause(ctx, 50*time.Millisecond)
	}
}

var (
	errCompacted = errors.New("history was compacted")
	errClosed    = errors.New("watch was closed")
)

// stream is one prefix' part of a watch.
type stream struct {
	events   clientv3.WatchChan
	complete int64 // up to this revision
}

// watch applies events from revision on until the watch breaks. Several prefixes are several watches on one connection;
// the state is complete up to the smallest of them.
func (f *Follower) watch(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	watcher := clientv3.NewWatcher(f.cfg.Client)
	defer watcher.Close() //nolint:errcheck // the context has ended
	streams := make([]*stream, len(f.cfg.Prefixes))
	merged := make(chan response)
	var pumps sync.WaitGroup
	defer func() { cancel(); pumps.Wait() }()
	for i, prefix := range f.cfg.Prefixes {
		s := &stream{complete: revision - 1}
		s.events = watcher.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision), clientv3.WithProgressNotify())
		streams[i] = s
		pumps.Go(func() { pump(ctx, s, merged) })
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.ask:
			if err := watcher.RequestProgress(ctx); err != nil {
				return err
			}
		case r := <-merged:
			if err := f.accept(r, streams); err != nil {
				return err
			}
		}
	}
}

// response is what one of several watches said.
type response struct {
	from   *stream
	answer clientv3.WatchResponse
	closed bool
}

func pump(ctx context.Context, s *stream, into chan<- response) {
	for {
		answer, ok := <-s.events
		select {
		case into <- response{from: s, answer: answer, closed: !ok}:
		case <-ctx.Done():
			return
		}
		if !ok {
			return
		}
	}
}

func (f *Follower) accept(r response, streams []*stream) error {
	switch {
	case r.closed:
		return errClosed
	case r.answer.CompactRevision != 0:
		return errCompacted
	case r.answer.Err() != nil:
		return r.answer.Err()
	}
	// etcd sends the events of one revision in one response, unless it was asked to fragment.
	events := r.answer.Events
	for len(events) > 0 {
		revision := events[0].Kv.ModRevision
		n := 1
		for n < len(events) && events[n].Kv.ModRevision == revision {
			n++
		}
		f.cfg.State.Apply(revision, changes(events[:n]))
		r.from.complete = revision
		events = events[n:]
	}
	if r.answer.IsProgressNotify() {
		r.from.complete = max(r.from.complete, r.answer.Header.Revision)
	}
	least := streams[0].complete
	for _, s := range streams[1:] {
		least = min(least, s.complete)
	}
	f.reached(least)
	return nil
}

func changes(events []*clientv3.Event) []KV {
	kvs := make([]KV, len(events))
	for i, ev := range events {
		kvs[i] = KV{Key: string(ev.Kv.Key), ModRevision: ev.Kv.ModRevision, Deleted: ev.Type == mvccpb.DELETE}
		if !kvs[i].Deleted {
			kvs[i].Value, kvs[i].CreateRevision = ev.Kv.Value, ev.Kv.CreateRevision
		}
	}
	return kvs
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
