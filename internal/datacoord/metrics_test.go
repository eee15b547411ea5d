package datacoord

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/metrics"
)

func TestSegmentsAreCountedInATerm(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	put(t, client, seed(t))
	put(t, client, map[string]string{
		meta + "s/1/2/4": encode(t, &datapb.SegmentInfo{ID: 4, State: commonpb.SegmentState_Flushed, IsSorted: true, Level: datapb.SegmentLevel_L1}),
		meta + "s/1/2/5": encode(t, &datapb.SegmentInfo{ID: 5, State: commonpb.SegmentState_Flushed, IsSorted: true, Level: datapb.SegmentLevel_L1}),
		meta + "s/1/2/6": encode(t, &datapb.SegmentInfo{ID: 6, State: commonpb.SegmentState_Growing, Level: datapb.SegmentLevel_L0}),
	})
	d, _ := start(t, client, Config{MetaRoot: metaRoot})
	m := metrics.New(metrics.Build{})
	d.metrics = m.DataCoord
	const name = "milvus_datacoord_segment_num"
	shown := func() int {
		n, err := testutil.GatherAndCount(m.Registry, name)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, shown(), "a standby says nothing of it")
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.measure(ctx) }()
	require.Eventually(t, func() bool { return shown() == 3 }, time.Minute, time.Millisecond)
	require.NoError(t, testutil.GatherAndCompare(m.Registry, strings.NewReader(`
# HELP milvus_datacoord_segment_num Segments by state, level and whether they are sorted.
# TYPE milvus_datacoord_segment_num gauge
milvus_datacoord_segment_num{segment_is_sorted="sorted",segment_level="L1",segment_state="Flushed"} 2
milvus_datacoord_segment_num{segment_is_sorted="unsorted",segment_level="L0",segment_state="Growing"} 1
milvus_datacoord_segment_num{segment_is_sorted="unsorted",segment_level="Legacy",segment_state="Flushed"} 1
`), name))
	end()
	require.NoError(t, <-done)
	require.Zero(t, shown())
}

func TestDamageIsCounted(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	put(t, client, damage())
	d, _ := start(t, client, Config{MetaRoot: metaRoot})
	require.Equal(t, len(damage()), d.Damaged())
}
