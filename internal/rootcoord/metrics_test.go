package rootcoord

import (
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/metrics"
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
	g := &gauges{parts: s.databaseHandlers.parts, out: m.RootCoord, named: map[string]bool{}}
	s.createDatabase(t, "d")
	s.create(t, "a")
	s.create(t, "b")
	require.NoError(t, s.createPartition(t, "a", "p"))
	g.update(within(t))
	got := gathered(t, m.Registry)
	require.Equal(t, 2.0, got["milvus_rootcoord_collection_num default"])
	require.Equal(t, 0.0, got["milvus_rootcoord_collection_num d"])
	require.Equal(t, 3.0, got["milvus_rootcoord_partition_num"])
	require.Equal(t, 2.0, got["milvus_rootcoord_database_num"])
	require.Equal(t, 2.0, got["milvus_rootcoord_dml_channel_num"])
	now := float64(time.Now().Unix())
	require.InDelta(t, now, got["milvus_rootcoord_timestamp"], 30)
	require.InDelta(t, now+3, got["milvus_rootcoord_timestamp_saved"], 30)

	_, err := s.DropDatabase(within(t), &milvuspb.DropDatabaseRequest{DbName: "d"})
	require.NoError(t, err)
	g.update(within(t))
	require.NotContains(t, gathered(t, m.Registry), "milvus_rootcoord_collection_num d")

	core := newCore(s.databaseHandlers.parts, m.RootCoord)
	_, err = core.AllocID(within(t), &rootcoordpb.AllocIDRequest{Count: 7})
	require.NoError(t, err)
	require.Equal(t, 7.0, gathered(t, m.Registry)["milvus_rootcoord_id_alloc_count"])
}
