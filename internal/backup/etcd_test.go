package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/sessionutil/sessiontest"
	"github.com/milvus-coord/milvus/internal/tso"
)

var roles = []string{"rootcoord", "datacoord", "querycoord", "indexcoord"}

func under(root string) Layout { return Layout{root, root + "/meta", root + "/kv"} }

func put(t testing.TB, client *clientv3.Client, key, value string, opts ...clientv3.OpOption) {
	t.Helper()
	_, err := client.Put(t.Context(), key, value, opts...)
	require.NoError(t, err)
}

// content is all keys that a restore is about, and the counters apart.
func content(t testing.TB, client *clientv3.Client, l Layout) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range l.data() {
		resp, err := client.Get(t.Context(), r.From, clientv3.WithRange(r.To))
		require.NoError(t, err)
		for _, kv := range resp.Kvs {
			all[strings.TrimPrefix(string(kv.Key), l.RootPath)] = string(kv.Value)
		}
	}
	return all
}

// fill makes something like a cluster that has been stopped, with n keys of metadata.
func fill(t testing.TB, client *clientv3.Client, l Layout, n int) {
	t.Helper()
	var ops []clientv3.Op
	for i := range n {
		value := fmt.Sprintf("value %d \x00\xff", i)
		if i%50 == 0 {
			value = strings.Repeat(value, 4000) // large ones among the small
		}
		ops = append(ops, clientv3.OpPut(fmt.Sprintf("%s/root-coord/fields/%d/%d", l.MetaRoot, 450000000+i/7, i%7), value))
		if len(ops) == 10 || i == n-1 {
			_, err := client.Txn(t.Context()).Then(ops...).Commit()
			require.NoError(t, err)
			ops = nil
		}
	}
	put(t, client, l.MetaRoot+"/root-coord/credential/roles/admin", "")
	put(t, client, l.RootPath+"/config/a", "b")
	put(t, client, l.timestampKey(), string(tso.FormatBound(1_000_000)))
	put(t, client, l.idKey(), string(tso.FormatBound(2_000_000)))
	put(t, client, l.counterKey(), "42")
	put(t, client, l.MetaRoot+"/ha/rootcoord/term", `{"ServerID":41,"Ended":"2026-01-02T03:04:05Z"}`)
}

func take(t testing.TB, client *clientv3.Client, l Layout) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup")
	_, err := TakeFile(t.Context(), Source{Client: client, Layout: l, Product: "test"}, path, false)
	require.NoError(t, err)
	return path
}

func restoreFrom(t testing.TB, path string, to Destination) (Result, error) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	if to.Roles == nil {
		to.Roles = roles
	}
	return Restore(t.Context(), to, f)
}

func bounds(t testing.TB, client *clientv3.Client, l Layout) (timestamps, ids int64, serverID string) {
	t.Helper()
	get := func(key string) []byte {
		resp, err := client.Get(t.Context(), key)
		require.NoError(t, err)
		require.Len(t, resp.Kvs, 1, key)
		return resp.Kvs[0].Value
	}
	timestamps, err := tso.ParseBound(get(l.timestampKey()))
	require.NoError(t, err)
	ids, err = tso.ParseBound(get(l.idKey()))
	require.NoError(t, err)
	return timestamps, ids, string(get(l.counterKey()))
}

func TestRoundTrip(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	from := under("by-dev")
	fill(t, client, from, 3000)
	lease, err := client.Grant(t.Context(), 60)
	require.NoError(t, err)
	put(t, client, "by-dev/meta/session/proxy-3", "{}", clientv3.WithLease(lease.ID))
	put(t, client, "by-dev/meta/leased", "no metadata", clientv3.WithLease(lease.ID))
	put(t, client, "by-dev2/meta/neighbour", "untouched")
	want := content(t, client, from)
	delete(want, "/meta/leased")

	path := filepath.Join(t.TempDir(), "backup")
	report, err := TakeFile(t.Context(), Source{Client: client, Layout: from, Product: "test"}, path, false)
	require.NoError(t, err)
	require.Equal(t, int64(len(want)+3), report.Keys)
	require.Equal(t, int64(1), report.LeftOut, "sessions are not even read")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, report.Bytes, info.Size())
	_, err = TakeFile(t.Context(), Source{Client: client, Layout: from}, path, false)
	require.ErrorIs(t, err, ErrExists)
	_, err = TakeFile(t.Context(), Source{Client: client, Layout: from, Product: "test"}, path, true)
	require.NoError(t, err)
	left, err := filepath.Glob(path + ".*")
	require.NoError(t, err)
	require.Empty(t, left)
	var streamed bytes.Buffer
	_, err = TakeStream(t.Context(), Source{Client: client, Layout: from, Product: "test"}, &streamed)
	require.NoError(t, err)
	spooled, err := Spool(&streamed)
	require.NoError(t, err)
	defer spooled.Close()

	// Another root path of the same etcd, from a stream, with other names below it.
	to := Layout{"elsewhere/x", "elsewhere/x/m", "elsewhere/x/k"}
	began := time.Now()
	result, err := Restore(t.Context(), Destination{Client: client, Layout: to, Roles: roles, By: "test"}, spooled)
	require.NoError(t, err)
	require.Equal(t, int64(len(want)), result.Keys)
	moved := map[string]string{}
	for key, value := range content(t, client, to) {
		moved[strings.NewReplacer("/m/", "/meta/").Replace(key)] = value
	}
	require.Equal(t, want, moved)
	timestamps, ids, id := bounds(t, client, to)
	require.GreaterOrEqual(t, timestamps, began.Add(Margin).UnixMilli())
	require.GreaterOrEqual(t, ids, began.Add(Margin).UnixMilli())
	require.Equal(t, "42", id)
	require.Equal(t, timestamps, result.Counters.Timestamps.UnixMilli())
	resp, err := client.Get(t.Context(), "elsewhere/x/m/ha/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Empty(t, resp.Kvs, "neither the mark nor who was active elsewhere")
	neighbour, err := client.Get(t.Context(), "by-dev2/meta/neighbour")
	require.NoError(t, err)
	require.Len(t, neighbour.Kvs, 1)
}

func TestCountersNeverGoBack(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	l := under("by-dev")
	fill(t, client, l, 10)
	ahead := time.Now().Add(time.Hour).UnixMilli()
	put(t, client, l.timestampKey(), string(tso.FormatBound(ahead)))
	path := take(t, client, l)
	// The backup's is larger than the present; what is there is larger still, or smaller.
	put(t, client, l.timestampKey(), string(tso.FormatBound(ahead-1000)))
	put(t, client, l.idKey(), string(tso.FormatBound(ahead+5000)))
	put(t, client, l.counterKey(), "99")
	_, err := restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true})
	require.NoError(t, err)
	timestamps, ids, id := bounds(t, client, l)
	require.Equal(t, ahead, timestamps)
	require.Equal(t, ahead+5000, ids)
	require.Equal(t, "99", id)
	// One that nobody can read is not taken for none.
	put(t, client, l.idKey(), "broken")
	_, err = restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true})
	require.ErrorContains(t, err, "gid/idTimestamp cannot be read")
	resp, err := client.Get(t.Context(), sessionutil.RestoringKey(l.MetaRoot))
	require.NoError(t, err)
	require.Empty(t, resp.Kvs)
}

func TestALiveClusterIsRefused(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	l := under("by-dev")
	fill(t, client, l, 10)
	path := take(t, client, l)
	var refused *RefusedError
	_, err := restoreFrom(t, path, Destination{Client: client, Layout: l})
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "12 keys are there under by-dev, which are not replaced unless that is said")
	for _, key := range []string{"rootcoord", "rootcoord-7", "proxy-8", "querynode-9"} {
		put(t, client, "by-dev/meta/session/"+key, `{"ServerID":7,"Address":"h:1"}`)
		_, err := restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true})
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, "live, stop it first: "+key+" at h:1 (on no lease")
		_, err = client.Delete(t.Context(), "by-dev/meta/session/"+key)
		require.NoError(t, err)
	}
	require.Len(t, content(t, client, l), 12, "nothing has happened")

	// A damaged file is not begun with.
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-5], 0o600))
	var damaged *DamagedError
	_, err = restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true})
	require.ErrorAs(t, err, &damaged)
	require.Len(t, content(t, client, l), 12)
}

func TestReplace(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	l := under("by-dev")
	fill(t, client, l, 500)
	want := content(t, client, l)
	path := take(t, client, l)
	put(t, client, "by-dev/meta/root-coord/newer", "goes")
	put(t, client, "by-dev/meta/a", "goes too")
	result, err := restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true})
	require.NoError(t, err)
	require.Equal(t, int64(len(want)+2), result.Deleted)
	require.Equal(t, want, content(t, client, l))
	term, err := client.Get(t.Context(), "by-dev/meta/ha/rootcoord/term")
	require.NoError(t, err)
	require.Len(t, term.Kvs, 1, "what is about this etcd stays")
}

// TestARestoreThatDies stops one half way: no coordinator takes what is there for a cluster, no backup is made of it, and
// the next restore begins anew.
func TestARestoreThatDies(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	l := under("by-dev")
	fill(t, client, l, 3000)
	want := content(t, client, l)
	path := take(t, client, l)
	ctx, cancel := context.WithCancel(t.Context())
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = Restore(ctx, Destination{Client: client, Layout: l, Roles: roles, By: "me", Replace: true, Progress: func(int64) { cancel() }}, f)
	var incomplete *IncompleteError
	require.ErrorAs(t, err, &incomplete)
	require.Less(t, len(content(t, client, l)), len(want))
	timestamps, _, id := bounds(t, client, l)
	require.Greater(t, timestamps, time.Now().UnixMilli())
	require.Equal(t, "42", id)

	_, err = Take(t.Context(), Source{Client: client, Layout: l}, f)
	require.Error(t, err)
	_, err = TakeFile(t.Context(), Source{Client: client, Layout: l}, filepath.Join(t.TempDir(), "x"), false)
	require.ErrorContains(t, err, "is not whole")
	_, err = restoreFrom(t, path, Destination{Client: client, Layout: l})
	require.ErrorContains(t, err, "died before its end")

	_, seen, err := sessionutil.Observe(t.Context(), client, l.MetaRoot, []string{"rootcoord"})
	require.NoError(t, err)
	require.Equal(t, "me", seen[0].Restoring.By)

	var claimed sync.WaitGroup
	won := make(chan int64, 1)
	claimed.Go(func() { won <- sessiontest.Claim(t, client, l.MetaRoot, "rootcoord").Number() })
	require.Eventually(t, func() bool { // it is registered, and does not claim
		resp, err := client.Get(t.Context(), "by-dev/meta/session/rootcoord-", clientv3.WithPrefix())
		return err == nil && len(resp.Kvs) == 1
	}, time.Minute, 10*time.Millisecond)
	_, err = restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true})
	require.ErrorContains(t, err, "live", "also who waits")
	require.Empty(t, won)
	_, err = client.Delete(t.Context(), sessionutil.RestoringKey(l.MetaRoot)) // the operator's own word
	require.NoError(t, err)
	claimed.Wait()
	require.NotZero(t, <-won)
}

// TestCoordinatorsThatStartMeanwhileWait starts one between the first and the last transaction.
func TestCoordinatorsThatStartMeanwhileWait(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	l := under("by-dev")
	fill(t, client, l, 2000)
	want := content(t, client, l)
	path := take(t, client, l)
	var once sync.Once
	var claimed sync.WaitGroup
	won := make(chan int64, 1)
	_, err := restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true, Progress: func(int64) {
		once.Do(func() {
			claimed.Go(func() { won <- sessiontest.Claim(t, client, l.MetaRoot, "rootcoord").Number() })
			require.Eventually(t, func() bool {
				resp, err := client.Get(t.Context(), "by-dev/meta/session/rootcoord-", clientv3.WithPrefix())
				return err == nil && len(resp.Kvs) == 1
			}, time.Minute, 10*time.Millisecond)
		})
	}})
	require.NoError(t, err)
	claimed.Wait()
	for key := range want {
		resp, err := client.Get(t.Context(), "by-dev"+key)
		require.NoError(t, err)
		require.Len(t, resp.Kvs, 1)
		defer func(revision, number int64) { require.Less(t, revision, number) }(resp.Kvs[0].ModRevision, <-won)
		break
	}
	require.Equal(t, want, content(t, client, l))
}

func TestARestoreIsFenced(t *testing.T) {
	for what, disturb := range map[string]func(*clientv3.Client) error{
		"a foreign coordinator": func(c *clientv3.Client) error {
			_, err := c.Put(context.Background(), "by-dev/meta/session/querycoord", `{"ServerID":7,"Address":"h:1"}`)
			return err
		},
		"another restore": func(c *clientv3.Client) error {
			_, err := c.Put(context.Background(), "by-dev/meta/ha/restoring", "{}")
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			client := clustertest.StartEtcd(t).Client(t)
			l := under("by-dev")
			fill(t, client, l, 3000)
			path := take(t, client, l)
			var once sync.Once
			_, err := restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true, Progress: func(int64) {
				once.Do(func() { require.NoError(t, disturb(client)) })
			}})
			require.ErrorIs(t, err, errFenced)
			var incomplete *IncompleteError
			require.ErrorAs(t, err, &incomplete)
		})
	}
	// Something that takes no part in this writes metadata: the count tells.
	client := clustertest.StartEtcd(t).Client(t)
	l := under("by-dev")
	fill(t, client, l, 1000)
	path := take(t, client, l)
	_, err := restoreFrom(t, path, Destination{Client: client, Layout: l, Replace: true, Progress: func(int64) {
		_, err := client.Put(context.Background(), "by-dev/meta/zzz", "")
		require.NoError(t, err)
	}})
	require.ErrorContains(t, err, "something else writes")
}

func TestCompactionMeanwhile(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	l := under("by-dev")
	fill(t, client, l, 4000)
	compactions := 0
	compact := func(most int) func(int64) {
		return func(int64) {
			if compactions == most {
				return
			}
			compactions++
			resp, err := client.Put(context.Background(), "by-dev/meta/root-coord/zz", fmt.Sprint(compactions))
			require.NoError(t, err)
			_, err = client.Compact(context.Background(), resp.Header.Revision)
			require.NoError(t, err)
		}
	}
	path := filepath.Join(t.TempDir(), "backup")
	report, err := TakeFile(t.Context(), Source{Client: client, Layout: l, Progress: compact(2)}, path, false)
	require.NoError(t, err)
	require.Greater(t, report.Tries, 1)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	s, err := Verify(f, nil)
	require.NoError(t, err)
	require.Equal(t, report.Keys, s.Keys)
	require.Equal(t, int64(len(content(t, client, l))+3), s.Keys, "of the last revision alone")

	compactions = 0
	_, err = TakeFile(t.Context(), Source{Client: client, Layout: l, Progress: compact(1000)}, path+"2", false)
	require.ErrorContains(t, err, "etcd compacted every one of 5 revisions")
	left, err := filepath.Glob(path + "2*")
	require.NoError(t, err)
	require.Empty(t, left, "no half file")
}

func TestNothingToBackUp(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	_, err := TakeStream(t.Context(), Source{Client: client, Layout: under("nowhere")}, io.Discard)
	require.ErrorContains(t, err, `there is nothing under the root path "nowhere"`)
	full := errors.New("disk full")
	fill(t, client, under("by-dev"), 10)
	_, err = TakeStream(t.Context(), Source{Client: client, Layout: under("by-dev")}, failing{full})
	require.ErrorIs(t, err, full)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
