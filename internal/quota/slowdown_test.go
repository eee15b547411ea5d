package quota

import (
	"fmt"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/stretchr/testify/require"
)

func TestLevels(t *testing.T) {
	l := Levels{Low: 0.8, High: 0.9}
	for share, want := range map[float64]float64{0: 1, 0.8: 1, 0.85: 0.5, 0.9: 0, 2: 0} {
		require.InDelta(t, want, l.left(share), 1e-9, share)
	}
	require.InDelta(t, 1, Levels{}.left(2), 0, "nobody looks")
}

// topology is what a coordinator tells of one node that holds collections 10 and 20.
func topology(key string, used int, tick time.Time) string {
	return fmt.Sprintf(`{"cluster": {"self": {"quota_metrics": {"TotalBinlogSize": 5}}, %q: [{"id": 1}, {"id": 2, "quota_metrics": {
		"Hms": {"memory": 100, "memory_usage": %d}, "Fgm": {"MinFlowGraphTt": %d, "NumFlowGraph": 1, "MinFlowGraphChannel": "x"},
		"GrowingSegmentsSize": 30, "Effect": {"NodeID": 2, "CollectionIDs": [10, 20]}}}]}}`, key, used, tick.UnixMilli()<<18)
}

func TestSlowdowns(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	memory := Levels{0.85, 0.95}
	for what, tc := range map[string]struct {
		cfg  Writing
		used int
		lag  time.Duration
		want map[int64]slowdown
	}{
		"nobody looks":      {Writing{}, 100, time.Hour, map[int64]slowdown{}},
		"memory, little":    {Writing{QueryMemory: memory}, 85, 0, map[int64]slowdown{}},
		"memory, much":      {Writing{QueryMemory: memory}, 90, 0, both(0.5, commonpb.ErrorCode_MemoryQuotaExhausted)},
		"memory, full":      {Writing{QueryMemory: memory}, 96, 0, both(0, commonpb.ErrorCode_MemoryQuotaExhausted)},
		"ticks lag":         {Writing{MaxDelay: 10 * time.Second}, 0, 4 * time.Second, both(0.6, commonpb.ErrorCode_TimeTickLongDelay)},
		"ticks have stuck":  {Writing{MaxDelay: 10 * time.Second}, 0, time.Minute, both(0, commonpb.ErrorCode_TimeTickLongDelay)},
		"growing segments":  {Writing{Growing: Levels{0.2, 0.4}}, 0, 0, both(0.5, commonpb.ErrorCode_MemoryQuotaExhausted)},
		"the floor of them": {Writing{Growing: Levels{0.1, 0.2}, GrowingFloor: 0.5}, 0, 0, both(0.5, commonpb.ErrorCode_MemoryQuotaExhausted)},
		"the worst counts": {
			Writing{QueryMemory: memory, MaxDelay: 10 * time.Second}, 94, time.Second, both(0.1, commonpb.ErrorCode_MemoryQuotaExhausted),
		},
	} {
		t.Run(what, func(t *testing.T) {
			nodes, err := parseLoad(topology("connected_nodes", tc.used, now.Add(-tc.lag)), "connected_nodes", tc.cfg.QueryMemory)
			require.NoError(t, err)
			require.Len(t, nodes, 1)
			got := slowdowns(tc.cfg, nodes, now)
			require.Len(t, got, len(tc.want))
			for id, want := range tc.want {
				require.InDelta(t, want.left, got[id].left, 1e-9)
				require.Equal(t, want.why, got[id].why)
			}
		})
	}
}

func both(left float64, why commonpb.ErrorCode) map[int64]slowdown {
	return map[int64]slowdown{10: {left, why}, 20: {left, why}}
}

func TestSharedRates(t *testing.T) {
	meta := newMeta()
	meta.collections[20] = Collection{DatabaseID: 2, Properties: kv("collection.insertRate.max.mb", "8", "collection.searchRate.max.vps", "100")}
	slowed := map[int64]slowdown{10: {left: 0.25}, 21: {0, commonpb.ErrorCode_MemoryQuotaExhausted}, 99: {left: 0.1}}
	root := newNode()
	general := Rates{Insert: Rate{Max: 40 * mb, Min: 0}, Upsert: Rate{Max: 40 * mb, Min: 20 * mb}, Delete: Rate{Max: -1}}
	shareRates(root, general, meta, meta.Limited(), slowed, 2)

	rates := func(db, id int64) map[internalpb.RateType]float64 {
		all := map[internalpb.RateType]float64{}
		for _, r := range root.GetChildren()[db].GetChildren()[id].GetLimiter().GetRates() {
			all[r.GetRt()] = r.GetR()
		}
		return all
	}
	require.Equal(t, map[internalpb.RateType]float64{
		internalpb.RateType_DMLInsert: 5 * mb, internalpb.RateType_DMLUpsert: 10 * mb, // half of the least each
	}, rates(1, 10))
	require.Equal(t, map[internalpb.RateType]float64{
		internalpb.RateType_DMLInsert: 4 * mb, internalpb.RateType_DQLSearch: 50,
	}, rates(2, 20), "what its properties say, and that it is not slowed down")
	says(t, root.GetChildren()[2].GetChildren()[21], 5, commonpb.ErrorCode_MemoryQuotaExhausted, writes...)
	require.Len(t, root.GetChildren(), 2, "and nothing of a collection that is gone")
}

func FuzzLoad(f *testing.F) {
	f.Add(topology("connected_nodes", 90, time.UnixMilli(1)), "connected_nodes")
	f.Add(`{"cluster": {"connected_nodes": {}}}`, "connected_nodes")
	f.Fuzz(func(_ *testing.T, text, key string) {
		nodes, err := parseLoad(text, key, Levels{0.8, 0.9})
		if err == nil {
			_ = slowdowns(Writing{MaxDelay: time.Second, QueryMemory: Levels{0.8, 0.9}}, nodes, time.Now())
		}
	})
}
