package rootcoord

import (
	"context"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/mq"
	"github.com/milvus-coord/milvus/internal/rootcoord/access"
	"github.com/milvus-coord/milvus/internal/rootcoord/ticks"
)

// Core answers RootCoord's gRPC service for one term. Methods that do not depend on who is active are answered by package
// rpc. Handlers return plain errors, which package rpc turns into a Status. Safe for concurrent use.
type Core struct {
	databaseHandlers
	collectionHandlers
	partitionHandlers
	aliasHandlers
	allocHandlers
	proxyHandlers
	tickHandlers
	healthHandlers
	accessHandlers
	rest
}

// accessHandlers answer the calls about users, roles, grants and privilege groups.
type accessHandlers = *access.Handlers

// rest is one level deeper than the handlers, so that theirs count.
type rest struct {
	rootcoordpb.UnimplementedRootCoordServer
}

// parts are what the handlers of one term share.
type parts struct {
	limits     Limits
	lists      lists
	access     *access.Handlers
	meta       meta
	writer     *catalog.Writer
	timestamps timestamps
	ids        allocator
	ddl        *ddl
	ledger     *ledger
	channels   *channelPool
	chores     *chores
	caches     caches
	proxies    proxyCalls
	peers      *peers
	maxLag     time.Duration // of a time tick; 0: nobody looks
	ticks      *ticks.Ticker
	queue      mq.Producer   // nil as data is
	data       dataPath      // nil: the cluster is coordinators alone
	settle     time.Duration // from telling of a drop to asking DataCoord whether the data are gone
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
		proxyHandlers: proxyHandlers{p}, tickHandlers: tickHandlers{p}, healthHandlers: healthHandlers{p}, accessHandlers: p.access,
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
