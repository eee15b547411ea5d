package model

import (
	"cmp"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
)

// The database that every cluster has. Records from before databases existed belong to it.
const (
	DefaultDatabaseID = int64(1)
	DefaultDatabase   = "default"
)

// Database is a database and the revision of its record.
type Database struct {
	Info        *etcdpb.DatabaseInfo
	ModRevision int64
	Damage      error // not nil if the record does not decode: all that is known is the id, and the name if it is the default one
}

// Collection is a collection with everything that belongs to it. It and all it points to are immutable.
type Collection struct {
	Info       *etcdpb.CollectionInfo // as stored, unknown fields included; its schema has neither fields nor functions
	Fields     []*schemapb.FieldSchema
	Functions  []*schemapb.FunctionSchema // by id
	Partitions []Partition                // by id

	Key         string // of the collection's own record, maybe one from before databases; empty for one that is not stored yet
	ModRevision int64  // of that record
	Damage      error  // not nil if one of its records does not decode; then the object is not fit for use
	Unreadable  bool   // its own record does not decode: all that is known is its id and database, and that it is there
}

// Partition is a partition and the revision of its record; that is 0 where an old layout keeps it in the collection's.
type Partition struct {
	Info        *etcdpb.PartitionInfo
	ModRevision int64
}

// Alias is an alias and the revision of its record.
type Alias struct {
	Info        *etcdpb.AliasInfo
	Key         string // where it is stored, maybe a place from before databases
	ModRevision int64
}

// ID is the collection's id.
func (c *Collection) ID() int64 { return c.Info.GetID() }

// Name is the collection's own name, not an alias.
func (c *Collection) Name() string { return c.Info.GetSchema().GetName() }

// DBID is the collection's database.
func (c *Collection) DBID() int64 { return dbID(c.Info.GetDbId()) }

// Created tells whether the collection is visible to users. One that is unreadable counts as such.
func (c *Collection) Created() bool {
	return c.Info.GetState() == etcdpb.CollectionState_CollectionCreated
}

// Shards is the number of shards; records of old versions say it only by the number of their channels.
func (c *Collection) Shards() int32 {
	if n := c.Info.GetShardsNum(); n > 0 {
		return n
	}
	return int32(len(c.Info.GetVirtualChannelNames())) //nolint:gosec // a handful
}

// Capacity is what the collection counts against rootCoord.maxGeneralCapacity: Created partitions times shards.
func (c *Collection) Capacity() int64 { return int64(c.CreatedPartitions()) * int64(c.Shards()) }

// CreatedPartitions is the number of partitions that users see.
func (c *Collection) CreatedPartitions() int {
	n := 0
	for _, p := range c.Partitions {
		if p.Created() {
			n++
		}
	}
	return n
}

// Partition finds a partition by id.
func (c *Collection) Partition(id int64) (Partition, bool) {
	i, ok := slices.BinarySearchFunc(c.Partitions, id, func(p Partition, id int64) int { return cmp.Compare(p.ID(), id) })
	if !ok {
		return Partition{}, false
	}
	return c.Partitions[i], true
}

// PartitionByName finds a Created partition.
func (c *Collection) PartitionByName(name string) (Partition, bool) {
	for _, p := range c.Partitions {
		if p.Created() && p.Info.GetPartitionName() == name {
			return p, true
		}
	}
	return Partition{}, false
}

// ID is the partition's id.
func (p Partition) ID() int64 { return p.Info.GetPartitionID() }

// Created tells whether the partition is visible to users.
func (p Partition) Created() bool { return p.Info.GetState() == etcdpb.PartitionState_PartitionCreated }

// DBID is the alias' database.
func (a *Alias) DBID() int64 { return dbID(a.Info.GetDbId()) }

// dbID reads the "no database" of old records as the default one.
func dbID(id int64) int64 {
	if id == 0 {
		return DefaultDatabaseID
	}
	return id
}

// firstUserField is the smallest id of a field that a user named.
const firstUserField = 100

// CompareFields orders fields as they were when the collection was created: the user's by id, then the system's.
func CompareFields(a, b *schemapb.FieldSchema) int {
	rank := func(f *schemapb.FieldSchema) (bool, int64) { return f.GetFieldID() < firstUserField, f.GetFieldID() }
	systemA, idA := rank(a)
	systemB, idB := rank(b)
	if systemA != systemB {
		if systemA {
			return 1
		}
		return -1
	}
	return cmp.Compare(idA, idB)
}
