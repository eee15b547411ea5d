package rootcoord

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/proxies"
	"github.com/milvus-coord/milvus/internal/quota"
)

// proxyCalls are what handlers ask of the proxies.
type proxyCalls interface {
	// Forward passes an expiry on to all of them.
	Forward(ctx context.Context, req *proxypb.InvalidateCollMetaCacheRequest) error
	// CheckStates is an error about those that are not healthy.
	CheckStates(ctx context.Context) error
}

// proxyHandlers answer the calls that are meant for the proxies.
type proxyHandlers struct{ *parts }

// InvalidateCollectionMetaCache passes an expiry on to all proxies. Its type stays what it is: Milvus' RootCoord resets
// it, and the proxies then expire less than they were told.
func (h *proxyHandlers) InvalidateCollectionMetaCache(
	ctx context.Context, req *proxypb.InvalidateCollMetaCacheRequest,
) (*commonpb.Status, error) {
	return status(h.proxies.Forward(ctx, req))
}

// fleetCaches are the caches of all proxies that have a session.
type fleetCaches struct {
	caller  *proxies.Caller
	applied func() int64 // a revision at or after that of what this process has seen committed
}

var _ caches = fleetCaches{}

// Expire implements caches.
func (f fleetCaches) Expire(ctx context.Context, c change) error {
	e := proxies.Expiry{Kind: c.kind, DB: c.database, Names: []string{c.name}, TS: c.ts, Revision: f.applied()}
	if c.collection != nil {
		e.CollectionID = c.collection.ID()
	}
	switch c.kind {
	case commonpb.MsgType_CreatePartition, commonpb.MsgType_DropPartition:
		e.Names, e.Partition = []string{c.collection.Name()}, c.name
	case commonpb.MsgType_DropCollection, commonpb.MsgType_AlterCollection:
		e.Names = slices.Clone(c.aliases)
		if !slices.Contains(e.Names, c.name) {
			e.Names = append(e.Names, c.name)
		}
	}
	return f.caller.Expire(ctx, e)
}

// countProxies keeps a gauge at the number of proxies until ctx ends.
func countProxies(ctx context.Context, caller *proxies.Caller, gauge prometheus.Gauge) error {
	defer gauge.Set(0) // the next active one counts them
	for {
		ids, changed := caller.Watch()
		gauge.Set(float64(len(ids)))
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// proxyWork is what a term does for the proxies in the background.
func (r *RootCoord) proxyWork(caller *proxies.Caller, peers *peers, serverID int64) []func(context.Context) error {
	var work []func(context.Context) error
	if r.metrics != nil {
		work = append(work, func(ctx context.Context) error { return countProxies(ctx, caller, r.metrics.Proxies) })
	}
	if r.cfg.Quota != nil {
		deps := quota.Deps{Proxies: caller, Meta: &quotaMeta{view: r.view, applied: r.follower.Applied}, Data: peers.data, Query: peers.query, Logger: r.logger}
		if r.metrics != nil {
			deps.Metrics = &quota.Metrics{
				States: r.metrics.QuotaStates, DeniedWriting: r.metrics.ForceDenyWriting, Ratios: r.metrics.RateLimitRatio,
				Delays: r.metrics.TimeTickDelay,
			}
			work = append(work, func(ctx context.Context) error { return r.showQuotas(ctx, serverID) })
		}
		work = append(work, quota.New(*r.cfg.Quota, deps).Run)
	}
	return work
}

// showQuotas shows the limits that the configuration sets, until ctx ends.
func (r *RootCoord) showQuotas(ctx context.Context, serverID int64) error {
	defer r.metrics.DiskQuota.Reset()
	defer r.metrics.QueryNodeMemory.Reset()
	if d := r.cfg.Quota.Disk; d.Enabled && d.Cluster > 0 && !math.IsInf(d.Cluster, 1) {
		r.metrics.DiskQuota.WithLabelValues(strconv.FormatInt(serverID, 10), "cluster").Set(d.Cluster)
	}
	if high := r.cfg.Quota.Writing.QueryMemory.High; high > 0 {
		r.metrics.QueryNodeMemory.WithLabelValues().Set(high)
	}
	<-ctx.Done()
	return nil
}

// quotaMeta is the metadata as quotas depend on it.
type quotaMeta struct {
	view    *catalog.View
	applied func() int64

	// What Limited has found, when and at which revision. One goroutine asks.
	limited []int64
	at      time.Time
	as      int64
}

var _ quota.Meta = (*quotaMeta)(nil)

// limitedEvery is the shortest time between two looks at all collections.
const limitedEvery = time.Second

// Limited implements quota.Meta. It looks at all collections, so seldom, and only if something has changed.
func (m *quotaMeta) Limited() []int64 {
	revision := m.applied()
	if revision == m.as || time.Since(m.at) < limitedEvery {
		return m.limited
	}
	m.limited, m.at, m.as = nil, time.Now(), revision
	m.view.Read(func(r catalog.Reader) {
		for c := range r.AllCollections() {
			if c.Created() && quota.Limited(c.Info.GetProperties()) {
				m.limited = append(m.limited, c.ID())
			}
		}
	})
	return m.limited
}

// Databases implements quota.Meta.
func (m *quotaMeta) Databases() (all []quota.Database) {
	m.view.Read(func(r catalog.Reader) {
		for _, db := range r.Databases() {
			all = append(all, quota.Database{ID: db.Info.GetId(), Name: db.Info.GetName(), Properties: db.Info.GetProperties()})
		}
	})
	return all
}

// Collection implements quota.Meta.
func (m *quotaMeta) Collection(id int64) (found quota.Collection, ok bool) {
	m.view.Read(func(r catalog.Reader) {
		if c := r.Collection(id); visible(c, latest) {
			found, ok = quota.Collection{DatabaseID: c.DBID(), Properties: c.Info.GetProperties()}, true
		}
	})
	return found, ok
}
