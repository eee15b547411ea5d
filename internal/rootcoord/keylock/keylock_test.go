package keylock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func acquire(t *testing.T, table *Table, locks ...Lock) func() {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	release, err := table.Acquire(ctx, locks...)
	require.NoError(t, err)
	return release
}

// waiting blocks until n waiters queue for name.
func waiting(t *testing.T, table *Table, name string, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		table.mu.Lock()
		defer table.mu.Unlock()
		s := table.names[name]
		return s != nil && len(s.waiting) == n
	}, 10*time.Second, time.Millisecond)
}

func TestReadersShareAndWritersDoNot(t *testing.T) {
	table := New()
	first := acquire(t, table, Read("a"))
	second := acquire(t, table, Read("a"))
	got := make(chan func())
	go func() {
		release, err := table.Acquire(context.Background(), Write("a"))
		if err != nil {
			t.Error(err)
		}
		got <- release
	}()
	waiting(t, table, "a", 1)
	first()
	select {
	case <-got:
		t.Fatal("a writer came in beside a reader")
	case <-time.After(20 * time.Millisecond):
	}
	second()
	(<-got)()
	require.Empty(t, table.names, "a name that nobody holds is kept")
}

func TestReaderQueuesBehindWriter(t *testing.T) {
	table := New()
	held := acquire(t, table, Read("a"))
	var order []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	enter := func(who string, l Lock) {
		wg.Go(func() {
			release, err := table.Acquire(context.Background(), l)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, who)
			mu.Unlock()
			release()
		})
	}
	enter("writer", Write("a"))
	waiting(t, table, "a", 1)
	enter("reader", Read("a"))
	waiting(t, table, "a", 2)
	held()
	wg.Wait()
	require.Equal(t, []string{"writer", "reader"}, order)
}

func TestWaitingEndsWithContext(t *testing.T) {
	table := New()
	held := acquire(t, table, Write("b"))
	gone := errors.New("caller went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() {
		_, err := table.Acquire(ctx, Write("a"), Write("b"), Read("c"))
		done <- err
	}()
	waiting(t, table, "b", 1)
	cancel(gone)
	require.ErrorIs(t, <-done, gone)
	held()
	require.Empty(t, table.names, "what was taken before the context ended is not given back")
}

// A writer that gives up lets in the readers that queued behind it.
func TestGivingUpWakesThoseBehind(t *testing.T) {
	table := New()
	held := acquire(t, table, Read("a"))
	defer held()
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { _, err := table.Acquire(ctx, Write("a")); gaveUp <- err }()
	waiting(t, table, "a", 1)
	in := make(chan func())
	go func() {
		release, err := table.Acquire(context.Background(), Read("a"))
		if err != nil {
			t.Error(err)
		}
		in <- release
	}()
	waiting(t, table, "a", 2)
	cancel()
	require.Error(t, <-gaveUp)
	select {
	case release := <-in:
		release()
	case <-time.After(10 * time.Second):
		t.Fatal("the reader still waits for a writer that has gone")
	}
}

func TestSameNameTwice(t *testing.T) {
	table := New()
	release := acquire(t, table, Read("a"), Write("a"), Read("a"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := table.Acquire(ctx, Read("a"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	release()
	require.Empty(t, table.names)
}

// Random sets of locks, some given up: no deadlock, never two writers, never a writer beside a reader.
func TestExclusionUnderLoad(t *testing.T) {
	table := New()
	const names = 5
	var writers, readers [names]atomic.Int32
	var wg sync.WaitGroup
	for g := range 16 {
		rng := rand.New(rand.NewPCG(uint64(g), 1))
		wg.Go(func() {
			for range 300 {
				var locks []Lock
				for n := range names {
					switch rng.IntN(4) {
					case 0:
						locks = append(locks, Write(fmt.Sprint(n)))
					case 1:
						locks = append(locks, Read(fmt.Sprint(n)))
					}
				}
				rng.Shuffle(len(locks), func(i, j int) { locks[i], locks[j] = locks[j], locks[i] })
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(2000))*time.Microsecond)
				release, err := table.Acquire(ctx, locks...)
				cancel()
				if err != nil {
					continue
				}
				for _, l := range locks {
					n := l.Name[0] - '0'
					if l.Exclusive {
						if writers[n].Add(1) != 1 || readers[n].Load() != 0 {
							t.Error("a writer is not alone")
						}
					} else if readers[n].Add(1); writers[n].Load() != 0 {
						t.Error("a reader beside a writer")
					}
				}
				for _, l := range locks {
					n := l.Name[0] - '0'
					if l.Exclusive {
						writers[n].Add(-1)
					} else {
						readers[n].Add(-1)
					}
				}
				release()
			}
		})
	}
	wg.Wait()
	require.Empty(t, table.names)
}
