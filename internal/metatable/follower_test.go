package metatable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func textTable() *Table[string] {
	return NewTable(func(_ string, value []byte) (string, bool, error) {
		if string(value) == "bad" {
			return "", false, errors.New("cannot read this")
		}
		return string(value), string(value) != "skip", nil
	})
}

func content(t *Table[string], prefix string) map[string]string {
	got := map[string]string{}
	t.Range(prefix, func(key string, row Row[string]) bool { got[key] = row.Value; return true })
	return got
}

func follow(t testing.TB, client *clientv3.Client, state State, prefixes ...string) *Follower {
	t.Helper()
	f := New(Config{Name: "test", Client: client, Prefixes: prefixes, State: state, Logger: zaptest.NewLogger(t)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

func put(t *testing.T, client *clientv3.Client, key, value string) int64 {
	t.Helper()
	resp, err := client.Put(t.Context(), key, value)
	require.NoError(t, err)
	return resp.Header.Revision
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestSnapshotThenWatch(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	put(t, client, "a/1", "one")
	put(t, client, "a/2", "bad")
	put(t, client, "a/3", "skip")
	put(t, client, "ab", "outside")
	table := textTable()
	f := follow(t, client, table, "a/", "b/")
	<-f.Loaded()
	require.Equal(t, map[string]string{"a/1": "one"}, content(table, ""))
	require.Len(t, table.Quarantined(), 1)
	_, _, err := table.Get("a/2")
	require.ErrorContains(t, err, "undecodable value of a/2 at revision")

	rev := put(t, client, "b/1", "two")
	require.NoError(t, f.WaitFor(within(t), rev))
	put(t, client, "a/2", "good now")
	resp, err := client.Delete(t.Context(), "a/1")
	require.NoError(t, err)
	require.NoError(t, f.WaitFor(within(t), resp.Header.Revision))
	require.Equal(t, map[string]string{"a/2": "good now", "b/1": "two"}, content(table, ""))
	require.Empty(t, table.Quarantined())
	row, ok, err := table.Get("b/1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, rev, row.ModRevision)

	// A revision that touched nothing here is reached by asking.
	rev = put(t, client, "elsewhere", "x")
	require.NoError(t, f.Barrier(within(t), rev))
	require.GreaterOrEqual(t, f.Applied(), rev)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	f := follow(t, client, textTable(), "a/")
	<-f.Loaded()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no patience"))
	defer cancel()
	require.ErrorContains(t, f.WaitFor(ctx, 1_000_000), "no patience")
}

func TestAReaderNeverSeesHalfATransaction(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	table := textTable()
	f := follow(t, client, table, "a/")
	<-f.Loaded()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			values := slices.Collect(maps.Values(content(table, "a/")))
			slices.Sort(values)
			if got := slices.Compact(values); len(got) > 1 || len(values) != 0 && len(content(table, "a/")) != 20 {
				t.Errorf("read a mixture: %v", values)
				return
			}
		}
	})
	var last int64
	for n := range 200 {
		var ops []clientv3.Op
		for i := range 20 {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("a/%d", i), fmt.Sprint(n)))
		}
		resp, err := client.Txn(t.Context()).Then(ops...).Commit()
		require.NoError(t, err)
		last = resp.Header.Revision
	}
	require.NoError(t, f.WaitFor(within(t), last))
	close(stop)
	readers.Wait()
	require.Equal(t, "199", content(table, "a/")["a/7"])
}

func TestEtcdRestartAndCompactionLoseNothing(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	table := textTable()
	want := map[string]string{}
	for i := range 50 {
		key := fmt.Sprintf("a/%d", i)
		want[key] = "v"
		put(t, client, key, "v")
	}
	f := follow(t, client, table, "a/")
	<-f.Loaded()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	for round := range 3 {
		etcd.Kill()
		etcd.Restart()
		etcd.WaitReady()
		var rev int64
		for range 30 {
			key := fmt.Sprintf("a/%d", random.IntN(60))
			if random.IntN(2) == 0 {
				resp, err := client.Delete(t.Context(), key)
				require.NoError(t, err)
				rev = resp.Header.Revision
				delete(want, key)
				continue
			}
			want[key] = fmt.Sprint(round)
			rev = put(t, client, key, want[key])
		}
		if round == 1 {
			_, err := client.Compact(t.Context(), rev)
			require.NoError(t, err)
		}
		require.NoError(t, f.Barrier(within(t), rev))
		require.Equal(t, want, content(table, "a/"))
	}
}

// The history that a watch needs is compacted while its etcd is away: what was deleted meanwhile must go.
func TestDeletionsBehindACompactionAreNoticed(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	direct := etcd.Client(t)
	proxy := clustertest.NewProxy(t, etcd.Endpoints()[0])
	through, err := clientv3.New(clientv3.Config{Endpoints: []string{proxy.Addr()}, DialTimeout: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = through.Close() })
	put(t, direct, "a/1", "one")
	put(t, direct, "a/2", "two")
	table := textTable()
	f := follow(t, through, table, "a/")
	<-f.Loaded()
	proxy.Cut()
	_, err = direct.Delete(t.Context(), "a/1")
	require.NoError(t, err)
	put(t, direct, "a/3", "three")
	rev := put(t, direct, "x", "y")
	_, err = direct.Compact(t.Context(), rev)
	require.NoError(t, err)
	proxy.Heal()
	require.NoError(t, f.Barrier(within(t), rev))
	require.Equal(t, map[string]string{"a/2": "two", "a/3": "three"}, content(table, ""))
}

func TestSnapshotLargerThanAPage(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a hundred thousand keys")
	}
	client := clustertest.StartEtcd(t).Client(t)
	const n = pageKeys + 1000
	for i := 0; i < n; i += 100 {
		var ops []clientv3.Op
		for j := range 100 {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("a/%07d", i+j), "v"))
		}
		_, err := client.Txn(t.Context()).Then(ops...).Commit()
		require.NoError(t, err)
	}
	put(t, client, "b/1", "v")
	table := textTable()
	f := follow(t, client, table, "a/", "b/")
	<-f.Loaded()
	require.Equal(t, n+1, table.Len())
	_, ok, _ := table.Get("b/1")
	require.True(t, ok)
	count := 0
	table.Range("a/", func(key string, _ Row[string]) bool {
		require.True(t, strings.HasSuffix(key, fmt.Sprintf("%07d", count)))
		count++
		return true
	})
}
