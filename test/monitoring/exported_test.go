package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

// TestEverySeriesIsExported runs a pair of each coordinator, lets happen what the dashboard shows, and compares what a
// scrape of all of them gives with what the rules and the dashboard ask for.
func TestEverySeriesIsExported(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	bin := clustertest.Binary(t)
	segment, err := proto.Marshal(&datapb.SegmentInfo{ID: 3, CollectionID: 1, PartitionID: 2, State: commonpb.SegmentState_Flushed})
	require.NoError(t, err)
	_, err = client.Put(t.Context(), "by-dev/meta/datacoord-meta/s/1/2/3", string(segment))
	require.NoError(t, err)

	start := func(role, name string) *clustertest.Coord {
		return clustertest.StartCoord(t, bin, name, clustertest.CoordOptions{Role: role, Endpoints: etcd.Endpoints()})
	}
	var running []*clustertest.Coord
	for _, role := range []string{"datacoord", "querycoord", "rootcoord"} {
		first := start(role, role)
		clustertest.WaitActive(t, client, 0, first)
		second := start(role, role+", standing by")
		second.WaitLog(`is in STANDBY`)
		running = append(running, first, second)
	}
	active, standby := running[4], running[5]
	_, first := clustertest.WaitActive(t, client, 0, active)
	callBoth(t, client, first)

	// A takeover; and somebody who stands by again, and watches the new one.
	active.Kill()
	_, second := clustertest.WaitActive(t, client, first.Term, standby)
	third := start("rootcoord", "rootcoord, the third")
	third.WaitLog(`is in STANDBY`)
	running[4] = third
	callBoth(t, client, second)

	rules, board := readRules(t), readDashboard(t)
	var faults []string
	complete := func() bool {
		there := catalog{}
		for _, c := range running {
			there.scrape(t, c.HTTP())
		}
		there.record(t, rules)
		faults = nil
		for _, q := range queriesOf(rules, board) {
			for _, fault := range there.missing(parse(t, q)) {
				faults = append(faults, q.where+": "+fault)
			}
		}
		return len(faults) == 0
	}
	// What is measured every few seconds is there a little later.
	for deadline := time.Now().Add(time.Minute); !complete() && time.Now().Before(deadline); {
		time.Sleep(500 * time.Millisecond)
	}
	require.Empty(t, faults)
}

// scrape adds what a process exports.
func (c catalog) scrape(t *testing.T, address string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read only
	require.Equal(t, http.StatusOK, resp.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	require.NoError(t, err)
	for name, family := range families {
		for _, m := range family.GetMetric() {
			b := labels.NewScratchBuilder(8)
			for _, l := range m.GetLabel() {
				b.Add(l.GetName(), l.GetValue())
			}
			c.add(name, family.GetType(), m, &b)
		}
	}
}

// add puts a metric in under the names that a scrape gives it.
func (c catalog) add(name string, kind dto.MetricType, m *dto.Metric, b *labels.ScratchBuilder) {
	b.Sort()
	plain := b.Labels()
	switch kind {
	case dto.MetricType_HISTOGRAM:
		for _, bucket := range m.GetHistogram().GetBucket() {
			with := labels.NewBuilder(plain).Set("le", fmt.Sprint(bucket.GetUpperBound())).Labels()
			c[name+"_bucket"] = append(c[name+"_bucket"], with)
		}
		fallthrough
	case dto.MetricType_SUMMARY:
		c[name+"_sum"] = append(c[name+"_sum"], plain)
		c[name+"_count"] = append(c[name+"_count"], plain)
	default:
		c[name] = append(c[name], plain)
	}
}

// callBoth calls the active RootCoord, with and without success, and one that stands by.
func callBoth(t *testing.T, client *clientv3.Client, active clustertest.Active) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	root := dialRoot(t, active.Address)
	schema, err := proto.Marshal(&schemapb.CollectionSchema{Name: "c", Fields: []*schemapb.FieldSchema{
		{Name: "pk", DataType: schemapb.DataType_Int64, IsPrimaryKey: true},
		{Name: "v", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "8"}}},
	}})
	require.NoError(t, err)
	base := &commonpb.MsgBase{MsgType: commonpb.MsgType_CreateCollection}
	created, err := root.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{Base: base, CollectionName: "c", Schema: schema})
	require.NoError(t, err)
	require.Zero(t, created.GetCode(), created.GetReason())
	described, err := root.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{CollectionName: "no such"})
	require.NoError(t, err)
	require.NotZero(t, described.GetStatus().GetCode())
	stamped, err := root.AllocTimestamp(ctx, &rootcoordpb.AllocTimestampRequest{Count: 1})
	require.NoError(t, err)
	require.Zero(t, stamped.GetStatus().GetCode())

	members, err := client.Get(ctx, "by-dev/meta/session/rootcoord-", clientv3.WithPrefix())
	require.NoError(t, err)
	for _, kv := range members.Kvs {
		var member clustertest.Active
		require.NoError(t, json.Unmarshal(kv.Value, &member))
		if member.ServerID != active.ServerID {
			refused, err := dialRoot(t, member.Address).DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{CollectionName: "c"})
			require.NoError(t, err)
			require.NotZero(t, refused.GetStatus().GetCode(), "a standby does not serve")
			return
		}
	}
	t.Fatal("nobody stands by")
}

func dialRoot(t *testing.T, address string) rootcoordpb.RootCoordClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return rootcoordpb.NewRootCoordClient(conn)
}
