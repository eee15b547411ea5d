package tso_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap/zaptest"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/sessionutil/sessiontest"
	"github.com/milvus-coord/milvus/internal/tso"
)

const (
	metaRoot = "by-dev/meta"
	tsKey    = "by-dev/kv/gid/timestamp"
)

// offset moves the wall clock of a test.
type offset struct{ nanos atomic.Int64 }

func (o *offset) now() time.Time { return time.Now().Add(time.Duration(o.nanos.Load())) }

func timestamps(t *testing.T, client *clientv3.Client, term *sessionutil.Term, clock *offset) *tso.Timestamps {
	t.Helper()
	ts, err := tso.NewTimestamps(tso.Config{Client: client, Term: term, Key: tsKey, Logger: zaptest.NewLogger(t), Now: clock.now})
	require.NoError(t, err)
	require.NoError(t, ts.Start(term.Context()))
	runUntilEnd(t, term, ts.Run)
	return ts
}

// runUntilEnd runs an allocator until the end of the term or of the test.
func runUntilEnd(t *testing.T, term *sessionutil.Term, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(term.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func TestIncreasingOverTermsAndClockJumps(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	clock := &offset{}
	last := uint64(0)
	for _, jump := range []time.Duration{0, -time.Hour, 10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		clock.nanos.Add(int64(jump))
		term, giveBack := sessiontest.ClaimUntil(t, client, metaRoot, "rootcoord")
		ts := timestamps(t, client, term, clock)
		for range 1000 {
			first, err := ts.Alloc(t.Context(), 10)
			require.NoError(t, err)
			require.Greater(t, first, last)
			last = first + 9
		}
		giveBack()
		_, err := ts.Alloc(t.Context(), 1)
		require.ErrorIs(t, err, errs.NotReady)
	}
}

func TestADeposedTermCannotMoveTheBound(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	old, giveBack := sessiontest.ClaimUntil(t, client, metaRoot, "rootcoord")
	stale, err := tso.NewTimestamps(tso.Config{Client: client, Term: old, Key: tsKey, Logger: zaptest.NewLogger(t)})
	require.NoError(t, err)
	giveBack()
	timestamps(t, client, sessiontest.Claim(t, client, metaRoot, "rootcoord"), &offset{})
	before, err := client.Get(t.Context(), tsKey)
	require.NoError(t, err)
	require.ErrorIs(t, stale.Start(t.Context()), sessionutil.ErrDeposed)
	after, err := client.Get(t.Context(), tsKey)
	require.NoError(t, err)
	require.Equal(t, before.Kvs[0].ModRevision, after.Kvs[0].ModRevision)
}

func TestEtcdAwayAndBack(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	ts := timestamps(t, client, sessiontest.Claim(t, client, metaRoot, "rootcoord"), &offset{})
	last := uint64(0)
	take := func() error {
		first, err := ts.Alloc(t.Context(), 1)
		if err == nil {
			require.Greater(t, first, last)
			last = first
		} else {
			require.True(t, errs.Retriable(err), "%v", err)
		}
		return err
	}
	require.NoError(t, take())
	etcd.Pause()
	require.NoError(t, take(), "memory needs no etcd")
	require.Eventually(t, func() bool { return time.Now().After(ts.Saved()) }, 20*time.Second, 10*time.Millisecond)
	for take() == nil { // the last millisecond below the bound
		_, _ = ts.Alloc(t.Context(), tso.MaxTimestamps)
	}
	etcd.Resume()
	require.Eventually(t, func() bool { return take() == nil }, 20*time.Second, 10*time.Millisecond)
}

func TestIDsOverTerms(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	last := uint64(0)
	for range 3 {
		term, giveBack := sessiontest.ClaimUntil(t, client, metaRoot, "rootcoord")
		ids, err := tso.NewIDs(tso.Config{Client: client, Term: term, Key: "by-dev/kv/gid/idTimestamp", Logger: zaptest.NewLogger(t)})
		require.NoError(t, err)
		require.NoError(t, ids.Start(t.Context()))
		runUntilEnd(t, term, ids.Run)
		for _, count := range []uint32{1, 200_000, 1<<32 - 1, 5} {
			first, err := ids.Alloc(t.Context(), count)
			require.NoError(t, err)
			require.Greater(t, first, last)
			last = first + uint64(count) - 1
		}
		giveBack()
	}
}
