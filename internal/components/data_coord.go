package components

import (
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/datacoord"
	"github.com/milvus-coord/milvus/internal/rpc"
)

func dataCoord() role {
	return role{
		name:       rpc.DataCoord,
		section:    "dataCoord",
		settings:   func(c *config.Config) *config.Coord { return &c.DataCoord },
		companions: []string{"indexcoord"}, // Milvus registers the role that DataCoord has taken over, too
		services:   rpc.DataCoordServices,
		construct: func(p *process, log *zap.Logger) (coord.Role, error) {
			return datacoord.New(datacoord.Config{MetaRoot: p.cfg.Etcd.MetaRoot(), Standby: p.cfg.DataCoord.ActiveStandby},
				datacoord.Deps{Client: p.store.client, Logger: log, Metrics: p.metrics.DataCoord})
		},
		started: func(log *zap.Logger) { log.Debug("DataCoord successfully started") },
	}
}
