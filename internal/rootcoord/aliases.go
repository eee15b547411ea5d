package rootcoord

import (
	"context"
	"fmt"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
)

// aliasHandlers answer the calls about aliases. Those that read take no locks.
type aliasHandlers struct{ *parts }

// checkAliasName refuses what cannot be the last part of a key. The form of names is the proxies' to judge otherwise.
func checkAliasName(alias string) error {
	if alias == "" || alias == "." || alias == ".." || strings.Contains(alias, "/") {
		return errs.ParameterInvalid.Withf("%q cannot be an alias", alias)
	}
	return nil
}

// target is what an alias of a request is to stand for: the collection of that real name, where the alias is no
// collection's name itself.
func (h *aliasHandlers) target(database, alias, collection string) (db *model.Database, c *model.Collection, err error) {
	h.meta.view.Read(func(r catalog.Reader) {
		if db, err = databaseIn(r, database); err != nil {
			return
		}
		if r.CollectionByName(db.Info.GetId(), alias) != nil {
			err = errs.AliasCollectionClash.With("", errs.F("database", db.Info.GetName()), errs.F("alias", alias))
			return
		}
		c, err = realCollectionIn(r, db, collection, latest)
	})
	return db, c, err
}

// CreateAlias gives a collection another name. An alias that stands for it already is a success.
func (h *aliasHandlers) CreateAlias(ctx context.Context, req *milvuspb.CreateAliasRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_CreateAlias); err != nil {
		return nil, err
	}
	if err := checkAliasName(req.GetAlias()); err != nil {
		return nil, err
	}
	locks := h.meta.aliasLocks(req.GetDbName(), req.GetAlias(), req.GetCollectionName())
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error {
		db, c, err := h.target(req.GetDbName(), req.GetAlias(), req.GetCollectionName())
		if err != nil {
			return err
		}
		a, err := h.meta.alias(db, req.GetAlias())
		if err != nil {
			return err
		}
		if a != nil {
			if a.Info.GetCollectionId() == c.ID() {
				return nil
			}
			return errs.AliasAlreadyExists.With(fmt.Sprintf("%s is alias to another collection: %s", req.GetAlias(), h.nameOf(a)),
				errs.F("database", db.Info.GetName()), errs.F("alias", req.GetAlias()))
		}
		record := &etcdpb.AliasInfo{AliasName: req.GetAlias(), DbId: db.Info.GetId(), State: etcdpb.AliasState_AliasCreated}
		return h.put(ctx, commonpb.MsgType_CreateAlias, db, record, c)
	}))
}

// AlterAlias makes an existing alias stand for another collection. One that stands for it already is a success.
func (h *aliasHandlers) AlterAlias(ctx context.Context, req *milvuspb.AlterAliasRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_AlterAlias); err != nil {
		return nil, err
	}
	locks := h.meta.aliasLocks(req.GetDbName(), req.GetAlias(), req.GetCollectionName())
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error {
		db, c, err := h.target(req.GetDbName(), req.GetAlias(), req.GetCollectionName())
		if err != nil {
			return err
		}
		a, err := h.meta.alias(db, req.GetAlias())
		if err != nil {
			return err
		}
		if a == nil {
			return aliasNotFound(db, req.GetAlias())
		}
		if a.Info.GetCollectionId() == c.ID() {
			h.expireAlias(ctx, commonpb.MsgType_AlterAlias, db, req.GetAlias(), c)
			return nil
		}
		record, _ := proto.Clone(a.Info).(*etcdpb.AliasInfo)
		record.DbId = db.Info.GetId() // it may lie where there were no databases
		return h.put(ctx, commonpb.MsgType_AlterAlias, db, record, c)
	}))
}

// put makes record that of an alias of c from now on, and writes it.
func (h *aliasHandlers) put(
	ctx context.Context, kind commonpb.MsgType, db *model.Database, record *etcdpb.AliasInfo, c *model.Collection,
) error {
	ts, err := h.timestamps.Alloc(ctx, 1)
	if err != nil {
		return err
	}
	record.CollectionId, record.CreatedTime = c.ID(), ts
	if err := h.writer.PutAlias(ctx, record); err != nil {
		return err
	}
	failpoint.Reach(failpoint.AliasPut)
	h.expireAlias(ctx, kind, db, record.GetAliasName(), c)
	return nil
}

// expireAlias expires an alias that now stands for c, or that stood for it.
func (h *aliasHandlers) expireAlias(ctx context.Context, kind commonpb.MsgType, db *model.Database, alias string, c *model.Collection) {
	h.expire(ctx, change{kind: kind, database: db.Info.GetName(), collection: c, name: alias})
}

// DropAlias takes a name from a collection. An alias that does not exist is dropped already.
func (h *aliasHandlers) DropAlias(ctx context.Context, req *milvuspb.DropAliasRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_DropAlias); err != nil {
		return nil, err
	}
	locks := h.meta.aliasLocks(req.GetDbName(), req.GetAlias(), "")
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error {
		db, err := h.meta.database(req.GetDbName())
		if err != nil {
			return err
		}
		a, err := h.meta.alias(db, req.GetAlias())
		if err != nil {
			return err
		}
		if a == nil {
			h.expireAlias(ctx, commonpb.MsgType_DropAlias, db, req.GetAlias(), nil)
			return nil
		}
		target := h.meta.view.Collection(a.Info.GetCollectionId())
		if err := h.writer.DropAlias(ctx, db.Info.GetId(), req.GetAlias()); err != nil {
			return err
		}
		failpoint.Reach(failpoint.AliasDropped)
		h.expireAlias(ctx, commonpb.MsgType_DropAlias, db, req.GetAlias(), target)
		return nil
	}))
}

// DescribeAlias tells which collection an alias stands for.
func (h *aliasHandlers) DescribeAlias(_ context.Context, req *milvuspb.DescribeAliasRequest) (*milvuspb.DescribeAliasResponse, error) {
	if req.GetAlias() == "" {
		return nil, errs.ParameterMissing.With("no input alias", errs.F("missing_param", "alias"))
	}
	var c *model.Collection
	var err error
	h.meta.view.Read(func(r catalog.Reader) { c, err = behind(r, req.GetDbName(), req.GetAlias()) })
	if err != nil {
		return nil, err
	}
	return &milvuspb.DescribeAliasResponse{
		Status: errs.Success(), DbName: req.GetDbName(), Alias: req.GetAlias(), Collection: c.Name(),
	}, nil
}

// behind is the collection that an alias stands for.
func behind(r catalog.Reader, database, alias string) (*model.Collection, error) {
	db, err := databaseIn(r, database)
	if err != nil {
		return nil, err
	}
	a, err := aliasIn(r, db, alias)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, aliasNotFound(db, alias)
	}
	c := r.Collection(a.Info.GetCollectionId())
	switch {
	case c == nil:
		return nil, errs.AliasDangling.With("", errs.F("collectionID", a.Info.GetCollectionId()))
	case !c.Created():
		return nil, aliasNotFound(db, alias)
	}
	return sound(c)
}

// ListAliases lists the aliases of a collection, by its real name, or of a whole database if none is named.
func (h *aliasHandlers) ListAliases(_ context.Context, req *milvuspb.ListAliasesRequest) (*milvuspb.ListAliasesResponse, error) {
	resp := &milvuspb.ListAliasesResponse{Status: errs.Success(), DbName: req.GetDbName(), CollectionName: req.GetCollectionName()}
	var err error
	h.meta.view.Read(func(r catalog.Reader) {
		var db *model.Database
		if db, err = databaseIn(r, req.GetDbName()); err != nil {
			return
		}
		if req.GetCollectionName() == "" {
			resp.Aliases = namesOf(r.Aliases(db.Info.GetId()))
			return
		}
		var c *model.Collection
		if c, err = realCollectionIn(r, db, req.GetCollectionName(), latest); err == nil {
			resp.Aliases = namesOf(r.AliasesOf(c.ID()))
		}
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func aliasNotFound(db *model.Database, alias string) error {
	return errs.AliasNotFound.With("", errs.F("database", db.Info.GetName()), errs.F("alias", alias))
}

// nameOf is the name of the collection that an alias stands for, for messages.
func (h *aliasHandlers) nameOf(a *model.Alias) string {
	if c := h.meta.view.Collection(a.Info.GetCollectionId()); c != nil {
		return c.Name()
	}
	return fmt.Sprintf("id %d", a.Info.GetCollectionId())
}
