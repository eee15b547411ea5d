package metatable

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEachWaiterWakesAtItsRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w waiters
		var woken [101]atomic.Bool
		var all sync.WaitGroup
		for _, revision := range rand.Perm(100) {
			all.Go(func() {
				err := w.wait(t.Context(), int64(revision+1), time.Hour, func() { t.Error("nobody is impatient here") })
				if err != nil {
					t.Error(err)
				}
				woken[revision+1].Store(true)
			})
		}
		for revision := 0; revision <= 100; revision += 7 {
			w.reach(int64(revision))
			w.reach(int64(revision) - 3) // late news
			synctest.Wait()
			for i := 1; i <= 100; i++ {
				require.Equal(t, i <= revision, woken[i].Load(), "waiter for %d at %d", i, revision)
			}
			require.EqualValues(t, revision, w.current())
		}
		w.reach(100)
		all.Wait()
		require.Empty(t, w.queue)
		require.NoError(t, w.wait(t.Context(), 100, 0, nil), "what has been reached is not waited for")
	})
}

func TestWaitersWhoGiveUpLeaveTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w waiters
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for i := range 50 {
			of := t.Context()
			if i%2 == 0 {
				of = ctx
			}
			all.Go(func() {
				if err := w.wait(of, int64(i+1), time.Hour, nil); i%2 == 0 && !errors.Is(err, enough) || i%2 == 1 && err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		cancel(enough)
		synctest.Wait()
		require.Len(t, w.queue, 25)
		w.reach(50)
		all.Wait()
	})
}

func TestImpatienceGrowsRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w waiters
		began := time.Now()
		var asked []time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := w.wait(ctx, 1, 0, func() { asked = append(asked, time.Since(began).Round(time.Millisecond)) })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []time.Duration{0, 1e6, 3e6, 7e6, 15e6, 31e6, 63e6}, asked[:7])
		require.Less(t, len(asked), 20)
	})
}

func BenchmarkWaiters(b *testing.B) {
	var w waiters
	var revision atomic.Int64
	b.SetParallelism(1000)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mine := revision.Add(1)
			go w.reach(mine)
			if err := w.wait(context.Background(), mine, time.Second, func() {}); err != nil {
				b.Error(err)
			}
		}
	})
}
