package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
)

// place is where a record of an object lies. There may be several, one of which counts.
type place[T any] struct {
	key      string
	kind     recordKind
	revision int64
	info     T
}

// settle replaces what lies at key by fresh, nil for nothing, and tells what counts now: the record of the newest layout,
// the last written of two. rest are the others, by key.
func settle[T any](old []place[T], key string, fresh *place[T]) (counts *place[T], rest []place[T]) {
	for _, p := range old {
		if p.key != key {
			rest = append(rest, p)
		}
	}
	if fresh != nil {
		rest = append(rest, *fresh)
	}
	if len(rest) == 0 {
		return nil, nil
	}
	slices.SortFunc(rest, func(a, b place[T]) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(b.revision, a.revision), cmp.Compare(a.key, b.key))
	})
	return &rest[0], rest[1:]
}

func (t *tables) acceptCollection(key recordKey, kv metatable.KV) error {
	c := t.touch(key.id)
	old := t.spareCollections[key.id]
	if c.Info != nil {
		old = append(slices.Clone(old), place[*etcdpb.CollectionInfo]{c.Key, t.keys.parse(c.Key).kind, c.ModRevision, c.Info})
	}
	var fresh *place[*etcdpb.CollectionInfo]
	var err error
	if !kv.Deleted {
		fresh = &place[*etcdpb.CollectionInfo]{key: kv.Key, kind: key.kind, revision: kv.ModRevision, info: &etcdpb.CollectionInfo{}}
		if err = proto.Unmarshal(kv.Value, fresh.info); err == nil {
			err = sameID("collection", fresh.info.GetID(), key.id)
		}
		if err != nil {
			// Its id must not look free, nor its database empty: that is taken for a reason to delete data.
			fresh.info = &etcdpb.CollectionInfo{ID: key.id, DbId: key.db}
		}
		if fresh.info.GetDbId() == 0 && key.kind == collectionRecord && key.db != model.DefaultDatabaseID {
			fresh.info.DbId = key.db
		}
	}
	counts, rest := settle(old, kv.Key, fresh)
	if len(rest) > 0 {
		t.spareCollections[key.id] = rest
	} else {
		delete(t.spareCollections, key.id)
	}
	if counts == nil {
		counts = &place[*etcdpb.CollectionInfo]{}
	}
	t.setRecord(c, key.id, *counts)
	_, c.Unreadable = t.sick[c.Key]
	if c.Key == kv.Key {
		c.Unreadable = err != nil
	}
	return err
}

// setRecord makes p the record of c, and takes partitions and fields from where they are now: up to 2.1.0 that was the
// record itself.
func (t *tables) setRecord(c *model.Collection, id int64, p place[*etcdpb.CollectionInfo]) {
	stored := c
	if inline(c.Info) {
		stored = t.inlined[id]
	}
	fields, partitions := stored.Fields, stored.Partitions
	delete(t.inlined, id)
	if inline(p.info) {
		t.inlined[id] = &model.Collection{Fields: fields, Partitions: partitions}
		fields, partitions = unfold(p.info)
	}
	c.Info, c.Key, c.ModRevision = p.info, p.key, p.revision
	c.Fields, c.Partitions = fields, partitions
}

// inline tells whether a record is of the layout up to 2.1.0.
func inline(info *etcdpb.CollectionInfo) bool {
	return len(info.GetPartitionIDs()) > 0 && len(info.GetSchema().GetFields()) > 0 //nolint:staticcheck // that layout's
}

// unfold takes fields and partitions out of a record that holds them inline.
func unfold(info *etcdpb.CollectionInfo) ([]*schemapb.FieldSchema, []model.Partition) {
	fields := slices.Clone(info.GetSchema().GetFields())
	slices.SortFunc(fields, model.CompareFields)
	ids, names, times := info.GetPartitionIDs(), info.GetPartitionNames(), info.GetPartitionCreatedTimestamps() //nolint:staticcheck // as above
	partitions := make([]model.Partition, 0, len(ids))
	for i, id := range ids {
		p := &etcdpb.PartitionInfo{PartitionID: id, CollectionId: info.GetID(), State: etcdpb.PartitionState_PartitionCreated}
		if i < len(names) {
			p.PartitionName = names[i]
		}
		if i < len(times) {
			p.PartitionCreatedTimestamp = times[i]
		}
		partitions = append(partitions, model.Partition{Info: p})
	}
	slices.SortFunc(partitions, comparePartitions)
	return fields, partitions
}

// acceptChild takes in a partition, field or function.
func (t *tables) acceptChild(key recordKey, kv metatable.KV) error {
	c := t.touch(key.id)
	of := c
	if inline(c.Info) {
		of = t.inlined[key.id]
	}
	switch key.kind {
	case partitionRecord:
		return acceptPartition(of, key.child, kv)
	case fieldRecord:
		return t.acceptField(of, key.child, kv)
	default:
		return acceptFunction(c, key.child, kv)
	}
}

func acceptPartition(c *model.Collection, id int64, kv metatable.KV) error {
	c.Partitions = slices.DeleteFunc(c.Partitions, func(p model.Partition) bool { return p.ID() == id })
	if kv.Deleted {
		return nil
	}
	info := &etcdpb.PartitionInfo{}
	if err := proto.Unmarshal(kv.Value, info); err != nil {
		return err
	}
	if err := sameID("partition", info.GetPartitionID(), id); err != nil {
		return err
	}
	c.Partitions = insert(c.Partitions, model.Partition{Info: info, ModRevision: kv.ModRevision}, comparePartitions)
	return nil
}

func (t *tables) acceptField(c *model.Collection, id int64, kv metatable.KV) error {
	c.Fields = slices.DeleteFunc(c.Fields, func(f *schemapb.FieldSchema) bool { return f.GetFieldID() == id })
	if kv.Deleted {
		return nil
	}
	field, err := t.fields.decode(kv.Value)
	if err != nil {
		return err
	}
	if err := sameID("field", field.GetFieldID(), id); err != nil {
		return err
	}
	c.Fields = insert(c.Fields, field, model.CompareFields)
	return nil
}

func acceptFunction(c *model.Collection, id int64, kv metatable.KV) error {
	c.Functions = slices.DeleteFunc(c.Functions, func(f *schemapb.FunctionSchema) bool { return f.GetId() == id })
	if kv.Deleted {
		return nil
	}
	f := &schemapb.FunctionSchema{}
	if err := proto.Unmarshal(kv.Value, f); err != nil {
		return err
	}
	if err := sameID("function", f.GetId(), id); err != nil {
		return err
	}
	c.Functions = insert(c.Functions, f, func(a, b *schemapb.FunctionSchema) int { return cmp.Compare(a.GetId(), b.GetId()) })
	return nil
}

// sameID refuses a record that is not about the object its key names: one of the two is wrong.
func sameID(what string, got, want int64) error {
	if got != want {
		return fmt.Errorf("the record is of %s %d", what, got)
	}
	return nil
}

func insert[S ~[]E, E any](s S, e E, compare func(a, b E) int) S {
	i, _ := slices.BinarySearchFunc(s, e, compare)
	return slices.Insert(s, i, e)
}

func comparePartitions(a, b model.Partition) int { return cmp.Compare(a.ID(), b.ID()) }
