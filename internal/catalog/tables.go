package catalog

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
)

// tombstone is what Milvus writes in the place of a deleted record until its garbage collection.
var tombstone = []byte{0xE2, 0x9B, 0xBC}

type objectName struct {
	db   int64
	name string
}

// tables are the records as objects, with the indexes that lookups need. What they hold depends only on the records that
// are there, not on the order in which they came. A View guards them.
type tables struct {
	keys   Keys
	fields *fieldPool

	databases   map[int64]*model.Database
	dbNames     map[string]int64                       // of two with one name, the one with the smaller id
	collections map[int64]*model.Collection            // in whatever state, also children without a record of their own
	created     map[int64]map[string]*model.Collection // Created ones, by database and name
	aliases     map[objectName]*model.Alias
	aliasesOf   map[int64][]*model.Alias // by collection, each list by name; replaced, never changed
	sick        map[string]metatable.Quarantined
	graves      map[string]int64 // revision of tombstones, which a new record at that key replaces

	// What a newer record hides: Milvus moves records of old layouts and leaves, for a while, both.
	spareCollections map[int64][]place[*etcdpb.CollectionInfo]
	spareAliases     map[objectName][]place[*etcdpb.AliasInfo]
	// inlined are the children, as records, of collections whose own record holds them, too, and is used instead.
	inlined map[int64]*model.Collection

	channels map[string]int              // collections in whatever state that use a physical channel
	halves   map[int64]*model.Collection // not Created, or with partitions that are not

	total      int   // Created collections
	partitions int   // theirs, Created as well
	capacity   int64 // theirs
	twins      bool  // two Created collections had the same name, once

	changes int // counts those of collections

	// touched are the collections that the revision being applied has changed so far, as copies that are not shared yet.
	touched map[int64]*model.Collection
}

func newTables(keys Keys, fields *fieldPool) *tables {
	return &tables{
		keys: keys, fields: fields,
		databases: map[int64]*model.Database{}, dbNames: map[string]int64{},
		collections: map[int64]*model.Collection{}, created: map[int64]map[string]*model.Collection{},
		aliases: map[objectName]*model.Alias{}, aliasesOf: map[int64][]*model.Alias{},
		sick: map[string]metatable.Quarantined{}, graves: map[string]int64{},
		spareCollections: map[int64][]place[*etcdpb.CollectionInfo]{},
		spareAliases:     map[objectName][]place[*etcdpb.AliasInfo]{},
		channels:         map[string]int{}, halves: map[int64]*model.Collection{},
		inlined: map[int64]*model.Collection{}, touched: map[int64]*model.Collection{},
	}
}

// accept takes one record in. finish makes what was accepted visible.
func (t *tables) accept(kv metatable.KV) {
	key := t.keys.parse(kv.Key)
	if key.kind == other {
		return
	}
	delete(t.sick, kv.Key)
	delete(t.graves, kv.Key)
	if !kv.Deleted && bytes.Equal(kv.Value, tombstone) {
		if !key.ofChild() { // a child's id is new when it is written
			t.graves[kv.Key] = kv.ModRevision
		}
		kv.Deleted, kv.Value = true, nil
	}
	var err error
	switch key.kind {
	case databaseRecord:
		err = t.acceptDatabase(key.id, kv)
	case collectionRecord, legacyCollectionRecord:
		err = t.acceptCollection(key, kv)
	case partitionRecord, fieldRecord, functionRecord:
		err = t.acceptChild(key, kv)
	default:
		err = t.acceptAlias(key, kv)
	}
	if err != nil {
		t.sick[kv.Key] = metatable.Quarantined{Key: kv.Key, Revision: kv.ModRevision, Err: err}
	}
}

func (t *tables) acceptDatabase(id int64, kv metatable.KV) error {
	if old, ok := t.databases[id]; ok {
		delete(t.databases, id)
		if name := old.Info.GetName(); t.dbNames[name] == id {
			delete(t.dbNames, name)
			for _, other := range slices.Sorted(maps.Keys(t.databases)) {
				if t.databases[other].Info.GetName() == name {
					t.dbNames[name] = other
					break
				}
			}
		}
	}
	if kv.Deleted {
		return nil
	}
	db := &model.Database{Info: &etcdpb.DatabaseInfo{}, ModRevision: kv.ModRevision}
	err := proto.Unmarshal(kv.Value, db.Info)
	if err == nil {
		err = sameID("database", db.Info.GetId(), id)
	}
	if err != nil {
		// It must not look dropped: its collections would be listed nowhere, and that is taken for a reason to delete data.
		db.Info = &etcdpb.DatabaseInfo{Id: id, Name: nameOfUnreadable(id), State: etcdpb.DatabaseState_DatabaseCreated}
		db.Damage = metatable.Quarantined{Key: kv.Key, Revision: kv.ModRevision, Err: err}
	}
	t.databases[id] = db
	if first, taken := t.dbNames[db.Info.GetName()]; !taken || id < first {
		t.dbNames[db.Info.GetName()] = id
	}
	return err
}

// nameOfUnreadable is what a database is called whose record does not decode: a name that no user can give.
func nameOfUnreadable(id int64) string {
	if id == model.DefaultDatabaseID {
		return model.DefaultDatabase
	}
	return "unreadable-" + strconv.FormatInt(id, 10)
}

// touch gives the copy of a collection that the revision being applied may change.
func (t *tables) touch(id int64) *model.Collection {
	if c, ok := t.touched[id]; ok {
		return c
	}
	c := &model.Collection{}
	if old, ok := t.collections[id]; ok {
		*c = *old
		c.Fields, c.Partitions, c.Functions = slices.Clone(c.Fields), slices.Clone(c.Partitions), slices.Clone(c.Functions)
	}
	t.touched[id] = c
	return c
}

// finish puts the touched collections in the place of the old ones and keeps indexes and counts in step.
func (t *tables) finish() {
	if len(t.touched) > 0 {
		t.changes++
	}
	damages := t.damages()
	for id, c := range t.touched {
		t.hide(t.collections[id])
		t.count(t.collections[id], -1)
		c.Damage = nil
		if q, damaged := damages[id]; damaged {
			c.Damage = q
		}
		if c.Info == nil && len(c.Fields) == 0 && len(c.Partitions) == 0 && len(c.Functions) == 0 && c.Damage == nil {
			delete(t.collections, id)
			continue
		}
		c.Fields, c.Partitions, c.Functions = fitted(c.Fields), fitted(c.Partitions), fitted(c.Functions)
		t.collections[id] = c
		t.show(c)
		t.count(c, 1)
	}
	if len(t.touched) > 100 {
		t.touched = map[int64]*model.Collection{} // a cleared map keeps its size, a snapshot's is large
	}
	clear(t.touched)
}

// fitted gives back the room that a slice has grown into; it is kept for as long as the collection.
func fitted[S ~[]E, E any](s S) S {
	if cap(s) > len(s)+1 {
		return slices.Clone(s)
	}
	return s
}

// damages finds what is quarantined of collections, of each the first by key.
func (t *tables) damages() map[int64]metatable.Quarantined {
	if len(t.sick) == 0 {
		return nil
	}
	found := map[int64]metatable.Quarantined{}
	for key, q := range t.sick {
		if k := t.keys.parse(key); k.ofCollection() || k.ofChild() {
			if first, more := found[k.id]; !more || key < first.Key {
				found[k.id] = q
			}
		}
	}
	return found
}

// indexName is the name under which a Created collection is found. One whose name cannot be read counts, under a name
// that no request has.
func indexName(c *model.Collection) string {
	if c.Unreadable {
		return "\x00" + strconv.FormatInt(c.Info.GetID(), 10)
	}
	return c.Name()
}

func (t *tables) show(c *model.Collection) {
	if c.Info == nil || !c.Created() {
		return
	}
	names := t.created[c.DBID()]
	if names == nil {
		names = map[string]*model.Collection{}
		t.created[c.DBID()] = names
	}
	t.total++
	t.partitions += c.CreatedPartitions()
	t.capacity += c.Capacity()
	name := indexName(c)
	if twin := names[name]; twin != nil {
		t.twins = true
		if twin.ID() < c.ID() {
			return
		}
	}
	names[name] = c
}

// count keeps what a new term must know at once in step: how many collections use a channel, and which are half done.
func (t *tables) count(c *model.Collection, by int) {
	if c == nil || c.Info == nil {
		return
	}
	for _, name := range c.Info.GetPhysicalChannelNames() {
		if t.channels[name] += by; t.channels[name] == 0 {
			delete(t.channels, name)
		}
	}
	half := !c.Created() || slices.ContainsFunc(c.Partitions, func(p model.Partition) bool { return !p.Created() })
	if half && by > 0 {
		t.halves[c.ID()] = c
	} else {
		delete(t.halves, c.ID())
	}
}

func (t *tables) hide(c *model.Collection) {
	if c == nil || c.Info == nil || !c.Created() {
		return
	}
	t.total--
	t.partitions -= c.CreatedPartitions()
	t.capacity -= c.Capacity()
	name, names := indexName(c), t.created[c.DBID()]
	if names[name] != c {
		return
	}
	delete(names, name)
	if t.twins {
		t.showTwin(c, name)
	}
	if len(names) == 0 {
		delete(t.created, c.DBID())
	}
}

// showTwin puts another collection of that name, the one with the smallest id, in the place of gone.
func (t *tables) showTwin(gone *model.Collection, name string) {
	names := t.created[gone.DBID()]
	for _, c := range t.collections {
		if c == gone || c.Info == nil || !c.Created() || c.DBID() != gone.DBID() || indexName(c) != name {
			continue
		}
		if twin := names[name]; twin == nil || c.ID() < twin.ID() {
			names[name] = c
		}
	}
}
