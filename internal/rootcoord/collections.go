package rootcoord

import (
	"context"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/model"
)

// collectionHandlers answer the calls about collections. Those that read take no locks.
type collectionHandlers struct{ *parts }

// HasCollection tells whether a name or an alias stands for a collection. Whatever prevents finding it means no.
func (h *collectionHandlers) HasCollection(_ context.Context, req *milvuspb.HasCollectionRequest) (*milvuspb.BoolResponse, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_HasCollection); err != nil {
		return nil, err
	}
	_, err := h.meta.byName(req.GetDbName(), req.GetCollectionName(), asOf(req.GetTimeStamp()))
	return &milvuspb.BoolResponse{Status: errs.Success(), Value: err == nil}, nil
}

// DescribeCollection describes a Created collection, found by name or alias, or by id if no name is given.
func (h *collectionHandlers) DescribeCollection(
	ctx context.Context, req *milvuspb.DescribeCollectionRequest,
) (*milvuspb.DescribeCollectionResponse, error) {
	return h.describe(ctx, req, false)
}

// DescribeCollectionInternal is DescribeCollection, which by id finds collections and partitions in any state.
func (h *collectionHandlers) DescribeCollectionInternal(
	ctx context.Context, req *milvuspb.DescribeCollectionRequest,
) (*milvuspb.DescribeCollectionResponse, error) {
	return h.describe(ctx, req, true)
}

func (h *collectionHandlers) describe(
	ctx context.Context, req *milvuspb.DescribeCollectionRequest, internal bool,
) (*milvuspb.DescribeCollectionResponse, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_DescribeCollection); err != nil {
		return nil, err
	}
	// Before the metadata is read: a proxy keeps the answer unless a DDL expired its cache at a later timestamp.
	requested, err := h.timestamps.Alloc(ctx, 1)
	if err != nil {
		return nil, err
	}
	ts := asOf(req.GetTimeStamp())
	var resp *milvuspb.DescribeCollectionResponse
	h.meta.view.Read(func(r catalog.Reader) {
		var c *model.Collection
		if name := req.GetCollectionName(); name != "" {
			internal = false
			c, err = collectionIn(r, req.GetDbName(), name, ts)
		} else {
			c, err = collectionByID(r, req.GetCollectionID(), ts, internal)
		}
		if err == nil {
			resp = description(r, c)
			resp.NumPartitions = countPartitions(c, ts, internal)
		}
	})
	if err != nil {
		return nil, err
	}
	resp.RequestTime = requested
	return resp, nil
}

func countPartitions(c *model.Collection, ts uint64, all bool) int64 {
	if all {
		return int64(len(c.Partitions))
	}
	n := int64(0)
	for range visiblePartitions(c, ts) {
		n++
	}
	return n
}

// description shares its parts with the tables: they are immutable, and answers are only read.
func description(r catalog.Reader, c *model.Collection) *milvuspb.DescribeCollectionResponse {
	info := c.Info
	database := ""
	if db := r.Database(c.DBID()); db != nil {
		database = db.Info.GetName()
	}
	return &milvuspb.DescribeCollectionResponse{
		Status: errs.Success(),
		Schema: &schemapb.CollectionSchema{
			Name: c.Name(), Description: info.GetSchema().GetDescription(), AutoID: info.GetSchema().GetAutoID(), //nolint:staticcheck // clients read it
			Fields: c.Fields, Functions: c.Functions,
			EnableDynamicField: info.GetSchema().GetEnableDynamicField(), Properties: info.GetProperties(),
		},
		CollectionID: c.ID(), CollectionName: c.Name(), DbName: database, DbId: c.DBID(),
		VirtualChannelNames: info.GetVirtualChannelNames(), PhysicalChannelNames: info.GetPhysicalChannelNames(),
		ShardsNum: c.Shards(), ConsistencyLevel: info.GetConsistencyLevel(), Properties: info.GetProperties(),
		CreatedTimestamp: info.GetCreateTime(), CreatedUtcTimestamp: physicalMillis(info.GetCreateTime()),
		UpdateTimestamp: info.GetUpdateTimestamp(), StartPositions: info.GetStartPositions(),
		Aliases: namesOf(r.AliasesOf(c.ID())),
	}
}

func namesOf(aliases []*model.Alias) []string {
	if len(aliases) == 0 {
		return nil
	}
	names := make([]string, len(aliases))
	for i, a := range aliases {
		names[i] = a.Info.GetAliasName()
	}
	return names
}

// ShowCollections lists the Created collections of a database that the caller may see, or those of them that are named.
func (h *collectionHandlers) ShowCollections(
	ctx context.Context, req *milvuspb.ShowCollectionsRequest,
) (*milvuspb.ShowCollectionsResponse, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_ShowCollections); err != nil {
		return nil, err
	}
	sight := h.access.Sight(ctx)
	if req.GetTimeStamp() == 0 && len(req.GetCollectionNames()) == 0 && sight.Whole() {
		return h.showAll(req.GetDbName())
	}
	found, _, err := h.created(req.GetDbName())
	if err != nil {
		return nil, err
	}
	ts, database, names := asOf(req.GetTimeStamp()), databaseName(req.GetDbName()), req.GetCollectionNames()
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	return listed(slices.DeleteFunc(found, func(c *model.Collection) bool {
		return !visible(c, ts) || len(wanted) > 0 && !wanted[c.Name()] || !sight.Collection(database, c.Name())
	})), nil
}

// showAll is the list that most callers ask for. It is built when a collection has changed.
func (h *collectionHandlers) showAll(database string) (*milvuspb.ShowCollectionsResponse, error) {
	db, version, err := h.meta.databaseAt(database)
	if err != nil {
		return nil, err
	}
	if kept := h.lists.get(version, db.Info.GetId()); kept != nil {
		return kept, nil
	}
	found, version, err := h.created(database)
	if err != nil {
		return nil, err
	}
	list := listed(found)
	h.lists.keep(version, db.Info.GetId(), list)
	return list, nil
}

func listed(found []*model.Collection) *milvuspb.ShowCollectionsResponse {
	n := len(found)
	list := &milvuspb.ShowCollectionsResponse{
		Status: errs.Success(), CollectionNames: make([]string, n), CollectionIds: make([]int64, n),
		CreatedTimestamps: make([]uint64, n), CreatedUtcTimestamps: make([]uint64, n), ShardsNum: make([]int32, n),
	}
	for i, c := range found {
		list.CollectionNames[i], list.CollectionIds[i], list.ShardsNum[i] = c.Name(), c.ID(), c.Shards()
		list.CreatedTimestamps[i], list.CreatedUtcTimestamps[i] = c.Info.GetCreateTime(), physicalMillis(c.Info.GetCreateTime())
	}
	return list
}

// created are the Created collections of a database, and the version at which they are. They are listed under the tables'
// lock and looked at outside.
func (h *collectionHandlers) created(database string) (found []*model.Collection, at catalog.Version, err error) {
	h.meta.view.Read(func(r catalog.Reader) {
		var db *model.Database
		if db, err = databaseIn(r, database); err == nil {
			found = slices.AppendSeq(make([]*model.Collection, 0, r.CollectionCount(db.Info.GetId())), r.Collections(db.Info.GetId()))
		}
		at = r.Version()
	})
	return found, at, err
}

// ShowCollectionIDs lists the collections of the named databases, or of all; with AllowUnavailable also those that are
// being created or dropped.
func (h *collectionHandlers) ShowCollectionIDs(
	_ context.Context, req *rootcoordpb.ShowCollectionIDsRequest,
) (*rootcoordpb.ShowCollectionIDsResponse, error) {
	resp := &rootcoordpb.ShowCollectionIDsResponse{Status: errs.Success()}
	var err error
	h.meta.view.Read(func(r catalog.Reader) {
		var databases []*model.Database
		if databases, err = databasesIn(r, req.GetDbNames()); err != nil {
			return
		}
		byID := make(map[int64]*rootcoordpb.DBCollections, len(databases))
		for _, db := range databases {
			entry := &rootcoordpb.DBCollections{DbName: db.Info.GetName()}
			byID[db.Info.GetId()] = entry
			resp.DbCollections = append(resp.DbCollections, entry)
		}
		for c := range r.AllCollections() {
			if entry := byID[c.DBID()]; entry != nil && (req.GetAllowUnavailable() || c.Created()) {
				entry.CollectionIDs = append(entry.CollectionIDs, c.ID())
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// databasesIn are the named databases, or all if none is named.
func databasesIn(r catalog.Reader, names []string) ([]*model.Database, error) {
	if len(names) == 0 {
		return r.Databases(), nil
	}
	found := make([]*model.Database, 0, len(names))
	for _, name := range names {
		db, err := databaseIn(r, name)
		if err != nil {
			return nil, err
		}
		found = append(found, db)
	}
	return found, nil
}
