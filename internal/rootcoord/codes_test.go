package rootcoord

import (
	"context"
	"fmt"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
)

// Every call answers an empty request, and one with a wrong type, without a panic.
func TestEmptyRequests(t *testing.T) {
	s := newCluster(t).start(t)
	ctx := within(t)
	calls := map[string]struct {
		call func() (any, error)
		code int32
	}{
		"CreateCollection":           {func() (any, error) { return s.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{}) }, G},
		"DropCollection":             {func() (any, error) { return s.DropCollection(ctx, &milvuspb.DropCollectionRequest{}) }, G},
		"HasCollection":              {func() (any, error) { return s.HasCollection(ctx, &milvuspb.HasCollectionRequest{}) }, G},
		"DescribeCollection":         {func() (any, error) { return s.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{}) }, G},
		"DescribeCollectionInternal": {func() (any, error) { return s.DescribeCollectionInternal(ctx, &milvuspb.DescribeCollectionRequest{}) }, G},
		"ShowCollections":            {func() (any, error) { return s.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{}) }, G},
		"RenameCollection":           {func() (any, error) { return s.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{}) }, G},
		"CreatePartition":            {func() (any, error) { return s.CreatePartition(ctx, &milvuspb.CreatePartitionRequest{}) }, G},
		"DropPartition":              {func() (any, error) { return s.DropPartition(ctx, &milvuspb.DropPartitionRequest{}) }, G},
		"HasPartition":               {func() (any, error) { return s.HasPartition(ctx, &milvuspb.HasPartitionRequest{}) }, G},
		"ShowPartitions":             {func() (any, error) { return s.ShowPartitions(ctx, &milvuspb.ShowPartitionsRequest{}) }, G},
		"ShowPartitionsInternal":     {func() (any, error) { return s.ShowPartitionsInternal(ctx, &milvuspb.ShowPartitionsRequest{}) }, G},
		"CreateAlias":                {func() (any, error) { return s.CreateAlias(ctx, &milvuspb.CreateAliasRequest{}) }, G},
		"DropAlias":                  {func() (any, error) { return s.DropAlias(ctx, &milvuspb.DropAliasRequest{}) }, G},
		"AlterAlias":                 {func() (any, error) { return s.AlterAlias(ctx, &milvuspb.AlterAliasRequest{}) }, G},
		"DescribeAlias":              {func() (any, error) { return s.DescribeAlias(ctx, &milvuspb.DescribeAliasRequest{}) }, 1101},
		"ListAliases":                {func() (any, error) { return s.ListAliases(ctx, &milvuspb.ListAliasesRequest{}) }, 0},
		"CreateDatabase":             {func() (any, error) { return s.CreateDatabase(ctx, &milvuspb.CreateDatabaseRequest{}) }, G},
		"DropDatabase":               {func() (any, error) { return s.DropDatabase(ctx, &milvuspb.DropDatabaseRequest{}) }, G},
		"ListDatabases":              {func() (any, error) { return s.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{}) }, 0},
		"DescribeDatabase":           {func() (any, error) { return s.DescribeDatabase(ctx, &rootcoordpb.DescribeDatabaseRequest{}) }, 0},
		"AlterDatabase":              {func() (any, error) { return s.AlterDatabase(ctx, &rootcoordpb.AlterDatabaseRequest{}) }, G},
		"ShowCollectionIDs":          {func() (any, error) { return s.ShowCollectionIDs(ctx, &rootcoordpb.ShowCollectionIDsRequest{}) }, 0},
		"ShowSegments":               {func() (any, error) { return s.ShowSegments(ctx, &milvuspb.ShowSegmentsRequest{}) }, 0},
		"AllocTimestamp":             {func() (any, error) { return s.AllocTimestamp(ctx, &rootcoordpb.AllocTimestampRequest{}) }, G},
		"AllocID":                    {func() (any, error) { return s.AllocID(ctx, &rootcoordpb.AllocIDRequest{}) }, G},
	}
	for name, c := range calls {
		_, err := c.call()
		requireCode(t, c.code, err, name)
	}
}

func TestWhatHasNoNameIsNotMade(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "c")
	_, err := s.CreateCollection(within(t), createRequest(""))
	requireCode(t, 1100, err)
	requireCode(t, 1100, s.createPartition(t, "c", ""))
	_, err = s.RenameCollection(within(t), &milvuspb.RenameCollectionRequest{Base: base(commonpb.MsgType_RenameCollection), OldName: "c"})
	requireCode(t, 1100, err)
	require.Equal(t, []string{"c"}, s.show(t, ""))
}

func TestCreateCollectionCodes(t *testing.T) {
	s := newCluster(t).start(t, func(l *Limits) { l.MaxShardNum = 8; l.MaxPartitionNum = 8 })
	s.create(t, "taken")
	require.NoError(t, s.createAlias(t, "nick", "taken"))
	type request = milvuspb.CreateCollectionRequest
	tests := []struct {
		name string
		req  *request
		code int32
	}{
		{"unknown database", createRequest("c", func(r *request) { r.DbName = "nowhere" }), 800},
		{"more shards than channels", createRequest("c", func(r *request) { r.ShardsNum = 17 }), G},
		{"more shards than allowed", createRequest("c", func(r *request) { r.ShardsNum = 9 }), G},
		{"schema of another name", createRequest("c", func(r *request) { r.CollectionName = "d" }), 1100},
		{"schema is garbage", createRequest("c", func(r *request) { r.Schema = []byte{0xff} }), G},
		{"no schema", createRequest("c", func(r *request) { r.Schema = nil }), 1100},
		{"bad field", createWith(vectorSchema("c", func(s *schemapb.CollectionSchema) { s.Fields[1].Nullable = true })), 1100},
		{"unknown function field", createWith(vectorSchema("c", func(s *schemapb.CollectionSchema) {
			s.Functions = []*schemapb.FunctionSchema{{Name: "f", InputFieldNames: []string{"x"}}}
		})), G},
		{"partition key without partitions", createWith(vectorSchema("c", partitionKey)), G},
		{"partition key with too many", createWith(vectorSchema("c", partitionKey), func(r *request) { r.NumPartitions = 9 }), G},
		{"beyond the capacity", createRequest("c", func(r *request) { r.ShardsNum, r.NumPartitions = 8, 8193 }), 250},
		{"replicated without a time", createRequest("c", func(r *request) {
			r.Base.ReplicateInfo = &commonpb.ReplicateInfo{IsReplicate: true}
		}), 1100},
		{"the same again", createRequest("taken"), 0},
		{"the same by default database's name", createRequest("taken", func(r *request) { r.DbName = "default" }), 0},
		{"other shards", createRequest("taken", func(r *request) { r.ShardsNum = 2 }), G},
		{"other description", createWith(vectorSchema("taken", func(s *schemapb.CollectionSchema) { s.Description = "x" })), G},
		{"other field", createWith(vectorSchema("taken", func(s *schemapb.CollectionSchema) { s.Fields[0].Name = "id" })), G},
		{"other consistency", createRequest("taken", func(r *request) { r.ConsistencyLevel = commonpb.ConsistencyLevel_Bounded }), G},
		{"other properties", createRequest("taken", func(r *request) {
			r.Properties = []*commonpb.KeyValuePair{{Key: "mmap.enabled", Value: "true"}}
		}), G},
		{"dynamic", createWith(vectorSchema("taken", func(s *schemapb.CollectionSchema) { s.EnableDynamicField = true })), G},
		{"name of an alias", createRequest("nick"), G},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.CreateCollection(within(t), tt.req)
			requireCode(t, tt.code, err)
		})
	}
	require.Equal(t, []string{"taken"}, s.show(t, ""))
	require.Equal(t, "1 databases, 1 collections, capacity 1", s.collectionHandlers.ledger.String())
}

// Default values are compared by value, unlike in Milvus, where such a schema never equals itself.
func TestCreateAgainWithDefaultValues(t *testing.T) {
	s := newCluster(t).start(t)
	req := func() *milvuspb.CreateCollectionRequest {
		return createWith(vectorSchema("c", func(s *schemapb.CollectionSchema) {
			s.Fields = append(s.Fields, &schemapb.FieldSchema{
				Name: "n", DataType: schemapb.DataType_Int64,
				DefaultValue: &schemapb.ValueField{Data: &schemapb.ValueField_LongData{LongData: 7}},
			})
		}), func(r *milvuspb.CreateCollectionRequest) {
			r.Properties = []*commonpb.KeyValuePair{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
		})
	}
	_, err := s.CreateCollection(within(t), req())
	require.NoError(t, err)
	again := req()
	again.Properties[0], again.Properties[1] = again.Properties[1], again.Properties[0]
	_, err = s.CreateCollection(within(t), again)
	require.NoError(t, err)
}

func TestDropCollectionCodes(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "c")
	require.NoError(t, s.createAlias(t, "nick", "c"))
	drop := func(database, name string) error {
		_, err := s.DropCollection(within(t), &milvuspb.DropCollectionRequest{
			Base: base(commonpb.MsgType_DropCollection), DbName: database, CollectionName: name,
		})
		return err
	}
	requireCode(t, G, drop("", "nick"), "an alias does not do")
	requireCode(t, 0, drop("", "nothing"))
	requireCode(t, 0, drop("nowhere", "c"))
	require.True(t, s.has(t, "c"))
	requireCode(t, 0, drop("", "c"))
	require.False(t, s.has(t, "c"))
	require.False(t, s.has(t, "nick"))
	requireCode(t, 0, drop("", "c"))
	s.create(t, "nick") // the name is free again
}

func TestDescribeCodes(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "c")
	c, err := s.describe(t, "c")
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		req  *milvuspb.DescribeCollectionRequest
		code int32
	}{
		{"unknown name", &milvuspb.DescribeCollectionRequest{CollectionName: "x"}, 100},
		{"unknown id", &milvuspb.DescribeCollectionRequest{CollectionID: 5}, 100},
		{"unknown database", &milvuspb.DescribeCollectionRequest{DbName: "nowhere", CollectionName: "c"}, 800},
		{"by id, whatever the database", &milvuspb.DescribeCollectionRequest{DbName: "nowhere", CollectionID: c.GetCollectionID()}, 0},
		{"before it was created", &milvuspb.DescribeCollectionRequest{CollectionName: "c", TimeStamp: c.GetCreatedTimestamp() - 1}, 100},
		{"when it was created", &milvuspb.DescribeCollectionRequest{CollectionName: "c", TimeStamp: c.GetCreatedTimestamp()}, 0},
		{"latest", &milvuspb.DescribeCollectionRequest{CollectionName: "c", TimeStamp: latest}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Base = base(commonpb.MsgType_DescribeCollection)
			_, err := s.DescribeCollection(within(t), tt.req)
			requireCode(t, tt.code, err)
			_, err = s.DescribeCollectionInternal(within(t), tt.req)
			requireCode(t, tt.code, err)
		})
	}
	resp, err := s.HasCollection(within(t), &milvuspb.HasCollectionRequest{
		Base: base(commonpb.MsgType_HasCollection), DbName: "nowhere", CollectionName: "c",
	})
	require.NoError(t, err, "an unknown database is a no")
	require.False(t, resp.GetValue())
	_, err = s.ShowCollections(within(t), &milvuspb.ShowCollectionsRequest{Base: base(commonpb.MsgType_ShowCollections), DbName: "nowhere"})
	requireCode(t, 800, err)
	_, err = s.ShowCollectionIDs(within(t), &rootcoordpb.ShowCollectionIDsRequest{DbNames: []string{"nowhere"}})
	requireCode(t, 800, err)
}

func TestPartitionCodes(t *testing.T) {
	s := newCluster(t).start(t, func(l *Limits) { l.MaxPartitionNum = 3 })
	s.create(t, "c")
	requireCode(t, 100, s.createPartition(t, "x", "p"))
	requireCode(t, 0, s.createPartition(t, "c", "p"))
	requireCode(t, 0, s.createPartition(t, "c", "p"))
	requireCode(t, 0, s.createPartition(t, "c", "q"))
	requireCode(t, G, s.createPartition(t, "c", "r"))
	requireCode(t, 0, s.createPartition(t, "c", "q"), "one that exists, at the limit")
	requireCode(t, G, s.dropPartition(t, "c", "_default"))
	requireCode(t, 100, s.dropPartition(t, "x", "p"))
	requireCode(t, 0, s.dropPartition(t, "c", "nothing"))
	requireCode(t, 0, s.dropPartition(t, "c", "p"))
	requireCode(t, 0, s.dropPartition(t, "c", "p"))
	require.Equal(t, []string{"_default", "q"}, s.partitions(t, "c"))

	has := func(collection, partition string) (bool, error) {
		resp, err := s.HasPartition(within(t), &milvuspb.HasPartitionRequest{
			Base: base(commonpb.MsgType_HasPartition), CollectionName: collection, PartitionName: partition,
		})
		return resp.GetValue(), err
	}
	found, err := has("c", "q")
	require.NoError(t, err)
	require.True(t, found)
	found, err = has("c", "p")
	require.NoError(t, err)
	require.False(t, found)
	_, err = has("x", "p")
	requireCode(t, 100, err)
	_, err = s.ShowPartitions(within(t), &milvuspb.ShowPartitionsRequest{Base: base(commonpb.MsgType_ShowPartitions), CollectionName: "x"})
	requireCode(t, 100, err)
	_, err = s.ShowPartitions(within(t), &milvuspb.ShowPartitionsRequest{Base: base(commonpb.MsgType_ShowPartitions), CollectionID: 1})
	requireCode(t, 100, err)
}

func TestAliasCodes(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "a")
	s.create(t, "b")
	requireCode(t, 1601, s.createAlias(t, "a", "b"))
	requireCode(t, 100, s.createAlias(t, "n", "x"))
	requireCode(t, 0, s.createAlias(t, "n", "a"))
	requireCode(t, 0, s.createAlias(t, "n", "a"))
	requireCode(t, 1602, s.createAlias(t, "n", "b"))
	requireCode(t, 100, s.createAlias(t, "m", "n"), "the target must be a real name")
	for _, bad := range []string{"", ".", "..", "x/y"} {
		requireCode(t, 1100, s.createAlias(t, bad, "a"), bad)
	}
	requireCode(t, 1600, s.alterAlias(t, "m", "a"))
	requireCode(t, 1601, s.alterAlias(t, "b", "a"))
	requireCode(t, 100, s.alterAlias(t, "n", "x"))
	requireCode(t, 0, s.alterAlias(t, "n", "a"))
	requireCode(t, 0, s.alterAlias(t, "n", "b"))

	describe := func(database, alias string) (string, error) {
		resp, err := s.DescribeAlias(within(t), &milvuspb.DescribeAliasRequest{DbName: database, Alias: alias})
		return resp.GetCollection(), err
	}
	name, err := describe("", "n")
	require.NoError(t, err)
	require.Equal(t, "b", name)
	_, err = describe("", "m")
	requireCode(t, 1600, err)
	_, err = describe("nowhere", "n")
	requireCode(t, 800, err)

	list := func(database, collection string) ([]string, error) {
		resp, err := s.ListAliases(within(t), &milvuspb.ListAliasesRequest{DbName: database, CollectionName: collection})
		return resp.GetAliases(), err
	}
	aliases, err := list("", "b")
	require.NoError(t, err)
	require.Equal(t, []string{"n"}, aliases)
	aliases, err = list("default", "")
	require.NoError(t, err)
	require.Equal(t, []string{"n"}, aliases)
	_, err = list("", "n")
	requireCode(t, 100, err)
	_, err = list("nowhere", "")
	requireCode(t, 800, err)

	requireCode(t, 0, s.dropAlias(t, "n"))
	requireCode(t, 0, s.dropAlias(t, "n"))
	_, err = s.DropAlias(within(t), &milvuspb.DropAliasRequest{Base: base(commonpb.MsgType_DropAlias), DbName: "nowhere", Alias: "n"})
	requireCode(t, 800, err)
	_, err = s.CreateAlias(within(t), &milvuspb.CreateAliasRequest{Base: base(commonpb.MsgType_CreateAlias), DbName: "nowhere", Alias: "n", CollectionName: "a"})
	requireCode(t, 800, err)
	_, err = s.AlterAlias(within(t), &milvuspb.AlterAliasRequest{Base: base(commonpb.MsgType_AlterAlias), DbName: "nowhere", Alias: "n", CollectionName: "a"})
	requireCode(t, 800, err)
}

func TestDatabaseCodes(t *testing.T) {
	s := newCluster(t).start(t, func(l *Limits) { l.MaxDatabaseNum = 3 })
	create := func(name string) error {
		_, err := s.CreateDatabase(within(t), &milvuspb.CreateDatabaseRequest{DbName: name})
		return err
	}
	drop := func(name string) error {
		_, err := s.DropDatabase(within(t), &milvuspb.DropDatabaseRequest{DbName: name})
		return err
	}
	requireCode(t, G, create("default"))
	requireCode(t, 0, create("one"))
	requireCode(t, G, create("one"))
	requireCode(t, 0, create("two"))
	requireCode(t, 801, create("three"))
	requireCode(t, G, drop("default"))
	requireCode(t, 0, drop("nowhere"))
	_, err := s.CreateCollection(within(t), createRequest("c", func(r *milvuspb.CreateCollectionRequest) { r.DbName = "one" }))
	require.NoError(t, err)
	requireCode(t, G, drop("one"))
	requireCode(t, 0, drop("two"))
	requireCode(t, 0, create("three"))
	_, err = s.DescribeDatabase(within(t), &rootcoordpb.DescribeDatabaseRequest{DbName: "two"})
	requireCode(t, 800, err)

	list, err := s.ListDatabases(within(t), &milvuspb.ListDatabasesRequest{})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"default", "one", "three"}, list.GetDbNames())
	require.Len(t, list.GetDbIds(), 3)
	require.Len(t, list.GetCreatedTimestamp(), 3)
}

func TestAlterDatabase(t *testing.T) {
	s := newCluster(t).start(t)
	pair := func(k, v string) *commonpb.KeyValuePair { return &commonpb.KeyValuePair{Key: k, Value: v} }
	s.createDatabase(t, "d", pair("a", "1"), pair("b", "2"))
	alter := func(name string, set []*commonpb.KeyValuePair, deleted ...string) error {
		_, err := s.AlterDatabase(within(t), &rootcoordpb.AlterDatabaseRequest{DbName: name, Properties: set, DeleteKeys: deleted})
		return err
	}
	properties := func() string {
		resp, err := s.DescribeDatabase(within(t), &rootcoordpb.DescribeDatabaseRequest{DbName: "d"})
		require.NoError(t, err)
		out := ""
		for _, p := range resp.GetProperties() {
			out += fmt.Sprintf("%s=%s ", p.GetKey(), p.GetValue())
		}
		return out
	}
	requireCode(t, G, alter("d", nil))
	requireCode(t, G, alter("d", []*commonpb.KeyValuePair{pair("a", "1")}, "b"))
	requireCode(t, G, alter("", nil, "b"))
	requireCode(t, 800, alter("nowhere", nil, "b"))
	requireCode(t, 0, alter("d", []*commonpb.KeyValuePair{pair("c", "3"), pair("a", "9")}))
	require.Equal(t, "a=9 b=2 c=3 ", properties())
	requireCode(t, 0, alter("d", nil, "b", "x"))
	require.Equal(t, "a=9 c=3 ", properties())
	requireCode(t, 0, alter("d", []*commonpb.KeyValuePair{pair("replicate.id", "r")}))
	requireCode(t, 0, alter("d", []*commonpb.KeyValuePair{pair("replicate.endTS", "5")}))
	require.Equal(t, "a=9 c=3 replicate.id= replicate.endTS=5 ", properties())
	_, err := s.CreateCollection(within(t), createRequest("c", func(r *milvuspb.CreateCollectionRequest) { r.DbName = "d" }))
	require.NoError(t, err)
	requireCode(t, G, alter("d", []*commonpb.KeyValuePair{pair("replicate.id", "r")}))
}

func TestRenameCollection(t *testing.T) {
	s := newCluster(t).start(t)
	s.createDatabase(t, "d")
	s.create(t, "a")
	s.create(t, "b")
	require.NoError(t, s.createAlias(t, "n", "a"))
	rename := func(from, oldName, to, newName string) error {
		_, err := s.RenameCollection(within(t), &milvuspb.RenameCollectionRequest{
			Base: base(commonpb.MsgType_RenameCollection), DbName: from, OldName: oldName, NewDBName: to, NewName: newName,
		})
		return err
	}
	requireCode(t, G, rename("", "n", "", "x"))
	requireCode(t, G, rename("", "a", "", "b"))
	requireCode(t, G, rename("", "a", "", "n"))
	requireCode(t, G, rename("", "a", "nowhere", "x"))
	requireCode(t, 100, rename("", "nothing", "", "x"))
	requireCode(t, 800, rename("nowhere", "a", "", "x"))
	requireCode(t, G, rename("", "a", "d", "x"), "it has an alias")
	requireCode(t, 0, rename("", "a", "", "x"))
	require.False(t, s.has(t, "a"))
	name, err := s.describe(t, "n")
	require.NoError(t, err)
	require.Equal(t, "x", name.GetCollectionName())
	requireCode(t, 0, rename("", "b", "d", "b"))
	require.Equal(t, []string{"x"}, s.show(t, ""))
	require.Equal(t, []string{"b"}, s.show(t, "d"))
	moved, err := s.DescribeCollection(within(t), &milvuspb.DescribeCollectionRequest{
		Base: base(commonpb.MsgType_DescribeCollection), DbName: "d", CollectionName: "b",
	})
	require.NoError(t, err)
	require.Equal(t, "d", moved.GetDbName())
}

func TestAllocation(t *testing.T) {
	s := newCluster(t).start(t)
	ts, err := s.AllocTimestamp(within(t), &rootcoordpb.AllocTimestampRequest{Count: 10})
	require.NoError(t, err)
	require.Equal(t, uint32(10), ts.GetCount())
	next, err := s.AllocTimestamp(within(t), &rootcoordpb.AllocTimestampRequest{Count: 1})
	require.NoError(t, err)
	require.GreaterOrEqual(t, next.GetTimestamp(), ts.GetTimestamp()+10)
	ids, err := s.AllocID(within(t), &rootcoordpb.AllocIDRequest{Count: 200000})
	require.NoError(t, err)
	more, err := s.AllocID(within(t), &rootcoordpb.AllocIDRequest{Count: 1})
	require.NoError(t, err)
	require.GreaterOrEqual(t, more.GetID(), ids.GetID()+200000)

	blocked := next.GetTimestamp() + (3500 << 18) // beyond the stored bound
	later, err := s.AllocTimestamp(within(t), &rootcoordpb.AllocTimestampRequest{Count: 1, BlockTimestamp: blocked})
	require.NoError(t, err)
	require.Greater(t, later.GetTimestamp(), next.GetTimestamp())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.AllocTimestamp(ctx, &rootcoordpb.AllocTimestampRequest{Count: 1, BlockTimestamp: blocked << 1})
	requireCode(t, 10000, err)
}
