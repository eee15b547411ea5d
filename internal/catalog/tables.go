package catalog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
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

// tables are the records as objects, with the indexes that lookups need. A View guards them.
type tables struct {
	keys   Keys
	fields *fieldPool

	databases   map[int64]*model.Database
	dbNames     map[string]int64
	collections map[int64]*model.Collection            // in whatever state, also children without a record of their own
	created     map[int64]map[string]*model.Collection // Created ones, by database and name
	aliases     map[objectName]*model.Alias
	aliasesOf   map[int64][]*model.Alias // by collection, each list by name; replaced, never changed
	sick        map[string]metatable.Quarantined
	graves      map[string]int64 // revision of tombstones, which a new record at that key replaces

	total    int   // Created collections
	capacity int64 // theirs

	// touched are the collections that the revision being applied has changed so far, as copies that are not shared yet.
	touched map[int64]*model.Collection
}

func newTables(keys Keys, fields *fieldPool) *tables {
	return &tables{
		keys: keys, fields: fields,
		databases: map[int64]*model.Database{}, dbNames: map[string]int64{},
		collections: map[int64]*model.Collection{}, created: map[int64]map[string]*model.Collection{},
		aliases: map[objectName]*model.Alias{}, aliasesOf: map[int64][]*model.Alias{}, sick: map[string]metatable.Quarantined{}, graves: map[string]int64{},
		touched: map[int64]*model.Collection{},
	}
}

// accept takes one record in. finish makes what was accepted visible.
func (t *tables) accept(kv metatable.KV) {
	key := t.keys.parse(kv.Key)
	if key.kind == other {
		return
	}
	delete(t.graves, kv.Key)
	if !kv.Deleted && bytes.Equal(kv.Value, tombstone) {
		t.graves[kv.Key] = kv.ModRevision
		kv.Deleted, kv.Value = true, nil
	}
	delete(t.sick, kv.Key)
	var err error
	switch key.kind {
	case databaseRecord:
		err = t.acceptDatabase(key.id, kv)
	case collectionRecord, legacyCollectionRecord:
		err = t.acceptCollection(key, kv)
	case partitionRecord:
		err = t.acceptPartition(key, kv)
	case fieldRecord:
		err = t.acceptField(key, kv)
	case functionRecord:
		err = t.acceptFunction(key, kv)
	case aliasRecord, legacyAliasRecord, ancientAliasRecord:
		err = t.acceptAlias(key, kv)
	}
	if err == nil {
		return
	}
	q := metatable.Quarantined{Key: kv.Key, Revision: kv.ModRevision, Err: err}
	t.sick[kv.Key] = q
	switch key.kind {
	case collectionRecord, legacyCollectionRecord, partitionRecord, fieldRecord, functionRecord:
		t.touch(key.id).Damage = q
	}
}

func (t *tables) acceptDatabase(id int64, kv metatable.KV) error {
	if old, ok := t.databases[id]; ok {
		delete(t.dbNames, old.Info.GetName())
		delete(t.databases, id)
	}
	if kv.Deleted {
		return nil
	}
	info := &etcdpb.DatabaseInfo{}
	if err := proto.Unmarshal(kv.Value, info); err != nil {
		return err
	}
	t.databases[id] = &model.Database{Info: info, ModRevision: kv.ModRevision}
	t.dbNames[info.GetName()] = id
	return nil
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
		c.Damage = nil // found anew in finish
	}
	t.touched[id] = c
	return c
}

func (t *tables) acceptCollection(key recordKey, kv metatable.KV) error {
	c := t.touch(key.id)
	legacy := key.kind == legacyCollectionRecord
	if c.Info != nil && c.Legacy != legacy && legacy {
		return nil // the record in the new place counts
	}
	if kv.Deleted {
		if c.Legacy == legacy {
			c.Info, c.ModRevision, c.Legacy = nil, 0, false
		}
		return nil
	}
	info := &etcdpb.CollectionInfo{}
	if err := proto.Unmarshal(kv.Value, info); err != nil {
		return err
	}
	c.Info, c.ModRevision, c.Legacy = info, kv.ModRevision, legacy
	if len(info.GetPartitionIDs()) > 0 && len(info.GetSchema().GetFields()) > 0 { //nolint:staticcheck // the layout up to 2.1.0
		unfold(c)
	}
	return nil
}

// unfold takes partitions and fields out of a record of the layout up to 2.1.0, which holds them inline.
func unfold(c *model.Collection) {
	c.Fields = slices.Clone(c.Info.GetSchema().GetFields())
	slices.SortFunc(c.Fields, model.CompareFields)
	c.Partitions = nil
	ids, names, times := c.Info.GetPartitionIDs(), c.Info.GetPartitionNames(), c.Info.GetPartitionCreatedTimestamps() //nolint:staticcheck // as above
	for i, id := range ids {
		p := &etcdpb.PartitionInfo{PartitionID: id, CollectionId: c.Info.GetID(), State: etcdpb.PartitionState_PartitionCreated}
		if i < len(names) {
			p.PartitionName = names[i]
		}
		if i < len(times) {
			p.PartitionCreatedTimestamp = times[i]
		}
		c.Partitions = append(c.Partitions, model.Partition{Info: p})
	}
	slices.SortFunc(c.Partitions, comparePartitions)
}

func comparePartitions(a, b model.Partition) int {
	switch {
	case a.ID() < b.ID():
		return -1
	case a.ID() > b.ID():
		return 1
	}
	return 0
}

func (t *tables) acceptPartition(key recordKey, kv metatable.KV) error {
	c := t.touch(key.id)
	i, found := slices.BinarySearchFunc(c.Partitions, key.db, func(p model.Partition, id int64) int {
		return int(max(-1, min(1, p.ID()-id)))
	})
	if kv.Deleted {
		if found {
			c.Partitions = slices.Delete(c.Partitions, i, i+1)
		}
		return nil
	}
	info := &etcdpb.PartitionInfo{}
	if err := proto.Unmarshal(kv.Value, info); err != nil {
		return err
	}
	if info.GetPartitionID() != key.db {
		return fmt.Errorf("the record is of partition %d", info.GetPartitionID())
	}
	p := model.Partition{Info: info, ModRevision: kv.ModRevision}
	if found {
		c.Partitions[i] = p
	} else {
		c.Partitions = slices.Insert(c.Partitions, i, p)
	}
	return nil
}

func (t *tables) acceptField(key recordKey, kv metatable.KV) error {
	c := t.touch(key.id)
	c.Fields = slices.DeleteFunc(c.Fields, func(f *schemapb.FieldSchema) bool { return f.GetFieldID() == key.db })
	if kv.Deleted {
		return nil
	}
	field, err := t.fields.decode(kv.Value)
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearchFunc(c.Fields, field, model.CompareFields)
	c.Fields = slices.Insert(c.Fields, i, field)
	return nil
}

func (t *tables) acceptFunction(key recordKey, kv metatable.KV) error {
	c := t.touch(key.id)
	c.Functions = slices.DeleteFunc(c.Functions, func(f *schemapb.FunctionSchema) bool { return f.GetId() == key.db })
	if kv.Deleted {
		return nil
	}
	f := &schemapb.FunctionSchema{}
	if err := proto.Unmarshal(kv.Value, f); err != nil {
		return err
	}
	i, _ := slices.BinarySearchFunc(c.Functions, f, func(a, b *schemapb.FunctionSchema) int {
		return int(max(-1, min(1, a.GetId()-b.GetId())))
	})
	c.Functions = slices.Insert(c.Functions, i, f)
	return nil
}

func (t *tables) acceptAlias(key recordKey, kv metatable.KV) error {
	at := objectName{key.db, key.name}
	old := t.aliases[at]
	legacy := ""
	if key.kind != aliasRecord {
		legacy = kv.Key
	}
	if old != nil && old.LegacyKey != legacy && legacy != "" {
		return nil // a record in a newer place counts
	}
	if kv.Deleted {
		if old != nil && old.LegacyKey == legacy {
			t.removeAlias(at)
		}
		return nil
	}
	info := &etcdpb.AliasInfo{}
	if key.kind == ancientAliasRecord {
		c := &etcdpb.CollectionInfo{}
		if err := proto.Unmarshal(kv.Value, c); err != nil {
			return err
		}
		info.AliasName, info.CollectionId, info.CreatedTime = key.name, c.GetID(), c.GetCreateTime()
	} else if err := proto.Unmarshal(kv.Value, info); err != nil {
		return err
	}
	t.removeAlias(at)
	a := &model.Alias{Info: info, ModRevision: kv.ModRevision, LegacyKey: legacy}
	t.aliases[at] = a
	of := t.aliasesOf[info.GetCollectionId()]
	i, _ := slices.BinarySearchFunc(of, a, compareAliases)
	t.aliasesOf[info.GetCollectionId()] = slices.Insert(slices.Clone(of), i, a)
	return nil
}

func (t *tables) removeAlias(at objectName) {
	a := t.aliases[at]
	if a == nil {
		return
	}
	delete(t.aliases, at)
	id := a.Info.GetCollectionId()
	rest := slices.DeleteFunc(slices.Clone(t.aliasesOf[id]), func(b *model.Alias) bool { return a == b })
	if len(rest) == 0 {
		delete(t.aliasesOf, id)
		return
	}
	t.aliasesOf[id] = rest
}

func compareAliases(a, b *model.Alias) int {
	return strings.Compare(a.Info.GetAliasName(), b.Info.GetAliasName())
}

// finish puts the touched collections in the place of the old ones and keeps indexes and counts in step.
func (t *tables) finish() {
	for id, c := range t.touched {
		t.hide(t.collections[id])
		if c.Info == nil && len(c.Fields) == 0 && len(c.Partitions) == 0 && len(c.Functions) == 0 && c.Damage == nil {
			delete(t.collections, id)
			continue
		}
		if c.Damage == nil && len(t.sick) > 0 {
			c.Damage = t.damage(id)
		}
		c.Fields, c.Partitions, c.Functions = slices.Clip(c.Fields), slices.Clip(c.Partitions), slices.Clip(c.Functions)
		t.collections[id] = c
		t.show(c)
	}
	clear(t.touched)
}

// damage finds what is quarantined of a collection.
func (t *tables) damage(id int64) error {
	for key, q := range t.sick {
		switch k := t.keys.parse(key); k.kind {
		case collectionRecord, legacyCollectionRecord, partitionRecord, fieldRecord, functionRecord:
			if k.id == id {
				return q
			}
		}
	}
	return nil
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
	names[c.Name()] = c
	t.total++
	t.capacity += c.Capacity()
}

func (t *tables) hide(c *model.Collection) {
	if c == nil || c.Info == nil || !c.Created() {
		return
	}
	names := t.created[c.DBID()]
	if names[c.Name()] == c {
		delete(names, c.Name())
	}
	if len(names) == 0 {
		delete(t.created, c.DBID())
	}
	t.total--
	t.capacity -= c.Capacity()
}
