package rootcoord

import (
	"context"
	"errors"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/schema"
)

// AlterCollection sets properties of a collection, or deletes some. Setting what is set already is a success.
func (h *collectionHandlers) AlterCollection(ctx context.Context, req *milvuspb.AlterCollectionRequest) (*commonpb.Status, error) {
	set, deleted := req.GetProperties(), req.GetDeleteKeys()
	switch {
	case req.GetCollectionName() == "":
		return nil, errors.New("alter collection failed, the request names no collection")
	case len(set) == 0 && len(deleted) == 0:
		return nil, errors.New("alter collection failed, the request has neither properties to set nor keys to delete")
	case len(set) > 0 && len(deleted) > 0:
		return nil, errors.New("alter collection failed, properties cannot be set and deleted in one request")
	}
	return h.alter(ctx, req.GetDbName(), req.GetCollectionName(), commonpb.MsgType_AlterCollection,
		func(c *model.Collection) (work, error) {
			properties := changeProperties(c.Info.GetProperties(), set, deleted)
			if schema.SameParams(properties, c.Info.GetProperties()) {
				return nil, nil
			}
			return func(ctx context.Context, ts uint64) error {
				info, _ := proto.Clone(c.Info).(*etcdpb.CollectionInfo)
				info.DbId, info.Properties, info.UpdateTimestamp = c.DBID(), properties, ts
				return h.writer.AlterCollection(ctx, info)
			}, nil
		})
}

// AlterCollectionField sets type parameters of a field. Unlike Milvus 2.5 it stores the field, so that the change is still
// there after the next takeover.
func (h *collectionHandlers) AlterCollectionField(
	ctx context.Context, req *milvuspb.AlterCollectionFieldRequest,
) (*commonpb.Status, error) {
	switch {
	case req.GetCollectionName() == "":
		return nil, errors.New("alter collection field failed, the request names no collection")
	case req.GetFieldName() == "":
		return nil, errors.New("alter collection field failed, the request names no field")
	case len(req.GetProperties()) == 0:
		return nil, errors.New("alter collection field failed, the request has no properties to set")
	}
	return h.alter(ctx, req.GetDbName(), req.GetCollectionName(), commonpb.MsgType_AlterCollectionField,
		func(c *model.Collection) (work, error) {
			old := fieldByName(c, req.GetFieldName())
			if old == nil {
				return nil, errs.ParameterInvalid.Withf("collection %s has no field %s", c.Name(), req.GetFieldName())
			}
			params := changeProperties(old.GetTypeParams(), req.GetProperties(), nil)
			if schema.SameParams(params, old.GetTypeParams()) {
				return nil, nil
			}
			field, _ := proto.Clone(old).(*schemapb.FieldSchema)
			field.TypeParams = params
			return func(ctx context.Context, ts uint64) error { return h.writer.AlterField(ctx, c.ID(), field, ts) }, nil
		})
}

// work writes a change that has been found valid, as of ts: clients of the line compare that with what they know, to find
// out whether the schema by which they write is an old one.
type work func(ctx context.Context, ts uint64) error

// alter changes one collection under its lock. plan says how, and nil if it is as it is wanted already.
func (h *collectionHandlers) alter(
	ctx context.Context, database, name string, kind commonpb.MsgType, plan func(*model.Collection) (work, error),
) (*commonpb.Status, error) {
	database = databaseName(database)
	return status(h.ddl.do(ctx, h.meta.collectionLocks(database, name), repeatable, func(ctx context.Context) error {
		c, err := h.meta.byName(database, name, latest)
		if err != nil {
			return err
		}
		write, err := plan(c)
		if err != nil {
			return err
		}
		if write != nil { // else it is so already, and those below may not have heard of it
			ts, err := h.timestamps.Alloc(ctx, 1)
			if err != nil {
				return err
			}
			if err := write(ctx, ts); err != nil {
				return err
			}
			failpoint.Reach(failpoint.CollectionAltered)
		}
		h.tellAltered(ctx, database, c)
		if now := h.meta.view.Collection(c.ID()); now != nil {
			h.endReplication(database, c.Name(), c.Info.GetProperties(), now.Info.GetProperties())
		}
		failpoint.Reach(failpoint.CollectionBroadcast)
		h.expire(ctx, change{kind: kind, database: database, collection: c, aliases: h.aliasesOf(c), name: name})
		return nil
	}))
}

// tellAltered tells DataCoord and QueryCoord what a collection has become. It has become that whatever they answer, so
// they are told again in the background if they cannot be now.
func (h *collectionHandlers) tellAltered(ctx context.Context, database string, old *model.Collection) {
	if h.data == nil {
		return
	}
	try := func(ctx context.Context) error {
		db, err := h.meta.database(database)
		if err != nil {
			return nil //nolint:nilerr // it was dropped meanwhile
		}
		now := h.meta.view.Collection(old.ID())
		if now == nil || !now.Created() {
			return nil
		}
		return h.data.Altered(ctx, db, old, now)
	}
	if try(ctx) != nil {
		h.chores.start("alter collection", old.ID(), step{"tell the other coordinators", try})
	}
}

func fieldByName(c *model.Collection, name string) *schemapb.FieldSchema {
	for _, f := range c.Fields {
		if f.GetName() == name {
			return f
		}
	}
	return nil
}
