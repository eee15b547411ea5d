package quota

import (
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
)

// slowdown is what is left of a collection's rates, from 1 down to 0, and why it is not more.
type slowdown struct {
	left float64
	why  commonpb.ErrorCode
}

// slowdowns are those of all collections that are slowed down, each by the most loaded of the nodes that hold it. The
// formulas are Milvus': a share of memory between two levels counts by how far it is from the upper one, a delay by how
// far it is from the longest.
func slowdowns(cfg Writing, nodes []nodeLoad, now time.Time) map[int64]slowdown {
	all := map[int64]slowdown{}
	for _, n := range nodes {
		least := slowdown{left: 1}
		bound := func(left float64, why commonpb.ErrorCode) {
			if left < least.left {
				least = slowdown{left, why}
			}
		}
		if cfg.MaxDelay > 0 && n.Tick > 0 {
			bound(float64(cfg.MaxDelay-n.delay(now))/float64(cfg.MaxDelay), commonpb.ErrorCode_TimeTickLongDelay)
		}
		if n.Total > 0 {
			bound(n.memory.left(n.Used/n.Total), commonpb.ErrorCode_MemoryQuotaExhausted)
			bound(max(cfg.Growing.left(n.Growing/n.Total), cfg.GrowingFloor), commonpb.ErrorCode_MemoryQuotaExhausted)
		}
		for _, id := range n.Collections {
			if before, slowed := all[id]; least.left < 1 && (!slowed || least.left < before.left) {
				all[id] = slowdown{max(least.left, 0), least.why}
			}
		}
	}
	return all
}

// left is what a share of memory leaves of the rates.
func (l Levels) left(share float64) float64 {
	switch {
	case l == Levels{} || share <= l.Low:
		return 1
	case share >= l.High:
		return 0
	}
	return (l.High - share) / (l.High - l.Low)
}

// rateKind is one of the rates of a collection.
type rateKind struct {
	of       internalpb.RateType
	property string // of the collection, for its most; the least is named likewise
	unit     string
	writing  bool // it is slowed down
	general  func(Rates) Rate
}

// rateKinds are the rates that a collection's properties may set.
func rateKinds() []rateKind {
	none := func(Rates) Rate { return Rate{Max: -1} }
	return []rateKind{
		{internalpb.RateType_DMLInsert, "collection.insertRate", "mb", true, func(r Rates) Rate { return r.Insert }},
		{internalpb.RateType_DMLUpsert, "collection.upsertRate", "mb", true, func(r Rates) Rate { return r.Upsert }},
		{internalpb.RateType_DMLDelete, "collection.deleteRate", "mb", true, func(r Rates) Rate { return r.Delete }},
		{internalpb.RateType_DMLBulkLoad, "collection.bulkLoadRate", "mb", false, none},
		{internalpb.RateType_DQLQuery, "collection.queryRate", "qps", false, none},
		{internalpb.RateType_DQLSearch, "collection.searchRate", "vps", false, none},
	}
}

// Limited tells whether properties of a collection set a rate.
func Limited(properties []*commonpb.KeyValuePair) bool {
	for _, p := range properties {
		if strings.HasPrefix(p.GetKey(), "collection.") && strings.Contains(p.GetKey(), "Rate.max.") {
			return true
		}
	}
	return false
}

// shareRates puts rates into the tree: those that the properties of limited collections set, which proxies do not know, and
// those that are slowed down. Each of so many proxies gets its share. A collection whose rates are at an end refuses
// writing.
func shareRates(root *proxypb.LimiterNode, general Rates, meta Meta, limited []int64, slowed map[int64]slowdown, proxies int) {
	add := func(id int64, s slowdown) {
		c, found := meta.Collection(id)
		if !found {
			return
		}
		if s.left <= 0 {
			deny(node(node(root, c.DatabaseID), id), denial{milvuspb.QuotaState_DenyToWrite, s.why, writes})
		}
		for _, kind := range rateKinds() {
			r, own := kind.rate(c.Properties, general)
			slows := kind.writing && s.left < 1
			if r.Max <= 0 || !own && !slows || kind.writing && s.left <= 0 {
				continue
			}
			if slows {
				r.Max = min(r.Max, max(r.Max*s.left, r.Min))
			}
			limiter := node(node(root, c.DatabaseID), id).Limiter
			limiter.Rates = append(limiter.Rates, &internalpb.Rate{Rt: kind.of, R: r.Max / float64(max(proxies, 1))})
		}
	}
	for _, id := range limited {
		if _, twice := slowed[id]; !twice {
			add(id, slowdown{left: 1})
		}
	}
	for id, s := range slowed {
		add(id, s)
	}
}

// rate is what a collection is allowed; own says that its properties say so.
func (k rateKind) rate(properties []*commonpb.KeyValuePair, general Rates) (r Rate, own bool) {
	read := megabytes
	if k.unit != "mb" {
		read = number
	}
	r = k.general(general)
	most := read(properties, k.property+".max."+k.unit, -1)
	if own = most >= 0; own {
		r.Max = most
	}
	r.Min = read(properties, k.property+".min."+k.unit, r.Min)
	return r, own
}
