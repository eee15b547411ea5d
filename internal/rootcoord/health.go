package rootcoord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/proxies"
)

// healthHandlers answer whether the cluster is healthy, as far as RootCoord can see it.
type healthHandlers struct{ *parts }

// peerPatience bounds the question to another coordinator. One that is not there is no reason: it is for those who need it
// to complain.
const peerPatience = 3 * time.Second

// CheckHealth asks the proxies for their states, and QueryCoord and DataCoord for time ticks that lag. What is wrong is in
// the reasons; the call itself succeeds.
func (h *healthHandlers) CheckHealth(ctx context.Context, _ *milvuspb.CheckHealthRequest) (*milvuspb.CheckHealthResponse, error) {
	var mu sync.Mutex
	var reasons []string
	var work sync.WaitGroup
	ask := func(question func() []string) {
		work.Go(func() {
			answers := question()
			mu.Lock()
			defer mu.Unlock()
			reasons = append(reasons, answers...)
		})
	}
	ask(func() []string { return proxyReasons(h.proxies.CheckStates(ctx)) })
	if h.maxLag > 0 {
		ask(func() []string { return h.lagReasons(ctx, "querycoord", h.peers.query) })
		ask(func() []string { return h.lagReasons(ctx, "datacoord", h.peers.data) })
	}
	work.Wait()
	slices.Sort(reasons)
	return &milvuspb.CheckHealthResponse{Status: errs.Success(), IsHealthy: len(reasons) == 0, Reasons: reasons}, nil
}

// proxyReasons has one line for each proxy that is not healthy.
func proxyReasons(err error) (reasons []string) {
	var call *proxies.CallError
	if !errors.As(err, &call) {
		if err != nil {
			reasons = append(reasons, err.Error())
		}
		return reasons
	}
	for _, f := range call.Failed {
		reasons = append(reasons, fmt.Sprintf("proxy %d at %s is not healthy: %v", f.ID, f.Address, f.Err))
	}
	return reasons
}

// lagReasons tells what is wrong with the time ticks that a coordinator knows of.
func (h *healthHandlers) lagReasons(ctx context.Context, role string, peer measured) []string {
	ctx, cancel := context.WithTimeout(ctx, peerPatience)
	defer cancel()
	resp, err := peer.GetMetrics(ctx, &milvuspb.GetMetricsRequest{Request: `{"metric_type":"system_info"}`})
	if err == nil {
		err = errs.FromStatus(resp.GetStatus())
	}
	if err != nil {
		if nothingKnown(err) {
			return nil
		}
		return []string{fmt.Sprintf("%s does not tell how its nodes are: %v", role, err)}
	}
	worst, err := slowest(resp.GetResponse(), time.Now())
	switch {
	case err != nil:
		return []string{fmt.Sprintf("%s tells what cannot be read: %v", role, err)}
	case worst.lag >= h.maxLag:
		return []string{fmt.Sprintf("max timetick lag exceeded: by a node of %s, %s on channel %s", role, worst.lag.Round(time.Millisecond), worst.channel)}
	}
	return nil
}

// nothingKnown tells whether an error means that a coordinator is away, is switching, or does not measure.
func nothingKnown(err error) bool {
	if errors.Is(err, errs.NotReady) || errors.Is(err, errs.Unimplemented) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	switch grpcstatus.Code(err) {
	case codes.Unimplemented, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	return false
}

// tick is how far the slowest flow graph is behind, and on which channel.
type tick struct {
	channel string
	lag     time.Duration
}

// flowGraphs is what a node tells of them.
type flowGraphs struct {
	Quota *struct {
		Fgm struct {
			MinFlowGraphChannel string
			MinFlowGraphTt      uint64
			NumFlowGraph        int
		}
	} `json:"quota_metrics"`
}

// slowest finds the flow graph that is furthest behind in the topology of a coordinator: QueryCoord's nodes, or
// DataCoord's data nodes.
func slowest(topology string, now time.Time) (worst tick, err error) {
	var t struct {
		Cluster struct {
			Nodes     []flowGraphs `json:"connected_nodes"`
			DataNodes []flowGraphs `json:"connected_data_nodes"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal([]byte(topology), &t); err != nil {
		return tick{}, err
	}
	for _, node := range slices.Concat(t.Cluster.Nodes, t.Cluster.DataNodes) {
		if node.Quota == nil || node.Quota.Fgm.NumFlowGraph <= 0 || node.Quota.Fgm.MinFlowGraphChannel == "" {
			continue
		}
		at := time.UnixMilli(int64(physicalMillis(node.Quota.Fgm.MinFlowGraphTt))) //nolint:gosec // 46 bits
		if lag := now.Sub(at); lag > worst.lag {
			worst = tick{node.Quota.Fgm.MinFlowGraphChannel, lag}
		}
	}
	return worst, nil
}
