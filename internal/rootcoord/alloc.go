package rootcoord

import (
	"context"
	"fmt"
	"time"

	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"

	"github.com/milvus-coord/milvus/internal/errs"
)

// allocator hands out blocks of values that follow one another.
type allocator interface {
	Alloc(ctx context.Context, count uint32) (first uint64, err error)
}

// timestamps is an allocator of timestamps with its stored bound.
type timestamps interface {
	allocator
	Saved() time.Time
}

// blockMargin is what a caller that waits for a timestamp waits beyond it, as in Milvus.
const blockMargin = 200 * time.Millisecond

// allocHandlers answer AllocTimestamp and AllocID.
type allocHandlers struct {
	timestamps timestamps
	ids        allocator
	counted    func(ids uint32) // for metrics
}

// AllocTimestamp gives Count timestamps that follow one another; the answer holds the first. With a BlockTimestamp that
// lies beyond the stored bound it first waits for the difference, as Milvus does.
func (h *allocHandlers) AllocTimestamp(
	ctx context.Context, req *rootcoordpb.AllocTimestampRequest,
) (*rootcoordpb.AllocTimestampResponse, error) {
	if ts := req.GetBlockTimestamp(); ts > 0 {
		if err := h.waitFor(ctx, ts); err != nil {
			return nil, err
		}
	}
	first, err := h.timestamps.Alloc(ctx, req.GetCount())
	if err != nil {
		return nil, err
	}
	return &rootcoordpb.AllocTimestampResponse{Status: errs.Success(), Timestamp: first, Count: req.GetCount()}, nil
}

func (h *allocHandlers) waitFor(ctx context.Context, ts uint64) error {
	ahead := time.UnixMilli(int64(physicalMillis(ts))).Sub(h.timestamps.Saved())
	if ahead <= 0 {
		return nil
	}
	timer := time.NewTimer(ahead + blockMargin)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for timestamp %d: %w", ts, context.Cause(ctx))
	}
}

// AllocID gives Count ids that follow one another; the answer holds the first.
func (h *allocHandlers) AllocID(ctx context.Context, req *rootcoordpb.AllocIDRequest) (*rootcoordpb.AllocIDResponse, error) {
	first, err := h.ids.Alloc(ctx, req.GetCount())
	if err != nil {
		return nil, err
	}
	h.counted(req.GetCount())
	return &rootcoordpb.AllocIDResponse{Status: errs.Success(), ID: int64(first), Count: req.GetCount()}, nil
}
