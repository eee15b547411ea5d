package querycoord

import (
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
)

// NewChecker makes a function that decodes single records of QueryCoord's tables and keeps none. It tells of which kind a
// record is, as its key begins, empty for keys of no table; whether it is there for readers; and what is wrong with it.
func NewChecker(metaRoot string) (func(metatable.KV) (kind string, present bool, err error), error) {
	unzip, err := newUnzip()
	if err != nil {
		return nil, err
	}
	return tableset.New(func() *tables { return newTables(metaRoot+"/", unzip) }).Check, nil
}
