package metatable

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

// countingWatcher counts the requests for progress.
type countingWatcher struct {
	clientv3.Watcher
	asked int
}

func (w *countingWatcher) RequestProgress(context.Context) error { w.asked++; return nil }

func progressAt(revision int64) clientv3.WatchResponse {
	return clientv3.WatchResponse{Header: &etcdserverpb.ResponseHeader{Revision: revision}}
}

func TestOneRequestForProgressAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counting := &countingWatcher{}
		f := New(Config{State: textTable()})
		w := &watch{f: f, watcher: counting, streams: []*stream{{}}}
		ask := func() { require.NoError(t, w.askProgress(t.Context())) }
		answer := func(revision int64) {
			require.NoError(t, w.accept(t.Context(), response{from: w.streams[0], answer: progressAt(revision)}))
		}
		for range 100 {
			ask()
		}
		require.Equal(t, 1, counting.asked)
		answer(5)
		require.Equal(t, 2, counting.asked, "who asked after the request was sent may wait for more")
		answer(6)
		require.Equal(t, 2, counting.asked)
		require.EqualValues(t, 6, f.Applied())
		ask()
		require.Equal(t, 3, counting.asked)
		time.Sleep(answerPatience) // etcd says nothing while a watch catches up
		ask()
		require.Equal(t, 4, counting.asked)
	})
}

// recorder is a state that keeps what it was told.
type recorder struct {
	*Table[string]
	applied []string
}

func (r *recorder) Apply(revision int64, changes []KV) {
	text := fmt.Sprint(revision)
	for _, kv := range changes {
		text += fmt.Sprintf(" %s=%s", kv.Key, kv.Value)
	}
	r.applied = append(r.applied, text)
}

func TestAResponseOfSeveralRevisionsIsSplit(t *testing.T) {
	state := &recorder{Table: textTable()}
	f := New(Config{State: state})
	w := &watch{f: f, streams: []*stream{{complete: 1}, {complete: 1}}}
	put := func(revision int64, key string) *clientv3.Event {
		return &clientv3.Event{Type: mvccpb.PUT, Kv: &mvccpb.KeyValue{Key: []byte(key), Value: []byte("v"), ModRevision: revision}}
	}
	gone := put(4, "a/2")
	gone.Type, gone.Kv.Value = mvccpb.DELETE, nil
	require.NoError(t, w.accept(t.Context(), response{from: w.streams[0], answer: clientv3.WatchResponse{
		Header: &etcdserverpb.ResponseHeader{Revision: 9},
		Events: []*clientv3.Event{put(3, "a/1"), put(3, "a/2"), gone, put(7, "a/1")},
	}}))
	require.Equal(t, []string{"3 a/1=v a/2=v", "4 a/2=", "7 a/1=v"}, state.applied)
	require.EqualValues(t, 1, f.Applied(), "the other prefix may have events of revision 2")
	require.NoError(t, w.accept(t.Context(), response{from: w.streams[1], answer: progressAt(5)}))
	require.EqualValues(t, 5, f.Applied())
	require.NoError(t, w.accept(t.Context(), response{from: w.streams[1], answer: progressAt(20)}))
	require.EqualValues(t, 7, f.Applied(), "the header of an event's response promises nothing")
}

// Own writes are waited for by hundreds at a time, while etcd is stopped and killed under them.
func TestOwnWritesComeBack(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	table := textTable()
	f := follow(t, client, table, "a/")
	<-f.Loaded()
	var writers sync.WaitGroup
	for i := range 100 {
		writers.Go(func() {
			for n := range 20 {
				key, value := fmt.Sprintf("a/%d", i), fmt.Sprint(n)
				var resp *clientv3.PutResponse
				for resp == nil && t.Context().Err() == nil { // a put that was in flight when etcd died
					resp, _ = client.Put(t.Context(), key, value)
				}
				if err := f.WaitFor(within(t), resp.Header.Revision); err != nil {
					t.Error(err)
					return
				}
				if row, _, _ := table.Get(key); row.Value != value {
					t.Errorf("%s is %q after %q was written and waited for", key, row.Value, value)
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	etcd.Pause()
	time.Sleep(100 * time.Millisecond)
	etcd.Resume()
	time.Sleep(20 * time.Millisecond)
	etcd.Kill()
	etcd.Restart()
	writers.Wait()
	require.Equal(t, 100, table.Len())
}

func BenchmarkBarrier(b *testing.B) {
	client := clustertest.StartEtcd(b).Client(b)
	f := follow(b, client, textTable(), "a/")
	<-f.Loaded()
	for b.Loop() {
		resp, err := client.Put(b.Context(), "elsewhere", "x")
		require.NoError(b, err)
		require.NoError(b, f.Barrier(b.Context(), resp.Header.Revision))
	}
}
