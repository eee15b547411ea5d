package metrics

import (
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
)

func requireSeries(t *testing.T, m *Metrics, want string, names ...string) {
	t.Helper()
	var got []string
	for _, name := range names {
		got = append(got, series(m, name)...)
	}
	require.ElementsMatch(t, strings.Split(strings.TrimSpace(want), "\n"), got)
}

// series are the lines of one metric, as a scrape shows them.
func series(m *Metrics, name string) []string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var found []string
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, name+"{") || strings.HasPrefix(line, name+" ") {
			found = append(found, line)
		}
	}
	return found
}

func TestTwoProcessesInOneDoNotMeet(t *testing.T) {
	New(Build{})
	New(Build{}) // would panic if anything were registered globally
}

func TestMilvusSeries(t *testing.T) {
	m := New(Build{Version: "2.5.0", Commit: "abc", Time: "today"})
	m.NodeActive("rootcoord", 5, true)
	m.NodeActive("datacoord", 5, true)
	m.NodeActive("datacoord", 5, false)
	m.RootCoord.IDs.Add(7)
	m.RootCoord.Collections.WithLabelValues("default").Set(3)
	m.Meta.Request("txn", 3*time.Millisecond, 100, nil)
	m.Meta.Request("txn", time.Millisecond, 100, errors.New("lost"))
	requireSeries(t, m, `
milvus_build_info{built="today",git_commit="abc",version="2.5.0"} 1
milvus_meta_op_count{meta_op_type="txn",status="fail"} 1
milvus_meta_op_count{meta_op_type="txn",status="success"} 1
milvus_meta_op_count{meta_op_type="txn",status="total"} 2
milvus_num_node{node_id="5",role_name="rootcoord"} 1
milvus_rootcoord_collection_num{db_name="default"} 3
milvus_rootcoord_id_alloc_count 7
`, "milvus_build_info", "milvus_meta_op_count", "milvus_num_node", "milvus_rootcoord_collection_num", "milvus_rootcoord_id_alloc_count")
}

func TestRoleSeries(t *testing.T) {
	m := New(Build{})
	m.StateChanged("rootcoord", commonpb.StateCode_Healthy, 42)
	m.StateChanged("rootcoord", commonpb.StateCode_StandBy, 0)
	m.StateChanged("querycoord", commonpb.StateCode_Healthy, 43)
	m.FencedOff("rootcoord", 2)
	m.TableLag("root-coord", 9)
	m.TakeoverStep("rootcoord", "killed", "detect", 20*time.Millisecond)
	m.Renewed("rootcoord", time.Millisecond, 3*time.Second)
	m.Renewed("rootcoord", time.Millisecond, 0) // of a standby
	requireSeries(t, m, `
milvus_coord_role_state{role="querycoord",state="Abnormal"} 0
milvus_coord_role_state{role="querycoord",state="Healthy"} 1
milvus_coord_role_state{role="querycoord",state="Initializing"} 0
milvus_coord_role_state{role="querycoord",state="StandBy"} 0
milvus_coord_role_state{role="querycoord",state="Stopping"} 0
milvus_coord_role_state{role="rootcoord",state="Abnormal"} 0
milvus_coord_role_state{role="rootcoord",state="Healthy"} 0
milvus_coord_role_state{role="rootcoord",state="Initializing"} 0
milvus_coord_role_state{role="rootcoord",state="StandBy"} 1
milvus_coord_role_state{role="rootcoord",state="Stopping"} 0
milvus_coord_fenced_writes_total{role="rootcoord"} 2
milvus_coord_term{role="querycoord"} 43
milvus_coord_term{role="rootcoord"} 0
`, "milvus_coord_role_state", "milvus_coord_fenced_writes_total", "milvus_coord_term")
	requireSeries(t, m, `
milvus_coord_takeover_seconds_count{cause="killed",role="rootcoord",step="detect"} 1
milvus_coord_lease_renewal_seconds_count{role="rootcoord"} 2
milvus_coord_serve_deadline_slack_seconds_count{role="rootcoord"} 1
`, "milvus_coord_takeover_seconds_count", "milvus_coord_lease_renewal_seconds_count", "milvus_coord_serve_deadline_slack_seconds_count")
}

func TestCalls(t *testing.T) {
	m := New(Build{})
	create := m.Method(rootCoordService, "CreateCollection")
	policy := m.Method(rootCoordService, "ListPolicy")
	stamp := m.Method(rootCoordService, "AllocTimestamp")
	flush := m.Method("milvus.proto.data.DataCoord", "Flush")
	require.Empty(t, series(m, "milvus_coord_grpc_requests_total"), "methods that nobody calls have no series")

	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 100 {
				create.Done(time.Millisecond, OK)
				create.Done(time.Millisecond, NotReady)
			}
		})
	}
	callers.Wait()
	create.Done(time.Millisecond, Failed)
	policy.Done(time.Millisecond, Panicked)
	stamp.Done(time.Microsecond, OK)
	flush.Done(time.Microsecond, Unimplemented)
	requireSeries(t, m, `
milvus_coord_grpc_requests_total{method="AllocTimestamp",outcome="ok",service="milvus.proto.rootcoord.RootCoord"} 1
milvus_coord_grpc_requests_total{method="CreateCollection",outcome="fail",service="milvus.proto.rootcoord.RootCoord"} 1
milvus_coord_grpc_requests_total{method="CreateCollection",outcome="not_ready",service="milvus.proto.rootcoord.RootCoord"} 400
milvus_coord_grpc_requests_total{method="CreateCollection",outcome="ok",service="milvus.proto.rootcoord.RootCoord"} 400
milvus_coord_grpc_requests_total{method="Flush",outcome="unimplemented",service="milvus.proto.data.DataCoord"} 1
milvus_coord_grpc_requests_total{method="ListPolicy",outcome="panic",service="milvus.proto.rootcoord.RootCoord"} 1
milvus_rootcoord_ddl_req_count{function_name="CreateCollection",status="fail"} 1
milvus_rootcoord_ddl_req_count{function_name="CreateCollection",status="success"} 400
milvus_rootcoord_ddl_req_count{function_name="CreateCollection",status="total"} 401
milvus_rootcoord_ddl_req_count{function_name="PolicyList",status="fail"} 1
milvus_rootcoord_ddl_req_count{function_name="PolicyList",status="success"} 0
milvus_rootcoord_ddl_req_count{function_name="PolicyList",status="total"} 1
`, "milvus_coord_grpc_requests_total", "milvus_rootcoord_ddl_req_count")
	requireSeries(t, m, `
milvus_rootcoord_ddl_req_latency_count{function_name="CreateCollection"} 400
milvus_rootcoord_ddl_req_latency_count{function_name="PolicyList"} 0
`, "milvus_rootcoord_ddl_req_latency_count")
}
