package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/model"
)

// CreateCollection writes a collection that is Created in its Info, with its partitions, fields and functions. Where one
// transaction cannot hold it, the first hides it behind the state Creating and the last, a single record, shows it.
func (w *Writer) CreateCollection(ctx context.Context, c *model.Collection) error {
	info, err := record(c.Info)
	if err != nil {
		return err
	}
	key := w.keys.collection(c.DBID(), c.ID())
	children, err := w.putChildren(c)
	if err != nil {
		return err
	}
	if len(children) < maxOps && bytesOf(children) < maxBytes/2 {
		var b batch
		b.guard(key, 0)
		b.put(key, info)
		b.ops = append(b.ops, children...)
		return w.commitBatch(ctx, b)
	}
	return w.createInSteps(ctx, c, key, info, children)
}

func (w *Writer) createInSteps(ctx context.Context, c *model.Collection, key string, created []byte, children []clientv3.Op) error {
	hidden := cloneInfo(c.Info)
	hidden.State = etcdpb.CollectionState_CollectionCreating
	value, err := record(hidden)
	if err != nil {
		return err
	}
	var b batch
	b.guard(key, 0)
	b.put(key, value)
	if err := w.commitBatch(ctx, b); err != nil {
		return err
	}
	if err := w.inParts(ctx, c.ID(), key, value, children); err != nil {
		return err
	}
	var last batch
	last.guard(key, w.revisionOf(c.ID()))
	last.put(key, created)
	return w.commitBatch(ctx, last)
}

// inParts applies operations in several transactions. Each also writes the collection's record again as it is: that is
// the guarded key by which a resent transaction is recognised.
func (w *Writer) inParts(ctx context.Context, id int64, key string, value []byte, ops []clientv3.Op) error {
	for len(ops) > 0 {
		n, bytes := 0, 0
		for n < len(ops) && n < maxOps-1 && bytes < maxBytes/2 {
			bytes += len(ops[n].ValueBytes())
			n++
		}
		var b batch
		b.guard(key, w.revisionOf(id))
		b.put(key, value)
		b.ops = append(b.ops, ops[:n]...)
		if err := w.commitBatch(ctx, b); err != nil {
			return err
		}
		ops = ops[n:]
	}
	return nil
}

// AlterCollection replaces a collection's record; id, database and state stay.
func (w *Writer) AlterCollection(ctx context.Context, info *etcdpb.CollectionInfo) error {
	c := w.view.Collection(info.GetID())
	if c == nil {
		return fmt.Errorf("catalog: collection %d is not there", info.GetID())
	}
	if err := w.modernize(ctx, c); err != nil {
		return err
	}
	value, err := record(info)
	if err != nil {
		return err
	}
	var b batch
	key := w.keys.collection(c.DBID(), c.ID())
	b.guard(key, w.revisionOf(info.GetID()))
	b.put(key, value)
	b.forget(w.keys, key)
	return w.commitBatch(ctx, b)
}

// RenameCollection gives a collection another name, and another database if dbID is not its own.
func (w *Writer) RenameCollection(ctx context.Context, id, dbID int64, dbName, name string) error {
	c := w.view.Collection(id)
	if c == nil {
		return fmt.Errorf("catalog: collection %d is not there", id)
	}
	if err := w.modernize(ctx, c); err != nil {
		return err
	}
	c = w.view.Collection(id)
	info := cloneInfo(c.Info)
	info.DbId, info.Schema.Name, info.Schema.DbName = dbID, name, dbName
	value, err := record(info)
	if err != nil {
		return err
	}
	from, to := w.keys.collection(c.DBID(), id), w.keys.collection(dbID, id)
	var b batch
	b.guard(from, c.ModRevision)
	if from != to {
		b.guard(to, w.graveOf(to))
		b.remove(w.keys, from)
	}
	b.put(to, value)
	b.forget(w.keys, to)
	return w.commitBatch(ctx, b)
}

// DropCollection removes a collection in whatever state, with its aliases and all that belongs to it.
func (w *Writer) DropCollection(ctx context.Context, id int64) error {
	c := w.view.Collection(id)
	if c == nil {
		return nil
	}
	var aliases []*model.Alias
	w.view.Read(func(r Reader) { aliases = r.AliasesOf(id) })
	const aliasesAtOnce = 40 // two operations each, and the collection's own
	if len(aliases) > aliasesAtOnce {
		if err := w.setState(ctx, c, etcdpb.CollectionState_CollectionDropping); err != nil {
			return err
		}
		for ; len(aliases) > aliasesAtOnce; aliases = aliases[aliasesAtOnce:] {
			var b batch
			for _, a := range aliases[:aliasesAtOnce] {
				w.removeAlias(&b, a)
			}
			if err := w.commitBatch(ctx, b); err != nil {
				return err
			}
		}
		c = w.view.Collection(id)
	}
	var b batch
	key := w.keys.collection(c.DBID(), id)
	if c.Legacy {
		key = w.keys.legacyCollection(id)
	}
	b.guard(key, c.ModRevision)
	b.remove(w.keys, key)
	for _, kind := range []string{"partitions", "fields", "functions"} {
		b.removeAll(w.keys, w.keys.children(kind, id))
	}
	for _, a := range aliases {
		w.removeAlias(&b, a)
	}
	return w.commitBatch(ctx, b)
}

func (w *Writer) setState(ctx context.Context, c *model.Collection, state etcdpb.CollectionState) error {
	info := cloneInfo(c.Info)
	info.State = state
	value, err := proto.Marshal(info)
	if err != nil {
		return fmt.Errorf("encode collection %d: %w", c.ID(), err)
	}
	key := w.keys.collection(c.DBID(), c.ID())
	if c.Legacy {
		key = w.keys.legacyCollection(c.ID())
	}
	var b batch
	b.guard(key, c.ModRevision)
	b.put(key, value)
	b.forget(w.keys, key)
	return w.commitBatch(ctx, b)
}

// Recover undoes and finishes what an earlier term left half done: collections that are Creating or Dropping, and
// partitions likewise. It goes on after an error and returns all of them.
func (w *Writer) Recover(ctx context.Context) error {
	var halves []*model.Collection
	w.view.Read(func(r Reader) { halves = slices.Collect(r.AllCollections()) })
	var failed []error
	for _, c := range halves {
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

// modernize moves a collection that is stored in an old layout to the present one, before its first change.
func (w *Writer) modernize(ctx context.Context, c *model.Collection) error {
	if !c.Legacy {
		return nil
	}
	if c.Damage != nil {
		return fmt.Errorf("move collection %d to the present layout: %w", c.ID(), c.Damage)
	}
	info := cloneInfo(c.Info)
	info.DbId = c.DBID()
	value, err := record(info)
	if err != nil {
		return err
	}
	children, err := w.putChildren(c)
	if err != nil {
		return err
	}
	if len(children) > maxOps-4 {
		return fmt.Errorf("collection %d is of an old layout and too large to be moved to the present one at once", c.ID())
	}
	from, to := w.keys.legacyCollection(c.ID()), w.keys.collection(c.DBID(), c.ID())
	var b batch
	b.guard(from, c.ModRevision)
	b.guard(to, w.graveOf(to))
	b.remove(w.keys, from)
	b.put(to, value)
	b.ops = append(b.ops, children...)
	return w.commitBatch(ctx, b)
}

// revisionOf is the revision of a collection's record as the view has it; a guard with 0 fails where it should be there.
func (w *Writer) revisionOf(id int64) int64 {
	if c := w.view.Collection(id); c != nil {
		return c.ModRevision
	}
	return 0
}

func (w *Writer) graveOf(key string) (revision int64) {
	w.view.Read(func(r Reader) { revision = r.grave(key) })
	return revision
}

// putChildren are the operations that write a collection's partitions, fields and functions.
func (w *Writer) putChildren(c *model.Collection) ([]clientv3.Op, error) {
	records := map[string]proto.Message{}
	for _, p := range c.Partitions {
		records[w.keys.child("partitions", c.ID(), p.ID())] = p.Info
	}
	for _, f := range c.Fields {
		records[w.keys.child("fields", c.ID(), f.GetFieldID())] = f
	}
	for _, f := range c.Functions {
		records[w.keys.child("functions", c.ID(), f.GetId())] = f
	}
	ops := make([]clientv3.Op, 0, len(records))
	for _, key := range slices.Sorted(maps.Keys(records)) {
		value, err := proto.Marshal(records[key])
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", key, err)
		}
		ops = append(ops, clientv3.OpPut(key, string(value)))
	}
	return ops, nil
}

func bytesOf(ops []clientv3.Op) int {
	n := 0
	for _, op := range ops {
		n += len(op.ValueBytes())
	}
	return n
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
