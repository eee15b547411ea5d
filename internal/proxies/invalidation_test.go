package proxies

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// What Milvus sends, in numbers.
func TestRequestsOfEachDDL(t *testing.T) {
	request := func(msgType int32, name string, id int64, partition string, ts uint64) *proxypb.InvalidateCollMetaCacheRequest {
		return &proxypb.InvalidateCollMetaCacheRequest{
			Base:   &commonpb.MsgBase{MsgType: commonpb.MsgType(msgType), Timestamp: ts, SourceID: 9},
			DbName: "db", CollectionName: name, CollectionID: id, PartitionName: partition,
		}
	}
	all := func(r ...*proxypb.InvalidateCollMetaCacheRequest) []*proxypb.InvalidateCollMetaCacheRequest { return r }
	for _, test := range []struct {
		kind  commonpb.MsgType
		names []string
		want  []*proxypb.InvalidateCollMetaCacheRequest
	}{
		{commonpb.MsgType_CreateCollection, []string{"c"}, all(request(101, "c", 7, "", 5))},
		{commonpb.MsgType_DropCollection, []string{"a1", "a2", "c"}, all(request(101, "a1", 7, "", 5), request(101, "a2", 7, "", 5), request(101, "c", 7, "", 5))},
		{commonpb.MsgType_CreatePartition, []string{"c"}, all(request(200, "c", 7, "p", 5))},
		{commonpb.MsgType_DropPartition, []string{"c"}, all(request(201, "c", 7, "p", 5))},
		{commonpb.MsgType_AlterCollection, []string{"a", "c"}, all(request(111, "a", 7, "", 0), request(111, "c", 7, "", 0))},
		{commonpb.MsgType_AlterCollectionField, []string{"c"}, all(request(115, "c", 7, "", 0))},
		{commonpb.MsgType_AlterAlias, []string{"a"}, all(request(110, "a", 7, "", 5))},
		{commonpb.MsgType_DropAlias, []string{"a"}, all(request(109, "a", 7, "", 5))},
		{commonpb.MsgType_RenameCollection, []string{"old"}, all(request(112, "old", 7, "", 5))},
		{commonpb.MsgType_AlterDatabase, nil, all(request(1804, "", 0, "", 5))},
		{commonpb.MsgType_DropDatabase, nil, all(request(1802, "", 0, "", 5))},
		{commonpb.MsgType_CreateAlias, []string{"a"}, nil},
		{commonpb.MsgType_CreateDatabase, nil, nil},
	} {
		t.Run(test.kind.String(), func(t *testing.T) {
			got, err := Requests(Expiry{Kind: test.kind, DB: "db", CollectionID: 7, Names: test.names, Partition: "p", TS: 5}, 9)
			require.NoError(t, err)
			require.Len(t, got, len(test.want))
			for i := range got {
				require.True(t, proto.Equal(test.want[i], got[i]), "%v, not %v", got[i], test.want[i])
			}
		})
	}
}

// Of whatever is asked for: one request for each name and no other, all alike but for the name.
func TestRequestsAreWhatIsAskedFor(t *testing.T) {
	var kinds []commonpb.MsgType
	for number := range commonpb.MsgType_name {
		kinds = append(kinds, commonpb.MsgType(number))
	}
	rapid.Check(t, func(rt *rapid.T) {
		e := Expiry{
			Kind: rapid.SampledFrom(kinds).Draw(rt, "kind"), DB: rapid.String().Draw(rt, "db"), CollectionID: rapid.Int64().Draw(rt, "id"),
			Names: rapid.SliceOfN(rapid.String(), 0, 4).Draw(rt, "names"), Partition: rapid.SampledFrom([]string{"", "p"}).Draw(rt, "partition"),
			TS: rapid.Uint64().Draw(rt, "ts"),
		}
		got, err := Requests(e, 9)
		r, known := rules[e.Kind]
		switch {
		case silent[e.Kind]:
			require.NoError(rt, err)
			require.Empty(rt, got)
			return
		case !known, !r.database && len(e.Names) == 0, r.part && e.Partition == "":
			require.Error(rt, err)
			return
		}
		require.NoError(rt, err)
		if r.database {
			require.Len(rt, got, 1)
		} else {
			require.Len(rt, got, len(e.Names))
		}
		for i, req := range got {
			require.Equal(rt, e.DB, req.GetDbName())
			require.Equal(rt, int64(9), req.GetBase().GetSourceID())
			require.Equal(rt, r.part, req.GetPartitionName() != "")
			require.Contains(rt, []uint64{0, e.TS}, req.GetBase().GetTimestamp())
			if r.database {
				require.Zero(rt, req.GetCollectionID())
				require.Empty(rt, req.GetCollectionName())
			} else {
				require.Equal(rt, e.CollectionID, req.GetCollectionID())
				require.Equal(rt, e.Names[i], req.GetCollectionName())
			}
		}
	})
}
