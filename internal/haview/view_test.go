package haview

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func active() Member {
	return Member{ServerID: 1, Kind: Active, pair: true, ours: true, answer: answer{asked: true, reached: true, loaded: true}, State: "Healthy", Lease: 59, Granted: 60}
}

func standby() Member {
	return Member{ServerID: 2, Kind: Standby, pair: true, ours: true, answer: answer{asked: true, reached: true, loaded: true}, State: "StandBy", Lease: 60, Granted: 60}
}

func with(m Member, change func(*Member)) Member { change(&m); return m }

func TestDiagnosis(t *testing.T) {
	for what, tc := range map[string]struct {
		members []Member
		want    []string // a part of each
	}{
		"a pair":          {[]Member{active(), standby()}, nil},
		"nobody":          {nil, []string{"nobody is registered"}},
		"standbys alone":  {[]Member{standby()}, []string{"nobody is active, of 1 that stand by"}},
		"one alone":       {[]Member{active()}, []string{"no standby: if the active one fails"}},
		"not a pair":      {[]Member{with(active(), func(m *Member) { m.pair = false })}, []string{"active-standby is off"}},
		"silent":          {[]Member{with(active(), func(m *Member) { m.Lease = 40 }), standby()}, []string{"active 1: has not renewed its lease for 20 s, it expires in 40 s"}},
		"starting":        {[]Member{with(active(), func(m *Member) { m.State = "Initializing" }), standby()}, []string{"active 1: says that it is Initializing"}},
		"cut off":         {[]Member{active(), with(standby(), func(m *Member) { m.answer.reached, m.answer.failure = false, context.DeadlineExceeded })}, []string{"standby 2: does not answer", "no standby is fit"}},
		"behind":          {[]Member{active(), with(standby(), func(m *Member) { m.Lag = 7 })}, []string{"standby 2: is 7 revisions behind", "no standby is fit"}},
		"loading":         {[]Member{active(), with(standby(), func(m *Member) { m.answer.loaded = false })}, []string{"still loading", "no standby is fit"}},
		"other versions":  {[]Member{active(), with(standby(), func(m *Member) { m.Version = "v2" })}, []string{"several versions"}},
		"Milvus' standby": {[]Member{active(), {ServerID: 3, Kind: Standby, Lease: -1, Granted: -1}}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			got := diagnose(Role{Name: "rootcoord", Members: tc.members})
			require.Len(t, got, len(tc.want), "%v", got)
			for i, want := range tc.want {
				require.True(t, strings.Contains(strings.Join(got, "\n"), want), "%d: %q in %v", i, want, got)
			}
		})
	}
}

// TestRecall checks that a view that asked nobody goes on with what was said before, unless the process is in another role.
func TestRecall(t *testing.T) {
	silent := func(m Member) Member {
		m.answer, m.State, m.Lease, m.Granted, m.Lag = answer{}, "", -1, -1, -1
		return m
	}
	role := func(members ...Member) View {
		return View{Roles: []Role{Role{Name: "rootcoord", Members: members}.diagnosed()}}
	}
	before := role(active(), with(standby(), func(m *Member) { m.Lag = 7 }))
	require.Len(t, before.Roles[0].Problems, 2)

	same := role(silent(active()), silent(standby()))
	require.Empty(t, same.Roles[0].Problems, "nobody was asked")
	require.Equal(t, before, same.Recall(before))

	switched := role(with(silent(standby()), func(m *Member) { m.Kind = Active }), with(silent(active()), func(m *Member) { m.Kind = Standby }))
	got := switched.Recall(before)
	require.Empty(t, got.Roles[0].Problems)
	require.Empty(t, got.Roles[0].Members[0].State)
	require.False(t, got.Roles[0].Members[0].Asked())
	require.Equal(t, 60.0, got.Roles[0].Members[0].Lease, "the session is the same")
	require.Equal(t, int64(-1), switched.Roles[0].Members[0].Lag, "views are not changed")
	require.Empty(t, View{Roles: []Role{{Name: "datacoord"}}}.Recall(before).Roles[0].Members)
}

// TestRead puts sessions into a real etcd: one of ours that answers, one whose address another process has, one of Milvus,
// and one that nobody can read.
func TestRead(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	asked := make(chan string, 10)
	since := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		_ = json.NewEncoder(w).Encode(opshttp.Standing{Version: "v1", Roles: []opshttp.RoleStanding{
			{Role: "rootcoord", ServerID: 1, State: "Healthy", Term: 5, Since: since, Loaded: true, Revision: 1 << 40},
		}})
	}))
	defer server.Close()
	put := func(key, value string, opts ...clientv3.OpOption) {
		_, err := client.Put(t.Context(), "by-dev/meta/"+key, value, opts...)
		require.NoError(t, err)
	}
	lease, err := client.Grant(t.Context(), 60)
	require.NoError(t, err)
	address := server.Listener.Addr().String()
	put("session/rootcoord", `{"ServerID":1,"ServerName":"rootcoord","Address":"a:1","Version":"2.5.6"}`, clientv3.WithLease(lease.ID))
	put("session/rootcoord-1", `{"ServerID":1,"ServerName":"rootcoord","Address":"a:1","Version":"2.5.6"}`, clientv3.WithLease(lease.ID))
	put("session/rootcoord-2", `{"ServerID":2,"ServerName":"rootcoord","Address":"b:1","Version":"2.5.6"}`)
	put("session/rootcoord-3", `{"ServerID":3,"ServerName":"rootcoord","Address":"c:1","Version":"2.5.6"}`)
	put("session/rootcoord-4", "nonsense")
	put("session/rootcoord-other-5", `{"ServerID":5,"ServerName":"rootcoord-other","Address":"d:1"}`)
	for id, text := range map[string]string{"1": `{"ServerID":1,"Binary":"v1","HTTP":"` + address + `"}`, "2": `{"ServerID":2,"Binary":"v1","HTTP":"` + address + `"}`} {
		put("ha/rootcoord/process/"+id, text)
	}
	r := &Reader{Client: client, MetaRoot: "by-dev/meta", Roles: []string{"rootcoord", "datacoord"}, HTTP: server.Client(), Patience: time.Minute}
	v, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Len(t, v.Roles, 2)
	require.Contains(t, <-asked, "/ha?revision=")
	m := v.Roles[0].Members
	require.Len(t, m, 3)
	require.Equal(t, []int64{1, 2, 3}, []int64{m[0].ServerID, m[1].ServerID, m[2].ServerID})
	require.Equal(t, Active, m[0].Kind)
	require.Equal(t, "Healthy", m[0].State)
	require.Equal(t, since, m[0].Since.UTC())
	require.Zero(t, m[0].Lag)
	require.Positive(t, m[0].Lease)
	require.Equal(t, Standby, m[1].Kind)
	require.Equal(t, int64(-1), m[1].Lag)
	problems := strings.Join(v.Roles[0].Problems, "\n")
	require.Contains(t, problems, "session/rootcoord-4 at revision")
	require.Contains(t, problems, "standby 2: does not answer: another process answers at "+address)
	require.False(t, v.Fine())
	require.Equal(t, []string{"nobody is registered"}, v.Roles[1].Problems)

	_, all, err := sessionutil.Observe(t.Context(), client, "by-dev/meta", []string{"rootcoord"})
	require.NoError(t, err)
	require.Len(t, all[0].Seen, 3)
}

func TestARestoreIsShown(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	_, err := client.Put(t.Context(), sessionutil.RestoringKey("by-dev/meta"), `{"By":"me"}`)
	require.NoError(t, err)
	r := &Reader{Client: client, MetaRoot: "by-dev/meta", Roles: []string{"rootcoord"}, HTTP: http.DefaultClient, Patience: time.Minute}
	v, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Contains(t, strings.Join(v.Roles[0].Problems, "\n"), "the metadata is not whole, a restore by me")
}

func TestAFullEtcdIsShown(t *testing.T) {
	etcd := clustertest.StartEtcd(t, "--quota-backend-bytes", "2000000")
	client := etcd.Client(t)
	members, err := etcdutil.DialEach(t.Context(), etcdutil.Config{Endpoints: etcd.Endpoints()})
	require.NoError(t, err)
	defer members.Close() //nolint:errcheck // nothing is in flight
	r := &Reader{Client: client, MetaRoot: "by-dev/meta", HTTP: http.DefaultClient, Patience: time.Minute, Members: members}
	v, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Empty(t, v.Etcd)
	require.True(t, v.Fine(), "no role was asked for")
	value := string(make([]byte, 1<<18))
	require.Eventually(t, func() bool {
		_, err := client.Put(t.Context(), "k", value)
		return err != nil
	}, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool {
		v, err = r.Read(t.Context())
		return err == nil && len(v.Etcd) > 0
	}, time.Minute, 10*time.Millisecond)
	require.Contains(t, v.Etcd[0], "NOSPACE")
	require.False(t, v.Fine())
}
