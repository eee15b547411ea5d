package datacoord

import (
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
)

// NewChecker makes a function that decodes single records of DataCoord's tables and keeps none. It tells of which kind a
// record is, as its key begins, empty for keys of no table; whether it is there for readers; and what is wrong with it.
func NewChecker(metaRoot string) func(metatable.KV) (kind string, present bool, err error) {
	k := keys{root: metaRoot + "/", watch: metaRoot + "/channelwatch/"}
	return tableset.New(func() *tables { return newTables(k) }).Check
}
