package ticks

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/milvus-coord/milvus/internal/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("the broker is away")

// world is a ticker with a fake clock, oracle and queue.
type world struct {
	*Ticker
	now    time.Time
	oracle atomic.Uint64

	mu     sync.Mutex
	away   map[string]bool
	inWire map[string][]uint64 // what may have arrived
}

func newWorld(floor uint64, silence time.Duration, channels ...string) *world {
	w := &world{now: time.Unix(1, 0), away: map[string]bool{}, inWire: map[string][]uint64{}}
	w.oracle.Store(floor)
	w.Ticker = New(Config{
		Interval: time.Millisecond, Silence: silence, Floor: floor, Logger: zap.NewNop(),
		Now:       func() time.Time { return w.now },
		Timestamp: func(context.Context) (uint64, error) { return w.oracle.Add(1), nil },
		Channels:  func() []string { return channels },
		Send: func(_ context.Context, channel string, ts uint64) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.inWire[channel] = append(w.inWire[channel], ts)
			if w.away[channel] {
				return errAway
			}
			return nil
		},
	})
	return w
}

// tick does a round and waits for its sends.
func (w *world) tick() {
	w.round(context.Background())
	w.sending.Wait()
}

func report(rest uint64, pairs ...any) *internalpb.ChannelTimeTickMsg {
	msg := &internalpb.ChannelTimeTickMsg{Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_TimeTick}, DefaultTimestamp: rest}
	for i := 0; i < len(pairs); i += 2 {
		msg.ChannelNames = append(msg.ChannelNames, pairs[i].(string))
		msg.Timestamps = append(msg.Timestamps, pairs[i+1].(uint64))
	}
	return msg
}

func TestReportIsChecked(t *testing.T) {
	w := newWorld(0, 0, "a")
	w.SetSources([]int64{7})
	require.ErrorIs(t, w.Report(7, &internalpb.ChannelTimeTickMsg{}), errs.ParameterInvalid, "no base")
	require.NoError(t, w.Report(8, report(0)), "nothing is said")
	require.Equal(t, errs.Unexpected, errs.KindOf(w.Report(8, report(5))), "unknown session")
	require.Error(t, w.Report(-1, report(5)), "nobody speaks for RootCoord")
	mismatch := report(5, "a", uint64(1))
	mismatch.Timestamps = nil
	require.Equal(t, errs.Unexpected, errs.KindOf(w.Report(7, mismatch)))
	require.NoError(t, w.Report(7, report(5, "a", uint64(1))))
}

func TestTheLeastOfAllSourcesIsPublished(t *testing.T) {
	w := newWorld(100, 0, "a", "b")
	w.SetSources([]int64{1, 2})
	w.oracle.Store(1000)
	w.tick()
	require.Empty(t, w.inWire, "nobody has reported")
	require.NoError(t, w.Report(1, report(300, "a", uint64(200))))
	w.tick()
	require.Empty(t, w.inWire)
	require.NoError(t, w.Report(2, report(250)))
	w.tick()
	require.Equal(t, map[string][]uint64{"a": {200}, "b": {250}}, w.inWire)
	w.RemoveSource(1)
	w.RemoveSource(2)
	w.tick()
	require.Greater(t, w.Published("a"), uint64(1000), "RootCoord alone")
	w.AddSource(3)
	require.NoError(t, w.Report(3, report(50)))
	before := w.Published("a")
	w.tick()
	require.Equal(t, before, w.Published("a"), "never back, and never below the floor")
}

func TestFailedTickIsSentAgainAndDelaysNoOther(t *testing.T) {
	w := newWorld(0, 0, "a", "b")
	w.SetSources([]int64{1})
	w.oracle.Store(1000)
	w.away["a"] = true
	require.NoError(t, w.Report(1, report(10)))
	w.tick()
	require.Equal(t, uint64(0), w.Published("a"))
	require.Equal(t, uint64(10), w.Published("b"))
	w.SetSources([]int64{2})
	require.NoError(t, w.Report(2, report(5)))
	w.away["a"] = false
	w.tick()
	require.Equal(t, []uint64{10}, w.inWire["a"], "10 may have arrived, so 5 must not follow")
	require.NoError(t, w.Report(2, report(10)))
	w.tick()
	require.Equal(t, []uint64{10, 10}, w.inWire["a"])
	require.Equal(t, uint64(10), w.Published("a"))
}

func TestSilentSourceIsLeftOutAndReadmitted(t *testing.T) {
	w := newWorld(0, 3*time.Second, "a")
	w.SetSources([]int64{1})
	w.oracle.Store(1000)
	require.NoError(t, w.Report(1, report(10)))
	w.tick()
	require.Equal(t, uint64(10), w.Published("a"))
	w.now = w.now.Add(3*time.Second - 1)
	w.tick()
	require.Equal(t, uint64(10), w.Published("a"), "not yet")
	w.now = w.now.Add(1)
	w.tick()
	passed := w.Published("a")
	require.Greater(t, passed, uint64(1000))
	require.NoError(t, w.Report(1, report(11)))
	w.tick()
	require.Equal(t, passed, w.Published("a"), "it counts again, and pulls nothing back")
	require.NoError(t, w.Report(1, report(passed+1)))
	w.tick()
	require.Equal(t, passed+1, w.Published("a"))
}

func TestHoldKeepsTicksOfItsChannelsBelow(t *testing.T) {
	w := newWorld(0, 0, "a", "b")
	w.tick()
	h, err := w.Begin(context.Background(), "a")
	require.NoError(t, err)
	for range 5 {
		w.tick()
	}
	require.Equal(t, h.Timestamp()-1, w.Published("a"))
	require.Greater(t, w.Published("b"), h.Timestamp())
	h.Done()
	h.Done()
	w.tick()
	require.Greater(t, w.Published("a"), h.Timestamp())
}

func TestHoldWithoutATimestampIsNone(t *testing.T) {
	w := newWorld(0, 0, "a")
	w.cfg.Timestamp = func(context.Context) (uint64, error) { return 0, errAway }
	_, err := w.Begin(context.Background(), "a")
	require.ErrorIs(t, err, errAway)
	require.Empty(t, w.holds)
	w.tick()
	require.Empty(t, w.inWire)
}

func TestWaitFor(t *testing.T) {
	w := newWorld(0, 0, "a")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, w.WaitFor(ended, "a", 1), context.Canceled)
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { w.Run(ctx) })
	h, err := w.Begin(ctx, "a")
	require.NoError(t, err)
	h.Done()
	require.NoError(t, w.WaitFor(ctx, "a", h.Timestamp()))
	stop()
	done.Wait()
}

func TestWithoutADataPathNothingRunsOrWaits(t *testing.T) {
	w := newWorld(0, 0, "a")
	w.cfg.Send = nil
	w.Run(context.Background())
	require.NoError(t, w.WaitFor(context.Background(), "a", 1<<60))
}

func TestTicksUnderAnyCourseOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const silence = 10 * time.Second
		names := []string{"a", "b", "c"}
		w := newWorld(1000, silence, names...)
		floor := w.cfg.Floor
		seen, last := map[int64]time.Time{}, map[int64]uint64{}
		var holds []*Hold
		checked := map[string]int{}
		check := func() {
			for _, name := range names {
				sent := w.inWire[name]
				for ; checked[name] < len(sent); checked[name]++ {
					ts := sent[checked[name]]
					if i := checked[name]; i > 0 && ts < sent[i-1] || ts <= floor {
						t.Fatalf("%s went back: %v", name, sent)
					}
					for _, h := range holds {
						if h.channels[0] == name && ts >= h.ts {
							t.Fatalf("%s: tick %d passed a DDL at %d", name, ts, h.ts)
						}
					}
					for id, at := range seen {
						if w.now.Sub(at) < silence && ts > last[id] {
							t.Fatalf("%s: tick %d is above %d of source %d", name, ts, last[id], id)
						}
					}
				}
			}
		}
		id := rapid.Int64Range(1, 3)
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { check() },
			"add": func(t *rapid.T) {
				if i := id.Draw(t, "id"); w.sources[i] == nil {
					w.AddSource(i)
					seen[i], last[i] = w.now, 0
				}
			},
			"remove": func(t *rapid.T) {
				i := id.Draw(t, "id")
				w.RemoveSource(i)
				delete(seen, i)
			},
			"report": func(t *rapid.T) {
				i, ts := id.Draw(t, "id"), w.oracle.Load()-rapid.Uint64Range(0, 50).Draw(t, "behind")
				if w.Report(i, report(ts)) == nil {
					seen[i], last[i] = w.now, ts
				}
			},
			"time": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 6).Draw(t, "s")) * time.Second)
				w.oracle.Add(uint64(rapid.IntRange(0, 30).Draw(t, "ts")))
			},
			"begin": func(t *rapid.T) {
				h, err := w.Begin(context.Background(), rapid.SampledFrom(names).Draw(t, "channel"))
				if err != nil {
					t.Fatal(err)
				}
				holds = append(holds, h)
			},
			"done": func(t *rapid.T) {
				if len(holds) > 0 {
					holds[0].Done()
					holds = holds[1:]
				}
			},
			"broker": func(t *rapid.T) { w.away[rapid.SampledFrom(names).Draw(t, "channel")] = rapid.Bool().Draw(t, "away") },
			"round":  func(*rapid.T) { w.tick() },
		})
	})
}

// TestNoTickPrecedesAConcurrentDrop runs rounds and drops at once, on one log as a channel is one.
func TestNoTickPrecedesAConcurrentDrop(t *testing.T) {
	type entry struct {
		ts   uint64
		drop bool
	}
	w := newWorld(0, 0, "a")
	var mu sync.Mutex
	var log []entry
	put := func(e entry) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, e)
	}
	w.cfg.Send = func(_ context.Context, _ string, ts uint64) error {
		put(entry{ts: ts})
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	var rounds, drops sync.WaitGroup
	rounds.Go(func() {
		for ctx.Err() == nil {
			w.round(ctx)
		}
		w.sending.Wait()
	})
	for range 4 {
		drops.Go(func() {
			for range 200 {
				h, err := w.Begin(ctx, "a")
				if err != nil {
					t.Error(err)
					return
				}
				put(entry{h.Timestamp(), true})
				h.Done()
			}
		})
	}
	drops.Wait()
	stop()
	rounds.Wait()
	var tick uint64
	for _, e := range log {
		if e.drop {
			require.Greater(t, e.ts, tick, "a tick at or above the drop precedes it")
		} else {
			require.Greater(t, e.ts, tick)
			tick = e.ts
		}
	}
}
