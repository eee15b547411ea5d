package rpc

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

func TestGetComponentStates(t *testing.T) {
	root := newFixture(t, RootCoord)
	root.id.Store(0)
	states, err := root.root().GetComponentStates(testContext(t), &milvuspb.GetComponentStatesRequest{})
	require.NoError(t, err)
	info := &milvuspb.ComponentInfo{NodeID: -1, Role: "rootcoord", StateCode: commonpb.StateCode_Initializing}
	requireProto(t, &milvuspb.ComponentStates{
		State: info, SubcomponentStates: []*milvuspb.ComponentInfo{info}, Status: &commonpb.Status{},
	}, states)

	data := newFixture(t, DataCoord)
	data.sw.SetState(commonpb.StateCode_StandBy)
	states, err = datapb.NewDataCoordClient(data.conn).GetComponentStates(testContext(t), &milvuspb.GetComponentStatesRequest{})
	require.NoError(t, err)
	want := &milvuspb.ComponentStates{
		State:  &milvuspb.ComponentInfo{NodeID: 5, Role: "datacoord", StateCode: commonpb.StateCode_StandBy},
		Status: &commonpb.Status{},
	}
	requireProto(t, want, states)
	states, err = indexpb.NewIndexCoordClient(data.conn).GetComponentStates(testContext(t), &milvuspb.GetComponentStatesRequest{})
	require.NoError(t, err)
	requireProto(t, want, states)

	query := newFixture(t, QueryCoord)
	query.serve(struct {
		querypb.UnimplementedQueryCoordServer
	}{})
	states, err = querypb.NewQueryCoordClient(query.conn).GetComponentStates(testContext(t), &milvuspb.GetComponentStatesRequest{})
	require.NoError(t, err)
	requireProto(t, &milvuspb.ComponentStates{
		State: &milvuspb.ComponentInfo{NodeID: 5, StateCode: commonpb.StateCode_Healthy}, Status: &commonpb.Status{},
	}, states)
}

func requireProto(t *testing.T, want, got proto.Message) {
	t.Helper()
	require.True(t, proto.Equal(want, got), "want %v\ngot  %v", want, got)
}

func TestChannels(t *testing.T) {
	root := newFixture(t, RootCoord)
	value, err := root.root().GetTimeTickChannel(testContext(t), &internalpb.GetTimeTickChannelRequest{})
	require.NoError(t, err)
	require.Equal(t, "by-dev-tt", value.Value)
	value, err = root.root().GetStatisticsChannel(testContext(t), &internalpb.GetStatisticsChannelRequest{})
	require.NoError(t, err)
	require.Equal(t, "by-dev-stats", value.Value)

	data := datapb.NewDataCoordClient(newFixture(t, DataCoord).conn)
	value, err = data.GetSegmentInfoChannel(testContext(t), &datapb.GetSegmentInfoChannelRequest{})
	require.NoError(t, err)
	require.Equal(t, "by-dev-segments", value.Value)
	value, err = data.GetStatisticsChannel(testContext(t), &internalpb.GetStatisticsChannelRequest{})
	require.NoError(t, err)
	require.Equal(t, int32(500), value.Status.Code)
	require.Equal(t, "channel not found[channel=no statistics channel]", value.Status.Detail)
}

func TestCheckHealth(t *testing.T) {
	root := newFixture(t, RootCoord)
	root.sw.SetState(commonpb.StateCode_StandBy)
	health, err := root.root().CheckHealth(testContext(t), &milvuspb.CheckHealthRequest{})
	require.NoError(t, err)
	require.False(t, health.IsHealthy)
	require.Equal(t, []string{"serverID=5: service not ready[rootcoord=5]: StandBy"}, health.Reasons)
	requireNotReady(t, health.Status, "service not ready[rootcoord=5]: StandBy")

	data := newFixture(t, DataCoord)
	health, err = datapb.NewDataCoordClient(data.conn).CheckHealth(testContext(t), &milvuspb.CheckHealthRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"service not ready[datacoord=5]: Initializing"}, health.Reasons)

	root.serve(&fakeRoot{}) // has no CheckHealth of its own
	health, err = root.root().CheckHealth(testContext(t), &milvuspb.CheckHealthRequest{})
	require.NoError(t, err)
	require.True(t, health.IsHealthy)
	require.Empty(t, health.Reasons)
}

func TestShowConfigurations(t *testing.T) {
	f := newFixture(t, RootCoord, func(c *ComponentConfig, _ *ServerConfig) {
		c.Settings = []Setting{{"common.session.ttl", "60"}, {"dataCoord.port", "13333"}, {"rootCoord.port", "53100"}, {"etcd.auth.password", "***"}}
	})
	f.serve(&fakeRoot{})
	for pattern, want := range map[string][]string{
		"":                {"common.session.ttl", "rootCoord.port", "etcd.auth.password"},
		"port":            {"rootCoord.port"},
		"ROOT_COORD_PORT": {"rootCoord.port"},
		"session.ttl":     {"common.session.ttl"},
		"nothing":         nil,
	} {
		resp, err := f.root().ShowConfigurations(testContext(t), &internalpb.ShowConfigurationsRequest{Pattern: pattern})
		require.NoError(t, err)
		require.Zero(t, resp.Status.Code)
		var keys []string
		for _, kv := range resp.Configuations {
			keys = append(keys, kv.Key)
		}
		require.Equal(t, want, keys, pattern)
	}
}

func TestGetMetricsAnswersInStandByToo(t *testing.T) {
	f := newFixture(t, RootCoord, func(c *ComponentConfig, _ *ServerConfig) {
		c.Build = Build{Version: "2.5.0", Commit: "abc", DeployMode: "DISTRIBUTED"}
	})
	ask := func(request string) *milvuspb.GetMetricsResponse {
		resp, err := f.root().GetMetrics(testContext(t), &milvuspb.GetMetricsRequest{Request: request})
		require.NoError(t, err)
		return resp
	}
	const systemInfo = `{"metric_type":"system_info"}`
	requireNotReady(t, ask(systemInfo).Status, "service not ready[rootcoord=5]: Initializing")

	f.sw.SetState(commonpb.StateCode_StandBy)
	standby := ask(systemInfo)
	require.Zero(t, standby.Status.Code, standby.Status)
	require.Equal(t, "rootcoord5", standby.ComponentName)

	f.serve(&fakeRoot{})
	resp := ask(systemInfo)
	require.Zero(t, resp.Status.Code)
	var topology struct {
		Self struct {
			Name     string         `json:"name"`
			Type     string         `json:"type"`
			ID       int64          `json:"id"`
			Created  string         `json:"created_time"`
			HasError bool           `json:"has_error"`
			Hardware map[string]any `json:"hardware_infos"`
			System   map[string]any `json:"system_info"`
			Config   map[string]any `json:"system_configurations"`
		} `json:"self"`
		Connections struct {
			Name       string `json:"name"`
			Components []any  `json:"connected_components"`
		} `json:"connections"`
	}
	require.NoError(t, json.Unmarshal([]byte(resp.Response), &topology))
	require.Equal(t, "rootcoord5", topology.Self.Name)
	require.Equal(t, "rootcoord", topology.Self.Type)
	require.Equal(t, int64(5), topology.Self.ID)
	require.NotEmpty(t, topology.Self.Created)
	require.NotContains(t, topology.Self.Created, "m=")
	require.Equal(t, "10.0.0.1:53100", topology.Self.Hardware["ip"])
	require.Positive(t, topology.Self.Hardware["cpu_core_count"])
	require.Positive(t, topology.Self.Hardware["memory_usage"])
	require.Positive(t, topology.Self.Hardware["disk"])
	require.Equal(t, "abc", topology.Self.System["system_version"])
	require.Equal(t, "2.5.0", topology.Self.System["build_version"])
	require.NotNil(t, topology.Self.Config)
	require.Equal(t, "rootcoord5", topology.Connections.Name)
	require.NotNil(t, topology.Connections.Components)

	for request, want := range map[string]string{
		`{"metric_type":"dist"}`: `metric type "dist" is not answered by rootcoord, only "system_info" is`,
		`{}`:                     "request of GetMetrics has no metric_type",
		`{"metric_type":5}`:      "request of GetMetrics is not a JSON object",
		``:                       "request of GetMetrics is not a JSON object",
		`[]`:                     "request of GetMetrics is not a JSON object",
	} {
		resp := ask(request)
		require.Equal(t, int32(65535), resp.Status.Code, request)
		require.Contains(t, resp.Status.Detail, want)
		require.Empty(t, resp.Response)
	}
}

func TestTopologyOfTheOtherRoles(t *testing.T) {
	data := newFixture(t, DataCoord)
	data.sw.SetState(commonpb.StateCode_StandBy)
	request := &milvuspb.GetMetricsRequest{Request: `{"metric_type":"system_info"}`}
	resp, err := datapb.NewDataCoordClient(data.conn).GetMetrics(testContext(t), request)
	require.NoError(t, err)
	cluster := clusterOf(t, resp.Response)
	require.Equal(t, []any{}, cluster["connected_data_nodes"])
	require.Equal(t, []any{}, cluster["connected_index_nodes"])
	self := cluster["self"].(map[string]any)
	require.Equal(t, "datacoord5", self["name"])
	require.Contains(t, self, "quota_metrics")
	require.Nil(t, self["quota_metrics"], "unknown, not empty")

	query := newFixture(t, QueryCoord)
	query.sw.SetState(commonpb.StateCode_StandBy)
	resp, err = querypb.NewQueryCoordClient(query.conn).GetMetrics(testContext(t), request)
	require.NoError(t, err)
	cluster = clusterOf(t, resp.Response)
	require.Equal(t, []any{}, cluster["connected_nodes"])
	require.Equal(t, "querycoord5", cluster["self"].(map[string]any)["name"])
}

func clusterOf(t *testing.T, body string) map[string]any {
	t.Helper()
	var topology struct {
		Cluster map[string]any `json:"cluster"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &topology))
	return topology.Cluster
}

func TestAnInstanceMayAnswerSharedMethodsItself(t *testing.T) {
	f := newFixture(t, RootCoord)
	f.serve(ownHealth{})
	resp, err := f.root().CheckHealth(testContext(t), &milvuspb.CheckHealthRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"a proxy is ill"}, resp.Reasons)
	// What it does not answer comes from the component, with the request that was read already.
	m, err := f.root().GetMetrics(testContext(t), &milvuspb.GetMetricsRequest{Request: `{"metric_type":"dist"}`})
	require.NoError(t, err)
	require.Contains(t, m.Status.Detail, `"dist"`)
}

type ownHealth struct {
	rootcoordpb.UnimplementedRootCoordServer
}

func (ownHealth) CheckHealth(context.Context, *milvuspb.CheckHealthRequest) (*milvuspb.CheckHealthResponse, error) {
	return &milvuspb.CheckHealthResponse{Status: &commonpb.Status{}, Reasons: []string{"a proxy is ill"}}, nil
}

func FuzzMetricType(f *testing.F) {
	for _, s := range []string{`{"metric_type":"system_info"}`, `{}`, `null`, `{"metric_type":null}`, `{"metric_type":{}}`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, request string) {
		kind, err := metricType(request)
		if err == nil && !json.Valid([]byte(request)) {
			t.Errorf("%q was read as %q", request, kind)
		}
	})
}
