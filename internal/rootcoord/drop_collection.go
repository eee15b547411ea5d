package rootcoord

import (
	"context"
	"errors"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
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
		alias, err := h.meta.alias(db, name)
		if err != nil {
			return err
		}
		if alias != nil {
			return fmt.Errorf("cannot drop the collection via alias = %s", name)
		}
		c, err := h.meta.byRealName(db, name)
		if errors.Is(err, errs.CollectionNotFound) {
			h.expire(ctx, change{kind: commonpb.MsgType_DropCollection, database: database, name: name})
			return nil
		}
		if err != nil {
			return err
		}
		return h.drop(ctx, db, c, silence(req.GetBase().GetReplicateInfo().GetIsReplicate()))
	}))
}

// drop removes a collection, or, where there may be data in it, hides it and leaves the rest to the background.
func (h *collectionHandlers) drop(ctx context.Context, db *model.Database, dropped *model.Collection, quiet silence) error {
	write := h.writer.DropCollection
	if h.data != nil {
		write = h.writer.HideCollection
	}
	aliases := h.aliasesOf(dropped)
	err := write(ctx, dropped.ID())
	left := h.meta.view.Collection(dropped.ID())
	if left != nil && left.Created() {
		return err
	}
	// It is dropped, even if the rest failed: that is left to the background, or to the next term.
	failpoint.Reach(failpoint.DropHidden)
	h.ledger.removeCollection(db.Info.GetId(), dropped.Capacity())
	h.expire(ctx, change{
		kind: commonpb.MsgType_DropCollection, database: db.Info.GetName(), collection: dropped, aliases: aliases, name: dropped.Name(),
	})
	failpoint.Reach(failpoint.DropExpired)
	if left == nil {
		h.channels.release(dropped.Info.GetPhysicalChannelNames())
	} else {
		h.finishDrop(left, quiet)
	}
	return err
}
