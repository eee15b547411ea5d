package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
)

// CreateCollection writes a collection that is Created in its Info, with its partitions, fields and functions. Where one
// transaction cannot hold it, the first hides it behind the state Creating and the last, a single record, shows it. After
// an error a hidden part may be left; DropCollection or the next term removes it.
func (w *Writer) CreateCollection(ctx context.Context, c *model.Collection) error {
	children, err := w.putChildren(c)
	if err != nil {
		return err
	}
	value, err := record(c.Info)
	if err != nil {
		return err
	}
	if fits(value, children) {
		return w.createWhole(ctx, c.Info, value, children)
	}
	if err := w.CreateHidden(ctx, c); err != nil {
		return err
	}
	return w.Reveal(ctx, c.Info)
}

// CreateHidden writes all of a collection, as Creating whatever its Info says: nobody sees it until Reveal.
func (w *Writer) CreateHidden(ctx context.Context, c *model.Collection) error {
	children, err := w.putChildren(c)
	if err != nil {
		return err
	}
	hidden := cloneInfo(c.Info)
	hidden.State = etcdpb.CollectionState_CollectionCreating
	value, err := record(hidden)
	if err != nil {
		return err
	}
	if fits(value, children) {
		return w.createWhole(ctx, hidden, value, children)
	}
	if err := w.createWhole(ctx, hidden, value, nil); err != nil {
		return err
	}
	key := w.keys.collection(c.DBID(), c.ID())
	for len(children) > 0 {
		failpoint.Reach(failpoint.CollectionFilling)
		if children, err = w.putPart(ctx, key, value, children); err != nil {
			return err
		}
	}
	return nil
}

// Reveal makes a collection that CreateHidden wrote what info says.
func (w *Writer) Reveal(ctx context.Context, info *etcdpb.CollectionInfo) error {
	value, err := record(info)
	if err != nil {
		return err
	}
	b := w.begin()
	b.write(w.keys.collection(info.GetDbId(), info.GetID()), value)
	return w.commit(ctx, b)
}

// createWhole writes a new record, whose value is given, and what belongs to it in one transaction.
func (w *Writer) createWhole(ctx context.Context, info *etcdpb.CollectionInfo, value []byte, children []clientv3.Op) error {
	b := w.begin()
	b.create(w.keys.collection(info.GetDbId(), info.GetID()), value)
	b.ops = append(b.ops, children...)
	return w.commit(ctx, b)
}

// fits tells whether a collection's record and these operations fit into one transaction.
func fits(record []byte, ops []clientv3.Op) bool {
	n := 0
	for _, op := range ops {
		n += len(op.KeyBytes()) + len(op.ValueBytes())
	}
	return len(ops) <= maxOps-reservedOps && n < min(maxBytes/2, maxRequest-len(record))
}

// maxRequest is what etcd takes, less what a request says besides keys and values.
const maxRequest = 1400 << 10

// reservedOps are those for a collection's own record, moved from one place to another.
const reservedOps = 8

// putPart writes as many operations as fit and returns the rest. It also writes the record at key: that is the guarded
// key by which a transaction that was sent twice is recognised.
func (w *Writer) putPart(ctx context.Context, key string, value []byte, ops []clientv3.Op) ([]clientv3.Op, error) {
	n := min(len(ops), maxOps-reservedOps)
	for n > 1 && !fits(value, ops[:n]) {
		n /= 2
	}
	b := w.begin()
	b.write(key, value)
	b.ops = append(b.ops, ops[:n]...)
	return ops[n:], w.commit(ctx, b)
}

// AlterCollection replaces a collection's record; id, database and state stay.
func (w *Writer) AlterCollection(ctx context.Context, info *etcdpb.CollectionInfo) error {
	c, err := w.modern(ctx, info.GetID())
	if err != nil {
		return err
	}
	value, err := record(info)
	if err != nil {
		return err
	}
	b := w.begin()
	b.replace(c.Key, value)
	return w.commit(ctx, b)
}

// AlterField replaces the record of a field. The collection's own record says when, and is the one that guards.
func (w *Writer) AlterField(ctx context.Context, collectionID int64, field *schemapb.FieldSchema, ts uint64) error {
	c, err := w.modern(ctx, collectionID)
	if err != nil {
		return err
	}
	altered := cloneInfo(c.Info)
	altered.UpdateTimestamp = ts
	info, err := record(altered)
	if err != nil {
		return err
	}
	key := w.keys.child(fields, collectionID, field.GetFieldID())
	value, err := encode(key, field)
	if err != nil {
		return err
	}
	b := w.begin()
	b.replace(c.Key, info)
	b.put(key, value)
	b.ops = append(b.ops, clientv3.OpDelete(w.keys.copies(key), clientv3.WithPrefix()))
	return w.commit(ctx, b)
}

// RenameCollection gives a collection another name, and another database if dbID is not its own.
func (w *Writer) RenameCollection(ctx context.Context, id, dbID int64, dbName, name string) error {
	c, err := w.modern(ctx, id)
	if err != nil {
		return err
	}
	info := cloneInfo(c.Info)
	if info.Schema == nil {
		info.Schema = &schemapb.CollectionSchema{}
	}
	info.DbId, info.Schema.Name, info.Schema.DbName = dbID, name, dbName
	value, err := record(info)
	if err != nil {
		return err
	}
	b := w.begin()
	to := w.keys.collection(dbID, id)
	if to != c.Key {
		b.remove(c.Key)
	}
	b.replace(to, value)
	return w.commit(ctx, b)
}

// aliasesAtOnce are dropped in one transaction: two operations each, and those of the collection.
const aliasesAtOnce = 40

// HideCollection makes a collection Dropping and takes its aliases from it: from the first step on nobody sees it. It is no
// error if there is none, and one if it is damaged: what cannot be read is not deleted.
func (w *Writer) HideCollection(ctx context.Context, id int64) error {
	c := w.view.Collection(id)
	if c == nil {
		return nil
	}
	if c.Damage != nil {
		return fmt.Errorf("drop collection %d: %w", id, c.Damage)
	}
	if c.Info.GetState() != etcdpb.CollectionState_CollectionDropping {
		if err := w.setState(ctx, c, etcdpb.CollectionState_CollectionDropping); err != nil {
			return err
		}
	}
	for aliases := range slices.Chunk(w.aliasKeys(id), aliasesAtOnce) {
		failpoint.Reach(failpoint.DropUnnamed)
		b := w.begin()
		for _, key := range aliases {
			b.remove(key)
		}
		if err := w.commit(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// aliasKeys are where the aliases of a collection lie.
func (w *Writer) aliasKeys(id int64) (keys []string) {
	w.view.Read(func(r Reader) {
		for _, a := range r.AliasesOf(id) {
			keys = append(keys, r.keysOfAlias(a)...)
		}
	})
	return keys
}

// DropCollection removes a collection in whatever state, with its aliases and all that belongs to it. It is no error if
// there is none, and one if it is damaged.
func (w *Writer) DropCollection(ctx context.Context, id int64) error {
	c := w.view.Collection(id)
	if c == nil {
		return nil
	}
	if c.Damage != nil {
		return fmt.Errorf("drop collection %d: %w", id, c.Damage)
	}
	aliases := w.aliasKeys(id)
	if len(aliases) > aliasesAtOnce {
		if err := w.HideCollection(ctx, id); err != nil {
			return err
		}
		aliases = w.aliasKeys(id)
	}
	var own []string
	w.view.Read(func(r Reader) { own = r.keysOf(c) })
	b := w.begin()
	for _, key := range append(own, aliases...) {
		b.remove(key)
	}
	for _, kind := range []string{partitions, fields, functions} {
		b.removeAll(w.keys.children(kind, id))
	}
	return w.commit(ctx, b)
}

func (w *Writer) setState(ctx context.Context, c *model.Collection, state etcdpb.CollectionState) error {
	info := cloneInfo(c.Info)
	info.State = state
	b := w.begin()
	b.replaceMessage(c.Key, info) // as it is otherwise, old layouts included
	return w.commit(ctx, b)
}

// Recover undoes and finishes what an earlier term left half done: collections that are Creating or Dropping, and
// partitions likewise. It goes on after an error and returns all of them. Records that hang on no collection are left
// alone, and so is what is damaged.
func (w *Writer) Recover(ctx context.Context) error {
	var all []*model.Collection
	w.view.Read(func(r Reader) { all = slices.Collect(r.AllCollections()) })
	var failed []error
	for _, c := range all {
		if c.Damage != nil {
			continue
		}
		if !c.Created() {
			if err := w.DropCollection(ctx, c.ID()); err != nil {
				failed = append(failed, fmt.Errorf("collection %d, left %s: %w", c.ID(), c.Info.GetState(), err))
			}
			continue
		}
		for _, p := range c.Partitions {
			if p.Created() {
				continue
			}
			if err := w.DropPartition(ctx, c.ID(), p.ID()); err != nil {
				failed = append(failed, fmt.Errorf("partition %d of collection %d, left %s: %w", p.ID(), c.ID(), p.Info.GetState(), err))
			}
		}
	}
	return errors.Join(failed...)
}

// modern returns a collection as it is stored in the present layout, having moved it there first if need be.
func (w *Writer) modern(ctx context.Context, id int64) (*model.Collection, error) {
	c := w.view.Collection(id)
	switch {
	case c == nil:
		return nil, fmt.Errorf("catalog: collection %d is not there", id)
	case c.Damage != nil:
		return nil, fmt.Errorf("change collection %d: %w", id, c.Damage)
	case c.Key == w.keys.collection(c.DBID(), id) && !inline(c.Info):
		return c, nil
	}
	if err := w.modernize(ctx, c); err != nil {
		return nil, fmt.Errorf("move collection %d to the present layout: %w", id, err)
	}
	if c = w.view.Collection(id); c == nil {
		return nil, fmt.Errorf("catalog: collection %d is not there", id)
	}
	return c, nil
}

// modernize writes the records of a collection of an old layout anew. Those of its parts do not count before its own is
// replaced, so they may come first.
func (w *Writer) modernize(ctx context.Context, c *model.Collection) error {
	info := cloneInfo(c.Info)
	info.DbId = c.DBID()
	value, err := record(info)
	if err != nil {
		return err
	}
	var children []clientv3.Op
	if inline(c.Info) {
		if children, err = w.putChildren(c); err != nil {
			return err
		}
		asItIs, err := encode(c.Key, c.Info)
		if err != nil {
			return err
		}
		for !fits(asItIs, children) {
			if children, err = w.putPart(ctx, c.Key, asItIs, children); err != nil {
				return err
			}
		}
	}
	var own []string
	w.view.Read(func(r Reader) { own = r.keysOf(c) })
	to := w.keys.collection(c.DBID(), c.ID())
	b := w.begin()
	for _, key := range own {
		if key != to {
			b.remove(key)
		}
	}
	b.replace(to, value)
	b.ops = append(b.ops, children...)
	return w.commit(ctx, b)
}

// putChildren are the operations that write a collection's partitions, fields and functions.
func (w *Writer) putChildren(c *model.Collection) ([]clientv3.Op, error) {
	ops := make([]clientv3.Op, 0, len(c.Partitions)+len(c.Fields)+len(c.Functions))
	put := func(kind string, id int64, m proto.Message) error {
		key := w.keys.child(kind, c.ID(), id)
		value, err := encode(key, m)
		ops = append(ops, clientv3.OpPut(key, string(value)))
		return err
	}
	for _, p := range c.Partitions {
		if err := put(partitions, p.ID(), p.Info); err != nil {
			return nil, err
		}
	}
	for _, f := range c.Fields {
		if err := put(fields, f.GetFieldID(), f); err != nil {
			return nil, err
		}
	}
	for _, f := range c.Functions {
		if err := put(functions, f.GetId(), f); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// record encodes a collection's own record: its schema without fields, functions and properties, which have places of
// their own, and without the lists of the oldest layout.
func record(info *etcdpb.CollectionInfo) ([]byte, error) {
	info = cloneInfo(info)
	if info.Schema != nil {
		info.Schema.Fields, info.Schema.Functions, info.Schema.Properties = nil, nil, nil
	}
	info.PartitionIDs, info.PartitionNames, info.PartitionCreatedTimestamps, info.FieldIndexes = nil, nil, nil, nil //nolint:staticcheck // as Milvus leaves them
	value, err := proto.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("encode collection %d: %w", info.GetID(), err)
	}
	return value, nil
}

func cloneInfo(info *etcdpb.CollectionInfo) *etcdpb.CollectionInfo {
	c, _ := proto.Clone(info).(*etcdpb.CollectionInfo)
	return c
}
