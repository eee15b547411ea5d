package rootcoord

import (
	"context"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/model"
)

// partitionHandlers answer the calls about partitions. Those that read take no locks.
type partitionHandlers struct{ *parts }

// CreatePartition adds a partition to a collection, which may be named by an alias. One that exists is a success.
func (h *partitionHandlers) CreatePartition(ctx context.Context, req *milvuspb.CreatePartitionRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_CreatePartition); err != nil {
		return nil, err
	}
	if err := checkNamed("partition", req.GetPartitionName()); err != nil {
		return nil, err
	}
	locks := h.meta.collectionLocks(req.GetDbName(), req.GetCollectionName())
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error {
		c, err := h.meta.byName(req.GetDbName(), req.GetCollectionName(), latest)
		if err != nil {
			return err
		}
		if _, ok := c.PartitionByName(req.GetPartitionName()); ok {
			h.expirePartition(ctx, commonpb.MsgType_CreatePartition, databaseName(req.GetDbName()), c, req.GetPartitionName())
			return nil
		}
		shards := int64(c.Shards())
		if err := h.ledger.enterPartition(shards); err != nil {
			return err
		}
		if err := h.create(ctx, c, req); err != nil {
			h.ledger.removePartition(shards)
			return err
		}
		return nil
	}))
}

func (h *partitionHandlers) create(ctx context.Context, c *model.Collection, req *milvuspb.CreatePartitionRequest) error {
	have, most := 0, h.limits.MaxPartitionNum
	for range visiblePartitions(c, latest) {
		have++
	}
	if have >= most {
		return fmt.Errorf("partition number (%d) exceeds max configuration (%d), collection: %s", have, most, c.Name())
	}
	id, err := h.ids.Alloc(ctx, 1)
	if err != nil {
		return err
	}
	ts, err := h.timestamps.Alloc(ctx, 1)
	if err != nil {
		return err
	}
	partition := &etcdpb.PartitionInfo{
		PartitionID: int64(id), PartitionName: req.GetPartitionName(), PartitionCreatedTimestamp: ts, CollectionId: c.ID(),
		State: etcdpb.PartitionState_PartitionCreated,
	}
	if err := h.writer.CreatePartition(ctx, partition); err != nil {
		return err
	}
	failpoint.Reach(failpoint.PartitionCreated)
	h.expirePartition(ctx, commonpb.MsgType_CreatePartition, databaseName(req.GetDbName()), c, req.GetPartitionName())
	return nil
}

// DropPartition drops a partition. One that does not exist is dropped already; the default one stays.
func (h *partitionHandlers) DropPartition(ctx context.Context, req *milvuspb.DropPartitionRequest) (*commonpb.Status, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_DropPartition); err != nil {
		return nil, err
	}
	if req.GetPartitionName() == h.limits.DefaultPartitionName {
		return nil, fmt.Errorf("default partition cannot be deleted")
	}
	locks := h.meta.collectionLocks(req.GetDbName(), req.GetCollectionName())
	return status(h.ddl.do(ctx, locks, repeatable, func(ctx context.Context) error {
		c, err := h.meta.byName(req.GetDbName(), req.GetCollectionName(), latest)
		if err != nil {
			return err
		}
		p, ok := c.PartitionByName(req.GetPartitionName())
		if !ok {
			h.expirePartition(ctx, commonpb.MsgType_DropPartition, databaseName(req.GetDbName()), c, req.GetPartitionName())
			return nil
		}
		return h.drop(ctx, databaseName(req.GetDbName()), c, p)
	}))
}

// drop removes a partition, or, where there may be data in it, hides it and leaves the rest to the background.
func (h *partitionHandlers) drop(ctx context.Context, database string, c *model.Collection, p model.Partition) error {
	write := h.writer.DropPartition
	if h.data != nil {
		write = h.writer.HidePartition
	}
	if err := write(ctx, c.ID(), p.ID()); err != nil {
		return err
	}
	failpoint.Reach(failpoint.PartitionHidden)
	h.ledger.removePartition(int64(c.Shards()))
	h.expirePartition(ctx, commonpb.MsgType_DropPartition, database, c, p.Info.GetPartitionName())
	failpoint.Reach(failpoint.PartitionDropExpired)
	if h.data != nil {
		h.finishPartitionDrop(c, p)
	}
	return nil
}

// HasPartition tells whether a collection has a partition. An unknown collection is an error.
func (h *partitionHandlers) HasPartition(_ context.Context, req *milvuspb.HasPartitionRequest) (*milvuspb.BoolResponse, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_HasPartition); err != nil {
		return nil, err
	}
	c, err := h.meta.byName(req.GetDbName(), req.GetCollectionName(), latest)
	if err != nil {
		return nil, err
	}
	_, ok := c.PartitionByName(req.GetPartitionName())
	return &milvuspb.BoolResponse{Status: errs.Success(), Value: ok}, nil
}

// ShowPartitions lists the Created partitions of a Created collection, found by name or alias, or by id if no name is
// given.
func (h *partitionHandlers) ShowPartitions(
	_ context.Context, req *milvuspb.ShowPartitionsRequest,
) (*milvuspb.ShowPartitionsResponse, error) {
	return h.show(req, false)
}

// ShowPartitionsInternal is ShowPartitions, which by id finds collections and partitions in any state.
func (h *partitionHandlers) ShowPartitionsInternal(
	_ context.Context, req *milvuspb.ShowPartitionsRequest,
) (*milvuspb.ShowPartitionsResponse, error) {
	return h.show(req, true)
}

func (h *partitionHandlers) show(req *milvuspb.ShowPartitionsRequest, internal bool) (*milvuspb.ShowPartitionsResponse, error) {
	if err := checkType(req.GetBase(), commonpb.MsgType_ShowPartitions); err != nil {
		return nil, err
	}
	var c *model.Collection
	var err error
	if name := req.GetCollectionName(); name != "" {
		internal = false
		c, err = h.meta.byName(req.GetDbName(), name, latest)
	} else {
		h.meta.view.Read(func(r catalog.Reader) { c, err = collectionByID(r, req.GetCollectionID(), latest, internal) })
	}
	if err != nil {
		return nil, err
	}
	resp := &milvuspb.ShowPartitionsResponse{Status: errs.Success()}
	for _, p := range c.Partitions {
		if !internal && !p.Created() {
			continue
		}
		resp.PartitionIDs = append(resp.PartitionIDs, p.ID())
		resp.PartitionNames = append(resp.PartitionNames, p.Info.GetPartitionName())
		resp.CreatedTimestamps = append(resp.CreatedTimestamps, p.Info.GetPartitionCreatedTimestamp())
		resp.CreatedUtcTimestamps = append(resp.CreatedUtcTimestamps, physicalMillis(p.Info.GetPartitionCreatedTimestamp()))
	}
	return resp, nil
}
