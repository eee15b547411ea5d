package components

import (
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/rpc"
)

var rootCoord = role{
	name:      rpc.RootCoord,
	section:   "rootCoord",
	settings:  func(c *config.Config) *config.Coord { return &c.RootCoord },
	services:  rpc.RootCoordServices,
	construct: newRootCoord,
	started:   func(log *zap.Logger) { log.Debug("RootCoord successfully started") },
}
