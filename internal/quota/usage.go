package quota

import (
	"encoding/json"
	"fmt"
)

// usage are the sizes of what is stored, in bytes, as DataCoord tells them in GetMetrics.
type usage struct {
	Total       int64                     `json:"TotalBinlogSize"`
	Collections map[int64]int64           `json:"CollectionBinlogSize"`
	Partitions  map[int64]map[int64]int64 `json:"PartitionsBinlogSize"` // by collection, then partition
}

// parseUsage reads DataCoord's topology. It is nil if that says nothing about sizes.
func parseUsage(topology string) (*usage, error) {
	var t struct {
		Cluster struct {
			Self struct {
				Quota *usage `json:"quota_metrics"`
			} `json:"self"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal([]byte(topology), &t); err != nil {
		return nil, fmt.Errorf("quota: DataCoord's metrics: %w", err)
	}
	return t.Cluster.Self.Quota, nil
}
