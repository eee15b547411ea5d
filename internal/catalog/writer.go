package catalog

import (
	"context"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Writer changes RootCoord's metadata for one term. Its methods are safe for concurrent use on different objects; callers
// hold locks on the names and ids that they change. What they are given is valid: that is the callers' to check.
//
// Every method returns when the change is committed and the view shows it. Errors wrap sessionutil.ErrDeposed and
// ErrGuard (nothing was written), and ErrUnknown (it may have been). ctx bounds only the waiting for the view.
type Writer struct {
	keys      Keys
	view      *View
	follower  *metatable.Follower
	committer *committer
}

// NewWriter makes a writer that commits through term. follower feeds view.
func NewWriter(keys Keys, view *View, follower *metatable.Follower, term *sessionutil.Term) *Writer {
	return &Writer{keys: keys, view: view, follower: follower, committer: &committer{term: term}}
}

// Close waits until nothing is under way. The term has ended, or nobody calls any more.
func (w *Writer) Close() { w.committer.wait() }

// EnsureDefaultDatabase creates the database "default" unless it exists. created is in nanoseconds since 1970.
func (w *Writer) EnsureDefaultDatabase(ctx context.Context, name string, created uint64, properties []*commonpb.KeyValuePair) error {
	var exists bool
	w.view.Read(func(r Reader) { exists = r.Database(model.DefaultDatabaseID) != nil || r.DatabaseByName(name) != nil })
	if exists {
		return nil
	}
	return w.PutDatabase(ctx, &etcdpb.DatabaseInfo{
		Name: name, Id: model.DefaultDatabaseID, State: etcdpb.DatabaseState_DatabaseCreated, CreatedTime: created, Properties: properties,
	})
}

// PutDatabase creates a database or replaces its record.
func (w *Writer) PutDatabase(ctx context.Context, info *etcdpb.DatabaseInfo) error {
	key := w.keys.database(info.GetId())
	var known int64
	w.view.Read(func(r Reader) {
		if known = r.grave(key); r.Database(info.GetId()) != nil {
			known = r.Database(info.GetId()).ModRevision
		}
	})
	var b batch
	b.guard(key, known)
	if err := b.putMessage(key, info); err != nil {
		return err
	}
	b.forget(w.keys, key)
	return w.commitBatch(ctx, b)
}

// DropDatabase removes a database that holds no collections.
func (w *Writer) DropDatabase(ctx context.Context, id int64) error {
	var db *model.Database
	w.view.Read(func(r Reader) { db = r.Database(id) })
	if db == nil {
		return nil
	}
	var b batch
	key := w.keys.database(id)
	b.guard(key, db.ModRevision)
	b.remove(w.keys, key)
	return w.commitBatch(ctx, b)
}

// CreatePartition adds a partition to a collection.
func (w *Writer) CreatePartition(ctx context.Context, info *etcdpb.PartitionInfo) error {
	c := w.view.Collection(info.GetCollectionId())
	if c == nil {
		return fmt.Errorf("catalog: collection %d is not there", info.GetCollectionId())
	}
	if err := w.modernize(ctx, c); err != nil {
		return err
	}
	key := w.keys.child("partitions", info.GetCollectionId(), info.GetPartitionID())
	var b batch
	b.guard(key, 0)
	if err := b.putMessage(key, info); err != nil {
		return err
	}
	return w.commitBatch(ctx, b)
}

// DropPartition removes a partition.
func (w *Writer) DropPartition(ctx context.Context, collectionID, partitionID int64) error {
	c := w.view.Collection(collectionID)
	if c == nil {
		return nil
	}
	if err := w.modernize(ctx, c); err != nil {
		return err
	}
	p, ok := w.view.Collection(collectionID).Partition(partitionID)
	if !ok {
		return nil
	}
	key := w.keys.child("partitions", collectionID, partitionID)
	var b batch
	b.guard(key, p.ModRevision)
	b.remove(w.keys, key)
	return w.commitBatch(ctx, b)
}

// PutAlias creates an alias or points it to another collection.
func (w *Writer) PutAlias(ctx context.Context, info *etcdpb.AliasInfo) error {
	key := w.keys.alias(info.GetDbId(), info.GetAliasName())
	var old *model.Alias
	var known int64
	w.view.Read(func(r Reader) { old, known = r.Alias(info.GetDbId(), info.GetAliasName()), r.grave(key) })
	var b batch
	if old != nil && old.LegacyKey == "" {
		known = old.ModRevision
	}
	b.guard(key, known)
	if err := b.putMessage(key, info); err != nil {
		return err
	}
	b.forget(w.keys, key)
	if old != nil && old.LegacyKey != "" {
		b.guard(old.LegacyKey, old.ModRevision)
		b.remove(w.keys, old.LegacyKey)
	}
	return w.commitBatch(ctx, b)
}

// DropAlias removes an alias.
func (w *Writer) DropAlias(ctx context.Context, dbID int64, name string) error {
	var old *model.Alias
	w.view.Read(func(r Reader) { old = r.Alias(dbID, name) })
	if old == nil {
		return nil
	}
	var b batch
	w.removeAlias(&b, old)
	return w.commitBatch(ctx, b)
}

func (w *Writer) removeAlias(b *batch, a *model.Alias) {
	key := w.keys.alias(a.DBID(), a.Info.GetAliasName())
	if a.LegacyKey != "" {
		key = a.LegacyKey
	}
	b.guard(key, a.ModRevision)
	b.remove(w.keys, key)
}

func (b *batch) putMessage(key string, m proto.Message) error {
	value, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	b.put(key, value)
	return nil
}
