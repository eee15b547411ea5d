package rootcoord

import (
	"context"
	"errors"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
)

// RenameCollection gives a collection another name, in another database if one is named. It is not idempotent.
func (h *collectionHandlers) RenameCollection(ctx context.Context, req *milvuspb.RenameCollectionRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_RenameCollection); err != nil {
		return nil, err
	}
	if err := checkNamed("collection", req.GetNewName()); err != nil {
		return nil, err
	}
	from, to := databaseName(req.GetDbName()), req.GetNewDBName()
	if to == "" {
		to = from
	}
	locks := h.meta.collectionLocks(from, req.GetOldName(),
		keylock.Read(databaseLock(to)), keylock.Write(nameLock(from, req.GetOldName())), keylock.Write(nameLock(to, req.GetNewName())))
	return status(h.ddl.do(ctx, locks, once, func(ctx context.Context) error {
		c, target, err := h.checkRename(from, req.GetOldName(), to, req.GetNewName())
		if err != nil {
			return err
		}
		return h.rename(ctx, c, target, from, req.GetNewName())
	}))
}

// checkRename finds the collection to be renamed and the database it goes to.
func (h *collectionHandlers) checkRename(from, oldName, to, newName string) (c *model.Collection, target *model.Database, err error) {
	h.meta.view.Read(func(r catalog.Reader) {
		var source *model.Database
		if source, err = databaseIn(r, from); err != nil {
			return
		}
		var alias *model.Alias
		if alias, err = aliasIn(r, source, oldName); err != nil {
			return
		}
		if alias != nil {
			err = fmt.Errorf("unsupported use an alias to rename collection, alias:%s", oldName)
			return
		}
		if target = r.DatabaseByName(to); target == nil {
			err = fmt.Errorf("target database:%s not found", to)
			return
		}
		if err = soundDatabase(target); err != nil {
			return
		}
		id := target.Info.GetId()
		if alias, err = aliasIn(r, target, newName); err != nil {
			return
		}
		if alias != nil || r.CollectionByName(id, newName) != nil {
			err = fmt.Errorf("duplicated new collection name %s:%s with other collection name or alias", to, newName)
			return
		}
		if c, err = realCollectionIn(r, source, oldName, latest); err != nil {
			return
		}
		if c.DBID() != id && len(r.AliasesOf(c.ID())) > 0 {
			err = errors.New("fail to rename collection, must drop all aliases of the collection before moving it to another database")
		}
	})
	return c, target, err
}

func (h *collectionHandlers) rename(ctx context.Context, c *model.Collection, target *model.Database, from, name string) error {
	if err := h.writer.RenameCollection(ctx, c.ID(), target.Info.GetId(), target.Info.GetName(), name); err != nil {
		return err
	}
	if target.Info.GetId() != c.DBID() {
		h.ledger.moveCollection(c.DBID(), target.Info.GetId())
	}
	failpoint.Reach(failpoint.CollectionRenamed)
	h.expire(ctx, change{kind: commonpb.MsgType_RenameCollection, database: from, collection: c, name: c.Name()})
	return nil
}
