package ticks

import (
	"context"
	"fmt"
	"slices"
)

// Hold keeps ticks below a DDL whose message is not yet on its channels.
type Hold struct {
	ticker   *Ticker
	channels []string
	ts       uint64 // 0 until it is known; guarded by the ticker's lock
}

// Begin takes a timestamp for a DDL, and keeps the ticks of its channels below it until Done. The timestamp is taken here,
// and not by the caller, because between taking one and noting it a tick could pass.
func (t *Ticker) Begin(ctx context.Context, channels ...string) (*Hold, error) {
	h := &Hold{ticker: t, channels: slices.Clone(channels)}
	t.mu.Lock()
	t.holds[h] = struct{}{}
	t.mu.Unlock()
	ts, err := t.cfg.Timestamp(ctx)
	if err != nil {
		h.Done()
		return nil, fmt.Errorf("timestamp of a DDL message: %w", err)
	}
	t.mu.Lock()
	h.ts = ts
	t.mu.Unlock()
	return h, nil
}

// Timestamp is what the DDL's message must carry.
func (h *Hold) Timestamp() uint64 {
	h.ticker.mu.Lock()
	defer h.ticker.mu.Unlock()
	return h.ts
}

// Done lets ticks go on: the message was sent on every channel, or is given up or sent again with another hold. It may be
// called more than once.
func (h *Hold) Done() {
	h.ticker.mu.Lock()
	defer h.ticker.mu.Unlock()
	delete(h.ticker.holds, h)
}
