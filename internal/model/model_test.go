package model

import (
	"slices"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/stretchr/testify/require"
)

func partition(id int64, name string, state etcdpb.PartitionState) Partition {
	return Partition{Info: &etcdpb.PartitionInfo{PartitionID: id, PartitionName: name, State: state}}
}

func TestCollection(t *testing.T) {
	c := &Collection{
		Info: &etcdpb.CollectionInfo{
			ID: 44, Schema: &schemapb.CollectionSchema{Name: "books"}, VirtualChannelNames: []string{"a", "b", "c"},
		},
		Partitions: []Partition{
			partition(5, "_default", etcdpb.PartitionState_PartitionCreated),
			partition(7, "p", etcdpb.PartitionState_PartitionDropping),
			partition(9, "p", etcdpb.PartitionState_PartitionCreated),
		},
	}
	require.EqualValues(t, 44, c.ID())
	require.Equal(t, "books", c.Name())
	require.Equal(t, DefaultDatabaseID, c.DBID(), "a record from before databases")
	require.True(t, c.Created())
	require.EqualValues(t, 3, c.Shards(), "a record that does not tell")
	require.EqualValues(t, 6, c.Capacity(), "two Created partitions")
	c.Info.ShardsNum, c.Info.DbId, c.Info.State = 2, 3, etcdpb.CollectionState_CollectionCreating
	require.EqualValues(t, 4, c.Capacity())
	require.EqualValues(t, 3, c.DBID())
	require.False(t, c.Created())

	p, ok := c.Partition(7)
	require.True(t, ok)
	require.False(t, p.Created())
	_, ok = c.Partition(8)
	require.False(t, ok)
	p, ok = c.PartitionByName("p")
	require.True(t, ok)
	require.EqualValues(t, 9, p.ID(), "the one that is being dropped is not found")
	_, ok = c.PartitionByName("q")
	require.False(t, ok)
}

func TestFieldsAreInTheOrderOfCreation(t *testing.T) {
	var fields []*schemapb.FieldSchema
	for _, id := range []int64{1, 101, 0, 100, 102} {
		fields = append(fields, &schemapb.FieldSchema{FieldID: id})
	}
	slices.SortFunc(fields, CompareFields)
	var ids []int64
	for _, f := range fields {
		ids = append(ids, f.GetFieldID())
	}
	require.Equal(t, []int64{100, 101, 102, 0, 1}, ids)
	require.Zero(t, CompareFields(fields[0], fields[0]))
}

func TestAliasOfOldRecords(t *testing.T) {
	require.Equal(t, DefaultDatabaseID, (&Alias{Info: &etcdpb.AliasInfo{}}).DBID())
	require.EqualValues(t, 2, (&Alias{Info: &etcdpb.AliasInfo{DbId: 2}}).DBID())
}
