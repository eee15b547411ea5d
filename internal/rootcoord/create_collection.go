package rootcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
	"github.com/milvus-coord/milvus/internal/rootcoord/schema"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Properties that RootCoord itself reads.
const (
	maxCollectionsProperty = "database.max.collections"
	replicateIDProperty    = "replicate.id"
)

// creation is a checked request to create a collection: what is known of it before any lock is taken.
type creation struct {
	req        *milvuspb.CreateCollectionRequest
	schema     *schemapb.CollectionSchema
	shards     int32
	partitions []string
}

// CreateCollection creates a collection. Doing so again with the same parameters is a success, with others an error.
func (h *collectionHandlers) CreateCollection(ctx context.Context, req *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_CreateCollection); err != nil {
		return nil, err
	}
	if err := checkNamed("collection", req.GetCollectionName()); err != nil {
		return nil, err
	}
	creation, err := h.check(req)
	if err != nil {
		return nil, err
	}
	database := databaseName(req.GetDbName())
	locks := keep(keylock.Read(databaseLock(database)), keylock.Write(nameLock(database, req.GetCollectionName())))
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error { return h.create(ctx, creation) }))
}

// check judges a request in Milvus' order. The limits are looked at early, so that a full cluster says so first, and
// bindingly later, under the locks; a name that is taken is left to the comparison there.
func (h *collectionHandlers) check(req *milvuspb.CreateCollectionRequest) (*creation, error) {
	db, err := h.meta.database(req.GetDbName())
	if err != nil {
		return nil, err
	}
	if err := soundDatabase(db); err != nil {
		return nil, err
	}
	if err := h.checkShards(int64(req.GetShardsNum())); err != nil {
		return nil, err
	}
	if _, err := h.meta.byName(req.GetDbName(), req.GetCollectionName(), latest); errors.Is(err, errs.CollectionNotFound) {
		entry, err := h.ledgerEntry(req, db, 0)
		if err == nil {
			err = h.ledger.admits(entry)
		}
		if err != nil {
			return nil, err
		}
	}
	s, err := schema.Parse(req.GetSchema(), req.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if err := schema.Complete(s); err != nil {
		return nil, err
	}
	partitions, err := schema.PartitionNames(s, req.GetNumPartitions(), int64(h.limits.MaxPartitionNum), h.limits.DefaultPartitionName)
	if err != nil {
		return nil, err
	}
	return &creation{req: req, schema: s, shards: max(req.GetShardsNum(), 1), partitions: partitions}, nil
}

func (h *collectionHandlers) checkShards(asked int64) error {
	most := int64(h.limits.DmlChannelNum)
	if named := len(h.limits.Channels); named > 0 {
		most = int64(named)
	}
	if asked > most {
		return fmt.Errorf("shard num (%d) exceeds max configuration (%d)", asked, most)
	}
	if most := int64(h.limits.MaxShardNum); asked > most {
		return fmt.Errorf("shard num (%d) exceeds system limit (%d)", asked, most)
	}
	return nil
}

// ledgerEntry is a collection as the limits see it. The capacity is checked with what the request says, 0 shards adding
// nothing, and charged with what there will be.
func (h *collectionHandlers) ledgerEntry(req *milvuspb.CreateCollectionRequest, db *model.Database, units int64) (newCollection, error) {
	most := h.limits.MaxCollectionNumPerDB
	for _, p := range db.Info.GetProperties() {
		if p.GetKey() != maxCollectionsProperty || p.GetValue() == "" {
			continue
		}
		n, err := strconv.Atoi(p.GetValue())
		if err != nil {
			return newCollection{}, fmt.Errorf("property %s of database %s: %w", p.GetKey(), db.Info.GetName(), err)
		}
		most = n
	}
	return newCollection{
		databaseID: db.Info.GetId(), database: db.Info.GetName(), mostInDB: most,
		asked: max(req.GetNumPartitions(), 1) * int64(max(req.GetShardsNum(), 0)), units: units,
	}, nil
}

// create does a creation under its locks.
func (h *collectionHandlers) create(ctx context.Context, cr *creation) error {
	db, err := h.meta.database(cr.req.GetDbName())
	if err != nil {
		return err
	}
	if err := soundDatabase(db); err != nil {
		return err
	}
	wanted := cr.info(db)
	existing, err := h.meta.byName(db.Info.GetName(), cr.req.GetCollectionName(), latest)
	switch {
	case err == nil && cr.sameAs(existing, wanted):
		return nil
	case err == nil:
		return fmt.Errorf("create duplicate collection with different parameters, collection: %s", cr.req.GetCollectionName())
	case !errors.Is(err, errs.CollectionNotFound):
		return err
	}
	units := int64(len(cr.partitions)) * int64(cr.shards)
	entry, err := h.ledgerEntry(cr.req, db, units)
	if err != nil {
		return err
	}
	if err := h.ledger.enterCollection(entry); err != nil {
		return err
	}
	if err := h.write(ctx, cr, db, wanted); err != nil {
		h.ledger.removeCollection(db.Info.GetId(), units)
		return err
	}
	return nil
}

// write gives the new collection its ids, channels and time, and commits it.
func (h *collectionHandlers) write(ctx context.Context, cr *creation, db *model.Database, info *etcdpb.CollectionInfo) error {
	first, err := h.ids.Alloc(ctx, uint32(1+len(cr.partitions)))
	if err != nil {
		return err
	}
	ts, err := h.creationTime(ctx, cr.req.GetBase().GetReplicateInfo())
	if err != nil {
		return err
	}
	channels, err := h.channels.take(int(cr.shards))
	if err != nil {
		return err
	}
	info.ID, info.CreateTime, info.UpdateTimestamp = int64(first), ts, ts
	info.PhysicalChannelNames = channels
	info.VirtualChannelNames = virtualChannels(channels, info.ID)
	partitions := make([]model.Partition, len(cr.partitions))
	for i, name := range cr.partitions {
		partitions[i].Info = &etcdpb.PartitionInfo{
			PartitionID: int64(first) + 1 + int64(i), PartitionName: name, PartitionCreatedTimestamp: ts, CollectionId: info.ID,
		}
	}
	c := &model.Collection{Info: info, Fields: cr.schema.GetFields(), Functions: cr.schema.GetFunctions(), Partitions: partitions}
	h.expireNew(ctx, db.Info.GetName(), c)
	failpoint.Reach(failpoint.CollectionExpired)
	if h.data == nil {
		err = h.writer.CreateCollection(ctx, c)
	} else {
		err = h.writeWithData(ctx, db, c)
	}
	if err != nil {
		h.undo(ctx, info, err)
		return err
	}
	failpoint.Reach(failpoint.CollectionCreated)
	return nil
}

// writeWithData writes a collection that is to hold data: hidden until DataCoord watches its channels. What is announced
// on them before anything is written is no harm if nothing ever is: readers look for collections that they know.
func (h *collectionHandlers) writeWithData(ctx context.Context, db *model.Database, c *model.Collection) (err error) {
	if c.Info.StartPositions, err = h.data.Announce(ctx, c); err != nil {
		return err
	}
	failpoint.Reach(failpoint.CollectionAnnounced)
	if err := h.writer.CreateHidden(ctx, c); err != nil {
		return err
	}
	failpoint.Reach(failpoint.CollectionHidden)
	if err := h.data.Watch(ctx, db, c); err != nil {
		return err
	}
	failpoint.Reach(failpoint.CollectionWatched)
	return h.writer.Reveal(ctx, c.Info)
}

// undo takes away what a failed creation has left, in the background: the name is free. Where a foreign writer is about,
// what is there may be its own; what the end of the term cuts off is the next one's.
func (h *collectionHandlers) undo(ctx context.Context, info *etcdpb.CollectionInfo, failure error) {
	left := h.meta.view.Collection(info.GetID())
	if left == nil || left.Created() || ctx.Err() != nil || errors.Is(failure, sessionutil.ErrGuard) {
		h.channels.release(info.GetPhysicalChannelNames())
		return
	}
	h.undoCreation(left)
}

// creationTime is now, or, for a request that replays another cluster's, when it was made there.
func (h *collectionHandlers) creationTime(ctx context.Context, replicate *commonpb.ReplicateInfo) (uint64, error) {
	if !replicate.GetIsReplicate() {
		return h.timestamps.Alloc(ctx, 1)
	}
	if replicate.GetMsgTimestamp() == 0 {
		return 0, errs.ParameterInvalid.With("msgTimestamp of a replicated request is 0")
	}
	return replicate.GetMsgTimestamp(), nil
}

// info is the record of the new collection, without what write adds. Fields and functions have keys of their own.
func (cr *creation) info(db *model.Database) *etcdpb.CollectionInfo {
	properties := cr.req.GetProperties()
	if replicated := schema.Params(db.Info.GetProperties())[replicateIDProperty]; replicated != "" {
		properties = slices.DeleteFunc(slices.Clone(properties), func(p *commonpb.KeyValuePair) bool {
			return p.GetKey() == replicateIDProperty
		})
	}
	return &etcdpb.CollectionInfo{
		DbId: db.Info.GetId(),
		Schema: &schemapb.CollectionSchema{
			Name: cr.schema.GetName(), Description: cr.schema.GetDescription(), AutoID: cr.schema.GetAutoID(), //nolint:staticcheck // Milvus stores it
			EnableDynamicField: cr.schema.GetEnableDynamicField(), DbName: db.Info.GetName(),
		},
		ShardsNum: cr.shards, ConsistencyLevel: cr.req.GetConsistencyLevel(), Properties: properties,
		State: etcdpb.CollectionState_CollectionCreated,
	}
}

// sameAs tells whether the existing collection is what the request asks for. Functions and channels do not count.
func (cr *creation) sameAs(existing *model.Collection, wanted *etcdpb.CollectionInfo) bool {
	a, b := existing.Info, wanted
	return a.GetSchema().GetName() == b.GetSchema().GetName() &&
		a.GetSchema().GetDescription() == b.GetSchema().GetDescription() &&
		a.GetSchema().GetAutoID() == b.GetSchema().GetAutoID() && //nolint:staticcheck // Milvus compares it
		a.GetSchema().GetEnableDynamicField() == b.GetSchema().GetEnableDynamicField() &&
		existing.Shards() == b.GetShardsNum() &&
		a.GetConsistencyLevel() == b.GetConsistencyLevel() &&
		schema.SameParams(a.GetProperties(), b.GetProperties()) &&
		slices.Equal(partitionNames(existing), cr.partitions) &&
		schema.SameFields(existing.Fields, cr.schema.GetFields())
}

func partitionNames(c *model.Collection) []string {
	names := make([]string, 0, len(c.Partitions))
	for p := range visiblePartitions(c, latest) {
		names = append(names, p.GetPartitionName())
	}
	return names
}
