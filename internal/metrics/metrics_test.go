package metrics

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func requireSeries(t *testing.T, m *Metrics, want string, names ...string) {
	t.Helper()
	var got []string
	for _, name := range names {
		got = append(got, series(m, name)...)
	}
	require.ElementsMatch(t, strings.FieldsFunc(want, func(r rune) bool { return r == '\n' }), got)
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
	m.RootCoord.Collections.WithLabelValues("default").Set(3)
	m.MetaRequest("Txn", 3*time.Millisecond, 100, true)
	m.MetaRequest("Txn", time.Millisecond, 100, false)
	m.MetaRequest("LeaseGrant", time.Millisecond, 100, true) // not one of Milvus' kinds
	m.RootCoord.Queued("ListPolicy", 3*time.Millisecond)
	requireSeries(t, m, `
milvus_build_info{built="today",git_commit="abc",version="2.5.0"} 1
milvus_meta_op_count{meta_op_type="txn",status="fail"} 1
milvus_meta_op_count{meta_op_type="txn",status="success"} 1
milvus_meta_op_count{meta_op_type="txn",status="total"} 2
milvus_meta_kv_size_sum{meta_op_type="txn"} 100
milvus_meta_request_latency_sum{meta_op_type="txn"} 3
milvus_num_node{node_id="5",role_name="rootcoord"} 1
milvus_rootcoord_collection_num{db_name="default"} 3
milvus_rootcoord_ddl_req_latency_in_queue_sum{function_name="PolicyList"} 3
`, "milvus_build_info", "milvus_meta_op_count", "milvus_meta_kv_size_sum", "milvus_meta_request_latency_sum", "milvus_num_node",
		"milvus_rootcoord_collection_num", "milvus_rootcoord_ddl_req_latency_in_queue_sum")
	require.Len(t, series(m, "milvus_meta_request_latency_bucket"), 19, "2^0 to 2^17, and all")
}

// What is true only of the active one is not there in standby: zero would be a statement.
func TestGaugesOfATermGoWithIt(t *testing.T) {
	m := New(Build{})
	names := []string{"milvus_rootcoord_id_alloc_count", "milvus_rootcoord_partition_num", "milvus_querycoord_collection_num"}
	requireSeries(t, m, "", names...)
	m.RootCoord.IDs.Add(7)
	m.RootCoord.Partitions.Set(2)
	m.RootCoord.Show(true)
	m.QueryCoord.Collections.Set(1)
	m.QueryCoord.Show(true)
	requireSeries(t, m, `
milvus_querycoord_collection_num 1
milvus_rootcoord_id_alloc_count 7
milvus_rootcoord_partition_num 2
`, names...)
	m.RootCoord.Show(false)
	m.QueryCoord.Show(false)
	requireSeries(t, m, "", names...)
}

func TestRoleSeries(t *testing.T) {
	m := New(Build{})
	m.StateChanged("rootcoord", commonpb.StateCode_Healthy, 42)
	m.StateChanged("rootcoord", commonpb.StateCode_StandBy, 0)
	m.StateChanged("querycoord", commonpb.StateCode_Healthy, 43)
	m.RoleKnown("rootcoord", true, []string{"killed", "stopped"}, []string{"silent"})
	m.FencedOff("rootcoord")
	m.FencedOff("rootcoord")
	m.TookOver("rootcoord", "killed")
	m.TakeoverStep("rootcoord", "killed", "detect", 20*time.Millisecond)
	m.Registered("rootcoord")
	m.Lost("rootcoord", "silent")
	m.Missed("rootcoord")
	requireSeries(t, m, `
milvus_coord_active_standby_enabled{role="rootcoord"} 1
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
milvus_coord_lease_renewal_failures_total{role="rootcoord"} 1
milvus_coord_session_losses_total{cause="silent",role="rootcoord"} 1
milvus_coord_session_registrations_total{role="rootcoord"} 1
milvus_coord_takeovers_total{cause="killed",role="rootcoord"} 1
milvus_coord_takeovers_total{cause="stopped",role="rootcoord"} 0
milvus_coord_takeover_seconds_count{cause="killed",role="rootcoord",step="detect"} 1
milvus_coord_term{role="querycoord"} 43
milvus_coord_term{role="rootcoord"} 0
`, "milvus_coord_active_standby_enabled", "milvus_coord_role_state", "milvus_coord_fenced_writes_total", "milvus_coord_lease_renewal_failures_total",
		"milvus_coord_session_losses_total", "milvus_coord_session_registrations_total", "milvus_coord_takeovers_total",
		"milvus_coord_takeover_seconds_count", "milvus_coord_term")
}

func TestHeartbeats(t *testing.T) {
	m := New(Build{})
	m.Renewed("rootcoord", time.Millisecond, true)
	m.Renewed("rootcoord", 3*time.Millisecond, false)
	m.Slack("rootcoord", 3*time.Second)
	m.Slack("rootcoord", -2*time.Second)
	requireSeries(t, m, `
milvus_coord_lease_renewal_seconds_sum{role="rootcoord"} 0.004
milvus_coord_serve_deadline_slack_seconds_sum{role="rootcoord"} 3
milvus_coord_serve_deadline_slack_seconds_bucket{role="rootcoord",le="0.1"} 1
milvus_coord_serve_deadline_last_slack_seconds{role="rootcoord"} -2
milvus_coord_takeovers_paused{role="rootcoord"} 0
`, "milvus_coord_lease_renewal_seconds_sum", "milvus_coord_serve_deadline_slack_seconds_sum",
		`milvus_coord_serve_deadline_slack_seconds_bucket{role="rootcoord",le="0.1"}`,
		"milvus_coord_serve_deadline_last_slack_seconds", "milvus_coord_takeovers_paused")
	m.StateChanged("rootcoord", commonpb.StateCode_StandBy, 0)
	requireSeries(t, m, "", "milvus_coord_serve_deadline_last_slack_seconds")
	m.Slack("rootcoord", time.Second) // of a heartbeat that was under way when the term ended
	m.Registered("rootcoord")
	requireSeries(t, m, "", "milvus_coord_serve_deadline_last_slack_seconds")
}

// Ages grow between two events, by the time of the scrape.
func TestAges(t *testing.T) {
	m := New(Build{})
	m.Renewed("rootcoord", 0, false)
	m.ActiveSeen("rootcoord", 3*time.Second, true)
	m.TablesMeasured("rootcoord", time.Now().Add(-time.Minute), 7, 2)
	age := func(name string) float64 {
		lines := series(m, name)
		require.Len(t, lines, 1, name)
		_, text, _ := strings.Cut(lines[0], " ")
		value, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		return value
	}
	first := age("milvus_coord_lease_renewal_age_seconds")
	require.Less(t, first, 30.)
	require.Greater(t, age("milvus_coord_lease_renewal_age_seconds"), first)
	require.GreaterOrEqual(t, age("milvus_coord_active_silence_seconds"), 3.)
	require.GreaterOrEqual(t, age("milvus_coord_table_progress_age_seconds"), 60.)
	requireSeries(t, m, `
milvus_coord_active_connected{role="rootcoord"} 1
milvus_coord_table_lag_revisions{role="rootcoord"} 7
milvus_coord_quarantined_values{role="rootcoord"} 2
`, "milvus_coord_active_connected", "milvus_coord_table_lag_revisions", "milvus_coord_quarantined_values")

	m.ActiveForgotten("rootcoord")
	m.TablesMeasured("rootcoord", time.Now(), -1, 0) // etcd is away: the last lag is the last that is known
	requireSeries(t, m, `milvus_coord_table_lag_revisions{role="rootcoord"} 7`,
		"milvus_coord_active_connected", "milvus_coord_active_silence_seconds", "milvus_coord_table_lag_revisions")
}

func TestEtcdRequests(t *testing.T) {
	m := New(Build{})
	m.EtcdRequest("Txn", time.Millisecond, true)
	m.EtcdRequest("Txn", time.Second, false)
	m.EtcdRequest("LeaseGrant", time.Second, false)
	requireSeries(t, m, `
milvus_coord_etcd_request_errors_total{method="DeleteRange"} 0
milvus_coord_etcd_request_errors_total{method="LeaseGrant"} 1
milvus_coord_etcd_request_errors_total{method="Put"} 0
milvus_coord_etcd_request_errors_total{method="Range"} 0
milvus_coord_etcd_request_errors_total{method="Txn"} 1
milvus_coord_etcd_request_seconds_count{method="LeaseGrant"} 1
milvus_coord_etcd_request_seconds_count{method="Txn"} 2
`, "milvus_coord_etcd_request_errors_total", "milvus_coord_etcd_request_seconds_count")
}

// Our own series follow Prometheus' conventions. Milvus' are what they are.
func TestNamesFollowTheConventions(t *testing.T) {
	m := New(Build{})
	fill(m)
	problems, err := testutil.GatherAndLint(m.Registry)
	require.NoError(t, err)
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "milvus_coord_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// fill makes every series of ours appear.
func fill(m *Metrics) {
	m.RoleKnown("r", true, []string{"c"}, []string{"c"})
	m.StateChanged("r", commonpb.StateCode_Healthy, 1)
	m.TakeoverStep("r", "c", "s", 1)
	m.Renewed("r", 1, true)
	m.Slack("r", 1)
	m.ActiveSeen("r", 1, true)
	m.TablesMeasured("r", time.Now(), 1, 1)
	m.EtcdRequest("Txn", 1, true)
	m.Method(rootCoordService, "CreateCollection").Done(1, OK)
	m.RootCoord.Show(true)
}

func TestCalls(t *testing.T) {
	m := New(Build{})
	create := m.Method(rootCoordService, "CreateCollection")
	policy := m.Method(rootCoordService, "ListPolicy")
	stamp := m.Method(rootCoordService, "AllocTimestamp")
	member := m.Method(rootCoordService, "OperateUserRole")
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
	flush.As("Kind").Done(time.Microsecond, Unimplemented)
	member.Done(time.Millisecond, NotReady)
	for range 2 {
		member.As("AddUserToRole").Done(time.Millisecond, OK)
	}
	requireSeries(t, m, `
milvus_coord_call_panics_total 1
milvus_coord_grpc_requests_total{method="AllocTimestamp",outcome="ok",service="milvus.proto.rootcoord.RootCoord"} 1
milvus_coord_grpc_requests_total{method="CreateCollection",outcome="fail",service="milvus.proto.rootcoord.RootCoord"} 1
milvus_coord_grpc_requests_total{method="CreateCollection",outcome="not_ready",service="milvus.proto.rootcoord.RootCoord"} 400
milvus_coord_grpc_requests_total{method="CreateCollection",outcome="ok",service="milvus.proto.rootcoord.RootCoord"} 400
milvus_coord_grpc_requests_total{method="Flush",outcome="unimplemented",service="milvus.proto.data.DataCoord"} 1
milvus_coord_grpc_requests_total{method="ListPolicy",outcome="panic",service="milvus.proto.rootcoord.RootCoord"} 1
milvus_rootcoord_ddl_req_count{function_name="CreateCollection",status="fail"} 1
milvus_rootcoord_ddl_req_count{function_name="CreateCollection",status="success"} 400
milvus_rootcoord_ddl_req_count{function_name="CreateCollection",status="total"} 401
milvus_coord_grpc_requests_total{method="OperateUserRole",outcome="not_ready",service="milvus.proto.rootcoord.RootCoord"} 1
milvus_coord_grpc_requests_total{method="OperateUserRole",outcome="ok",service="milvus.proto.rootcoord.RootCoord"} 2
milvus_rootcoord_ddl_req_count{function_name="OperateUserRole",status="fail"} 0
milvus_rootcoord_ddl_req_count{function_name="OperateUserRole",status="success"} 0
milvus_rootcoord_ddl_req_count{function_name="OperateUserRole",status="total"} 0
milvus_rootcoord_ddl_req_count{function_name="OperateUserRole-AddUserToRole",status="fail"} 0
milvus_rootcoord_ddl_req_count{function_name="OperateUserRole-AddUserToRole",status="success"} 2
milvus_rootcoord_ddl_req_count{function_name="OperateUserRole-AddUserToRole",status="total"} 2
milvus_rootcoord_ddl_req_count{function_name="PolicyList",status="fail"} 1
milvus_rootcoord_ddl_req_count{function_name="PolicyList",status="success"} 0
milvus_rootcoord_ddl_req_count{function_name="PolicyList",status="total"} 1
`, "milvus_coord_call_panics_total", "milvus_coord_grpc_requests_total", "milvus_rootcoord_ddl_req_count")
	requireSeries(t, m, `
milvus_rootcoord_ddl_req_latency_count{function_name="CreateCollection"} 400
milvus_rootcoord_ddl_req_latency_count{function_name="OperateUserRole"} 0
milvus_rootcoord_ddl_req_latency_count{function_name="OperateUserRole-AddUserToRole"} 2
milvus_rootcoord_ddl_req_latency_count{function_name="PolicyList"} 0
`, "milvus_rootcoord_ddl_req_latency_count")
}
