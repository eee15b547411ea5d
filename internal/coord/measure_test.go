package coord

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// world is an etcd that is there or not, and tables that reach what they are allowed to.
type world struct {
	fakeRole
	revision, reached atomic.Int64
	away              atomic.Bool
}

func (w *world) CatchUp(ctx context.Context, revision int64) int64 {
	if reached := w.reached.Load(); reached < revision {
		<-ctx.Done()
		return reached
	}
	return revision
}

func (w *world) ask(context.Context) (int64, error) {
	if w.away.Load() {
		return 0, errors.New("away")
	}
	return w.revision.Load(), nil
}

type measurement struct {
	age     time.Duration
	behind  int64
	damaged int
}

type measurements struct {
	fakeGate
	mu  sync.Mutex
	all []measurement
}

func (m *measurements) TablesMeasured(_ string, levelAt time.Time, behind int64, damaged int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, measurement{time.Since(levelAt), behind, damaged})
}

func TestTablesAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, seen := &world{}, &measurements{}
		w.revision.Store(10)
		w.reached.Store(10)
		c := New(Config{}, Deps{Role: w, Metrics: seen, Revision: w.ask})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.measureTables(ctx) }()
		last := func(pause time.Duration) measurement {
			time.Sleep(pause)
			synctest.Wait()
			seen.mu.Lock()
			defer seen.mu.Unlock()
			return seen.all[len(seen.all)-1]
		}
		require.Equal(t, measurement{0, 0, 2}, last(0))
		w.revision.Store(17)
		require.Equal(t, measurement{6 * time.Second, 7, 2}, last(measureEvery+measurePatience), "told when patience has ended")
		w.away.Store(true)
		require.Equal(t, measurement{10 * time.Second, -1, 2}, last(measureEvery-measurePatience), "etcd does not say how far")
		w.away.Store(false)
		w.reached.Store(17)
		require.Equal(t, measurement{0, 0, 2}, last(measureEvery))
		cancel()
		<-done
		require.Len(t, seen.all, 4)
	})
}
