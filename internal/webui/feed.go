package webui

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// fragment is a part of the page, with the number of the publication in which it last changed.
type fragment struct {
	name    string
	html    string
	version uint64
}

// lineEnds of a stream of events are all three of these. What a record in etcd says must not end a line of ours.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// writeTo writes a fragment as a server-sent event.
func (f fragment) writeTo(out *bytes.Buffer) {
	out.WriteString("event: " + f.name + "\n")
	for line := range strings.SplitSeq(lineEnds.Replace(f.html), "\n") {
		out.WriteString("data: " + line + "\n")
	}
	out.WriteString("\n")
}

// feed keeps the fragments up to date for all viewers together, while there are any. It keeps the latest of each fragment
// and no queue: viewers ask for what is newer than what they have.
type feed struct {
	source source
	render func(picture) []fragment
	logger *zap.Logger

	life    sync.Mutex // held while looking begins or ends
	viewers int
	end     func() // ends looking and waits for it

	mu        sync.Mutex
	picture   picture // what is known, also from the last time that somebody looked
	fragments []fragment
	version   uint64
	changed   chan struct{} // closed by the next publication
}

func newFeed(s source, render func(picture) []fragment, logger *zap.Logger) *feed {
	return &feed{source: s, render: render, logger: logger, changed: make(chan struct{})}
}

// enter counts a viewer in; the first makes the feed look. It is not ok if there are too many. leave must be called.
func (f *feed) enter() (leave func(), ok bool) {
	f.life.Lock()
	defer f.life.Unlock()
	if f.viewers == maxViewers {
		return nil, false
	}
	if f.viewers++; f.viewers == 1 {
		f.begin()
	}
	return sync.OnceFunc(f.leave), true
}

// leave waits until nobody looks any more if the viewer was the last. That takes no longer than a cancelled request.
func (f *feed) leave() {
	f.life.Lock()
	defer f.life.Unlock()
	if f.viewers--; f.viewers == 0 {
		f.end()
	}
}

func (f *feed) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	f.mu.Lock()
	f.picture.heard = parts{} // what is known is old now
	f.mu.Unlock()
	go func() {
		defer close(done)
		defer func() { // a page that cannot be made must not end a coordinator
			if p := recover(); p != nil {
				f.logger.Error("the status page has failed", zap.Any("panic", p), zap.Stack("stack"))
			}
		}()
		f.run(ctx)
	}()
	f.end = func() {
		cancel()
		<-done
	}
}

// run looks until ctx ends.
func (f *feed) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	news := make(chan struct{}, 1)
	looking.Go(func() {
		f.source.look(ctx, func(change func(*picture)) {
			f.mu.Lock()
			defer f.mu.Unlock()
			change(&f.picture)
			nudge(news)
		})
	})
	beat := time.NewTicker(lookEvery)
	defer beat.Stop()
	for {
		f.publish()
		select {
		case <-news:
		case <-beat.C:
		case <-ctx.Done():
			return
		}
	}
}

// publish makes the fragments of the picture and wakes the viewers if one has changed.
func (f *feed) publish() {
	next := f.render(f.latest())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	news := len(f.fragments) != len(next)
	for i := range next {
		if next[i].version = f.version; i < len(f.fragments) && next[i].html == f.fragments[i].html {
			next[i].version = f.fragments[i].version
		} else {
			news = true
		}
	}
	f.fragments = next
	if news {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// since gives the fragments that changed after a version, and a channel that is closed when others do.
func (f *feed) since(version uint64) ([]fragment, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var news []fragment
	for _, one := range f.fragments {
		if one.version > version {
			news = append(news, one)
		}
	}
	return news, f.changed
}

// latest is what is known, whether somebody looks or not.
func (f *feed) latest() picture {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.picture
	p.now = time.Now()
	return p
}

// settle waits until all has been heard of, ctx ends, or patience is over.
func (f *feed) settle(ctx context.Context, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		f.mu.Lock()
		complete, changed := f.picture.heard == all, f.changed
		f.mu.Unlock()
		if complete {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
