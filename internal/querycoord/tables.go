package querycoord

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
)

// The kinds of QueryCoord's keys, below the meta root. Mind the two spellings.
const (
	collectionKind = "querycoord-collection-loadinfo/"
	partitionKind  = "querycoord-partition-loadinfo/"
	replicaKind    = "querycoord-replica/"
	oldReplicaKind = "queryCoord-ReplicaMeta/" // written by Milvus 2.1
	groupKind      = "queryCoord-ResourceGroup/"
	targetKind     = "queryCoord-Collection-Target/"
)

// maxTarget bounds what one compressed target may unfold to. etcd's own limit on a value is 1.5 MiB by default.
const maxTarget = 1 << 30

// tables are the decoded records, by their etcd keys.
type tables struct {
	collections *metatable.Table[*querypb.CollectionLoadInfo] // coll
	partitions  *metatable.Table[*querypb.PartitionLoadInfo]  // coll/part
	replicas    *metatable.Table[*querypb.Replica]            // coll/replica
	oldReplicas *metatable.Table[*milvuspb.ReplicaInfo]       // replica
	groups      *metatable.Table[*querypb.ResourceGroup]      // name
	targets     *metatable.Table[*querypb.CollectionTarget]   // coll

	kinds map[string]tableset.Table
}

// Kinds implements tableset.Group.
func (t *tables) Kinds() map[string]tableset.Table { return t.kinds }

func newTables(root string, unzip *zstd.Decoder) *tables {
	t := &tables{kinds: map[string]tableset.Table{}}
	add := func(name string, shape tableset.Shape, table tableset.Maker) {
		t.kinds[root+name] = table(tableset.Kind{Prefix: root + name, Shape: shape})
	}
	add(collectionKind, "i", tableset.Message(&t.collections))
	add(partitionKind, "ii", tableset.Message(&t.partitions))
	add(replicaKind, "ii", tableset.Message(&t.replicas))
	add(oldReplicaKind, "i", tableset.Message(&t.oldReplicas))
	add(groupKind, "n", tableset.Message(&t.groups))
	add(targetKind, "i", tableset.Values(&t.targets, func(_ string, value []byte) (*querypb.CollectionTarget, error) {
		return decodeTarget(unzip, value)
	}))
	return t
}

// prefixes are the ranges that are followed.
func prefixes(root string) []string {
	return []string{
		root + collectionKind, root + partitionKind, root + replicaKind, root + oldReplicaKind, root + groupKind, root + targetKind,
	}
}

// newUnzip makes a decoder that is shared by all callers; each decodes on its own goroutine.
func newUnzip() (*zstd.Decoder, error) {
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxTarget))
	if err != nil {
		return nil, fmt.Errorf("make a zstd decoder: %w", err)
	}
	return unzip, nil
}

// decodeTarget reads what Milvus' QueryCoord served when it was stopped in order.
func decodeTarget(unzip *zstd.Decoder, value []byte) (*querypb.CollectionTarget, error) {
	plain, err := unzip.DecodeAll(value, nil)
	if err != nil {
		return nil, fmt.Errorf("not compressed with zstd: %w", err)
	}
	return tableset.Unmarshal[querypb.CollectionTarget](plain)
}
