package datapath

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/model"
)

// Config is what a Path works with.
type Config struct {
	DataCoord  grpc.ClientConnInterface // a coordclient.Client: it finds the active one
	QueryCoord grpc.ClientConnInterface
	Messages   Messages
	Patience   time.Duration // the longest wait for a peer, in one call
	Logger     *zap.Logger
}

// Messages are sent on the physical channels of a collection.
type Messages interface {
	// CreateCollection sends one on each channel and returns its position there.
	CreateCollection(ctx context.Context, c *model.Collection) ([]*commonpb.KeyDataPair, error)
	// DropCollection sends one on each channel, and waits until the ticks there have passed it.
	DropCollection(ctx context.Context, c *model.Collection) error
	// DropPartition sends one on each channel.
	DropPartition(ctx context.Context, c *model.Collection, p model.Partition) error
	// ReplicateEnd sends one on each of the channels.
	ReplicateEnd(ctx context.Context, channels []string, database, collection, replicateID string) error
}

// Path is the data path of one term. Safe for concurrent use.
type Path struct {
	cfg   Config
	data  datapb.DataCoordClient
	query querypb.QueryCoordClient

	mu       sync.Mutex
	reported map[string]bool // methods that a peer does not implement
}

// New makes a path. It does no I/O.
func New(cfg Config) *Path {
	return &Path{
		cfg: cfg, data: datapb.NewDataCoordClient(cfg.DataCoord), query: querypb.NewQueryCoordClient(cfg.QueryCoord),
		reported: map[string]bool{},
	}
}

// Announce tells of a new collection on its channels.
func (p *Path) Announce(ctx context.Context, c *model.Collection) ([]*commonpb.KeyDataPair, error) {
	return p.cfg.Messages.CreateCollection(ctx, c)
}

// AnnounceDrop tells that a collection is dropped, and waits until no reader can be before that.
func (p *Path) AnnounceDrop(ctx context.Context, c *model.Collection) error {
	return p.cfg.Messages.DropCollection(ctx, c)
}

// AnnouncePartitionDrop tells that a partition is dropped.
func (p *Path) AnnouncePartitionDrop(ctx context.Context, c *model.Collection, partition model.Partition) error {
	return p.cfg.Messages.DropPartition(ctx, c, partition)
}

// AnnounceReplicateEnd tells that a database, or a collection of it, is no replica of another cluster's any more.
func (p *Path) AnnounceReplicateEnd(ctx context.Context, channels []string, database, collection, replicateID string) error {
	return p.cfg.Messages.ReplicateEnd(ctx, channels, database, collection, replicateID)
}

// Watch has DataCoord watch the channels of a new collection.
func (p *Path) Watch(ctx context.Context, db *model.Database, c *model.Collection) error {
	schema := schemaOf(c)
	schema.EnableDynamicField = false // as Milvus sends it
	return p.call(ctx, "datacoord", "WatchChannels", func(ctx context.Context) (*commonpb.Status, error) {
		resp, err := p.data.WatchChannels(ctx, &datapb.WatchChannelsRequest{
			CollectionID: c.ID(), ChannelNames: c.Info.GetVirtualChannelNames(), StartPositions: c.Info.GetStartPositions(),
			Schema: schema, CreateTimestamp: c.Info.GetCreateTime(), DbProperties: db.Info.GetProperties(),
		})
		return resp.GetStatus(), err
	})
}

// Altered tells DataCoord of a collection's properties and fields, and QueryCoord where replicas or resource groups have
// changed.
func (p *Path) Altered(ctx context.Context, db *model.Database, old, c *model.Collection) error {
	partitions := make([]int64, 0, len(c.Partitions))
	for _, partition := range c.Partitions {
		partitions = append(partitions, partition.ID())
	}
	err := p.call(ctx, "datacoord", "BroadcastAlteredCollection", func(ctx context.Context) (*commonpb.Status, error) {
		return p.data.BroadcastAlteredCollection(ctx, &datapb.AlterCollectionRequest{
			CollectionID: c.ID(), Schema: schemaOf(c), PartitionIDs: partitions, StartPositions: c.Info.GetStartPositions(),
			Properties: c.Info.GetProperties(), DbID: db.Info.GetId(), VChannels: c.Info.GetVirtualChannelNames(),
		})
	})
	if err != nil {
		return err
	}
	return p.loadConfig(ctx, "collection.", db.Info.GetId(), old.Info.GetProperties(), c.Info.GetProperties(), []int64{c.ID()})
}

// AlteredDatabase tells QueryCoord, for all collections of a database, where its replicas or resource groups have changed.
func (p *Path) AlteredDatabase(ctx context.Context, old, db *model.Database, collections []int64) error {
	return p.loadConfig(ctx, "database.", db.Info.GetId(), old.Info.GetProperties(), db.Info.GetProperties(), collections)
}

// loadConfig tells QueryCoord how collections are to be loaded, if the properties with that prefix say it otherwise than
// before.
func (p *Path) loadConfig(
	ctx context.Context, prefix string, databaseID int64, old, properties []*commonpb.KeyValuePair, collections []int64,
) error {
	replicas, groups := property(properties, prefix+replicaNumber), property(properties, prefix+resourceGroups)
	same := replicas == property(old, prefix+replicaNumber) && groups == property(old, prefix+resourceGroups)
	if same || len(collections) == 0 {
		return nil
	}
	req := &querypb.UpdateLoadConfigRequest{DbID: databaseID, CollectionIDs: collections}
	if n, err := strconv.ParseInt(replicas, 10, 32); err == nil {
		req.ReplicaNumber = int32(n)
	} else if replicas != "" {
		p.cfg.Logger.Warn("the number of replicas is not a number, it is left as it is", zap.String("property", prefix+replicaNumber),
			zap.String("value", replicas), zap.Int64("databaseID", databaseID), zap.Int64s("collections", collections))
	}
	for group := range strings.SplitSeq(groups, ",") {
		if group = strings.TrimSpace(group); group != "" {
			req.ResourceGroups = append(req.ResourceGroups, group)
		}
	}
	return p.call(ctx, "querycoord", "UpdateLoadConfig", func(ctx context.Context) (*commonpb.Status, error) {
		return p.query.UpdateLoadConfig(ctx, req)
	})
}

// Properties of a collection, or of a database, that are about how it is loaded.
const (
	replicaNumber  = "replica.number"
	resourceGroups = "resource_groups"
)

func property(properties []*commonpb.KeyValuePair, key string) string {
	for _, p := range properties {
		if p.GetKey() == key {
			return p.GetValue()
		}
	}
	return ""
}

// Release has QueryCoord release a collection.
func (p *Path) Release(ctx context.Context, c *model.Collection) error {
	return p.call(ctx, "querycoord", "ReleaseCollection", func(ctx context.Context) (*commonpb.Status, error) {
		return p.query.ReleaseCollection(ctx, &querypb.ReleaseCollectionRequest{
			Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_ReleaseCollection}, DbID: c.DBID(), CollectionID: c.ID(),
		})
	})
}

// DropIndex has DataCoord drop all indexes of a collection.
func (p *Path) DropIndex(ctx context.Context, c *model.Collection) error {
	return p.call(ctx, "datacoord", "DropIndex", func(ctx context.Context) (*commonpb.Status, error) {
		return p.data.DropIndex(ctx, &indexpb.DropIndexRequest{CollectionID: c.ID(), DropAll: true})
	})
}

// Confirm asks DataCoord whether the data of a partition, or of a whole collection if it is -1, are gone. A DataCoord that
// cannot tell has none.
func (p *Path) Confirm(ctx context.Context, collectionID, partitionID int64) (bool, error) {
	gone := true
	err := p.call(ctx, "datacoord", "GcConfirm", func(ctx context.Context) (*commonpb.Status, error) {
		resp, err := p.data.GcConfirm(ctx, &datapb.GcConfirmRequest{CollectionId: collectionID, PartitionId: partitionID})
		if err == nil && errs.FromStatus(resp.GetStatus()) == nil {
			gone = resp.GetGcFinished()
		}
		return resp.GetStatus(), err
	})
	return gone, err
}

// call makes one call within the path's patience.
func (p *Path) call(ctx context.Context, peer, method string, do func(context.Context) (*commonpb.Status, error)) error {
	bound, cancel := context.WithTimeout(ctx, p.cfg.Patience)
	defer cancel()
	answer, err := do(bound)
	switch {
	case status.Code(err) == codes.Unimplemented, err == nil && errors.Is(errs.FromStatus(answer), errs.Unimplemented):
		p.passOver(peer, method)
		return nil
	case err != nil && ctx.Err() == nil && bound.Err() != nil:
		return errs.NotReady.With(fmt.Sprintf("%s was waited for: %v", method, err), errs.F(peer, "no answer"))
	case err != nil:
		return fmt.Errorf("%s of %s: %w", method, peer, err)
	}
	if err := errs.FromStatus(answer); err != nil {
		return fmt.Errorf("%s of %s: %w", method, peer, err)
	}
	return nil
}

func (p *Path) passOver(peer, method string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if key := peer + "/" + method; !p.reported[key] {
		p.reported[key] = true
		p.cfg.Logger.Warn("a coordinator does not implement a call, which is passed over from now on",
			zap.String("coordinator", peer), zap.String("method", method))
	}
}

// schemaOf is a collection's schema as the other coordinators read it, with all fields and functions.
func schemaOf(c *model.Collection) *schemapb.CollectionSchema {
	s := c.Info.GetSchema()
	return &schemapb.CollectionSchema{
		Name: s.GetName(), DbName: s.GetDbName(), Description: s.GetDescription(), AutoID: s.GetAutoID(), //nolint:staticcheck // Milvus sends it
		EnableDynamicField: s.GetEnableDynamicField(), Fields: c.Fields, Functions: c.Functions, Properties: c.Info.GetProperties(),
	}
}
