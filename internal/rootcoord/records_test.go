package rootcoord

import (
	"fmt"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
)

// later is a field that no message here has, as a Milvus of a later line may write it.
const later = "\xfa\x3f\x05later"

// What a later Milvus has added to a record is there after every change of the record.
func TestUnknownFieldsSurviveEveryRewrite(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	for _, name := range []string{"c", "other"} {
		s.create(t, name)
	}
	require.NoError(t, s.createPartition(t, "c", "p"))
	require.NoError(t, s.createAlias(t, "a", "c"))
	s.addGroup(t, "g", "Query", "Search")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	of := s.role.view.Collection(d.GetCollectionID())
	partition, _ := of.PartitionByName("p")

	records := map[string]string{
		"database":   "root-coord/database/db-info/1",
		"collection": fmt.Sprintf("root-coord/database/collection-info/1/%d", of.ID()),
		"field":      fmt.Sprintf("root-coord/fields/%d/101", of.ID()),
		"partition":  fmt.Sprintf("root-coord/partitions/%d/%d", of.ID(), partition.ID()),
		"alias":      "root-coord/database/aliases/1/a",
		"group":      "root-coord/privilege-group/g",
	}
	for _, key := range records {
		put, err := c.client.Put(within(t), c.metaRoot()+"/"+key, c.value(t, key)+later)
		require.NoError(t, err)
		require.NoError(t, s.role.follower.WaitFor(within(t), put.Header.Revision))
	}

	pair := []*commonpb.KeyValuePair{{Key: "k", Value: "v"}}
	for _, change := range []struct {
		of, what string
		do       func() error
	}{
		{"database", "AlterDatabase", func() error {
			_, err := s.AlterDatabase(within(t), &rootcoordpb.AlterDatabaseRequest{DbName: "default", Properties: pair})
			return err
		}},
		{"collection", "AlterCollection", func() error {
			_, err := s.AlterCollection(within(t), &milvuspb.AlterCollectionRequest{CollectionName: "c", Properties: pair})
			return err
		}},
		{"field", "AlterCollectionField", func() error {
			_, err := s.AlterCollectionField(within(t), &milvuspb.AlterCollectionFieldRequest{CollectionName: "c", FieldName: "vec", Properties: pair})
			return err
		}},
		{"collection", "RenameCollection", func() error {
			_, err := s.RenameCollection(within(t), &milvuspb.RenameCollectionRequest{
				Base: base(commonpb.MsgType_RenameCollection), OldName: "c", NewName: "d",
			})
			return err
		}},
		{"alias", "AlterAlias", func() error { return s.alterAlias(t, "a", "other") }},
		{"group", "OperatePrivilegeGroup", func() error {
			return s.group(t, "g", milvuspb.OperatePrivilegeGroupType_RemovePrivilegesFromGroup, "Search")
		}},
		{"partition", "hide the partition", func() error { return s.aliasHandlers.writer.HidePartition(within(t), of.ID(), partition.ID()) }},
		{"collection", "hide the collection", func() error { return s.aliasHandlers.writer.HideCollection(within(t), of.ID()) }},
	} {
		before := c.value(t, records[change.of])
		require.NoError(t, change.do(), change.what)
		after := c.value(t, records[change.of])
		require.NotEqual(t, before, after, "%s writes", change.what)
		require.Contains(t, after, later, change.what)
	}
}

// The records of users, roles and groups, byte for byte as Milvus has them. Grants are in TestWhatEveryClusterHas.
func TestAccessRecordsInEtcd(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	require.NoError(t, s.addUser(t, "ann"))
	require.NoError(t, s.addRole(t, "r"))
	require.NoError(t, s.join(t, "ann", "r", milvuspb.OperateUserRoleType_AddUserToRole))
	s.addGroup(t, "g", "Search", "Query")
	require.Equal(t, `{"encrypted_password":"bcrypt-ann"}`, c.value(t, "root-coord/credential/users/ann"))
	require.Empty(t, c.value(t, "root-coord/credential/roles/r"))
	require.Empty(t, c.value(t, "root-coord/credential/user-role-mapping/ann/r"))
	require.Equal(t, "\x0a\x01g"+"\x12\x07\x0a\x05Query"+"\x12\x08\x0a\x06Search", c.value(t, "root-coord/privilege-group/g"))
}
