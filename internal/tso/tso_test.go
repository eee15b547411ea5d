package tso

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/errs"
)

func TestTimestampIsMillisecondsAndCounter(t *testing.T) {
	w := newWorld()
	ts := w.timestamps(t)
	first, err := ts.Alloc(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, uint64(noon)<<18, first)
	next, err := ts.Alloc(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, first+10, next)

	w.clock.millis.Add(7)
	ts.follow()
	later, err := ts.Alloc(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, uint64(noon+7)<<18, later)
}

func TestStoredFormIsMilvus(t *testing.T) {
	w := newWorld()
	w.timestamps(t)
	// 1_750_000_003_000 ms as nanoseconds, 8 bytes, big-endian.
	require.Equal(t, []byte{0x18, 0x49, 0x3f, 0xbb, 0x17, 0xbf, 0x5e, 0x00}, w.etcd.value)
	require.Equal(t, noon+3000, w.etcd.stored(t))
}

func TestABoundWithAFractionIsRoundedUp(t *testing.T) {
	for nanos, want := range map[byte]int64{0: 0, 1: 1} {
		got, err := decodeBound([]byte{0, 0, 0, 0, 0, 0, 0, nanos})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestCountsThatAreRefused(t *testing.T) {
	w := newWorld()
	ts, ids := w.timestamps(t), newWorld().ids(t)
	for _, count := range []uint32{0, MaxTimestamps + 1, 1<<32 - 1} {
		_, err := ts.Alloc(t.Context(), count)
		require.Error(t, err)
		require.Equal(t, errs.Unexpected, errs.KindOf(err))
	}
	_, err := ts.Alloc(t.Context(), MaxTimestamps)
	require.NoError(t, err)
	_, err = ids.Alloc(t.Context(), 0)
	require.Equal(t, errs.Unexpected, errs.KindOf(err))
}

func TestNothingBeforeStart(t *testing.T) {
	ts, err := NewTimestamps(newWorld().config(t))
	require.NoError(t, err)
	_, err = ts.Alloc(t.Context(), 1)
	require.ErrorIs(t, err, errs.NotReady)
	require.True(t, errs.Retriable(err))
}

func TestNothingWhileTheTermIsInDoubt(t *testing.T) {
	w := newWorld()
	ts := w.timestamps(t)
	w.term.invalid.Store(true)
	_, err := ts.Alloc(t.Context(), 1)
	require.ErrorIs(t, err, errs.NotReady)
	require.True(t, errs.Retriable(err))
	w.term.invalid.Store(false)
	_, err = ts.Alloc(t.Context(), 1)
	require.NoError(t, err)
}

func TestStartBeginsAboveTheStoredBound(t *testing.T) {
	w := newWorld()
	ahead := noon + 10*365*24*3600*1000
	w.etcd.put(encodeBound(ahead))
	ts := w.timestamps(t)
	first, err := ts.Alloc(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, value(ahead+1), first)
}

func TestABoundThatIsNotOneIsAnError(t *testing.T) {
	for name, stored := range map[string][]byte{
		"text": []byte("1750000000000"), "empty": {}, "short": {1, 2}, "negative": {0x80, 0, 0, 0, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.etcd.put(stored)
			for _, start := range starters(t, w) {
				err := start(t.Context())
				require.ErrorIs(t, err, errCorrupt)
				require.ErrorContains(t, err, testKey)
			}
			require.Equal(t, stored, w.etcd.value)
			require.Zero(t, w.term.commits.Load())
		})
	}
}

func starters(t *testing.T, w *world) []func(context.Context) error {
	ts, err := NewTimestamps(w.config(t))
	require.NoError(t, err)
	ids, err := NewIDs(w.config(t))
	require.NoError(t, err)
	return []func(context.Context) error{ts.Start, ids.Start}
}

func TestAReadErrorIsNotAbsence(t *testing.T) {
	w := newWorld()
	w.etcd.failReads(errors.New("permission denied"))
	for _, start := range starters(t, w) {
		require.ErrorContains(t, start(t.Context()), testKey)
	}
	require.Nil(t, w.etcd.value)
}

func TestStartWaitsForEtcd(t *testing.T) {
	w := newWorld()
	w.etcd.failReads(unavailable())
	timer := time.AfterFunc(300*time.Millisecond, func() { w.etcd.failReads(nil) })
	defer timer.Stop()
	w.timestamps(t)

	w.etcd.failReads(unavailable())
	ts, err := NewTimestamps(w.config(t))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, ts.Start(ctx), context.DeadlineExceeded)
}

func TestAClockBeyondTheStoredForm(t *testing.T) {
	w := newWorld()
	w.clock.millis.Store(maxMillis)
	for _, start := range starters(t, w) {
		require.ErrorContains(t, start(t.Context()), "2262")
	}
}

func TestAllocationGoesOnUpToTheBoundWhileEtcdIsAway(t *testing.T) {
	w := newWorld()
	ts := w.timestamps(t)
	run(t, ts.Run)
	w.term.away.Store(true)
	w.clock.millis.Add(2900)
	require.Eventually(t, func() bool {
		v, err := ts.Alloc(t.Context(), 1)
		require.NoError(t, err)
		return millisOf(v) == noon+2900
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, noon+3000, w.etcd.stored(t))

	w.clock.millis.Add(5000)
	require.Eventually(t, func() bool {
		v, err := ts.Alloc(t.Context(), MaxTimestamps)
		if err != nil {
			require.ErrorIs(t, err, errs.NotReady)
			return true
		}
		require.Less(t, v+MaxTimestamps-1, value(noon+3000))
		return false
	}, 10*time.Second, time.Millisecond)

	w.term.away.Store(false)
	require.Eventually(t, func() bool {
		v, err := ts.Alloc(t.Context(), 1)
		return err == nil && millisOf(v) == noon+7900
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, time.UnixMilli(w.etcd.stored(t)), ts.Saved())
}

func TestRunEndsWithTheTerm(t *testing.T) {
	w := newWorld()
	ts := w.timestamps(t)
	stop := run(t, ts.Run)
	w.term.deposed.Store(true)
	w.clock.millis.Add(2000)
	defer stop()
	require.Eventually(t, func() bool { return w.term.commits.Load() == 2 }, 10*time.Second, time.Millisecond)
	_, err := ts.Alloc(t.Context(), 1)
	require.ErrorIs(t, err, errs.NotReady)
}

func TestAClockThatGoesBackStandsStill(t *testing.T) {
	w := newWorld()
	ts := w.timestamps(t)
	run(t, ts.Run)
	w.clock.millis.Add(-3600_000)
	before, err := ts.Alloc(t.Context(), 1)
	require.NoError(t, err)
	for range 20 { // more than the counter of one millisecond holds
		v, err := ts.Alloc(t.Context(), MaxTimestamps)
		require.NoError(t, err)
		require.Greater(t, v, before)
		before = v + MaxTimestamps - 1
	}
	require.Less(t, millisOf(before), noon+100, "it must not run away from a clock that is behind")
}

func TestTimestampsDoNotRunAwayFromTheClock(t *testing.T) {
	w := newWorld()
	ts := w.timestamps(t)
	// Without Run nobody lets the counter carry on: what can be had is the lead.
	var last uint64
	for {
		first, err := ts.Alloc(t.Context(), MaxTimestamps)
		if err != nil {
			require.Equal(t, errs.Unexpected, errs.KindOf(err))
			break
		}
		last = first
	}
	require.LessOrEqual(t, millisOf(last), noon+lead)
}

func TestAnotherWriterIsSurpassed(t *testing.T) {
	for name, foreign := range map[string][]byte{
		"above": encodeBound(noon + 60_000), "below": encodeBound(noon - 60_000), "corrupt": []byte("x"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			ts := w.timestamps(t)
			before, err := ts.Alloc(t.Context(), 1)
			require.NoError(t, err)
			w.etcd.put(foreign)
			run(t, ts.Run)
			w.clock.millis.Add(2000)
			if name == "corrupt" {
				require.Eventually(t, func() bool {
					_, err := ts.Alloc(t.Context(), 1)
					return errors.Is(err, errs.NotReady)
				}, 10*time.Second, time.Millisecond)
				require.True(t, ts.Saved().IsZero())
				w.etcd.put(encodeBound(noon))
			}
			require.Eventually(t, func() bool { return ts.Saved().UnixMilli() >= noon+2000+window/2 }, 10*time.Second, time.Millisecond)
			after, err := ts.Alloc(t.Context(), 1)
			require.NoError(t, err)
			require.Greater(t, after, before)
			if name == "above" {
				require.Greater(t, millisOf(after), noon+60_000)
			}
			require.Less(t, after, value(w.etcd.stored(t)))
		})
	}
}

func TestIDsCountOnAndOutrunTheBound(t *testing.T) {
	w := newWorld()
	ids := w.ids(t)
	run(t, ids.Run)
	next := value(noon)
	w.clock.millis.Add(100_000)                                           // ids do not follow the clock
	for _, count := range []uint32{1, 200_000, 1<<32 - 1, 1, 1<<32 - 1} { // 2^32 is 16 s of milliseconds
		first, err := ids.Alloc(t.Context(), count)
		require.NoError(t, err)
		require.Equal(t, next, first)
		next = first + uint64(count)
		require.LessOrEqual(t, next, value(w.etcd.stored(t)))
		require.Positive(t, int64(next))
	}
}

func TestIDsWaitAndGiveUp(t *testing.T) {
	w := newWorld()
	ids := w.ids(t)
	run(t, ids.Run)
	w.term.away.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := ids.Alloc(ctx, 1<<32-1)
	require.Equal(t, errs.DeadlineExceeded, errs.KindOf(err))
	_, err = ids.Alloc(t.Context(), 1<<32-1)
	require.ErrorIs(t, err, errs.NotReady)
	_, err = ids.Alloc(t.Context(), 1)
	require.NoError(t, err, "what fits below the bound is still given")
	w.term.away.Store(false)
	_, err = ids.Alloc(t.Context(), 1<<32-1)
	require.NoError(t, err)
}

func TestConcurrentCallersGetDistinctValues(t *testing.T) {
	w := newWorld()
	ts := w.timestamps(t)
	run(t, ts.Run)
	const callers, each = 64, 200
	got := make([][]uint64, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for range each {
				v, err := ts.Alloc(t.Context(), 3)
				if err != nil {
					t.Error(err)
					return
				}
				got[c] = append(got[c], v)
				w.clock.millis.Add(1)
			}
		})
	}
	wg.Wait()
	seen := map[uint64]bool{}
	for _, values := range got {
		for i, v := range values {
			require.False(t, seen[v])
			seen[v] = true
			if i > 0 {
				require.GreaterOrEqual(t, v, values[i-1]+3)
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	_, err := NewTimestamps(Config{})
	require.Error(t, err)
	_, err = NewIDs(Config{})
	require.Error(t, err)
}

func FuzzDecodeBound(f *testing.F) {
	f.Add([]byte{0x18, 0x49, 0x3f, 0xbb, 0x17, 0xbf, 0x5e, 0x00})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		millis, err := decodeBound(value)
		if err != nil {
			return
		}
		if millis < 0 || millis > maxMillis+1 {
			t.Fatalf("%x decoded to %d", value, millis)
		}
		if millis <= maxMillis {
			again, err := decodeBound(encodeBound(millis))
			if err != nil || again != millis {
				t.Fatalf("%d came back as %d, %v", millis, again, err)
			}
		}
	})
}

func BenchmarkAlloc64(b *testing.B) {
	w := newWorld()
	w.clock = clockAt(time.Now().UnixMilli())
	cfg := w.config(b)
	cfg.Now = nil
	ts, err := NewTimestamps(cfg)
	require.NoError(b, err)
	require.NoError(b, ts.Start(b.Context()))
	run(b, ts.Run)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := ts.Alloc(b.Context(), 1); err != nil {
				b.Error(err)
			}
		}
	})
}
