package components

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/log"
	"github.com/milvus-coord/milvus/internal/opshttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a process in this one.
type running struct {
	t    *testing.T
	stop func() error // and wait
	wait func() error // for the end, once
	mu   sync.Mutex
	out  bytes.Buffer
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(b)
}

func (r *running) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// find waits for a line and returns what the pattern captures.
func (r *running) find(pattern string) string {
	r.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	require.Eventually(r.t, func() bool {
		found = re.FindStringSubmatch(r.log())
		return found != nil
	}, time.Minute, 5*time.Millisecond, "never logged: %s", pattern)
	return found[len(found)-1]
}

func (r *running) get(path string) (int, []byte) {
	r.t.Helper()
	resp, err := http.Get("http://127.0.0.1:" + r.find(`\[http="\[::\]:(\d+)"\]`) + path)
	require.NoError(r.t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp.StatusCode, body
}

func (r *running) dial(role string) *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient("127.0.0.1:"+r.find(`\[role=`+role+`\] \[grpc="\[::\]:(\d+)"\]`),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func run(t *testing.T, server Server, environ ...string) *running {
	t.Helper()
	r := &running{t: t}
	for _, variable := range []string{
		"METRICS_PORT=0", "ROOT_COORD_PORT=0", "DATA_COORD_PORT=0", "QUERY_COORD_PORT=0", "ETCD_EMBED_ADDRESS=127.0.0.1:0",
	} {
		name, _, _ := strings.Cut(variable, "=")
		if !slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, name) }) {
			environ = append(environ, variable)
		}
	}
	cfg, report, err := config.Load(config.Source{Dir: t.TempDir(), Environ: environ})
	require.NoError(t, err)
	logging, err := log.New(log.Config{Level: "debug", Stdout: true, Output: r})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, server, cfg, report, logging, Build{Version: "test", Milvus: MilvusVersion}) }()
	var once sync.Once
	r.wait = func() (err error) {
		once.Do(func() {
			select {
			case err = <-done:
			case <-time.After(time.Minute):
				t.Fatalf("the process does not end:\n%s", r.log())
			}
		})
		return err
	}
	r.stop = func() error {
		cancel()
		return r.wait()
	}
	t.Cleanup(func() {
		_ = r.stop()
		if t.Failed() {
			t.Log(r.log())
		}
	})
	return r
}

func mustServer(t *testing.T, name string, chosen ...string) Server {
	t.Helper()
	s, err := NewServer(name, chosen...)
	require.NoError(t, err)
	return s
}

func TestAProcessOfAllRoles(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	r := run(t, mustServer(t, MixCoord), "ETCD_ENDPOINTS="+strings.Join(etcd.Endpoints(), ","))
	for _, role := range Roles() {
		r.find(`"takeover finished"\] (\[role=` + role + `\])`)
	}
	code, body := r.get("/healthz")
	require.Equal(t, http.StatusOK, code, string(body))
	code, body = r.get("/readyz")
	require.Equal(t, http.StatusOK, code, string(body))
	code, body = r.get("/ha?revision=1")
	require.Equal(t, http.StatusOK, code)
	var standing opshttp.Standing
	require.NoError(t, json.Unmarshal(body, &standing))
	require.Len(t, standing.Roles, 3)
	for i, role := range Roles() {
		s := standing.Roles[i]
		require.Equal(t, role, s.Role)
		require.Equal(t, "Healthy", s.State)
		require.Equal(t, int64(1), s.ServerID, "one id for the process")
		require.Positive(t, s.Term)
		require.Positive(t, s.Revision)
		code, body = r.get("/management/check/ready?role=" + role)
		require.Equal(t, http.StatusOK, code, string(body))
	}
	_, body = r.get("/metrics")
	for _, role := range Roles() {
		require.Contains(t, string(body), fmt.Sprintf(`milvus_num_node{node_id="1",role_name=%q} 1`, role))
		require.Contains(t, string(body), fmt.Sprintf(`milvus_coord_role_state{role=%q,state="Healthy"} 1`, role))
	}

	type stateful interface {
		GetComponentStates(context.Context, *milvuspb.GetComponentStatesRequest, ...grpc.CallOption) (*milvuspb.ComponentStates, error)
	}
	for role, client := range map[string]stateful{
		"rootcoord": rootcoordpb.NewRootCoordClient(r.dial("rootcoord")), "datacoord": datapb.NewDataCoordClient(r.dial("datacoord")),
		"": querypb.NewQueryCoordClient(r.dial("querycoord")),
	} {
		states, err := client.GetComponentStates(t.Context(), &milvuspb.GetComponentStatesRequest{})
		require.NoError(t, err)
		require.Equal(t, role, states.State.Role)
		require.Equal(t, int64(1), states.State.NodeID)
		require.Equal(t, commonpb.StateCode_Healthy, states.State.StateCode)
	}

	require.NoError(t, r.stop())
	keys, err := etcd.Client(t).Get(context.Background(), "by-dev/meta/session/rootcoord")
	require.NoError(t, err)
	require.Empty(t, keys.Kvs, "the role was given back")
}

func TestAStandbySaysWhatKindOfProcessItIs(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	environ := []string{"ETCD_ENDPOINTS=" + strings.Join(etcd.Endpoints(), ","), "ROOT_COORD_ENABLE_ACTIVE_STANDBY=true"}
	active := run(t, mustServer(t, "rootcoord"), environ...)
	active.find(`"takeover finished"`)
	require.NotContains(t, active.log(), "component=", "a process of one role need not say which")
	standby := run(t, mustServer(t, "mixture", "rootcoord"), environ...)
	standby.find("is in STANDBY")
	resp, err := rootcoordpb.NewRootCoordClient(standby.dial("rootcoord")).ShowCollections(t.Context(), &milvuspb.ShowCollectionsRequest{})
	require.NoError(t, err)
	require.Equal(t, "service not ready[mixture=2]: StandBy", resp.Status.Detail)
	require.NoError(t, standby.stop())
	require.NoError(t, active.stop())
}

func TestAStandaloneKeepsItsState(t *testing.T) {
	dir := "ETCD_DATA_DIR=" + t.TempDir()
	for id := 1; id <= 2; id++ {
		r := run(t, mustServer(t, Standalone), dir)
		for _, role := range Roles() {
			r.find(fmt.Sprintf(`"register ACTIVE service successfully"\] \[ServerID=%d\] (\[component=%s\])`, id, role))
		}
		why := r.find(`"takeover finished"\] \[role=rootcoord\].*\[reason=(\w+)\]`)
		require.Equal(t, map[int]string{1: "first", 2: "stopped"}[id], why, "its etcd outlives its roles")
		require.NoError(t, r.stop())
	}
}

func TestAStopBeforeEtcdAnswers(t *testing.T) {
	r := run(t, mustServer(t, MixCoord), "ETCD_ENDPOINTS=127.0.0.1:1")
	r.find(`(listening)`)
	code, body := r.get("/healthz")
	require.Equal(t, http.StatusInternalServerError, code)
	require.Equal(t, "Not all components are healthy, 0/3", string(body))
	require.NoError(t, r.stop())
}

func TestATakenPortEndsTheProcessBeforeItTouchesAnything(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	environ := "ETCD_ENDPOINTS=" + strings.Join(etcd.Endpoints(), ",")
	first := run(t, mustServer(t, "querycoord"), environ)
	port := first.find(`\[role=querycoord\] \[grpc="\[::\]:(\d+)"\]`)
	second := run(t, mustServer(t, MixCoord), environ, "QUERY_COORD_PORT="+port)
	require.ErrorContains(t, second.wait(), "queryCoord.port")
	require.NotContains(t, second.log(), "listening")
	require.NoError(t, first.stop())
}
