package ticks

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/errs"
)

// Config is what a Ticker works with.
type Config struct {
	Interval time.Duration // between two rounds
	Silence  time.Duration // after which a source is left out; 0: never
	// Floor is a timestamp of this term; all ticks are above it.
	Floor uint64
	// Timestamp gives a timestamp above all that it, or a term before, has given.
	Timestamp func(context.Context) (uint64, error)
	// Channels are the physical channels in use.
	Channels func() []string
	// Send publishes a tick. It returns within a bounded time. If it is nil there is no data path, and no ticks.
	Send   func(ctx context.Context, channel string, ts uint64) error
	Now    func() time.Time // time.Now, but for tests
	Logger *zap.Logger
}

// Ticker publishes the time ticks of one term. Safe for concurrent use.
type Ticker struct {
	cfg     Config
	sending sync.WaitGroup // sends of ticks, at most one a channel; Run waits for them

	mu       sync.Mutex
	sources  map[int64]*source
	channels map[string]*channel
	holds    map[*Hold]struct{}
	noTime   bool // the oracle failed last time
}

// source is what a proxy has said.
type source struct {
	seen   time.Time // added, or last reported
	silent bool
	values map[string]uint64
	rest   uint64 // of channels that are not in values; 0 until it has reported
}

func (s *source) at(channel string) uint64 {
	if ts, found := s.values[channel]; found {
		return ts
	}
	return s.rest
}

// channel is what was sent on a physical channel.
type channel struct {
	sent      uint64        // handed to the queue, whatever came of it
	published uint64        // known to be in the queue
	busy      bool          // a send is under way
	failed    bool          // the last send
	moved     chan struct{} // closed, and replaced, when published grows
}

// New makes a ticker without sources. It does no I/O; Run does the work.
func New(cfg Config) *Ticker {
	return &Ticker{cfg: cfg, sources: map[int64]*source{}, channels: map[string]*channel{}, holds: map[*Hold]struct{}{}}
}

// SetSources makes the sources exactly those with these ids. Those that stay keep what they have said.
func (t *Ticker) SetSources(ids []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.sources {
		if !slices.Contains(ids, id) {
			delete(t.sources, id)
		}
	}
	for _, id := range ids {
		t.add(id)
	}
}

// AddSource adds a source; one that is there already keeps what it has said.
func (t *Ticker) AddSource(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(id)
}

func (t *Ticker) add(id int64) {
	if t.sources[id] == nil {
		t.sources[id] = &source{seen: t.cfg.Now()}
	}
}

// RemoveSource forgets a source.
func (t *Ticker) RemoveSource(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sources, id)
}

// Report takes what a proxy says of itself by UpdateChannelTimeTick. It replaces what that proxy has said before.
func (t *Ticker) Report(id int64, msg *internalpb.ChannelTimeTickMsg) error {
	if kind := msg.GetBase().GetMsgType(); kind != commonpb.MsgType_TimeTick {
		return errs.ParameterInvalid.Withf("invalid message type %s", kind)
	}
	names, stamps := msg.GetChannelNames(), msg.GetTimestamps()
	if len(names) == 0 && msg.GetDefaultTimestamp() == 0 {
		return nil // a proxy that has nothing to say yet
	}
	if len(names) != len(stamps) {
		return fmt.Errorf("time tick with %d channels and %d timestamps", len(names), len(stamps))
	}
	values := make(map[string]uint64, len(names))
	for i, name := range names {
		values[name] = stamps[i]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sources[id]
	if s == nil {
		return fmt.Errorf("time tick from unknown session %d", id)
	}
	if s.silent {
		t.cfg.Logger.Info("a proxy reports time ticks again", zap.Int64("serverID", id))
	}
	s.seen, s.silent, s.values, s.rest = t.cfg.Now(), false, values, msg.GetDefaultTimestamp()
	return nil
}

// Published is the last tick that is known to be on a channel; 0 if there is none in this term.
func (t *Ticker) Published(name string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.channel(name).published
}

// WaitFor waits until a tick of at least ts is on a channel, which must stay in use. Without a data path there is nothing
// to wait for.
func (t *Ticker) WaitFor(ctx context.Context, name string, ts uint64) error {
	if t.cfg.Send == nil {
		return nil
	}
	for {
		t.mu.Lock()
		c := t.channel(name)
		published, moved := c.published, c.moved
		t.mu.Unlock()
		if published >= ts {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for tick %d on %s, which is at %d: %w", ts, name, published, ctx.Err())
		}
	}
}

// channel must be called under the lock. Channels are few, those of the pool, so none is forgotten.
func (t *Ticker) channel(name string) *channel {
	c := t.channels[name]
	if c == nil {
		c = &channel{sent: t.cfg.Floor, moved: make(chan struct{})}
		t.channels[name] = c
	}
	return c
}
