package rootcoord

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
	"github.com/milvus-coord/milvus/internal/rootcoord/schema"
)

const replicateEndProperty = "replicate.endTS"

// AlterDatabase sets properties of a database, or deletes some. Setting what is set already is a success.
func (h *databaseHandlers) AlterDatabase(ctx context.Context, req *rootcoordpb.AlterDatabaseRequest) (*commonpb.Status, error) {
	set, deleted := req.GetProperties(), req.GetDeleteKeys()
	switch {
	case req.GetDbName() == "":
		return nil, errors.New("alter database failed, database name does not exists")
	case len(set) == 0 && len(deleted) == 0:
		return nil, errors.New("alter database with empty properties and delete keys, expected to set either properties or delete keys")
	case len(set) > 0 && len(deleted) > 0:
		return nil, errors.New("alter database cannot modify properties and delete keys at the same time")
	}
	locks := keep(keylock.Write(databaseLock(req.GetDbName())))
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error {
		db, err := h.meta.database(req.GetDbName())
		if err != nil {
			return err
		}
		if err := soundDatabase(db); err != nil {
			return err
		}
		if err := h.checkReplication(db, set); err != nil {
			return err
		}
		properties := changeProperties(db.Info.GetProperties(), set, deleted)
		if schema.SameParams(properties, db.Info.GetProperties()) {
			h.expire(ctx, change{kind: commonpb.MsgType_AlterDatabase, database: db.Info.GetName()})
			return nil
		}
		return h.alter(ctx, db, properties)
	}))
}

// checkReplication refuses to make a database that holds collections a replica of another cluster's.
func (h *databaseHandlers) checkReplication(db *model.Database, set []*commonpb.KeyValuePair) error {
	if schema.Params(set)[replicateIDProperty] == "" {
		return nil
	}
	empty := true
	h.meta.view.Read(func(r catalog.Reader) { empty = r.CollectionCount(db.Info.GetId()) == 0 })
	if !empty {
		return errors.New("can't set replicate id on database with collections")
	}
	return nil
}

func (h *databaseHandlers) alter(ctx context.Context, db *model.Database, properties []*commonpb.KeyValuePair) error {
	info, _ := proto.Clone(db.Info).(*etcdpb.DatabaseInfo)
	info.Properties = properties
	if err := h.writer.PutDatabase(ctx, info); err != nil {
		return err
	}
	failpoint.Reach(failpoint.DatabaseAltered)
	h.expire(ctx, change{kind: commonpb.MsgType_AlterDatabase, database: db.Info.GetName()})
	if h.data != nil {
		h.chores.start("tell of an altered database", info.GetId(), step{"tell", func(ctx context.Context) error {
			return h.tellAltered(ctx, db)
		}})
		h.endReplication(info.GetName(), "", db.Info.GetProperties(), properties)
	}
	return nil
}

// endReplication announces, behind the answer, that a database or a collection ceases to be a replica, if it does.
func (p *parts) endReplication(database, collection string, before, after []*commonpb.KeyValuePair) {
	id := schema.Params(before)[replicateIDProperty]
	if p.data == nil || id == "" || schema.Params(after)[replicateIDProperty] != "" {
		return
	}
	p.chores.start("end a replication", 0, step{"announce", func(ctx context.Context) error {
		return p.data.AnnounceReplicateEnd(ctx, p.channels.used(), database, collection, id)
	}})
}

// tellAltered tells of what has become of a database since it was old: a try that comes late must not undo a later change.
func (h *databaseHandlers) tellAltered(ctx context.Context, old *model.Database) error {
	var now *model.Database
	var collections []int64
	h.meta.view.Read(func(r catalog.Reader) {
		now = r.Database(old.Info.GetId())
		for c := range r.Collections(old.Info.GetId()) {
			collections = append(collections, c.ID())
		}
	})
	if now == nil {
		return nil
	}
	return h.data.AlteredDatabase(ctx, old, now, collections)
}

// changeProperties is old with the pairs set and the keys deleted, as a new list in the old order. The end of a
// replication blanks its id.
func changeProperties(old, set []*commonpb.KeyValuePair, deleted []string) []*commonpb.KeyValuePair {
	wanted := schema.Params(set)
	if _, ends := wanted[replicateEndProperty]; ends {
		wanted[replicateIDProperty] = ""
	}
	var out []*commonpb.KeyValuePair
	keep := func(key, value string) {
		if !slices.Contains(deleted, key) {
			out = append(out, &commonpb.KeyValuePair{Key: key, Value: value})
		}
	}
	for _, p := range old {
		value, changed := wanted[p.GetKey()]
		if !changed {
			value = p.GetValue()
		}
		keep(p.GetKey(), value)
		delete(wanted, p.GetKey())
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		keep(key, wanted[key])
	}
	return out
}
