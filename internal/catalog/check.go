package catalog

import "github.com/milvus-coord/milvus/internal/metatable"

// Checker decodes single records as a [View] does, and keeps none. It is for one goroutine.
type Checker struct{ t *tables }

// NewChecker makes a checker of the keys that keys names.
func NewChecker(keys Keys) *Checker { return &Checker{newTables(keys, newFieldPool())} }

// kindNames are what the records of a kind are called.
var kindNames = map[recordKind]string{
	databaseRecord: "databases", collectionRecord: "collections", legacyCollectionRecord: "collections of old layouts",
	partitionRecord: "partitions", fieldRecord: "fields", functionRecord: "functions",
	aliasRecord: "aliases", legacyAliasRecord: "aliases of old layouts", ancientAliasRecord: "aliases of old layouts",
}

// Check tells what a record is called with its kind, empty for a key that is not this package's, whether it is there for
// readers, and what is wrong with it. A tombstone is not there.
func (c *Checker) Check(kv metatable.KV) (kind string, present bool, err error) {
	key := c.t.keys.parse(kv.Key)
	if key.kind == other {
		return "", false, nil
	}
	if string(kv.Value) == string(tombstone) {
		return kindNames[key.kind], false, nil
	}
	c.t.accept(kv)
	if q, sick := c.t.sick[kv.Key]; sick {
		err = q.Err
	}
	c.t.accept(metatable.KV{Key: kv.Key, Deleted: true})
	clear(c.t.touched) // what was accepted is gone; it was never shown
	return kindNames[key.kind], true, err
}
