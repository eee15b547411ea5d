package quota

import (
	"math"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
)

// Disk are the most bytes of data. 0 or less is no limit.
type Disk struct {
	Enabled    bool
	Cluster    float64
	Database   float64 // unless its own property says otherwise
	Collection float64 // likewise
	Partition  float64
}

// finite is the same with "no limit" as a number that nothing reaches.
func (d Disk) finite() Disk {
	for _, quota := range []*float64{&d.Cluster, &d.Database, &d.Collection, &d.Partition} {
		if *quota <= 0 {
			*quota = math.Inf(1)
		}
	}
	return d
}

// Database is what the limits depend on.
type Database struct {
	ID         int64
	Name       string
	Properties []*commonpb.KeyValuePair
}

// Collection is what the limits depend on.
type Collection struct {
	DatabaseID int64
	Properties []*commonpb.KeyValuePair
}

// Meta is the cluster's metadata at this moment. It must not wait.
type Meta interface {
	Databases() []Database
	// Limited are the collections of which Limited is true.
	Limited() []int64
	// Collection is a collection that users can see.
	Collection(id int64) (Collection, bool)
}

// Properties of databases and collections, as Milvus names them.
const (
	denyWriting    = "database.force.deny.writing"
	denyReading    = "database.force.deny.reading"
	databaseDisk   = "database.diskQuota.mb"
	collectionDisk = "collection.diskProtection.diskQuota.mb"
)

// denial is one thing that is refused, and why.
type denial struct {
	state  milvuspb.QuotaState
	code   commonpb.ErrorCode
	refuse []internalpb.RateType
}

var (
	writes     = []internalpb.RateType{internalpb.RateType_DMLInsert, internalpb.RateType_DMLUpsert, internalpb.RateType_DMLBulkLoad, internalpb.RateType_DMLDelete}
	reads      = []internalpb.RateType{internalpb.RateType_DQLSearch, internalpb.RateType_DQLQuery}
	noWriting  = denial{milvuspb.QuotaState_DenyToWrite, commonpb.ErrorCode_ForceDeny, writes}
	noReading  = denial{milvuspb.QuotaState_DenyToRead, commonpb.ErrorCode_ForceDeny, reads}
	diskIsFull = denial{milvuspb.QuotaState_DenyToWrite, commonpb.ErrorCode_DiskQuotaExhausted, writes[:3]} // deleting makes room
)

// node is the node below parent that has the id.
func node(parent *proxypb.LimiterNode, id int64) *proxypb.LimiterNode {
	if parent.Children == nil {
		parent.Children = map[int64]*proxypb.LimiterNode{}
	}
	child := parent.Children[id]
	if child == nil {
		child = newNode()
		parent.Children[id] = child
	}
	return child
}

func newNode() *proxypb.LimiterNode { return &proxypb.LimiterNode{Limiter: &proxypb.Limiter{}} }

// deny adds a denial to a node. One state has one reason: the first.
func deny(n *proxypb.LimiterNode, d denial) {
	for _, state := range n.Limiter.States {
		if state == d.state {
			return
		}
	}
	n.Limiter.States = append(n.Limiter.States, d.state)
	n.Limiter.Codes = append(n.Limiter.Codes, d.code)
	for _, rt := range d.refuse {
		n.Limiter.Rates = append(n.Limiter.Rates, &internalpb.Rate{Rt: rt, R: 0})
	}
}

// limits is the tree for the proxies. use is nil if nothing is known of sizes.
func limits(cfg Config, meta Meta, use *usage) *proxypb.LimiterNode {
	root := newNode()
	if cfg.DenyWriting {
		deny(root, noWriting)
	}
	if cfg.DenyReading {
		deny(root, noReading)
	}
	databases := meta.Databases()
	for _, db := range databases {
		if isTrue(db.Properties, denyWriting) {
			deny(node(root, db.ID), noWriting)
		}
		if isTrue(db.Properties, denyReading) {
			deny(node(root, db.ID), noReading)
		}
	}
	if cfg.Disk.Enabled && use != nil {
		diskLimits(root, cfg.Disk.finite(), meta, databases, use)
	}
	return root
}

// diskLimits denies what has outgrown its quota. A full cluster needs no further words.
func diskLimits(root *proxypb.LimiterNode, quota Disk, meta Meta, databases []Database, use *usage) {
	if full(use.Total, quota.Cluster) {
		deny(root, diskIsFull)
		return
	}
	sizes := map[int64]int64{}
	for id, size := range use.Collections {
		c, found := meta.Collection(id)
		if !found {
			continue // dropped; its data are on their way out
		}
		sizes[c.DatabaseID] += size
		if full(size, megabytes(c.Properties, collectionDisk, quota.Collection)) {
			deny(node(node(root, c.DatabaseID), id), diskIsFull)
		}
	}
	for id, partitions := range use.Partitions {
		c, found := meta.Collection(id)
		if !found {
			continue
		}
		for partition, size := range partitions {
			if full(size, quota.Partition) {
				deny(node(node(node(root, c.DatabaseID), id), partition), diskIsFull)
			}
		}
	}
	for _, db := range databases {
		if full(sizes[db.ID], megabytes(db.Properties, databaseDisk, quota.Database)) {
			deny(node(root, db.ID), diskIsFull)
		}
	}
}

func full(size int64, quota float64) bool { return float64(size) >= quota }

func property(properties []*commonpb.KeyValuePair, key string) string {
	for _, p := range properties {
		if p.GetKey() == key {
			return p.GetValue()
		}
	}
	return ""
}

// isTrue reads a switch. What is no boolean is off, as in Milvus.
func isTrue(properties []*commonpb.KeyValuePair, key string) bool {
	on, err := strconv.ParseBool(property(properties, key))
	return err == nil && on
}

// megabytes reads a number of bytes, of a quota or of a second. What is no number, or negative, leaves the general one.
func megabytes(properties []*commonpb.KeyValuePair, key string, general float64) float64 {
	if own := number(properties, key, -1); own >= 0 {
		return own * 1024 * 1024
	}
	return general
}

// number reads a property that is a number. What is none, or negative, leaves the general one.
func number(properties []*commonpb.KeyValuePair, key string, general float64) float64 {
	own, err := strconv.ParseFloat(property(properties, key), 64)
	if err != nil || math.IsNaN(own) || own < 0 {
		return general
	}
	return own
}
