package rootcoord

import (
	"context"
	"errors"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
)

// DropCollection drops a collection and its aliases. One that does not exist, or whose database does not, is dropped
// already. An alias does not do for the name.
func (h *collectionHandlers) DropCollection(ctx context.Context, req *milvuspb.DropCollectionRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_DropCollection); err != nil {
		return nil, err
	}
	database, name := databaseName(req.GetDbName()), req.GetCollectionName()
	locks := h.meta.collectionLocks(database, name, keylock.Write(nameLock(database, name)))
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error {
		db, err := h.meta.database(database)
		if errors.Is(err, errs.DatabaseNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.meta.alias(db, name) != nil {
			return fmt.Errorf("cannot drop the collection via alias = %s", name)
		}
		c, err := h.meta.byRealName(db, name)
		if errors.Is(err, errs.CollectionNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return h.drop(ctx, db, c)
	}))
}

func (h *collectionHandlers) drop(ctx context.Context, db *model.Database, dropped *model.Collection) error {
	ts, err := h.timestamps.Alloc(ctx, 1)
	if err != nil {
		return err
	}
	c := change{kind: commonpb.MsgType_DropCollection, ts: ts, database: db.Info.GetName(), collection: dropped}
	if err := h.effects.before(ctx, c); err != nil {
		return err
	}
	err = h.writer.DropCollection(ctx, dropped.ID())
	if left := h.meta.view.Collection(dropped.ID()); left == nil || !left.Created() { // even if the rest of it failed
		h.ledger.removeCollection(db.Info.GetId(), dropped.Capacity())
		h.channels.release(dropped.Info.GetPhysicalChannelNames())
	}
	if err != nil {
		return err
	}
	h.effects.after(ctx, c)
	return nil
}
