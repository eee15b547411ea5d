package components

import (
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/rootcoord"
	"github.com/milvus-coord/milvus/internal/rpc"
)

func rootCoord() role {
	return role{
		name:      rpc.RootCoord,
		section:   "rootCoord",
		settings:  func(c *config.Config) *config.Coord { return &c.RootCoord },
		services:  rpc.RootCoordServices,
		construct: newRootCoord,
		started:   func(log *zap.Logger) { log.Debug("RootCoord successfully started") },
	}
}

func newRootCoord(p process) (coord.Role, error) {
	l := p.cfg.Limits
	return rootcoord.New(rootcoord.Config{
		MetaRoot: p.cfg.Etcd.MetaRoot(), KvRoot: p.cfg.Etcd.KvRoot(), Cluster: p.cfg.Cluster, Standby: p.cfg.RootCoord.ActiveStandby,
		Limits: rootcoord.Limits{
			MaxDatabaseNum: l.MaxDatabaseNum, MaxCollectionNum: l.MaxCollectionNum, MaxCollectionNumPerDB: l.MaxCollectionNumPerDB,
			MaxPartitionNum: l.MaxPartitionNum, MaxGeneralCapacity: int64(l.MaxGeneralCapacity),
			DmlChannelNum: l.DmlChannelNum, MaxShardNum: l.MaxShardNum,
			DefaultPartitionName: l.DefaultPartitionName, DefaultDBProperties: l.DefaultDBProperties,
		},
	}, rootcoord.Deps{Client: p.client, Logger: p.log, Metrics: p.metrics.RootCoord})
}
