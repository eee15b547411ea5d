package ticks

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// Run publishes ticks until ctx ends, and returns when no send is under way. Without a data path it returns at once.
func (t *Ticker) Run(ctx context.Context) {
	if t.cfg.Send == nil {
		return
	}
	defer t.sending.Wait()
	rounds := time.NewTicker(t.cfg.Interval)
	defer rounds.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rounds.C:
			t.round(ctx)
		}
	}
}

// due is a tick to send.
type due struct {
	name string
	ts   uint64
}

// round starts a send on each channel whose tick can move. It does not wait: a channel whose broker hangs delays no other,
// and is passed over while its send lasts. The own timestamp is taken before the holds are looked at; see doc.go.
func (t *Ticker) round(ctx context.Context) {
	names := t.cfg.Channels()
	if len(names) == 0 {
		return
	}
	own, err := t.cfg.Timestamp(ctx)
	t.mu.Lock()
	if failed := err != nil && ctx.Err() == nil; failed != t.noTime {
		t.noTime = failed
		if failed {
			t.cfg.Logger.Warn("no time ticks, because there is no timestamp", zap.Error(err))
		}
	}
	if err != nil {
		t.mu.Unlock()
		return
	}
	t.leaveOutSilent()
	var ready []due
	for _, name := range names {
		if ts, ok := t.next(name, own); ok {
			ready = append(ready, due{name, ts})
		}
	}
	t.mu.Unlock()
	for _, d := range ready {
		t.sending.Go(func() { t.send(ctx, d) })
	}
}

// leaveOutSilent must be called under the lock.
func (t *Ticker) leaveOutSilent() {
	if t.cfg.Silence <= 0 {
		return
	}
	now := t.cfg.Now()
	for id, s := range t.sources {
		if !s.silent && now.Sub(s.seen) >= t.cfg.Silence {
			s.silent = true
			t.cfg.Logger.Warn("a proxy is silent, time ticks go on without it", zap.Int64("serverID", id),
				zap.Duration("silence", now.Sub(s.seen)))
		}
	}
}

// next is the tick to send on a channel, if there is one; the channel is busy then. It must be called under the lock.
func (t *Ticker) next(name string, own uint64) (uint64, bool) {
	c := t.channel(name)
	if c.busy {
		return 0, false
	}
	ts := own
	for _, s := range t.sources {
		if !s.silent {
			ts = min(ts, s.at(name))
		}
	}
	for h := range t.holds {
		for _, held := range h.channels {
			if held != name {
				continue
			}
			if h.ts == 0 {
				return 0, false
			}
			ts = min(ts, h.ts-1)
		}
	}
	if again := c.failed && ts == c.sent; ts <= c.sent && !again {
		return 0, false
	}
	c.busy, c.sent = true, ts
	return ts, true
}

func (t *Ticker) send(ctx context.Context, d due) {
	err := t.cfg.Send(ctx, d.name, d.ts)
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.channel(d.name)
	wasFailed := c.failed
	c.busy, c.failed = false, err != nil
	switch {
	case err == nil:
		c.published = d.ts
		close(c.moved)
		c.moved = make(chan struct{})
		if wasFailed {
			t.cfg.Logger.Info("time ticks arrive again", zap.String("channel", d.name))
		}
	case !wasFailed && ctx.Err() == nil:
		t.cfg.Logger.Warn("a time tick was not sent, it is tried again until it is", zap.String("channel", d.name), zap.Error(err))
	}
}
