package crash

import (
	"context"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
)

// client makes the calls of the stories; each returns Milvus' Status as an error.
type client struct{ rootcoordpb.RootCoordClient }

type call func(ctx context.Context, c client) error

// story is what happens around a crash.
type story struct {
	before []call
	do     call // the process dies in the middle of it
	repeat bool // doing it again succeeds even when it was done
	// done tells what do is about: whether it is there, or gone. What may be seen right after the crash is done or not done.
	done func(ctx context.Context, c client) (bool, error)
	// certain says that it must be seen to be done, because the process died behind the write that decides; else that it
	// must not be.
	certain bool

	data        bool            // the cluster has a data path
	behind      bool            // the process dies behind the answer
	predecessor failpoint.Point // at which the process before the one that is to die dies, in the middle of do
}

func base(t commonpb.MsgType) *commonpb.MsgBase { return &commonpb.MsgBase{MsgType: t} }

func outcome(s *commonpb.Status, err error) error {
	if err != nil {
		return err
	}
	return errs.FromStatus(s)
}

func createCollection(name string, partitions int64) call {
	return func(ctx context.Context, c client) error {
		s := &schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
			{Name: "pk", DataType: schemapb.DataType_Int64, IsPrimaryKey: true},
			{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "8"}}},
		}}
		if partitions > 0 {
			s.Fields = append(s.Fields, &schemapb.FieldSchema{Name: "tenant", DataType: schemapb.DataType_Int64, IsPartitionKey: true})
		}
		encoded, err := proto.Marshal(s)
		if err != nil {
			return err
		}
		return outcome(c.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{
			Base: base(commonpb.MsgType_CreateCollection), CollectionName: name, Schema: encoded, ShardsNum: 2, NumPartitions: partitions,
		}))
	}
}

func dropCollection(ctx context.Context, c client) error {
	return outcome(c.DropCollection(ctx, &milvuspb.DropCollectionRequest{Base: base(commonpb.MsgType_DropCollection), CollectionName: "c"}))
}

func createPartition(ctx context.Context, c client) error {
	return outcome(c.CreatePartition(ctx, &milvuspb.CreatePartitionRequest{
		Base: base(commonpb.MsgType_CreatePartition), CollectionName: "c", PartitionName: "p",
	}))
}

func dropPartition(ctx context.Context, c client) error {
	return outcome(c.DropPartition(ctx, &milvuspb.DropPartitionRequest{
		Base: base(commonpb.MsgType_DropPartition), CollectionName: "c", PartitionName: "p",
	}))
}

func createAlias(alias string) call {
	return func(ctx context.Context, c client) error {
		return outcome(c.CreateAlias(ctx, &milvuspb.CreateAliasRequest{
			Base: base(commonpb.MsgType_CreateAlias), CollectionName: "c", Alias: alias,
		}))
	}
}

func dropAlias(ctx context.Context, c client) error {
	return outcome(c.DropAlias(ctx, &milvuspb.DropAliasRequest{Base: base(commonpb.MsgType_DropAlias), Alias: "a"}))
}

func createDatabase(ctx context.Context, c client) error {
	return outcome(c.CreateDatabase(ctx, &milvuspb.CreateDatabaseRequest{DbName: "d"}))
}

func dropDatabase(ctx context.Context, c client) error {
	return outcome(c.DropDatabase(ctx, &milvuspb.DropDatabaseRequest{DbName: "d"}))
}

func alterDatabase(ctx context.Context, c client) error {
	return outcome(c.AlterDatabase(ctx, &rootcoordpb.AlterDatabaseRequest{DbName: "d", Properties: property}))
}

var property = []*commonpb.KeyValuePair{{Key: "k", Value: "v"}}

func alterCollection(ctx context.Context, c client) error {
	return outcome(c.AlterCollection(ctx, &milvuspb.AlterCollectionRequest{CollectionName: "c", Properties: property}))
}

func rename(ctx context.Context, c client) error {
	return outcome(c.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{
		Base: base(commonpb.MsgType_RenameCollection), OldName: "c", NewName: "renamed",
	}))
}

func has(name string) func(context.Context, client) (bool, error) {
	return func(ctx context.Context, c client) (bool, error) {
		resp, err := c.HasCollection(ctx, &milvuspb.HasCollectionRequest{Base: base(commonpb.MsgType_HasCollection), CollectionName: name})
		return resp.GetValue(), outcome(resp.GetStatus(), err)
	}
}

func hasPartition(ctx context.Context, c client) (bool, error) {
	resp, err := c.HasPartition(ctx, &milvuspb.HasPartitionRequest{
		Base: base(commonpb.MsgType_HasPartition), CollectionName: "c", PartitionName: "p",
	})
	return resp.GetValue(), outcome(resp.GetStatus(), err)
}

func hasDatabase(ctx context.Context, c client) (bool, error) {
	resp, err := c.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	for _, name := range resp.GetDbNames() {
		if name == "d" {
			return true, nil
		}
	}
	return false, outcome(resp.GetStatus(), err)
}

func databaseAltered(ctx context.Context, c client) (bool, error) {
	resp, err := c.DescribeDatabase(ctx, &rootcoordpb.DescribeDatabaseRequest{DbName: "d"})
	return len(resp.GetProperties()) == 1, outcome(resp.GetStatus(), err)
}

func collectionAltered(ctx context.Context, c client) (bool, error) {
	resp, err := c.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{
		Base: base(commonpb.MsgType_DescribeCollection), CollectionName: "c",
	})
	return len(resp.GetProperties()) == 1, outcome(resp.GetStatus(), err)
}

func not(see func(context.Context, client) (bool, error)) func(context.Context, client) (bool, error) {
	return func(ctx context.Context, c client) (bool, error) {
		there, err := see(ctx, c)
		return !there, err
	}
}

func withAliases(n int) []call {
	calls := []call{createCollection("c", 0)}
	for i := range n {
		calls = append(calls, createAlias(fmt.Sprintf("a%d", i)))
	}
	return calls
}

// stories are one for each point.
func stories() map[failpoint.Point]story {
	one := []call{createCollection("c", 0)}
	withPartition := []call{createCollection("c", 0), createPartition}
	withAlias := []call{createCollection("c", 0), createAlias("a")}
	return map[failpoint.Point]story{
		failpoint.DatabaseCreated: {do: createDatabase, done: hasDatabase, certain: true},
		failpoint.DatabaseAltered: {before: []call{createDatabase}, do: alterDatabase, done: databaseAltered, repeat: true, certain: true},
		failpoint.DatabaseDropped: {before: []call{createDatabase}, do: dropDatabase, done: not(hasDatabase), repeat: true, certain: true},

		failpoint.CollectionFilling: {do: createCollection("c", 300), done: has("c"), repeat: true},
		failpoint.CollectionCreated: {do: createCollection("c", 0), done: has("c"), repeat: true, certain: true},
		failpoint.CollectionExpired: {do: createCollection("c", 300), done: has("c"), repeat: true},

		failpoint.DropHidden:  {before: one, do: dropCollection, done: not(has("c")), repeat: true, certain: true},
		failpoint.DropUnnamed: {before: withAliases(90), do: dropCollection, done: not(has("c")), repeat: true, certain: true},
		failpoint.DropExpired: {before: withAlias, do: dropCollection, done: not(has("c")), repeat: true, certain: true},

		failpoint.CollectionRenamed:   {before: one, do: rename, done: has("renamed"), certain: true},
		failpoint.CollectionAltered:   {before: one, do: alterCollection, done: collectionAltered, repeat: true, certain: true},
		failpoint.CollectionBroadcast: {before: withAlias, do: alterCollection, done: collectionAltered, repeat: true, certain: true},

		failpoint.PartitionCreated:     {before: one, do: createPartition, done: hasPartition, repeat: true, certain: true},
		failpoint.PartitionHidden:      {before: withPartition, do: dropPartition, done: not(hasPartition), repeat: true, certain: true},
		failpoint.PartitionDropExpired: {before: withPartition, do: dropPartition, done: not(hasPartition), repeat: true, certain: true},

		failpoint.AliasPut:     {before: one, do: createAlias("a"), done: has("a"), repeat: true, certain: true},
		failpoint.AliasDropped: {before: withAlias, do: dropAlias, done: not(has("a")), repeat: true, certain: true},

		failpoint.CollectionAnnounced: {do: createCollection("c", 0), done: has("c"), repeat: true, data: true},
		failpoint.CollectionHidden:    {do: createCollection("c", 300), done: has("c"), repeat: true, data: true},
		failpoint.CollectionWatched:   {do: createCollection("c", 0), done: has("c"), repeat: true, data: true},
		failpoint.UndoAnnounced: {
			do: createCollection("c", 0), done: has("c"), repeat: true, data: true, predecessor: failpoint.CollectionHidden,
		},
		failpoint.UndoRemoved: {
			do: createCollection("c", 0), done: has("c"), repeat: true, data: true, predecessor: failpoint.CollectionWatched,
		},

		failpoint.DropReleased:  dropWithData(withAlias),
		failpoint.DropUnindexed: dropWithData(one),
		failpoint.DropAnnounced: dropWithData(one),
		failpoint.DropConfirmed: dropWithData(one),
		failpoint.DropRemoved:   dropWithData(one),

		failpoint.UserWritten: {do: addUser, done: hasUser, certain: true},
		failpoint.UserDropped: {
			before: []call{addUser, addRole, join}, do: dropUser, done: not(hasUser), repeat: true, certain: true,
		},
		failpoint.RoleWritten:       {do: addRole, done: hasRole, certain: true},
		failpoint.RoleDropped:       {before: []call{addUser, addRole, join, grant}, do: dropRole, done: not(hasRole), certain: true},
		failpoint.MembershipWritten: {before: []call{addUser, addRole}, do: join, done: isMember, repeat: true, certain: true},
		failpoint.GrantWritten:      {before: []call{addRole}, do: grant, done: hasGrant, repeat: true, certain: true},
		failpoint.GroupWritten:      {do: addGroup, done: hasGroup, certain: true},
		failpoint.AccessRestored:    {do: restoreAccess, done: hasGrant, certain: true},

		failpoint.PartitionAnnounced:   dropPartitionWithData(withPartition),
		failpoint.PartitionDropConfirm: dropPartitionWithData(withPartition),
		failpoint.PartitionDropped:     dropPartitionWithData(withPartition),
	}
}

func dropWithData(before []call) story {
	return story{before: before, do: dropCollection, done: not(has("c")), repeat: true, certain: true, data: true, behind: true}
}

func dropPartitionWithData(before []call) story {
	return story{before: before, do: dropPartition, done: not(hasPartition), repeat: true, certain: true, data: true, behind: true}
}
