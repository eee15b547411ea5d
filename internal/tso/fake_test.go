package tso

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap/zaptest"

	"github.com/milvus-coord/milvus/internal/sessionutil"
)

const testKey = "by-dev/kv/gid/timestamp"

// fakeEtcd is one key of etcd with its revisions.
type fakeEtcd struct {
	mu       sync.Mutex
	value    []byte // nil: absent
	revision int64  // of the last write to the key
	head     int64
	readErr  error
}

func (f *fakeEtcd) put(v []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head++
	f.value, f.revision = v, f.head
}

func (f *fakeEtcd) stored(t require.TestingT) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	millis, err := decodeBound(f.value)
	require.NoError(t, err)
	return millis
}

func (f *fakeEtcd) failReads(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readErr = err
}

func (f *fakeEtcd) Get(_ context.Context, key string, _ ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readErr != nil {
		return nil, f.readErr
	}
	resp := &clientv3.GetResponse{}
	if f.value != nil {
		resp.Kvs = []*mvccpb.KeyValue{{Key: []byte(key), Value: f.value, ModRevision: f.revision}}
	}
	return resp, nil
}

// fakeTerm is a term over a fakeEtcd that a test can end, silence and cut off.
type fakeTerm struct {
	etcd    *fakeEtcd
	invalid atomic.Bool
	deposed atomic.Bool
	away    atomic.Bool // commits fail
	commits atomic.Int64
}

func (f *fakeTerm) Valid() bool { return !f.invalid.Load() && !f.deposed.Load() }

var errAway = errors.New("etcd is away")

func (f *fakeTerm) Commit(_ context.Context, txn sessionutil.Txn) (int64, error) {
	f.commits.Add(1)
	if f.deposed.Load() {
		return 0, sessionutil.ErrDeposed
	}
	if f.away.Load() {
		return 0, errAway
	}
	e := f.etcd
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(txn.Guards) != 1 || len(txn.Ops) != 1 || txn.Guards[0].Key != string(txn.Ops[0].KeyBytes()) {
		return 0, fmt.Errorf("unexpected transaction %+v", txn)
	}
	now := e.revision
	if e.value == nil {
		now = 0
	}
	if txn.Guards[0].ModRevision != now {
		return 0, fmt.Errorf("%w: at %d", sessionutil.ErrGuard, now)
	}
	e.head++
	e.value, e.revision = txn.Ops[0].ValueBytes(), e.head
	return e.revision, nil
}

// fakeClock is a wall clock that is set by hand.
type fakeClock struct{ millis atomic.Int64 }

func clockAt(millis int64) *fakeClock {
	c := &fakeClock{}
	c.millis.Store(millis)
	return c
}

func (c *fakeClock) Now() time.Time { return time.UnixMilli(c.millis.Load()) }

const noon = int64(1_750_000_000_000) // some day in 2025

type world struct {
	etcd  *fakeEtcd
	term  *fakeTerm
	clock *fakeClock
}

func newWorld() *world {
	e := &fakeEtcd{}
	return &world{etcd: e, term: &fakeTerm{etcd: e}, clock: clockAt(noon)}
}

func (w *world) config(t testing.TB) Config {
	return Config{Client: w.etcd, Term: w.term, Key: testKey, Logger: zaptest.NewLogger(t), Now: w.clock.Now}
}

func (w *world) timestamps(t testing.TB) *Timestamps {
	ts, err := NewTimestamps(w.config(t))
	require.NoError(t, err)
	require.NoError(t, ts.Start(t.Context()))
	return ts
}

func (w *world) ids(t testing.TB) *IDs {
	ids, err := NewIDs(w.config(t))
	require.NoError(t, err)
	require.NoError(t, ids.Start(t.Context()))
	return ids
}

// run runs an allocator until the end of the test or the call of stop.
func run(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := f(ctx)
		if !errors.Is(err, context.Canceled) && !errors.Is(err, sessionutil.ErrDeposed) {
			t.Errorf("Run returned %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func unavailable() error { return rpctypes.ErrNoLeader }
