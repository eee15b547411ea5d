package etcdutil_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// requests keeps what was observed.
type requests struct {
	mu  sync.Mutex
	all []etcdutil.Request
}

func (r *requests) add(one etcdutil.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// take waits for so many requests and empties the list.
func (r *requests) take(t *testing.T, n int) []etcdutil.Request {
	t.Helper()
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.all) >= n
	}, time.Minute, time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

func TestRequestsAreObserved(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	var seen requests
	client, err := etcdutil.Dial(t.Context(), etcdutil.Config{Endpoints: etcd.Endpoints(), Observe: seen.add})
	require.NoError(t, err)
	defer client.Close() //nolint:errcheck // nothing is in flight

	_, err = client.Put(t.Context(), "k", strings.Repeat("v", 10_000))
	require.NoError(t, err)
	one := seen.take(t, 1)[0]
	require.Equal(t, "Put", one.Method)
	require.True(t, one.Answered)
	require.Greater(t, one.Bytes, 10_000)
	require.Positive(t, one.Took)

	_, err = client.Get(t.Context(), "k")
	require.NoError(t, err)
	one = seen.take(t, 1)[0]
	require.Equal(t, "Range", one.Method)
	require.Greater(t, one.Bytes, 10_000, "the answer counts")

	// A refusal is an answer; so is one that nobody waits for any more.
	_, err = client.Revoke(t.Context(), clientv3.LeaseID(4711))
	require.Error(t, err)
	require.True(t, seen.take(t, 1)[0].Answered)

	// Streams are not requests.
	ctx, cancel := context.WithCancel(t.Context())
	watch := client.Watch(ctx, "k", clientv3.WithRev(1))
	require.NotEmpty(t, (<-watch).Events)
	cancel()
	for range watch { //nolint:revive // until it is closed
	}

	etcd.Pause()
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = client.Get(ctx, "k")
	etcd.Resume()
	require.Error(t, err)
	one = seen.take(t, 1)[0]
	require.Equal(t, "Range", one.Method)
	require.False(t, one.Answered)
}

func TestAGivenUpRequestIsNoFailureOfEtcd(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	var seen requests
	client, err := etcdutil.Dial(t.Context(), etcdutil.Config{Endpoints: etcd.Endpoints(), Observe: seen.add})
	require.NoError(t, err)
	defer client.Close() //nolint:errcheck // nothing is in flight
	_, err = client.Get(t.Context(), "k")
	require.NoError(t, err)
	seen.take(t, 1)
	etcd.Pause()
	defer etcd.Resume()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err = client.Get(ctx, "k")
	require.Error(t, err)
	require.True(t, seen.take(t, 1)[0].Answered)
}
