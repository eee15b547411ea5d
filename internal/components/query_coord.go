package components

import (
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/querycoord"
	"github.com/milvus-coord/milvus/internal/rpc"
)

func queryCoord() role {
	return role{
		name:     rpc.QueryCoord,
		section:  "queryCoord",
		settings: func(c *config.Config) *config.Coord { return &c.QueryCoord },
		services: rpc.QueryCoordServices,
		construct: func(p *process, log *zap.Logger) (coord.Role, error) {
			return querycoord.New(querycoord.Config{MetaRoot: p.cfg.Etcd.MetaRoot(), Standby: p.cfg.QueryCoord.ActiveStandby},
				querycoord.Deps{Client: p.store.client, Logger: log, Metrics: p.metrics.QueryCoord})
		},
		started: func(log *zap.Logger) { log.Debug("QueryCoord successfully started") },
	}
}
