package rootcoord

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/model"
)

// caches are what the proxies remember of the metadata.
type caches interface {
	// Expire makes the proxies forget what c changed. It returns when those that can be reached have; an error names
	// proxies that could be reached and have not.
	Expire(ctx context.Context, c change) error
}

// change is one DDL as a proxy is to notice it.
type change struct {
	kind       commonpb.MsgType
	ts         uint64 // set by expire
	database   string
	collection *model.Collection // as it was; nil for a change of a database
	aliases    []string          // of the collection, as they were
	name       string            // of the partition or the alias, or the collection's as the request has it
}

// expire makes the proxies forget what a DDL changed. It comes when the DDL is committed and visible to this process'
// readers, with a timestamp allocated here: reads take no locks, so a proxy may have fetched the old state with a
// RequestTime later than the DDL's own time, but not later than this one.
//
// A DDL that finds its work done expires the caches all the same: it may be one that is sent again because the term that did
// the work ended before it came to this.
//
// The DDL is done, so its caller is told of success whatever becomes of this. What fails is tried again in the background
// for as long as the term lives.
func (p *parts) expire(ctx context.Context, c change) {
	if p.expireOnce(ctx, c) != nil {
		id := int64(0)
		if c.collection != nil {
			id = c.collection.ID()
		}
		p.chores.start("expire caches after "+c.kind.String(), id, step{"expire", func(ctx context.Context) error { return p.expireOnce(ctx, c) }})
	}
}

// expireOnce is a single try.
func (p *parts) expireOnce(ctx context.Context, c change) error {
	ts, err := p.timestamps.Alloc(ctx, 1)
	if err != nil {
		return err
	}
	c.ts = ts
	return p.caches.Expire(ctx, c)
}

// expireNew expires the name of a collection that is about to be created. This one comes first and is never repeated: the
// message is that of a drop, the only one that proxies know for it, and they close the stream of inserts by its id. Nothing
// depends on it, because whoever took the name from something else has expired it.
func (p *parts) expireNew(ctx context.Context, database string, c *model.Collection) {
	if err := p.expireOnce(ctx, change{kind: commonpb.MsgType_CreateCollection, database: database, collection: c, name: c.Name()}); err != nil {
		p.logger.Warn("proxies have not heard of a collection that is being created", zap.String("collection", c.Name()), zap.Error(err))
	}
}
