package rootcoord

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"github.com/milvus-coord/milvus/internal/model"
)

// effects is what other processes are to notice of a DDL: messages on the DML channels, calls to DataCoord and
// QueryCoord, expiry of the proxies' caches. Handlers know of nothing else behind this seam.
//
// Reads take no locks, so a proxy may fetch the old state with a RequestTime later than the DDL's own timestamp. A cache
// must therefore be expired in after, with a timestamp allocated there: whoever read the old state had allocated its
// RequestTime before that.
type effects interface {
	// before is called under the DDL's locks when it has been found valid and nothing is written yet. Its error ends the
	// DDL with nothing written. It may set the start positions of c.collection.
	before(ctx context.Context, c change) error
	// after is called, still under the locks, when the DDL is committed and visible to this process' readers. The caller
	// is told of success whatever it does.
	after(ctx context.Context, c change)
}

// change is one DDL that is being done.
type change struct {
	kind       commonpb.MsgType
	ts         uint64
	database   string
	collection *model.Collection // nil for a change of a database
	name       string            // of the partition or the alias, or a collection's old name
}

// noEffects is the present state of the project: DDL changes the metadata and nothing else. A collection is Created with
// the one transaction that writes it.
type noEffects struct{}

func (noEffects) before(context.Context, change) error { return nil }
func (noEffects) after(context.Context, change)        {}
