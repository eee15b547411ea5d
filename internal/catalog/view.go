package catalog

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
)

// View is RootCoord's metadata in memory. It implements metatable.State. All methods are safe for concurrent use; what
// they return is immutable.
type View struct {
	keys   Keys
	fields *fieldPool

	mu sync.RWMutex
	t  *tables
}

// NewView makes an empty view of the keys that keys names.
func NewView(keys Keys) *View {
	v := &View{keys: keys, fields: newFieldPool()}
	v.t = newTables(keys, v.fields)
	return v
}

// Load implements metatable.State.
func (v *View) Load(_ int64, all iter.Seq[metatable.KV]) func() {
	t := newTables(v.keys, v.fields)
	for kv := range all {
		t.accept(kv)
	}
	t.finish() // of an incomplete snapshot, too; it is never shown
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.t = t
	}
}

// Apply implements metatable.State.
func (v *View) Apply(_ int64, changes []metatable.KV) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, kv := range changes {
		v.t.accept(kv)
	}
	v.t.finish()
}

// Read calls fn with a reader that sees one revision. fn must not block and must not keep the reader.
func (v *View) Read(fn func(r Reader)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	fn(Reader{v.t})
}

// Collection finds a collection by id, in whatever state; nil if there is none.
func (v *View) Collection(id int64) (c *model.Collection) {
	v.Read(func(r Reader) { c = r.Collection(id) })
	return c
}

// Reader looks things up at one revision, within View.Read.
type Reader struct{ t *tables }

// Version is the same as long as no collection has changed. Versions are compared with ==.
type Version struct {
	of *tables
	n  int
}

// Version is that of the collections.
func (r Reader) Version() Version { return Version{r.t, r.t.changes} }

// Database finds a database by id; nil if there is none.
func (r Reader) Database(id int64) *model.Database { return r.t.databases[id] }

// DatabaseByName finds a database; nil if there is none.
func (r Reader) DatabaseByName(name string) *model.Database {
	id, ok := r.t.dbNames[name]
	if !ok {
		return nil
	}
	return r.t.databases[id]
}

// Databases lists all databases, in no order.
func (r Reader) Databases() []*model.Database { return slices.Collect(maps.Values(r.t.databases)) }

// Collection finds a collection by id, in whatever state; nil if there is none.
func (r Reader) Collection(id int64) *model.Collection {
	if c := r.t.collections[id]; c != nil && c.Info != nil {
		return c
	}
	return nil
}

// CollectionByName finds a Created collection by its own name; nil if there is none. What a lookup finds may be damaged.
func (r Reader) CollectionByName(dbID int64, name string) *model.Collection {
	return r.t.created[dbID][name]
}

// Resolve finds a Created collection by its name or an alias of it, aliases first; nil if there is none.
func (r Reader) Resolve(dbID int64, name string) *model.Collection {
	if a := r.t.aliases[objectName{dbID, name}]; a != nil {
		if c := r.Collection(a.Info.GetCollectionId()); c != nil && c.Created() {
			return c
		}
	}
	return r.CollectionByName(dbID, name)
}

// Collections yields the Created collections of a database that have a name, in no order.
func (r Reader) Collections(dbID int64) iter.Seq[*model.Collection] {
	return func(yield func(*model.Collection) bool) {
		for _, c := range r.t.created[dbID] {
			if !c.Unreadable && !yield(c) {
				return
			}
		}
	}
}

// ChannelUse tells how many collections, in whatever state, use each physical channel. The map is the caller's.
func (r Reader) ChannelUse() map[string]int { return maps.Clone(r.t.channels) }

// Unfinished lists the collections that are not Created, or have partitions that are not.
func (r Reader) Unfinished() []*model.Collection { return slices.Collect(maps.Values(r.t.halves)) }

// AllCollections yields the collections of all databases in whatever state, in no order.
func (r Reader) AllCollections() iter.Seq[*model.Collection] {
	return func(yield func(*model.Collection) bool) {
		for _, c := range r.t.collections {
			if c.Info != nil && !yield(c) {
				return
			}
		}
	}
}

// Alias finds an alias; nil if there is none. Its collection may not exist any more.
func (r Reader) Alias(dbID int64, name string) *model.Alias {
	return r.t.aliases[objectName{dbID, name}]
}

// AliasDamage is a metatable.Quarantined if a record of an alias does not decode, at any of the places where it may lie.
func (r Reader) AliasDamage(dbID int64, name string) error {
	if len(r.t.sick) == 0 {
		return nil
	}
	for _, key := range r.t.keys.placesOfAlias(dbID, name) {
		if q, sick := r.t.sick[key]; sick {
			return q
		}
	}
	return nil
}

// AliasesOf lists the aliases of a collection by name.
func (r Reader) AliasesOf(collectionID int64) []*model.Alias { return r.t.aliasesOf[collectionID] }

// Aliases lists the aliases of a database by name.
func (r Reader) Aliases(dbID int64) []*model.Alias {
	var found []*model.Alias
	for at, a := range r.t.aliases {
		if at.db == dbID {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, compareAliases)
	return found
}

// CollectionCount is the number of Created collections of a database, unreadable ones included.
func (r Reader) CollectionCount(dbID int64) int { return len(r.t.created[dbID]) }

// Total is the number of Created collections of all databases.
func (r Reader) Total() int { return r.t.total }

// Partitions is the number of Created partitions of all Created collections.
func (r Reader) Partitions() int { return r.t.partitions }

// Capacity is the sum over Created collections of Created partitions times shards.
func (r Reader) Capacity() int64 { return r.t.capacity }

// Quarantined lists the records that do not decode, by key.
func (r Reader) Quarantined() []metatable.Quarantined {
	sick := slices.Collect(maps.Values(r.t.sick))
	slices.SortFunc(sick, func(a, b metatable.Quarantined) int { return strings.Compare(a.Key, b.Key) })
	return sick
}

// revision is that of whatever lies at key, tombstones of Milvus included, and 0 if nothing does: what a write there has to
// be guarded with. The error is a Quarantined if what lies there does not decode; it must not be written over.
func (r Reader) revision(key string) (int64, error) {
	if q, sick := r.t.sick[key]; sick {
		return 0, q
	}
	if grave, ok := r.t.graves[key]; ok {
		return grave, nil
	}
	switch k := r.t.keys.parse(key); {
	case k.kind == databaseRecord:
		if db := r.t.databases[k.id]; db != nil {
			return db.ModRevision, nil
		}
	case k.ofCollection():
		if c := r.t.collections[k.id]; c != nil && c.Key == key {
			return c.ModRevision, nil
		}
		return revisionAt(r.t.spareCollections[k.id], key), nil
	case k.kind == partitionRecord:
		if c := r.t.collections[k.id]; c != nil {
			p, _ := c.Partition(k.child)
			return p.ModRevision, nil
		}
	case k.name != "":
		at := objectName{k.db, k.name}
		if a := r.t.aliases[at]; a != nil && a.Key == key {
			return a.ModRevision, nil
		}
		return revisionAt(r.t.spareAliases[at], key), nil
	}
	return 0, nil
}

func revisionAt[T any](places []place[T], key string) int64 {
	for _, p := range places {
		if p.key == key {
			return p.revision
		}
	}
	return 0
}

// keysOf are the keys at which records of a collection itself lie, the one that counts first.
func (r Reader) keysOf(c *model.Collection) []string {
	return keysOf(c.Key, r.t.spareCollections[c.ID()])
}

// keysOfAlias are the keys at which records of an alias lie, the one that counts first.
func (r Reader) keysOfAlias(a *model.Alias) []string {
	k := r.t.keys.parse(a.Key)
	return keysOf(a.Key, r.t.spareAliases[objectName{k.db, k.name}])
}

func keysOf[T any](first string, places []place[T]) []string {
	all := []string{first}
	for _, p := range places {
		all = append(all, p.key)
	}
	return all
}
