package rootcoord

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metrics"
)

// Core answers RootCoord's gRPC service for one term. Methods that are not here yet are answered by gRPC's Unimplemented;
// those that do not depend on who is active by package rpc. Handlers return plain errors, which package rpc turns into a
// Status. Safe for concurrent use.
type Core struct {
	databaseHandlers
	collectionHandlers
	partitionHandlers
	aliasHandlers
	allocHandlers
	rest
}

// rest is one level deeper than the handlers, so that theirs count.
type rest struct {
	rootcoordpb.UnimplementedRootCoordServer
}

// parts are what the handlers of one term share.
type parts struct {
	limits     Limits
	meta       meta
	writer     *catalog.Writer
	timestamps timestamps
	ids        allocator
	ddl        *ddl
	ledger     *ledger
	channels   *channelPool
	effects    effects
	logger     *zap.Logger
}

func newCore(p *parts, out *metrics.RootCoord) *Core {
	counted := func(uint32) {}
	if out != nil {
		counted = func(ids uint32) { out.IDs.Add(float64(ids)) }
	}
	return &Core{
		databaseHandlers: databaseHandlers{p}, collectionHandlers: collectionHandlers{p},
		partitionHandlers: partitionHandlers{p}, aliasHandlers: aliasHandlers{p},
		allocHandlers: allocHandlers{timestamps: p.timestamps, ids: p.ids, counted: counted},
	}
}

// ShowSegments is deprecated and lists nothing.
func (*Core) ShowSegments(context.Context, *milvuspb.ShowSegmentsRequest) (*milvuspb.ShowSegmentsResponse, error) {
	return &milvuspb.ShowSegmentsResponse{Status: errs.Success()}, nil
}

// status is the answer of a call that answers with a Status alone.
func status(err error) (*commonpb.Status, error) {
	if err != nil {
		return nil, err
	}
	return errs.Success(), nil
}

// logStarted writes the line that the documentation quotes, under this file's name.
func logStarted(logger *zap.Logger) { logger.Debug("RootCoord start done ...") }
