package querycoord

import (
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"go.uber.org/zap"
)

// service answers QueryCoord's gRPC service for one term. No method is here yet: package rpc answers those of every
// component, gRPC's Unimplemented the others.
type service struct {
	querypb.UnimplementedQueryCoordServer
}

// logStarted is here because the documented line is logged from service.go.
func logStarted(logger *zap.Logger) { logger.Debug("QueryCoord start done ...") }
