package rootcoord

import (
	"context"
	"fmt"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
)

// databaseHandlers answer the calls about databases.
type databaseHandlers struct{ *parts }

// CreateDatabase is not idempotent: a name that exists is an error, as in Milvus.
func (h *databaseHandlers) CreateDatabase(ctx context.Context, req *milvuspb.CreateDatabaseRequest) (*commonpb.Status, error) {
	name := databaseName(req.GetDbName())
	return status(h.ddl.do(ctx, keep(keylock.Write(databaseLock(name))), once, func(ctx context.Context) error {
		if err := h.ledger.enterDatabase(); err != nil {
			return err
		}
		if err := h.create(ctx, name, req.GetProperties()); err != nil {
			h.ledger.removeDatabase()
			return err
		}
		return nil
	}))
}

func (h *databaseHandlers) create(ctx context.Context, name string, properties []*commonpb.KeyValuePair) error {
	if _, err := h.meta.database(name); err == nil {
		return fmt.Errorf("database already exist: %s", name)
	}
	id, err := h.ids.Alloc(ctx, 1)
	if err != nil {
		return err
	}
	if err := h.writer.PutDatabase(ctx, newDatabase(int64(id), name, properties)); err != nil {
		return err
	}
	failpoint.Reach(failpoint.DatabaseCreated)
	return nil
}

// newDatabase is the record of a new database. Its time of creation is the wall clock's, no hybrid timestamp.
func newDatabase(id int64, name string, properties []*commonpb.KeyValuePair) *etcdpb.DatabaseInfo {
	return &etcdpb.DatabaseInfo{
		Id: id, Name: name, State: etcdpb.DatabaseState_DatabaseCreated,
		CreatedTime: uint64(time.Now().UnixNano()), Properties: properties,
	}
}

// DropDatabase drops an empty database. One that does not exist is dropped already.
func (h *databaseHandlers) DropDatabase(ctx context.Context, req *milvuspb.DropDatabaseRequest) (*commonpb.Status, error) {
	name := databaseName(req.GetDbName())
	if name == defaultDatabase {
		return nil, fmt.Errorf("can not drop default database")
	}
	return status(h.ddl.do(ctx, keep(keylock.Write(databaseLock(name))), repeatable, func(ctx context.Context) error {
		db, err := h.meta.database(name)
		if err != nil { // it does not exist
			h.expire(ctx, change{kind: commonpb.MsgType_DropDatabase, database: name})
			return nil
		}
		if err := soundDatabase(db); err != nil {
			return err
		}
		empty := true
		h.meta.view.Read(func(r catalog.Reader) { empty = r.CollectionCount(db.Info.GetId()) == 0 })
		if !empty {
			return fmt.Errorf("database:%s not empty, must drop all collections before drop database", name)
		}
		if err := h.writer.DropDatabase(ctx, db.Info.GetId()); err != nil {
			return err
		}
		failpoint.Reach(failpoint.DatabaseDropped)
		h.ledger.removeDatabase()
		h.expire(ctx, change{kind: commonpb.MsgType_DropDatabase, database: name})
		return nil
	}))
}

// ListDatabases lists the databases that the caller may see.
func (h *databaseHandlers) ListDatabases(ctx context.Context, _ *milvuspb.ListDatabasesRequest) (*milvuspb.ListDatabasesResponse, error) {
	resp := &milvuspb.ListDatabasesResponse{Status: errs.Success()}
	var all []*model.Database
	h.meta.view.Read(func(r catalog.Reader) { all = r.Databases() })
	sight := h.access.Sight(ctx)
	for _, db := range all {
		if !sight.Database(db.Info.GetName()) {
			continue
		}
		resp.DbNames = append(resp.DbNames, db.Info.GetName())
		resp.DbIds = append(resp.DbIds, db.Info.GetId())
		resp.CreatedTimestamp = append(resp.CreatedTimestamp, db.Info.GetCreatedTime())
	}
	return resp, nil
}

// DescribeDatabase describes one database.
func (h *databaseHandlers) DescribeDatabase(
	_ context.Context, req *rootcoordpb.DescribeDatabaseRequest,
) (*rootcoordpb.DescribeDatabaseResponse, error) {
	db, err := h.meta.database(req.GetDbName())
	if err != nil {
		return nil, err
	}
	if err := soundDatabase(db); err != nil {
		return nil, err
	}
	return &rootcoordpb.DescribeDatabaseResponse{
		Status: errs.Success(), DbName: db.Info.GetName(), DbID: db.Info.GetId(),
		CreatedTimestamp: db.Info.GetCreatedTime(), Properties: db.Info.GetProperties(),
	}, nil
}
