package rootcoord

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/quota"
)

// gathered are the values of the series with a prefix, by name and labels.
func gathered(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}

func TestGauges(t *testing.T) {
	s := newCluster(t).start(t)
	m := metrics.New(metrics.Build{})
	g := newGauges(s.databaseHandlers.parts, m.RootCoord)
	m.RootCoord.Show(true)
	s.createDatabase(t, "d")
	s.create(t, "a")
	s.create(t, "b")
	require.NoError(t, s.createPartition(t, "a", "p"))
	g.update(within(t), time.Now())
	got := gathered(t, m.Registry)
	require.Equal(t, 2.0, got["milvus_rootcoord_collection_num default"])
	require.Equal(t, 0.0, got["milvus_rootcoord_collection_num d"])
	require.Equal(t, 3.0, got["milvus_rootcoord_partition_num"])
	require.Equal(t, 2.0, got["milvus_rootcoord_database_num"])
	require.Equal(t, 2.0, got["milvus_rootcoord_dml_channel_num"])
	require.Equal(t, float64(testLimits().DmlChannelNum), got["milvus_rootcoord_msgstream_obj_num"])
	require.Equal(t, 2.0, got["milvus_rootcoord_database_num"])
	require.Equal(t, 0.0, got["milvus_coord_unfinished_ddl"])
	now := float64(time.Now().Unix())
	require.InDelta(t, now, got["milvus_rootcoord_timestamp"], 30)
	require.InDelta(t, now+3, got["milvus_rootcoord_timestamp_saved"], 30)

	_, err := s.DropDatabase(within(t), &milvuspb.DropDatabaseRequest{DbName: "d"})
	require.NoError(t, err)
	g.update(within(t), time.Now())
	require.NotContains(t, gathered(t, m.Registry), "milvus_rootcoord_collection_num d")

	core := newCore(s.databaseHandlers.parts, m.RootCoord)
	_, err = core.AllocID(within(t), &rootcoordpb.AllocIDRequest{Count: 7})
	require.NoError(t, err)
	require.Equal(t, 7.0, gathered(t, m.Registry)["milvus_rootcoord_id_alloc_count"])
}

// What is half done is counted, and aged from when this term saw it first.
func TestHalfDoneIsAged(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	m := metrics.New(metrics.Build{})
	m.RootCoord.Show(true)
	g := newGauges(s.databaseHandlers.parts, m.RootCoord)
	half := func(ids ...int64) {
		keys := catalog.Keys{MetaRoot: c.metaRoot()}
		view := catalog.NewView(keys)
		var kvs []metatable.KV
		for _, id := range ids {
			value, err := proto.Marshal(&etcdpb.CollectionInfo{
				ID: id, DbId: 1, Schema: &schemapb.CollectionSchema{Name: "half"}, State: etcdpb.CollectionState_CollectionDropping,
			})
			require.NoError(t, err)
			kvs = append(kvs, metatable.KV{Key: fmt.Sprintf("%sdatabase/collection-info/1/%d", keys.Prefix(), id), Value: value, ModRevision: 1})
		}
		view.Load(1, slices.Values(kvs))()
		view.Read(func(r catalog.Reader) { require.Len(t, r.Unfinished(), len(ids)) })
		g.meta.view = view
	}
	g.parts = &parts{meta: g.meta}
	at := time.Now()
	look := func(after time.Duration) (number, age float64) {
		g.meta.view.Read(func(r catalog.Reader) { g.countHalfDone(r, at.Add(after)) })
		got := gathered(t, m.Registry)
		return got["milvus_coord_unfinished_ddl"], got["milvus_coord_unfinished_ddl_age_seconds"]
	}
	half(7)
	number, age := look(0)
	require.Equal(t, []float64{1, 0}, []float64{number, age})
	half(7, 8)
	number, age = look(time.Minute)
	require.Equal(t, []float64{2, 60}, []float64{number, age})
	half(8)
	number, age = look(3 * time.Minute)
	require.Equal(t, []float64{1, 120}, []float64{number, age}, "the older one is done")
	half()
	number, age = look(4 * time.Minute)
	require.Equal(t, []float64{0, 0}, []float64{number, age})
}

func TestQueueingIsMeasuredByTheNameOfTheCall(t *testing.T) {
	m := metrics.New(metrics.Build{})
	measure := queued(m.RootCoord)
	measure(t.Context(), time.Millisecond) // not a call
	measure(grpc.NewContextWithServerTransportStream(t.Context(), named("/milvus.proto.rootcoord.RootCoord/CreateCollection")), time.Millisecond)
	queued(nil)(t.Context(), time.Millisecond)
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "milvus_rootcoord_ddl_req_latency_in_queue" {
			require.Len(t, f.GetMetric(), 1)
			require.Equal(t, "CreateCollection", f.GetMetric()[0].GetLabel()[0].GetValue())
			return
		}
	}
	t.Fatal("nothing was measured")
}

// named is a call's stream that knows its name.
type named string

func (n named) Method() string             { return string(n) }
func (named) SetHeader(metadata.MD) error  { return nil }
func (named) SendHeader(metadata.MD) error { return nil }
func (named) SetTrailer(metadata.MD) error { return nil }

// What is sent on the channels is measured, and forgotten when no collection uses the channel any more.
func TestTicksAreMeasured(t *testing.T) {
	c := newCluster(t)
	broker := c.withBroker(t)
	c.startPeers(t)
	s := c.start(t)
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	name := d.GetPhysicalChannelNames()[0]
	readChannel(t, broker, name).until(t, commonpb.MsgType_TimeTick)

	out, p := s.role.metrics, s.databaseHandlers.parts
	g := newGauges(p, out)
	require.Eventually(t, func() bool { return p.ticks.Published(name) > 0 }, time.Minute, time.Millisecond)
	g.measureTicks(time.Now())
	require.InDelta(t, 0, testutil.ToFloat64(out.TickLag.WithLabelValues(name)), 60_000)
	alone := prometheus.NewPedanticRegistry()
	alone.MustRegister(out.TimeTickTook)
	took, err := alone.Gather()
	require.NoError(t, err)
	require.Positive(t, took[0].GetMetric()[0].GetHistogram().GetSampleCount())

	p.channels.release([]string{name})
	g.measureTicks(time.Now())
	require.Zero(t, testutil.CollectAndCount(out.TickLag))
}

// The limits that the configuration sets are shown, and no others.
func TestQuotasAreShown(t *testing.T) {
	for what, tc := range map[string]struct {
		cfg  quota.Config
		want map[string]float64
	}{
		"none": {quota.Config{Disk: quota.Disk{Cluster: 5}}, map[string]float64{}},
		"both": {
			quota.Config{Disk: quota.Disk{Enabled: true, Cluster: 5}, Writing: quota.Writing{QueryMemory: quota.Levels{Low: 0.8, High: 0.9}}},
			map[string]float64{"milvus_rootcoord_disk_quota 7 cluster": 5, "milvus_rootcoord_qn_mem_high_water_level": 0.9},
		},
		"no limit": {quota.Config{Disk: quota.Disk{Enabled: true, Cluster: math.Inf(1)}}, map[string]float64{}},
	} {
		t.Run(what, func(t *testing.T) {
			m := metrics.New(metrics.Build{})
			shown := func() map[string]float64 {
				found := map[string]float64{}
				for name, value := range gathered(t, m.Registry) {
					if strings.HasPrefix(name, "milvus_rootcoord_disk_quota") || strings.HasPrefix(name, "milvus_rootcoord_qn_mem") {
						found[name] = value
					}
				}
				return found
			}
			r := &RootCoord{cfg: Config{Quota: &tc.cfg}, metrics: m.RootCoord}
			ctx, end := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- r.showQuotas(ctx, 7) }()
			require.Eventually(t, func() bool { return len(shown()) == len(tc.want) }, time.Minute, time.Millisecond)
			require.Equal(t, tc.want, shown())
			end()
			require.NoError(t, <-done)
			require.Empty(t, shown())
		})
	}
}
