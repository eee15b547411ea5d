package rootcoord

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/rootcoord/schema"
)

func pairs(kv ...string) (out []*commonpb.KeyValuePair) {
	for i := 0; i < len(kv); i += 2 {
		out = append(out, &commonpb.KeyValuePair{Key: kv[i], Value: kv[i+1]})
	}
	return out
}

func (s *server) alterCollection(t testing.TB, name string, set []*commonpb.KeyValuePair, deleted ...string) error {
	t.Helper()
	_, err := s.AlterCollection(within(t), &milvuspb.AlterCollectionRequest{CollectionName: name, Properties: set, DeleteKeys: deleted})
	return err
}

func (s *server) alterField(t testing.TB, collection, field string, set ...string) error {
	t.Helper()
	_, err := s.AlterCollectionField(within(t), &milvuspb.AlterCollectionFieldRequest{
		CollectionName: collection, FieldName: field, Properties: pairs(set...),
	})
	return err
}

func TestAlterCollection(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "books")
	require.NoError(t, s.createAlias(t, "novels", "books"))

	require.NoError(t, s.alterCollection(t, "books", pairs("a", "1", "b", "2")))
	require.NoError(t, s.alterCollection(t, "novels", pairs("b", "3")), "by alias")
	require.NoError(t, s.alterCollection(t, "books", nil, "a", "never set"))
	was, err := s.describe(t, "books")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"b": "3"}, schema.Params(was.GetProperties()))

	s.end()
	s = c.start(t)
	is, err := s.describe(t, "books")
	require.NoError(t, err)
	is.RequestTime = was.GetRequestTime()
	require.True(t, proto.Equal(was, is), "the next term describes it alike:\n%v\n%v", was, is)
}

// Clients send with their rows the time of the schema that they know, and proxies compare it with this one.
func TestAlterationsTellWhen(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "books")
	was, err := s.describe(t, "books")
	require.NoError(t, err)
	require.Equal(t, was.GetCreatedTimestamp(), was.GetUpdateTimestamp())
	for name, alter := range map[string]func() error{
		"collection": func() error { return s.alterCollection(t, "books", pairs("a", "1")) },
		"field":      func() error { return s.alterField(t, "books", "vec", "mmap.enabled", "true") },
	} {
		require.NoError(t, alter())
		is, err := s.describe(t, "books")
		require.NoError(t, err)
		require.Greater(t, is.GetUpdateTimestamp(), was.GetUpdateTimestamp(), name)
		require.Equal(t, was.GetCreatedTimestamp(), is.GetCreatedTimestamp(), name)
		was = is
	}
}

func TestAlterCollectionThatIsSoAlreadyWritesNothing(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "books")
	require.NoError(t, s.alterCollection(t, "books", pairs("a", "1")))
	id, err := s.describe(t, "books")
	require.NoError(t, err)
	before := s.role.view.Collection(id.GetCollectionID()).ModRevision
	require.NoError(t, s.alterCollection(t, "books", pairs("a", "1")))
	require.NoError(t, s.alterCollection(t, "books", nil, "z"))
	require.Equal(t, before, s.role.view.Collection(id.GetCollectionID()).ModRevision)
}

func TestAlterCollectionRefuses(t *testing.T) {
	s := newCluster(t).start(t)
	s.create(t, "books")
	requireCode(t, G, s.alterCollection(t, "", pairs("a", "1")))
	requireCode(t, G, s.alterCollection(t, "books", nil))
	requireCode(t, G, s.alterCollection(t, "books", pairs("a", "1"), "b"))
	requireCode(t, 100, s.alterCollection(t, "nowhere", pairs("a", "1")))
	requireCode(t, G, s.alterField(t, "", "vector", "mmap.enabled", "true"))
	requireCode(t, G, s.alterField(t, "books", "", "mmap.enabled", "true"))
	requireCode(t, G, s.alterField(t, "books", "vector"))
	requireCode(t, 100, s.alterField(t, "nowhere", "vector", "mmap.enabled", "true"))
	requireCode(t, 1100, s.alterField(t, "books", "no such field", "mmap.enabled", "true"))
}

// In Milvus 2.5 the field is changed in memory alone and is as before after a restart.
func TestAlterCollectionFieldLasts(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "books")
	was, err := s.describe(t, "books")
	require.NoError(t, err)
	field := was.GetSchema().GetFields()[1]

	// A later Milvus' own part of the record is to survive.
	unknown := protowire.AppendString(protowire.AppendTag(nil, 999, protowire.BytesType), "later")
	stored, _ := proto.Clone(field).(*schemapb.FieldSchema)
	stored.ProtoReflect().SetUnknown(unknown)
	require.NoError(t, s.role.view.Collection(was.GetCollectionID()).Damage)
	s.end()
	keys := c.keysUnder(t, "root-coord/fields/")
	require.NotEmpty(t, keys)
	var key string
	for _, k := range keys {
		resp, err := c.client.Get(within(t), k)
		require.NoError(t, err)
		f := &schemapb.FieldSchema{}
		require.NoError(t, proto.Unmarshal(resp.Kvs[0].Value, f))
		if f.GetFieldID() == field.GetFieldID() {
			key = k
		}
	}
	require.NotEmpty(t, key)
	c.putMessage(t, key[len(c.metaRoot())+1:], stored)

	s = c.start(t)
	require.NoError(t, s.alterField(t, "books", field.GetName(), "mmap.enabled", "true"))
	require.NoError(t, s.alterField(t, "books", field.GetName(), "mmap.enabled", "true"), "again")
	s.end()
	s = c.start(t)
	is, err := s.describe(t, "books")
	require.NoError(t, err)
	changed := is.GetSchema().GetFields()[1]
	require.Equal(t, field.GetFieldID(), changed.GetFieldID())
	require.Equal(t, "true", schema.Params(changed.GetTypeParams())["mmap.enabled"])
	for k, v := range schema.Params(field.GetTypeParams()) {
		require.Equal(t, v, schema.Params(changed.GetTypeParams())[k])
	}
	require.Equal(t, unknown, []byte(changed.ProtoReflect().GetUnknown()))
}

func TestGetPChannelInfo(t *testing.T) {
	c := newCluster(t)
	c.putMessage(t, "root-coord/database/collection-info/1/7", halfCollection(7, "half", etcdpb.CollectionState_CollectionCreated))
	s := c.start(t)
	s.create(t, "books")
	require.NoError(t, s.createPartition(t, "books", "p"))
	books, err := s.describe(t, "books")
	require.NoError(t, err)
	for i, channel := range books.GetPhysicalChannelNames() {
		resp, err := s.GetPChannelInfo(within(t), &rootcoordpb.GetPChannelInfoRequest{Pchannel: channel})
		require.NoError(t, err)
		found := false
		for _, on := range resp.GetCollections() {
			if on.GetCollectionId() == books.GetCollectionID() {
				found = true
				require.Equal(t, books.GetVirtualChannelNames()[i], on.GetVchannel())
				require.Len(t, on.GetPartitions(), 2)
			}
		}
		require.True(t, found)
	}
	resp, err := s.GetPChannelInfo(within(t), &rootcoordpb.GetPChannelInfoRequest{Pchannel: "nobody's"})
	require.NoError(t, err)
	require.Empty(t, resp.GetCollections())
}
