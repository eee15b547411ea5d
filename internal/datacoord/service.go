package datacoord

import (
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
	"go.uber.org/zap"
)

// service answers DataCoord's and IndexCoord's gRPC services for one term. No method is here yet: package rpc answers
// those of every component, gRPC's Unimplemented the others.
type service struct {
	datapb.UnimplementedDataCoordServer
	indexService
}

// indexService is one level deeper, so that a method that both services have is DataCoord's.
type indexService struct {
	indexpb.UnimplementedIndexCoordServer
}

var (
	_ datapb.DataCoordServer   = (*service)(nil)
	_ indexpb.IndexCoordServer = (*service)(nil)
)

// logStarted is here because the documented line is logged from service.go.
func logStarted(logger *zap.Logger) { logger.Debug("DataCoord start done ...") }
