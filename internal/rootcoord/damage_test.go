package rootcoord

import (
	"fmt"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
)

// spoil makes a record one that nobody can read.
func (c *cluster) spoil(t testing.TB, key string) {
	t.Helper()
	_, err := c.client.Put(within(t), c.metaRoot()+"/"+key, "\xff\xff")
	require.NoError(t, err)
}

// The records of two databases, the default one among them, do not decode. The term begins all the same, and what is in
// the databases goes on: were it not listed, DataCoord would take its data for nobody's.
func TestDamagedDatabases(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "books")
	s.createDatabase(t, "lost")
	_, err := s.CreateCollection(within(t), createRequest("tomes", func(r *milvuspb.CreateCollectionRequest) { r.DbName = "lost" }))
	require.NoError(t, err)
	lost, err := s.DescribeDatabase(within(t), &rootcoordpb.DescribeDatabaseRequest{DbName: "lost"})
	require.NoError(t, err)
	s.end()
	c.spoil(t, "root-coord/database/db-info/1")
	c.spoil(t, fmt.Sprintf("root-coord/database/db-info/%d", lost.GetDbID()))

	s = c.start(t)
	unreadable := fmt.Sprintf("unreadable-%d", lost.GetDbID())
	listed, err := s.ListDatabases(within(t), &milvuspb.ListDatabasesRequest{})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"default", unreadable}, listed.GetDbNames())
	require.Equal(t, []string{"books"}, s.show(t, ""))
	require.Equal(t, []string{"tomes"}, s.show(t, unreadable))
	ids, err := s.ShowCollectionIDs(within(t), &rootcoordpb.ShowCollectionIDsRequest{})
	require.NoError(t, err)
	require.Len(t, ids.GetDbCollections(), 2)
	for _, of := range ids.GetDbCollections() {
		require.Len(t, of.GetCollectionIDs(), 1)
	}
	_, err = s.describe(t, "books")
	require.NoError(t, err)
	require.NoError(t, s.createPartition(t, "books", "p"))

	for name, call := range map[string]func() error{
		"DescribeDatabase": func() error {
			_, err := s.DescribeDatabase(within(t), &rootcoordpb.DescribeDatabaseRequest{DbName: "default"})
			return err
		},
		"AlterDatabase": func() error {
			_, err := s.AlterDatabase(within(t), &rootcoordpb.AlterDatabaseRequest{DbName: unreadable, DeleteKeys: []string{"x"}})
			return err
		},
		"DropDatabase": func() error {
			s.drop(t, "books")
			_, err := s.DropDatabase(within(t), &milvuspb.DropDatabaseRequest{DbName: unreadable})
			return err
		},
		"CreateCollection": func() error {
			_, err := s.CreateCollection(within(t), createRequest("new"))
			return err
		},
	} {
		err := call()
		requireCode(t, G, err, name)
		require.ErrorContains(t, err, "root-coord/database/db-info/", name)
	}
	for _, id := range []int64{1, lost.GetDbID()} {
		require.Equal(t, "\xff\xff", c.value(t, fmt.Sprintf("root-coord/database/db-info/%d", id)), "nothing is written over or deleted")
	}
}

// An alias whose record does not decode is neither gone nor free.
func TestDamagedAlias(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "c")
	require.NoError(t, s.createAlias(t, "sick", "c"))
	s.end()
	c.spoil(t, "root-coord/database/aliases/1/sick")
	c.spoil(t, "root-coord/collection-alias/ancient")

	s = c.start(t)
	for _, alias := range []string{"sick", "ancient"} {
		for name, call := range map[string]func() error{
			"DescribeCollection": func() error { _, err := s.describe(t, alias); return err },
			"DescribeAlias": func() error {
				_, err := s.DescribeAlias(within(t), &milvuspb.DescribeAliasRequest{Alias: alias})
				return err
			},
			"CreateAlias":      func() error { return s.createAlias(t, alias, "c") },
			"AlterAlias":       func() error { return s.alterAlias(t, alias, "c") },
			"DropAlias":        func() error { return s.dropAlias(t, alias) },
			"CreateCollection": func() error { _, err := s.CreateCollection(within(t), createRequest(alias)); return err },
			"DropCollection": func() error {
				_, err := s.DropCollection(within(t), &milvuspb.DropCollectionRequest{
					Base: base(commonpb.MsgType_DropCollection), CollectionName: alias,
				})
				return err
			},
			"RenameCollection": func() error {
				_, err := s.RenameCollection(within(t), &milvuspb.RenameCollectionRequest{
					Base: base(commonpb.MsgType_RenameCollection), OldName: "c", NewName: alias,
				})
				return err
			},
		} {
			err := call()
			requireCode(t, G, err, name)
			require.ErrorContains(t, err, "/"+alias+" at revision", name)
		}
	}
	_, err := s.describe(t, "c")
	require.NoError(t, err)
}

// What an alias stands for cannot be read: the alias does not stand for a collection without a name.
func TestAliasOfADamagedCollection(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "c")
	require.NoError(t, s.createAlias(t, "a", "c"))
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	s.end()
	key := fmt.Sprintf("root-coord/database/collection-info/1/%d", d.GetCollectionID())
	c.spoil(t, key)

	s = c.start(t)
	_, err = s.DescribeAlias(within(t), &milvuspb.DescribeAliasRequest{Alias: "a"})
	requireCode(t, G, err)
	require.ErrorContains(t, err, key)
}
