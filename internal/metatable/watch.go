package metatable

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var (
	errCompacted = errors.New("history was compacted")
	errClosed    = errors.New("watch was closed")
)

// watch is one uninterrupted following of all prefixes: a watch for each, on a connection of their own so that progress
// is theirs. The state is complete up to the smallest of them.
type watch struct {
	f       *Follower
	watcher clientv3.Watcher
	streams []*stream

	// One request for progress is under way at a time, however many are waiting: asked is when it was sent, zero if none
	// is; again tells that somebody asked since, who may be waiting for more than its answer will tell.
	asked time.Time
	again bool
}

// stream is one prefix' part of a watch.
type stream struct {
	events   clientv3.WatchChan
	complete int64 // up to this revision
}

// response is what one of several streams said.
type response struct {
	from   *stream
	answer clientv3.WatchResponse
	closed bool
}

// watch applies events from revision on until the watch breaks.
func (f *Follower) watch(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	w := &watch{f: f, watcher: clientv3.NewWatcher(f.cfg.Client)}
	defer w.watcher.Close() //nolint:errcheck // the context has ended
	merged := make(chan response)
	var pumps sync.WaitGroup
	defer func() { cancel(); pumps.Wait() }()
	for _, prefix := range f.cfg.Prefixes {
		s := &stream{complete: revision - 1}
		s.events = w.watcher.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision), clientv3.WithProgressNotify())
		w.streams = append(w.streams, s)
		pumps.Go(func() { pump(ctx, s, merged) })
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.ask:
			if err := w.askProgress(ctx); err != nil {
				return err
			}
		case r := <-merged:
			if err := w.accept(ctx, r); err != nil {
				return err
			}
		}
	}
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

const (
	// answerPatience is how long an answer is waited for: etcd gives none while it is still catching up with the watch.
	answerPatience = 50 * time.Millisecond
	// sendPatience bounds the sending, which waits while the connection is being made anew.
	sendPatience = 20 * time.Millisecond
)

func (w *watch) askProgress(ctx context.Context) error {
	if !w.asked.IsZero() && time.Since(w.asked) < answerPatience {
		w.again = true
		return nil
	}
	w.again, w.asked = false, time.Now()
	sending, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	if err := w.watcher.RequestProgress(sending); err != nil && sending.Err() == nil {
		return err
	}
	return nil
}

func (w *watch) accept(ctx context.Context, r response) error {
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
		w.f.cfg.State.Apply(revision, changes(events[:n]))
		r.from.complete = revision
		events = events[n:]
	}
	progress := r.answer.IsProgressNotify()
	if progress {
		r.from.complete = max(r.from.complete, r.answer.Header.GetRevision())
	}
	least := w.streams[0].complete
	for _, s := range w.streams[1:] {
		least = min(least, s.complete)
	}
	w.f.reach(least)
	if progress {
		w.asked = time.Time{}
		if w.again {
			return w.askProgress(ctx)
		}
	}
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
