package quota

import (
	"encoding/json"
	"fmt"
	"time"
)

// Writing says when writing to a collection is slowed down: by the load of the nodes that hold it.
type Writing struct {
	MaxDelay     time.Duration // of a node's time ticks, at which writing stops; 0: nobody looks
	QueryMemory  Levels
	DataMemory   Levels
	Growing      Levels  // of the segments that grow in a query node's memory
	GrowingFloor float64 // the least that Growing leaves of the rates
	Rates        Rates
}

// Levels are shares of a node's memory: at Low writing begins to be slowed down, at High it stops. The zero value says that
// nobody looks.
type Levels struct{ Low, High float64 }

// Rates are what may be written to one collection, unless its own properties say otherwise.
type Rates struct{ Insert, Upsert, Delete Rate }

// Rate is in bytes a second. A Max of 0 or less is no limit; Min is left when writing is slowed down, but not when it stops.
type Rate struct{ Max, Min float64 }

// nodeLoad is what one query node or data node tells of itself.
type nodeLoad struct {
	memory      Levels // of its kind
	ID          int64
	Total       float64
	Used        float64
	Growing     float64
	Tick        uint64 // of the flow graph that is most behind; 0 if it has none
	Collections []int64
}

// parseLoad reads what nodes tell from a coordinator's topology, of which they are the field key. Nodes that tell nothing,
// such as those of other releases, are left out.
func parseLoad(topology, key string, memory Levels) ([]nodeLoad, error) {
	type metrics struct {
		Hms struct {
			Memory float64 `json:"memory"`
			Usage  float64 `json:"memory_usage"`
		}
		Fgm struct {
			MinFlowGraphTt uint64
			NumFlowGraph   int
		}
		GrowingSegmentsSize float64
		Effect              struct{ CollectionIDs []int64 }
	}
	var t struct {
		Cluster map[string]json.RawMessage `json:"cluster"`
	}
	if err := json.Unmarshal([]byte(topology), &t); err != nil {
		return nil, fmt.Errorf("quota: a coordinator's metrics: %w", err)
	}
	var nodes []struct {
		ID    int64    `json:"id"`
		Quota *metrics `json:"quota_metrics"`
	}
	if raw, there := t.Cluster[key]; there {
		if err := json.Unmarshal(raw, &nodes); err != nil {
			return nil, fmt.Errorf("quota: a coordinator's metrics of its nodes: %w", err)
		}
	}
	var all []nodeLoad
	for _, n := range nodes {
		if n.Quota == nil {
			continue
		}
		one := nodeLoad{
			memory: memory, ID: n.ID, Total: n.Quota.Hms.Memory, Used: n.Quota.Hms.Usage, Growing: n.Quota.GrowingSegmentsSize,
			Collections: n.Quota.Effect.CollectionIDs,
		}
		if n.Quota.Fgm.NumFlowGraph > 0 {
			one.Tick = n.Quota.Fgm.MinFlowGraphTt
		}
		all = append(all, one)
	}
	return all, nil
}

// delay is by how much the node's time ticks are behind.
func (n nodeLoad) delay(now time.Time) time.Duration {
	return now.Sub(time.UnixMilli(int64(n.Tick >> 18))) //nolint:gosec // 46 bits
}
