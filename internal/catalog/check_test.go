package catalog

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
)

func TestCheckerDecodesAndKeepsNothing(t *testing.T) {
	c := NewChecker(Keys{MetaRoot: "m"})
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		require.NoError(t, err)
		return b
	}
	inlined := &etcdpb.CollectionInfo{ID: 7, PartitionIDs: []int64{1}, Schema: &schemapb.CollectionSchema{Fields: []*schemapb.FieldSchema{{FieldID: 1}}}} //nolint:staticcheck // an old layout
	for _, round := range []int{1, 2} {                                                                                                                   // what is kept would show
		for key, want := range map[string]struct {
			value   []byte
			kind    string
			present bool
			problem string
		}{
			"m/root-coord/database/db-info/1":           {encode(&etcdpb.DatabaseInfo{Id: 1, Name: "default"}), "databases", true, ""},
			"m/root-coord/database/db-info/2":           {encode(&etcdpb.DatabaseInfo{Id: 3}), "databases", true, "the record is of database 3"},
			"m/root-coord/database/collection-info/1/7": {encode(&etcdpb.CollectionInfo{ID: 7}), "collections", true, ""},
			"m/root-coord/database/collection-info/1/8": {[]byte("nonsense"), "collections", true, "proto"},
			"m/root-coord/collection/7":                 {encode(inlined), "collections of old layouts", true, ""},
			"m/root-coord/partitions/7/9":               {encode(&etcdpb.PartitionInfo{PartitionID: 9}), "partitions", true, ""},
			"m/root-coord/fields/7/100":                 {encode(&schemapb.FieldSchema{FieldID: 100}), "fields", true, ""},
			"m/root-coord/fields/7/101":                 {tombstone, "fields", false, ""},
			"m/root-coord/functions/7/1":                {encode(&schemapb.FunctionSchema{Id: 1}), "functions", true, ""},
			"m/root-coord/database/aliases/1/a":         {encode(&etcdpb.AliasInfo{AliasName: "a"}), "aliases", true, ""},
			"m/root-coord/credential/users/root":        {[]byte("{}"), "", false, ""},
			"m/other":                                   {[]byte("x"), "", false, ""},
		} {
			kind, present, err := c.Check(metatable.KV{Key: key, Value: want.value, ModRevision: 1})
			require.Equal(t, want.kind, kind, "%s, round %d", key, round)
			require.Equal(t, want.present, present, key)
			if want.problem == "" {
				require.NoError(t, err, key)
			} else {
				require.ErrorContains(t, err, want.problem, key)
			}
		}
	}
	require.Empty(t, c.t.databases)
	require.Empty(t, c.t.collections)
	require.Empty(t, c.t.aliases)
	require.Empty(t, c.t.touched)
	require.Empty(t, c.t.sick)
	require.Empty(t, c.t.inlined)
}
