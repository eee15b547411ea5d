package components

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/mq"
	"github.com/milvus-coord/milvus/internal/quota"
	"github.com/milvus-coord/milvus/internal/rbac"
	"github.com/milvus-coord/milvus/internal/rootcoord"
	"github.com/milvus-coord/milvus/internal/rootcoord/access"
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

func newRootCoord(p *process, log *zap.Logger) (coord.Role, error) {
	l := p.cfg.Limits
	return rootcoord.New(rootcoord.Config{
		MetaRoot: p.cfg.Etcd.MetaRoot(), KvRoot: p.cfg.Etcd.KvRoot(), Cluster: p.cfg.Cluster,
		DmlChannel: p.cfg.Channels.RootCoordDml, Standby: p.cfg.RootCoord.ActiveStandby,
		Limits: rootcoord.Limits{
			MaxDatabaseNum: l.MaxDatabaseNum, MaxCollectionNum: l.MaxCollectionNum, MaxCollectionNumPerDB: l.MaxCollectionNumPerDB,
			MaxPartitionNum: l.MaxPartitionNum, MaxGeneralCapacity: int64(l.MaxGeneralCapacity),
			DmlChannelNum: l.DmlChannelNum, Channels: namedChannels(l), MaxShardNum: l.MaxShardNum,
			DefaultPartitionName: l.DefaultPartitionName, DefaultDBProperties: l.DefaultDBProperties,
		},
		Settle: settle, Data: dataPath(p, log),
		ProxyTimeout: p.cfg.ProxyCallTimeout, MaxTimeTickLag: maxTimeTickLag(p.cfg.Quota), Quota: quotas(p.cfg.Quota),
		Access: accessRules(p.cfg.Security),
	}, rootcoord.Deps{Client: p.store.client, Dial: p.dial, Logger: log, Metrics: p.metrics.RootCoord})
}

// namedChannels is nil where the channels are numbered.
func namedChannels(l config.RootLimits) []string {
	if !l.NamedChannels {
		return nil
	}
	return l.ChannelNames
}

// settle is the time that nodes are given to read of a drop before DataCoord is asked whether the data are gone.
const settle = 5 * time.Second

// Times of the data path that no key of Milvus sets.
const (
	sendTimeout = 10 * time.Second // of one message, in a DDL
	tickSilence = 10 * time.Second // after which a proxy is left out of the time ticks
)

// dataPath is nil for a cluster of coordinators alone, which is said at the start.
func dataPath(p *process, log *zap.Logger) *rootcoord.DataPath {
	k, pulsar := p.cfg.Kafka, p.cfg.Pulsar
	if p.cfg.MQ.Type == mq.None {
		log.Info("no message queue is configured: this cluster has no data path, DDL changes metadata alone",
			zap.String("key", "mq.type"))
		return nil
	}
	return &rootcoord.DataPath{
		Queue: mq.Config{
			Type: p.cfg.MQ.Type, Timeout: sendTimeout,
			Kafka: mq.KafkaConfig{
				Brokers: k.Brokers, SaslUsername: k.SaslUsername, SaslPassword: k.SaslPassword, SaslMechanisms: k.SaslMechanism,
				SecurityProtocol: k.SecurityProtocol, TLS: k.SSL.Enabled,
				TLSCACert: k.SSL.TLSCACert, TLSCert: k.SSL.TLSCert, TLSKey: k.SSL.TLSKey,
			},
			Pulsar: mq.PulsarConfig{
				URL: pulsar.URL, Tenant: pulsar.Tenant, Namespace: pulsar.Namespace,
				AuthPlugin: pulsar.AuthPlugin, AuthParams: pulsar.AuthParams,
			},
		},
		Ticks: p.cfg.TimeTick.Enabled, TickInterval: p.cfg.TimeTick.Interval, TickSilence: tickSilence,
	}
}

// maxTimeTickLag is 0, nobody looks, unless the protection is on.
func maxTimeTickLag(q config.Quota) time.Duration {
	if !q.TimeTickProtection {
		return 0
	}
	return q.MaxTimeTickDelay
}

// quotas is nil if the proxies are to be told of none.
func quotas(q config.Quota) *quota.Config {
	if !q.Enabled {
		return nil
	}
	return &quota.Config{
		Interval: q.Interval, DenyWriting: q.DenyWriting, DenyReading: q.DenyReading,
		Disk: quota.Disk{
			Enabled: q.DiskProtection, Cluster: q.Disk, Database: q.DiskPerDB, Collection: q.DiskPerCollection, Partition: q.DiskPerPartition,
		},
		Writing: slowdowns(q),
	}
}

// slowdowns are the protections that are switched on.
func slowdowns(q config.Quota) quota.Writing {
	w := quota.Writing{MaxDelay: maxTimeTickLag(q)}
	if q.MemoryProtection {
		w.QueryMemory, w.DataMemory = quota.Levels(q.QueryMemory), quota.Levels(q.DataMemory)
	}
	if q.GrowingProtection {
		w.Growing, w.GrowingFloor = quota.Levels(q.Growing), q.GrowingFloor
	}
	if q.LimitDML {
		w.Rates = quota.Rates{Insert: quota.Rate(q.InsertRate), Upsert: quota.Rate(q.UpsertRate), Delete: quota.Rate(q.DeleteRate)}
	}
	return w
}

// accessRules are the limits of users and roles, and the groups and roles that the configuration declares.
func accessRules(s config.Security) access.Rules {
	rules := access.Rules{
		MaxUsers: s.MaxUsers, MaxRoles: s.MaxRoles, RootPassword: s.DefaultRootPassword, PublicGrants: s.PublicGrants,
		Groups: rbac.BuiltinGroups(), Enforced: s.AuthorizationEnabled,
	}
	if s.OverrideGroups {
		maps.Copy(rules.Groups, s.Groups)
	}
	if !s.DeclareRoles {
		return rules
	}
	for _, name := range slices.Sorted(maps.Keys(s.Roles)) {
		role := access.DeclaredRole{Name: name}
		for _, g := range s.Roles[name].Privileges {
			database := g.Database
			if database == "" {
				database = rbac.DefaultDatabase
			}
			role.Grants = append(role.Grants, rbac.Grant{
				Role: name, Privilege: g.Privilege, Grantor: rbac.Root,
				Object: rbac.Object{Type: g.ObjectType, Database: database, Name: g.ObjectName},
			})
		}
		rules.Roles = append(rules.Roles, role)
	}
	return rules
}
