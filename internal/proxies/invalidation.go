package proxies

import (
	"context"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
)

// Expiry is what the proxies are to forget after one DDL.
type Expiry struct {
	Kind         commonpb.MsgType // of the DDL
	DB           string
	CollectionID int64    // of a dropped alias: the one it stood for, or 0; of an altered one: the one it stands for now
	Names        []string // see Requests; none for a DDL of a database
	Partition    string   // of a DDL of a partition
	TS           uint64   // allocated after the commit; kinds that expire whatever the age send 0
	// Revision is one at or after the DDL's commit: proxies that were registered then are told, even if etcd has not
	// brought the news yet. 0: those that are known.
	Revision int64
}

// rule is one row of Milvus' table: what a DDL makes the proxies forget.
type rule struct {
	sent     commonpb.MsgType
	database bool // concerns no collection: one request with an empty name
	part     bool // names a partition
	ageless  bool // ts 0: whatever is cached goes
}

var rules = map[commonpb.MsgType]rule{
	// A name may be cached as unknown, or as an alias' that was dropped; the proxies know no message of creation.
	commonpb.MsgType_CreateCollection:     {sent: commonpb.MsgType_DropCollection},
	commonpb.MsgType_DropCollection:       {sent: commonpb.MsgType_DropCollection},
	commonpb.MsgType_CreatePartition:      {sent: commonpb.MsgType_CreatePartition, part: true},
	commonpb.MsgType_DropPartition:        {sent: commonpb.MsgType_DropPartition, part: true},
	commonpb.MsgType_AlterCollection:      {sent: commonpb.MsgType_AlterCollection, ageless: true},
	commonpb.MsgType_AlterCollectionField: {sent: commonpb.MsgType_AlterCollectionField, ageless: true},
	commonpb.MsgType_AlterAlias:           {sent: commonpb.MsgType_AlterAlias},
	commonpb.MsgType_DropAlias:            {sent: commonpb.MsgType_DropAlias},
	commonpb.MsgType_RenameCollection:     {sent: commonpb.MsgType_RenameCollection},
	commonpb.MsgType_AlterDatabase:        {sent: commonpb.MsgType_AlterDatabase, database: true},
	commonpb.MsgType_DropDatabase:         {sent: commonpb.MsgType_DropDatabase, database: true},
}

// silent are the DDLs of which the proxies need not hear: nothing about the new name can be cached.
var silent = map[commonpb.MsgType]bool{commonpb.MsgType_CreateAlias: true, commonpb.MsgType_CreateDatabase: true}

// Requests gives what Milvus sends to each proxy, one request for each name. Names are:
//
//	CreateCollection      the name
//	DropCollection        the aliases and the real name
//	Create/DropPartition  the real name
//	AlterCollection       the aliases and the name in the request
//	AlterCollectionField  the name in the request
//	AlterAlias, DropAlias the alias
//	RenameCollection      the old name
//
// The error is the caller's mistake: a kind that is no DDL, or a name that is missing.
func Requests(e Expiry, source int64) ([]*proxypb.InvalidateCollMetaCacheRequest, error) {
	if silent[e.Kind] {
		return nil, nil
	}
	r, known := rules[e.Kind]
	switch {
	case !known:
		return nil, fmt.Errorf("proxies: no cache is known to depend on %s", e.Kind)
	case !r.database && len(e.Names) == 0:
		return nil, fmt.Errorf("proxies: %s: no name to expire", e.Kind)
	case r.part && e.Partition == "":
		return nil, fmt.Errorf("proxies: %s: no partition to expire", e.Kind)
	}
	names, id, partition, ts := e.Names, e.CollectionID, "", e.TS
	if r.database {
		names, id = []string{""}, 0
	}
	if r.part {
		partition = e.Partition
	}
	if r.ageless {
		ts = 0
	}
	requests := make([]*proxypb.InvalidateCollMetaCacheRequest, len(names))
	for i, name := range names {
		requests[i] = &proxypb.InvalidateCollMetaCacheRequest{
			Base:   &commonpb.MsgBase{MsgType: r.sent, Timestamp: ts, SourceID: source},
			DbName: e.DB, CollectionName: name, CollectionID: id, PartitionName: partition,
		}
	}
	return requests, nil
}

const invalidateMeta = "InvalidateCollectionMetaCache"

// Expire makes all proxies forget what a DDL has changed. Call it when the DDL is committed; for a new collection before that,
// and once: at the message of a drop, which is what they get, they close their stream of inserts into that collection.
func (c *Caller) Expire(ctx context.Context, e Expiry) error {
	requests, err := Requests(e, c.source)
	if err != nil || len(requests) == 0 {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, c.fleet.cfg.Timeout)
	defer cancel()
	late := c.fleet.Barrier(bound, e.Revision) // whoever is known is told in any case
	if late != nil {
		bound, cancel = context.WithTimeout(ctx, c.fleet.cfg.Timeout)
		defer cancel()
	}
	if err := c.invalidate(bound, requests...); err != nil {
		return err
	}
	return late
}

// Forward passes a request on to all proxies as it is, but for who sends it.
func (c *Caller) Forward(ctx context.Context, req *proxypb.InvalidateCollMetaCacheRequest) error {
	base := &commonpb.MsgBase{
		MsgType: req.GetBase().GetMsgType(), MsgID: req.GetBase().GetMsgID(), Timestamp: req.GetBase().GetTimestamp(), SourceID: c.source,
	}
	return c.invalidate(ctx, &proxypb.InvalidateCollMetaCacheRequest{
		Base: base, DbName: req.GetDbName(), CollectionName: req.GetCollectionName(), CollectionID: req.GetCollectionID(),
		PartitionName: req.GetPartitionName(),
	})
}

// invalidate sends the requests to each proxy one after the other.
func (c *Caller) invalidate(ctx context.Context, requests ...*proxypb.InvalidateCollMetaCacheRequest) error {
	return c.all(ctx, invalidateMeta, func(ctx context.Context, _ int64, client proxypb.ProxyClient) (answer *commonpb.Status, err error) {
		for _, r := range requests {
			if answer, err = client.InvalidateCollectionMetaCache(ctx, r); err != nil || answer.GetCode() != 0 || answer.GetErrorCode() != 0 {
				return answer, err
			}
		}
		return answer, nil
	})
}
