package catalog

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
)

// recorded is what lies in a cluster that began with Milvus 2.1 and has been run by 2.2 and 2.5, byte for byte.
var recorded = map[string]string{
	"database/db-info/1":            golden["database"],
	"database/db-info/9":            "e29bbc", // dropped
	"database/collection-info/1/44": golden["collection"],
	"database/collection-info/1/50": "e29bbc",
	"database/collection-info/1/51": "0833" + "12050a036e6f64", // without a database: id 51, name nod
	"partitions/44/45":              golden["partition"],
	"partitions/44/99":              "e29bbc",
	"fields/44/100":                 golden["field"],
	"functions/44/100":              golden["function"],
	"database/aliases/1/b":          golden["alias"],
	"database/aliases/1/gone":       "e29bbc",
	// 2.2, before databases: id 46, name old, created at 5.
	"collection/46": "082e" + "12050a036f6c64" + "1805",
	"aliases/la":    "0a026c61" + "102e",
	// 2.1: an alias that is a collection's record; and a collection with its field and its partition inline.
	"collection-alias/an": "082e" + "12040a02616e",
	"collection/47": "082f" + "120d0a03696e6c" + "2206" + "0864" + "1202706b" + // schema with the field 100, pk
		"220101" + "2a085f64656661756c74" + "4a0103", // partition 1, _default, of 3
}

func recordedView(t *testing.T) *View {
	t.Helper()
	view := NewView(keys)
	var all []metatable.KV
	for key, encoded := range recorded {
		value, err := hex.DecodeString(encoded)
		require.NoError(t, err)
		all = append(all, metatable.KV{Key: keys.Prefix() + key, Value: value, ModRevision: 7})
	}
	view.Load(7, slices.Values(all))()
	return view
}

func TestAClusterThatMilvusWrote(t *testing.T) {
	recordedView(t).Read(func(r Reader) {
		require.Empty(t, r.Quarantined())
		require.Len(t, r.Databases(), 1)
		db := r.DatabaseByName("default")
		require.EqualValues(t, 5, db.Info.GetCreatedTime())
		require.Equal(t, "v", db.Info.GetProperties()[0].GetValue())

		require.Equal(t, 4, r.Total())
		books := r.CollectionByName(1, "books")
		require.Equal(t, []string{"dml_0_44v0"}, books.Info.GetVirtualChannelNames())
		require.Equal(t, []byte{1, 2}, books.Info.GetStartPositions()[0].GetData())
		require.Equal(t, "8", books.Fields[0].GetTypeParams()[0].GetValue())
		require.Equal(t, []int64{100}, books.Functions[0].GetInputFieldIds())
		require.Len(t, books.Partitions, 1, "the other is a tombstone")
		require.Equal(t, "_default", books.Partitions[0].Info.GetPartitionName())
		require.Same(t, books, r.Resolve(1, "b"))

		require.EqualValues(t, 51, r.CollectionByName(model.DefaultDatabaseID, "nod").ID())
		require.EqualValues(t, 5, r.CollectionByName(1, "old").Info.GetCreateTime())
		require.EqualValues(t, 46, r.Resolve(1, "la").ID())
		require.EqualValues(t, 46, r.Resolve(1, "an").ID())
		inl := r.CollectionByName(1, "inl")
		require.Equal(t, "pk", inl.Fields[0].GetName())
		require.EqualValues(t, 1, inl.Partitions[0].ID())
		require.Equal(t, "_default", inl.Partitions[0].Info.GetPartitionName())
		require.EqualValues(t, 3, inl.Partitions[0].Info.GetPartitionCreatedTimestamp())

		require.Nil(t, r.Alias(1, "gone"))
		require.Nil(t, r.Collection(50))
		require.Nil(t, r.Database(9))
		revision, err := r.revision(keys.alias(1, "gone"))
		require.NoError(t, err)
		require.EqualValues(t, 7, revision, "who writes there must know of the tombstone")
	})
}
