package catalog

import (
	"context"

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
// ErrGuard (nothing was written by this step), ErrUnknown (it may have been), or a metatable.Quarantined (the change would
// write over a record that does not decode). ctx bounds only the waiting for the view, of a change that is committed: give
// a context that lives as long as the term, or whoever comes next decides on a state that is about to change.
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
	b := w.begin()
	b.replaceMessage(w.keys.database(info.GetId()), info)
	return w.commit(ctx, b)
}

// DropDatabase removes a database that holds no collections; it is no error if there is none.
func (w *Writer) DropDatabase(ctx context.Context, id int64) error {
	var db *model.Database
	w.view.Read(func(r Reader) { db = r.Database(id) })
	if db == nil {
		return nil
	}
	b := w.begin()
	b.remove(w.keys.database(id))
	return w.commit(ctx, b)
}

// CreatePartition adds a partition to a collection.
func (w *Writer) CreatePartition(ctx context.Context, info *etcdpb.PartitionInfo) error {
	if _, err := w.modern(ctx, info.GetCollectionId()); err != nil {
		return err
	}
	key := w.keys.child(partitions, info.GetCollectionId(), info.GetPartitionID())
	value, err := encode(key, info)
	if err != nil {
		return err
	}
	b := w.begin()
	b.create(key, value)
	return w.commit(ctx, b)
}

// HidePartition makes a partition Dropping: nobody sees it any more. It is no error if there is none.
func (w *Writer) HidePartition(ctx context.Context, collectionID, partitionID int64) error {
	if w.view.Collection(collectionID) == nil {
		return nil
	}
	c, err := w.modern(ctx, collectionID)
	if err != nil {
		return err
	}
	p, ok := c.Partition(partitionID)
	if !ok || p.Info.GetState() == etcdpb.PartitionState_PartitionDropping {
		return nil
	}
	info, _ := proto.Clone(p.Info).(*etcdpb.PartitionInfo)
	info.State = etcdpb.PartitionState_PartitionDropping
	b := w.begin()
	b.replaceMessage(w.keys.child(partitions, collectionID, partitionID), info)
	return w.commit(ctx, b)
}

// DropPartition removes a partition; it is no error if there is none.
func (w *Writer) DropPartition(ctx context.Context, collectionID, partitionID int64) error {
	if w.view.Collection(collectionID) == nil {
		return nil
	}
	c, err := w.modern(ctx, collectionID)
	if err != nil {
		return err
	}
	if _, ok := c.Partition(partitionID); !ok {
		return nil
	}
	b := w.begin()
	b.remove(w.keys.child(partitions, collectionID, partitionID))
	return w.commit(ctx, b)
}

// PutAlias creates an alias or points it to another collection.
func (w *Writer) PutAlias(ctx context.Context, info *etcdpb.AliasInfo) error {
	key := w.keys.alias(info.GetDbId(), info.GetAliasName())
	var lie []string // where it lies now
	w.view.Read(func(r Reader) {
		if a := r.Alias(info.GetDbId(), info.GetAliasName()); a != nil {
			lie = r.keysOfAlias(a)
		}
	})
	b := w.begin()
	b.replaceMessage(key, info)
	for _, old := range lie {
		if old != key {
			b.remove(old)
		}
	}
	return w.commit(ctx, b)
}

// DropAlias removes an alias; it is no error if there is none.
func (w *Writer) DropAlias(ctx context.Context, dbID int64, name string) error {
	var lie []string
	w.view.Read(func(r Reader) {
		if a := r.Alias(dbID, name); a != nil {
			lie = r.keysOfAlias(a)
		}
	})
	if len(lie) == 0 {
		return nil
	}
	b := w.begin()
	for _, key := range lie {
		b.remove(key)
	}
	return w.commit(ctx, b)
}
