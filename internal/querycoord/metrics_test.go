package querycoord

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/metrics"
)

func TestWhatIsLoadedIsCountedInATerm(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	put(t, client, seed(t))
	q, _ := start(t, client, false)
	m := metrics.New(metrics.Build{})
	q.metrics = m.QueryCoord
	names := []string{"milvus_querycoord_collection_num", "milvus_querycoord_partition_num"}
	shown := func() int {
		n, err := testutil.GatherAndCount(m.Registry, names...)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, shown(), "a standby says nothing of it")
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.measure(ctx) }()
	require.Eventually(t, func() bool { return shown() == 2 }, time.Minute, time.Millisecond)
	require.InDelta(t, 1, testutil.ToFloat64(m.QueryCoord.Collections), 0)
	require.InDelta(t, 1, testutil.ToFloat64(m.QueryCoord.Partitions), 0)
	end()
	require.NoError(t, <-done)
	require.Zero(t, shown())
}

func TestDamageIsCounted(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	put(t, client, damage(t))
	q, _ := start(t, client, false)
	require.Equal(t, len(damage(t)), q.Damaged())
}
