package datapath

import (
	"context"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer answers calls in a test's stead and keeps what it was asked.
type peer struct {
	asked  []proto.Message
	answer func(ctx context.Context, method string, reply any) error
}

func (p *peer) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	p.asked = append(p.asked, args.(proto.Message))
	if p.answer == nil {
		return nil
	}
	return p.answer(ctx, method, reply)
}

func (p *peer) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no streams")
}

func newPath(t *testing.T) (path *Path, data, query *peer, logs *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	data, query = &peer{}, &peer{}
	return New(Config{DataCoord: data, QueryCoord: query, Patience: time.Minute, Logger: zap.New(core)}), data, query, logs
}

func collection(properties ...*commonpb.KeyValuePair) *model.Collection {
	return &model.Collection{
		Info: &etcdpb.CollectionInfo{
			ID: 7, DbId: 3, CreateTime: 55, Properties: properties,
			Schema:               &schemapb.CollectionSchema{Name: "c", DbName: "d", EnableDynamicField: true},
			VirtualChannelNames:  []string{"dml_0_7v0"},
			PhysicalChannelNames: []string{"dml_0"},
			StartPositions:       []*commonpb.KeyDataPair{{Key: "dml_0", Data: []byte{1}}},
		},
		Fields:     []*schemapb.FieldSchema{{FieldID: 100, Name: "pk"}, {FieldID: 0, Name: "RowID"}},
		Partitions: []model.Partition{{Info: &etcdpb.PartitionInfo{PartitionID: 70}}},
	}
}

var database = &model.Database{Info: &etcdpb.DatabaseInfo{Id: 3, Name: "d", Properties: []*commonpb.KeyValuePair{{Key: "a", Value: "b"}}}}

func TestWhatPeersAreAsked(t *testing.T) {
	p, data, query, _ := newPath(t)
	c := collection()
	require.NoError(t, p.Watch(t.Context(), database, c))
	require.NoError(t, p.DropIndex(t.Context(), c))
	require.NoError(t, p.Release(t.Context(), c))

	watch, ok := data.asked[0].(*datapb.WatchChannelsRequest)
	require.True(t, ok)
	require.Equal(t, int64(7), watch.GetCollectionID())
	require.Equal(t, []string{"dml_0_7v0"}, watch.GetChannelNames())
	require.Equal(t, "dml_0", watch.GetStartPositions()[0].GetKey())
	require.Equal(t, uint64(55), watch.GetCreateTimestamp())
	require.Len(t, watch.GetSchema().GetFields(), 2, "system fields are part of it")
	require.Len(t, watch.GetDbProperties(), 1)
	require.False(t, watch.GetSchema().GetEnableDynamicField())
	require.True(t, c.Info.GetSchema().GetEnableDynamicField(), "what is shared stays as it is")
	drop, ok := data.asked[1].(*indexpb.DropIndexRequest)
	require.True(t, ok)
	require.True(t, drop.GetDropAll())
	release, ok := query.asked[0].(*querypb.ReleaseCollectionRequest)
	require.True(t, ok)
	require.Equal(t, int64(7), release.GetCollectionID())
}

func TestAltered(t *testing.T) {
	p, data, query, _ := newPath(t)
	old := collection()
	require.NoError(t, p.Altered(t.Context(), database, old, collection(&commonpb.KeyValuePair{Key: "collection.ttl.seconds", Value: "3"})))
	require.Len(t, data.asked, 1)
	require.Empty(t, query.asked, "nothing about loading has changed")
	require.NoError(t, p.Altered(t.Context(), database, old, collection(
		&commonpb.KeyValuePair{Key: "collection.replica.number", Value: "2"}, &commonpb.KeyValuePair{Key: "collection.resource_groups", Value: "a, b"})))
	load, ok := query.asked[0].(*querypb.UpdateLoadConfigRequest)
	require.True(t, ok)
	require.Equal(t, int32(2), load.GetReplicaNumber())
	require.Equal(t, []string{"a", "b"}, load.GetResourceGroups())
	two := &model.Database{Info: &etcdpb.DatabaseInfo{
		Id: database.Info.GetId(), Properties: []*commonpb.KeyValuePair{{Key: "database.replica.number", Value: "3"}},
	}}
	require.NoError(t, p.AlteredDatabase(t.Context(), database, two, []int64{7, 8}))
	require.NoError(t, p.AlteredDatabase(t.Context(), database, two, nil), "nothing is in it")
	require.NoError(t, p.AlteredDatabase(t.Context(), two, two, []int64{7}), "nothing has changed")
	require.Len(t, query.asked, 2)
	load, ok = query.asked[1].(*querypb.UpdateLoadConfigRequest)
	require.True(t, ok)
	require.Equal(t, int32(3), load.GetReplicaNumber())
	require.Equal(t, []int64{7, 8}, load.GetCollectionIDs())
	altered, ok := data.asked[1].(*datapb.AlterCollectionRequest)
	require.True(t, ok)
	require.Equal(t, []int64{70}, altered.GetPartitionIDs())
}

func TestPeerThatDoesNotImplementACallIsPassedOverAndNamedOnce(t *testing.T) {
	unimplemented := errs.ToStatus(errs.Unimplemented.With("no"))
	for name, none := range map[string]func(context.Context, string, any) error{
		"by gRPC": func(context.Context, string, any) error { return status.Error(codes.Unimplemented, "no") },
		"by a Status": func(_ context.Context, _ string, reply any) error {
			switch r := reply.(type) {
			case *commonpb.Status:
				proto.Merge(r, unimplemented)
			case *datapb.WatchChannelsResponse:
				r.Status = unimplemented
			case *datapb.GcConfirmResponse:
				r.Status = unimplemented
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, data, query, logs := newPath(t)
			data.answer, query.answer = none, none
			for range 3 {
				require.NoError(t, p.Watch(t.Context(), database, collection()))
				require.NoError(t, p.Release(t.Context(), collection()))
				gone, err := p.Confirm(t.Context(), 7, -1)
				require.NoError(t, err)
				require.True(t, gone)
			}
			require.Equal(t, 3, logs.Len(), "one line a method")
		})
	}
}

func TestPeerThatDoesNotAnswerIsWaitedForWithABound(t *testing.T) {
	p, data, _, _ := newPath(t)
	p.cfg.Patience = time.Millisecond
	data.answer = func(ctx context.Context, _ string, _ any) error {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	err := p.Watch(t.Context(), database, collection())
	require.ErrorIs(t, err, errs.NotReady)
	require.True(t, errs.Retriable(err))
	require.ErrorContains(t, err, "datacoord")
	require.ErrorContains(t, err, "WatchChannels")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.False(t, errs.Retriable(p.Watch(ended, database, collection())), "the caller went away, that is all")
}

func TestRefusalOfAPeerIsAnError(t *testing.T) {
	p, data, _, _ := newPath(t)
	data.answer = func(_ context.Context, _ string, reply any) error {
		switch r := reply.(type) {
		case *datapb.WatchChannelsResponse:
			r.Status = errs.ToStatus(errs.ParameterInvalid.With("no"))
		case *datapb.GcConfirmResponse:
			r.Status, r.GcFinished = errs.Success(), false
		}
		return nil
	}
	require.ErrorContains(t, p.Watch(t.Context(), database, collection()), "WatchChannels of datacoord")
	gone, err := p.Confirm(t.Context(), 7, 70)
	require.NoError(t, err)
	require.False(t, gone)
	confirm, ok := data.asked[1].(*datapb.GcConfirmRequest)
	require.True(t, ok)
	require.Equal(t, int64(70), confirm.GetPartitionId())
}
