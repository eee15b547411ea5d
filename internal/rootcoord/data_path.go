package rootcoord

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"github.com/milvus-coord/milvus/internal/model"
)

// dataPath is what of a DDL happens outside of the metadata: messages on the DML channels, which data nodes and query
// nodes read, and calls to DataCoord and QueryCoord. A cluster of coordinators alone has none.
//
// All of it may be done again: by the term itself when it does not know whether it was done, and by the next.
type dataPath interface {
	// Announce tells of a new collection on its channels and returns where in each of them.
	Announce(ctx context.Context, c *model.Collection) ([]*commonpb.KeyDataPair, error)
	// Watch has DataCoord watch the channels of a new collection.
	Watch(ctx context.Context, db *model.Database, c *model.Collection) error
	// Altered tells DataCoord and QueryCoord of a collection's new properties.
	Altered(ctx context.Context, db *model.Database, old, c *model.Collection) error
	// AlteredDatabase tells QueryCoord of a database's new properties.
	AlteredDatabase(ctx context.Context, old, db *model.Database, collections []int64) error
	// Release has QueryCoord release a collection.
	Release(ctx context.Context, c *model.Collection) error
	// DropIndex has DataCoord drop all indexes of a collection.
	DropIndex(ctx context.Context, c *model.Collection) error
	// AnnounceDrop tells on its channels that a collection is dropped, and waits until no reader can be before that.
	AnnounceDrop(ctx context.Context, c *model.Collection) error
	// AnnouncePartitionDrop tells on the channels that a partition is dropped.
	AnnouncePartitionDrop(ctx context.Context, c *model.Collection, p model.Partition) error
	// AnnounceReplicateEnd tells on channels that a database, or a collection of it, is no replica any more.
	AnnounceReplicateEnd(ctx context.Context, channels []string, database, collection, replicateID string) error
	// Confirm asks DataCoord whether the data of a partition, or of all of a collection if it is -1, are gone.
	Confirm(ctx context.Context, collectionID, partitionID int64) (bool, error)
}

// allPartitions stands for all of a collection.
const allPartitions = -1
