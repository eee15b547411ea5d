package proxies

import (
	"context"
	"slices"
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"

	"github.com/milvus-coord/milvus/internal/errs"
)

// CheckStates asks all proxies for their states. The error names those that are not healthy or do not answer.
func (c *Caller) CheckStates(ctx context.Context) error {
	return c.all(ctx, "GetComponentStates", func(ctx context.Context, id int64, p proxypb.ProxyClient) (*commonpb.Status, error) {
		resp, err := p.GetComponentStates(ctx, &milvuspb.GetComponentStatesRequest{})
		if err != nil || errs.FromStatus(resp.GetStatus()) != nil {
			return resp.GetStatus(), err
		}
		if state := resp.GetState().GetStateCode(); state != commonpb.StateCode_Healthy {
			// Not retriable here: the state at this moment is the answer.
			return nil, errs.NotReady.With(state.String(), errs.F("proxy", id))
		}
		return resp.GetStatus(), nil
	})
}

// Metrics asks all proxies for metrics. The answers, by id, are those of the proxies that the error does not name.
func (c *Caller) Metrics(ctx context.Context, req *milvuspb.GetMetricsRequest) (map[int64]*milvuspb.GetMetricsResponse, error) {
	var mu sync.Mutex
	answers := map[int64]*milvuspb.GetMetricsResponse{}
	err := c.all(ctx, "GetProxyMetrics", func(ctx context.Context, id int64, p proxypb.ProxyClient) (*commonpb.Status, error) {
		resp, err := p.GetProxyMetrics(ctx, req)
		if err == nil && errs.FromStatus(resp.GetStatus()) == nil {
			mu.Lock()
			defer mu.Unlock()
			answers[id] = resp
		}
		return resp.GetStatus(), err
	})
	return answers, err
}

// SetRates sends limits to those proxies among ids that are there.
func (c *Caller) SetRates(ctx context.Context, ids []int64, root *proxypb.LimiterNode, ts uint64) error {
	bound, cancel := context.WithTimeout(ctx, c.fleet.cfg.Timeout)
	defer cancel()
	members, err := c.fleet.list(bound)
	if err != nil {
		return err
	}
	members = slices.DeleteFunc(members, func(m *member) bool { return !slices.Contains(ids, m.id) })
	req := &proxypb.SetRatesRequest{
		Base:        &commonpb.MsgBase{MsgID: int64(ts), Timestamp: ts, SourceID: c.source}, //nolint:gosec // Milvus numbers messages by time
		RootLimiter: root,
	}
	return each(bound, "SetRates", members, func(ctx context.Context, _ int64, p proxypb.ProxyClient) (*commonpb.Status, error) {
		return p.SetRates(ctx, req)
	})
}

// Watch is the fleet's.
func (c *Caller) Watch() (ids []int64, changed <-chan struct{}) { return c.fleet.Watch() }
