package rootcoord

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

func TestDescribeTellsEverything(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	before, err := s.AllocTimestamp(within(t), &rootcoordpb.AllocTimestampRequest{Count: 1})
	require.NoError(t, err)
	schema := vectorSchema("c", func(s *schemapb.CollectionSchema) {
		s.Description, s.EnableDynamicField, s.AutoID = "about", true, true
		s.Fields = append(s.Fields, &schemapb.FieldSchema{Name: "doc", DataType: schemapb.DataType_VarChar})
		s.Functions = []*schemapb.FunctionSchema{{Name: "f", InputFieldNames: []string{"doc"}, OutputFieldNames: []string{"vec"}}}
	})
	properties := []*commonpb.KeyValuePair{{Key: "collection.ttl.seconds", Value: "5"}}
	_, err = s.CreateCollection(within(t), createWith(schema, func(r *milvuspb.CreateCollectionRequest) {
		r.ShardsNum, r.ConsistencyLevel, r.Properties = 2, commonpb.ConsistencyLevel_Bounded, properties
	}))
	require.NoError(t, err)
	require.NoError(t, s.createAlias(t, "zz", "c"))
	require.NoError(t, s.createAlias(t, "aa", "c"))

	for _, name := range []string{"c", "zz"} {
		d, err := s.describe(t, name)
		require.NoError(t, err)
		require.True(t, proto.Equal(d.GetStatus(), &commonpb.Status{}))
		require.Equal(t, "c", d.GetCollectionName(), "the real name")
		require.Equal(t, "c", d.GetSchema().GetName())
		require.Equal(t, "about", d.GetSchema().GetDescription())
		require.True(t, d.GetSchema().GetEnableDynamicField())
		var ids []int64
		for _, f := range d.GetSchema().GetFields() {
			ids = append(ids, f.GetFieldID())
		}
		require.Equal(t, []int64{100, 101, 102, 103, 0, 1}, ids)
		require.Equal(t, []int64{102}, d.GetSchema().GetFunctions()[0].GetInputFieldIds())
		require.True(t, proto.Equal(properties[0], d.GetProperties()[0]))
		require.True(t, proto.Equal(properties[0], d.GetSchema().GetProperties()[0]))
		require.Equal(t, int32(2), d.GetShardsNum())
		require.Equal(t, commonpb.ConsistencyLevel_Bounded, d.GetConsistencyLevel())
		require.Equal(t, []string{"by-dev-rootcoord-dml_0", "by-dev-rootcoord-dml_1"}, d.GetPhysicalChannelNames())
		for i, v := range d.GetVirtualChannelNames() {
			require.Equal(t, fmt.Sprintf("by-dev-rootcoord-dml_%d_%dv%d", i, d.GetCollectionID(), i), v)
		}
		require.Len(t, d.GetVirtualChannelNames(), 2)
		require.Equal(t, []string{"aa", "zz"}, d.GetAliases())
		require.Equal(t, "default", d.GetDbName())
		require.Equal(t, int64(1), d.GetDbId())
		require.Equal(t, int64(1), d.GetNumPartitions())
		require.Greater(t, d.GetCreatedTimestamp(), before.GetTimestamp())
		require.Equal(t, d.GetCreatedTimestamp()>>18, d.GetCreatedUtcTimestamp())
		require.WithinDuration(t, time.Now(), time.UnixMilli(int64(d.GetCreatedUtcTimestamp())), time.Minute)
		require.Greater(t, d.GetRequestTime(), d.GetCreatedTimestamp())
	}

	// The next term finds the same, and continues above it.
	last, err := s.describe(t, "c")
	require.NoError(t, err)
	s.end()
	next := c.start(t)
	d, err := next.describe(t, "c")
	require.NoError(t, err)
	require.Greater(t, d.GetRequestTime(), last.GetRequestTime())
	last.RequestTime = d.GetRequestTime()
	require.True(t, proto.Equal(last, d), "before %v\nafter %v", last, d)
	next.create(t, "c2")
	d2, err := next.describe(t, "c2")
	require.NoError(t, err)
	require.Greater(t, d2.GetCollectionID(), d.GetCollectionID())
	require.Equal(t, []string{"by-dev-rootcoord-dml_2"}, d2.GetPhysicalChannelNames(), "the least used channel")
}

func TestLayoutInEtcd(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "c")
	require.NoError(t, s.createAlias(t, "n", "c"))
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	id := d.GetCollectionID()
	parts, err := s.ShowPartitions(within(t), &milvuspb.ShowPartitionsRequest{Base: base(commonpb.MsgType_ShowPartitions), CollectionID: id})
	require.NoError(t, err)
	root := c.metaRoot() + "/root-coord/"
	require.ElementsMatch(t, []string{
		root + "database/db-info/1",
		root + fmt.Sprintf("database/collection-info/1/%d", id),
		root + fmt.Sprintf("partitions/%d/%d", id, parts.GetPartitionIDs()[0]),
		root + fmt.Sprintf("fields/%d/100", id), root + fmt.Sprintf("fields/%d/101", id),
		root + fmt.Sprintf("fields/%d/0", id), root + fmt.Sprintf("fields/%d/1", id),
		root + "database/aliases/1/n",
	}, c.metadata(t))
	resp, err := c.client.Get(within(t), root+fmt.Sprintf("database/collection-info/1/%d", id))
	require.NoError(t, err)
	var info etcdpb.CollectionInfo
	require.NoError(t, proto.Unmarshal(resp.Kvs[0].Value, &info))
	require.Empty(t, info.GetSchema().GetFields(), "fields have keys of their own")
	require.Equal(t, "default", info.GetSchema().GetDbName())
	require.Equal(t, int64(1), info.GetDbId())
	require.Equal(t, etcdpb.CollectionState_CollectionCreated, info.GetState())

	s.drop(t, "c")
	require.Equal(t, []string{root + "database/db-info/1"}, c.metadata(t), "a drop leaves nothing, the alias included")
}

func TestDefaultDatabaseIsMadeOnce(t *testing.T) {
	c := newCluster(t)
	s := c.start(t, func(l *Limits) { l.DefaultDBProperties = map[string]string{"b": "2", "a": "1"} })
	describe := func(s *server) *rootcoordpb.DescribeDatabaseResponse {
		resp, err := s.DescribeDatabase(within(t), &rootcoordpb.DescribeDatabaseRequest{})
		require.NoError(t, err)
		return resp
	}
	first := describe(s)
	require.Equal(t, int64(1), first.GetDbID())
	require.Len(t, first.GetProperties(), 2)
	require.WithinDuration(t, time.Now(), time.Unix(0, int64(first.GetCreatedTimestamp())), time.Minute)
	s.end()
	require.True(t, proto.Equal(first, describe(c.start(t))))
}

func TestPartitionKeyMode(t *testing.T) {
	s := newCluster(t).start(t)
	_, err := s.CreateCollection(within(t), createWith(vectorSchema("c", partitionKey), func(r *milvuspb.CreateCollectionRequest) {
		r.NumPartitions = 300
	}))
	require.NoError(t, err)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("_default_%d", i))
	}
	require.Equal(t, want, s.partitions(t, "c"))
	require.Equal(t, "1 databases, 1 collections, capacity 300", s.collectionHandlers.ledger.String())
	s.drop(t, "c")
	require.Equal(t, "1 databases, 0 collections, capacity 0", s.collectionHandlers.ledger.String())
}

func TestReplicatedRequests(t *testing.T) {
	s := newCluster(t).start(t)
	s.createDatabase(t, "d", &commonpb.KeyValuePair{Key: "replicate.id", Value: "r"})
	_, err := s.CreateCollection(within(t), createRequest("c", func(r *milvuspb.CreateCollectionRequest) {
		r.DbName = "d"
		r.Base.ReplicateInfo = &commonpb.ReplicateInfo{IsReplicate: true, MsgTimestamp: 77}
		r.Properties = []*commonpb.KeyValuePair{{Key: "replicate.id", Value: "x"}, {Key: "mmap.enabled", Value: "true"}}
	}))
	require.NoError(t, err)
	d, err := s.DescribeCollection(within(t), &milvuspb.DescribeCollectionRequest{
		Base: base(commonpb.MsgType_DescribeCollection), DbName: "d", CollectionName: "c",
	})
	require.NoError(t, err)
	require.Equal(t, uint64(77), d.GetCreatedTimestamp())
	require.Len(t, d.GetProperties(), 1, "a replicated database's collections do not have an id of their own")
}

func TestListsAtAnOlderTime(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "old")
	ts, err := s.AllocTimestamp(within(t), &rootcoordpb.AllocTimestampRequest{Count: 1})
	require.NoError(t, err)
	s.create(t, "young")
	require.NoError(t, s.createPartition(t, "old", "young"))
	resp, err := s.ShowCollections(within(t), &milvuspb.ShowCollectionsRequest{
		Base: base(commonpb.MsgType_ShowCollections), TimeStamp: ts.GetTimestamp(),
	})
	require.NoError(t, err)
	require.Equal(t, []string{"old"}, resp.GetCollectionNames())
	require.ElementsMatch(t, []string{"old", "young"}, s.show(t, ""))
	named, err := s.ShowCollections(within(t), &milvuspb.ShowCollectionsRequest{
		Base: base(commonpb.MsgType_ShowCollections), CollectionNames: []string{"young", "none"},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"young"}, named.GetCollectionNames())
	require.Len(t, named.GetCollectionIds(), 1)
	require.Len(t, named.GetCreatedTimestamps(), 1)
	require.Equal(t, named.GetCreatedTimestamps()[0]>>18, named.GetCreatedUtcTimestamps()[0])
	d, err := s.DescribeCollection(within(t), &milvuspb.DescribeCollectionRequest{
		Base: base(commonpb.MsgType_DescribeCollection), CollectionName: "old", TimeStamp: ts.GetTimestamp(),
	})
	require.NoError(t, err)
	require.Equal(t, int64(1), d.GetNumPartitions())
}

// A collection of a database hides neither from nor in another one with the same names.
func TestDatabasesAreNamespaces(t *testing.T) {
	s := newCluster(t).start(t)
	for i := range 11 { // ids 10 and more begin like 1
		s.createDatabase(t, fmt.Sprintf("d%d", i))
	}
	for _, db := range []string{"", "d0", "d10"} {
		_, err := s.CreateCollection(within(t), createRequest("c", func(r *milvuspb.CreateCollectionRequest) { r.DbName = db }))
		require.NoError(t, err)
		require.Equal(t, []string{"c"}, s.show(t, db))
	}
	s.drop(t, "c")
	require.Equal(t, []string{"c"}, s.show(t, "d10"))
	ids, err := s.ShowCollectionIDs(within(t), &rootcoordpb.ShowCollectionIDsRequest{})
	require.NoError(t, err)
	require.Len(t, ids.GetDbCollections(), 12)
	ids, err = s.ShowCollectionIDs(within(t), &rootcoordpb.ShowCollectionIDsRequest{DbNames: []string{"d10"}})
	require.NoError(t, err)
	require.Len(t, ids.GetDbCollections()[0].GetCollectionIDs(), 1)
}

// What is Creating or Dropping is seen by id only where that is asked for, and is gone after the activation.
func TestLeftoversOfAnEarlierTerm(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	s.end()

	for id, state := range map[int64]etcdpb.CollectionState{
		7: etcdpb.CollectionState_CollectionCreating, 8: etcdpb.CollectionState_CollectionDropping,
	} {
		c.putMessage(t, fmt.Sprintf("root-coord/database/collection-info/1/%d", id), halfCollection(id, "half", state))
		c.putMessage(t, fmt.Sprintf("root-coord/fields/%d/100", id), &schemapb.FieldSchema{FieldID: 100, Name: "pk"})
		c.putMessage(t, fmt.Sprintf("root-coord/functions/%d/100", id), &schemapb.FunctionSchema{Id: 100, Name: "f"})
		c.putMessage(t, fmt.Sprintf("root-coord/partitions/%d/%d", id, id+1), &etcdpb.PartitionInfo{PartitionID: id + 1, CollectionId: id})
	}
	c.putMessage(t, "root-coord/database/aliases/1/n", &etcdpb.AliasInfo{AliasName: "n", CollectionId: 8, DbId: 1})
	c.putMessage(t, fmt.Sprintf("root-coord/partitions/%d/9", d.GetCollectionID()), &etcdpb.PartitionInfo{
		PartitionID: 9, CollectionId: d.GetCollectionID(), PartitionName: "half", State: etcdpb.PartitionState_PartitionCreating,
	})

	s = c.start(t)
	require.Equal(t, []string{"c"}, s.show(t, ""))
	require.Equal(t, []string{"_default"}, s.partitions(t, "c"))
	require.False(t, s.has(t, "half"))
	s.create(t, "half") // the name is free at once
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(c.keysUnder(t, "root-coord/"), func(key string) bool {
			return strings.HasSuffix(key, "/7") || strings.Contains(key, "/7/") || strings.HasSuffix(key, "/8") ||
				strings.Contains(key, "/8/") || strings.HasSuffix(key, "/9") || strings.HasSuffix(key, "/n")
		})
	}, time.Minute, 10*time.Millisecond)
	require.True(t, s.has(t, "half"))
	require.True(t, s.has(t, "c"))
}

func TestUnavailableOnesById(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	// Written behind the coordinator's back, after the activation listed what is half done.
	c := &cluster{client: s.role.client, root: "by-dev"}
	c.putMessage(t, "root-coord/database/collection-info/1/7", halfCollection(7, "half", etcdpb.CollectionState_CollectionDropping))
	c.putMessage(t, fmt.Sprintf("root-coord/partitions/%d/9", d.GetCollectionID()), &etcdpb.PartitionInfo{
		PartitionID: 9, CollectionId: d.GetCollectionID(), PartitionName: "half", State: etcdpb.PartitionState_PartitionDropping,
	})
	describe := func(id int64, internal bool) (*milvuspb.DescribeCollectionResponse, error) {
		req := &milvuspb.DescribeCollectionRequest{Base: base(commonpb.MsgType_DescribeCollection), CollectionID: id}
		if internal {
			return s.DescribeCollectionInternal(within(t), req)
		}
		return s.DescribeCollection(within(t), req)
	}
	require.Eventually(t, func() bool {
		all, err := describe(d.GetCollectionID(), true)
		require.NoError(t, err)
		return all.GetNumPartitions() == 2
	}, time.Minute, time.Millisecond)
	_, err = describe(7, true)
	require.NoError(t, err)
	_, err = describe(7, false)
	requireCode(t, 100, err)
	created, err := describe(d.GetCollectionID(), false)
	require.NoError(t, err)
	require.Equal(t, int64(1), created.GetNumPartitions())
	shown, err := s.ShowPartitionsInternal(within(t), &milvuspb.ShowPartitionsRequest{
		Base: base(commonpb.MsgType_ShowPartitions), CollectionID: d.GetCollectionID(),
	})
	require.NoError(t, err)
	require.Len(t, shown.GetPartitionIDs(), 2)
	require.Equal(t, []string{"_default"}, s.partitions(t, "c"))
	ids, err := s.ShowCollectionIDs(within(t), &rootcoordpb.ShowCollectionIDsRequest{AllowUnavailable: true})
	require.NoError(t, err)
	require.Len(t, ids.GetDbCollections()[0].GetCollectionIDs(), 2)
}

func TestDamagedRecords(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "c")
	s.create(t, "sick")
	d, err := s.describe(t, "sick")
	require.NoError(t, err)
	s.end()
	_, err = c.client.Put(within(t), fmt.Sprintf("%s/root-coord/fields/%d/101", c.metaRoot(), d.GetCollectionID()), "\xff\xff")
	require.NoError(t, err)

	s = c.start(t)
	_, err = s.describe(t, "sick")
	requireCode(t, G, err)
	require.ErrorContains(t, err, fmt.Sprintf("fields/%d/101", d.GetCollectionID()))
	_, err = s.CreateCollection(within(t), createRequest("sick"))
	requireCode(t, G, err)
	_, err = s.describe(t, "c")
	require.NoError(t, err)
	require.Len(t, c.keysUnder(t, fmt.Sprintf("root-coord/fields/%d/", d.GetCollectionID())), 4, "nothing is deleted")
}

func TestAliasWithoutACollection(t *testing.T) {
	c := newCluster(t)
	c.putMessage(t, "root-coord/database/aliases/1/n", &etcdpb.AliasInfo{AliasName: "n", CollectionId: 8, DbId: 1})
	s := c.start(t)
	_, err := s.DescribeAlias(within(t), &milvuspb.DescribeAliasRequest{Alias: "n"})
	requireCode(t, 1603, err)
	_, err = s.describe(t, "n")
	requireCode(t, 100, err)
	s.create(t, "c")
	requireCode(t, 1602, s.createAlias(t, "n", "c"))
	requireCode(t, 0, s.alterAlias(t, "n", "c"))
	require.True(t, s.has(t, "n"))
}
