package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

func requireNotReady(t *testing.T, s *commonpb.Status, text string) {
	t.Helper()
	require.Equal(t, int32(1), s.GetCode(), s)
	require.Equal(t, commonpb.ErrorCode_NotReadyServe, s.GetErrorCode())
	require.Equal(t, text, s.GetReason())
	require.Equal(t, text, s.GetDetail())
	require.True(t, s.GetRetriable())
}

func TestNotReadyNamesRoleNodeAndState(t *testing.T) {
	f := newFixture(t, RootCoord)
	for _, state := range []commonpb.StateCode{
		commonpb.StateCode_Initializing, commonpb.StateCode_Abnormal, commonpb.StateCode_StandBy, commonpb.StateCode_Stopping,
	} {
		f.sw.SetState(state)
		resp, err := f.root().AllocTimestamp(testContext(t), &rootcoordpb.AllocTimestampRequest{Count: 1})
		require.NoError(t, err)
		requireNotReady(t, resp.Status, "service not ready[rootcoord=5]: "+state.String())
		created, err := f.root().CreateCollection(testContext(t), &milvuspb.CreateCollectionRequest{})
		require.NoError(t, err)
		requireNotReady(t, created, "service not ready[rootcoord=5]: "+state.String())
	}
	f.id.Store(0)
	resp, err := f.root().AllocID(testContext(t), &rootcoordpb.AllocIDRequest{Count: 1})
	require.NoError(t, err)
	requireNotReady(t, resp.Status, "service not ready[rootcoord=-1]: Stopping")
}

func TestNotReadyOfTheOtherRoles(t *testing.T) {
	data := newFixture(t, DataCoord)
	data.sw.SetState(commonpb.StateCode_StandBy)
	flushed, err := datapb.NewDataCoordClient(data.conn).Flush(testContext(t), &datapb.FlushRequest{})
	require.NoError(t, err)
	requireNotReady(t, flushed.Status, "service not ready[datacoord=5]: StandBy")

	query := newFixture(t, QueryCoord)
	query.sw.SetState(commonpb.StateCode_StandBy)
	loaded, err := querypb.NewQueryCoordClient(query.conn).LoadCollection(testContext(t), &querypb.LoadCollectionRequest{})
	require.NoError(t, err)
	requireNotReady(t, loaded, "service not ready[querycoord=5]: StandBy")
}

// TestEveryMethodAnswersInStandBy calls all methods of all services: none may be missing from the switch, and none may
// answer anything but what the tables say.
func TestEveryMethodAnswersInStandBy(t *testing.T) {
	answered := map[string]bool{
		"GetComponentStates": true, "GetTimeTickChannel": true, "GetStatisticsChannel": true, "ShowSegments": true,
		"GetSegmentInfoChannel": true,
	}
	for _, role := range []string{RootCoord, DataCoord, QueryCoord} {
		f := newFixture(t, role)
		f.sw.SetState(commonpb.StateCode_StandBy)
		for _, service := range f.sw.services {
			d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service.Desc.ServiceName))
			require.NoError(t, err)
			methods := d.(protoreflect.ServiceDescriptor).Methods()
			for i := range methods.Len() {
				name := string(methods.Get(i).Name())
				request, response := newMessage(t, methods.Get(i).Input()), newMessage(t, methods.Get(i).Output())
				err := f.conn.Invoke(testContext(t), "/"+service.Desc.ServiceName+"/"+name, request, response)
				require.NoError(t, err, name)
				if answered[name] || name == "GetMetrics" {
					require.NotEqual(t, int32(1), statusOf(response).GetCode(), name)
					continue
				}
				requireNotReady(t, statusOf(response), "service not ready["+role+"=5]: StandBy")
			}
		}
	}
}

func newMessage(t *testing.T, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	m, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	require.NoError(t, err)
	return m.New().Interface()
}

func TestErrorsBecomeStatus(t *testing.T) {
	f := newFixture(t, RootCoord)
	var failure error
	f.serve(&fakeRoot{describe: func(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
		return nil, failure
	}})
	for name, c := range map[string]struct {
		err       error
		code      int32
		legacy    commonpb.ErrorCode
		retriable bool
		detail    string
	}{
		"kind":    {errs.CollectionNotFound.With("", errs.F("collection", "c")), 100, commonpb.ErrorCode_CollectionNotExists, false, "collection not found[collection=c]"},
		"foreign": {errors.New("broken"), 65535, commonpb.ErrorCode_UnexpectedError, false, "broken"},
		"wrapped": {fmt.Errorf("describe: %w", errs.NotReady.With("soon")), 1, commonpb.ErrorCode_NotReadyServe, false, "describe: service not ready: soon"},
		"grpc error of a call further on": {
			status.Error(codes.Unavailable, "peer is gone"), 65535, commonpb.ErrorCode_UnexpectedError, false,
			"rpc error: code = Unavailable desc = peer is gone",
		},
		"unimplemented further on": {
			fmt.Errorf("ask the proxy: %w", status.Error(codes.Unimplemented, "too old")), 65535, commonpb.ErrorCode_UnexpectedError, false,
			"ask the proxy: rpc error: code = Unimplemented desc = too old",
		},
	} {
		t.Run(name, func(t *testing.T) {
			failure = c.err
			resp, err := f.root().DescribeCollection(testContext(t), &milvuspb.DescribeCollectionRequest{})
			require.NoError(t, err)
			require.Equal(t, c.code, resp.Status.Code)
			require.Equal(t, c.legacy, resp.Status.ErrorCode)
			require.Equal(t, c.retriable, resp.Status.Retriable)
			require.Equal(t, c.detail, resp.Status.Detail)
		})
	}
}

func TestMissingMethodsAreUnimplemented(t *testing.T) {
	f := newFixture(t, DataCoord)
	f.serve(struct {
		datapb.UnimplementedDataCoordServer
	}{})
	_, err := datapb.NewDataCoordClient(f.conn).Flush(testContext(t), &datapb.FlushRequest{})
	require.Equal(t, codes.Unimplemented, status.Code(err))

	// An instance that knows nothing of a service at all.
	f.serve(&fakeRoot{})
	_, err = datapb.NewDataCoordClient(f.conn).Flush(testContext(t), &datapb.FlushRequest{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
	require.Contains(t, err.Error(), "method Flush not implemented")
}

func TestPanicEndsTheCallOnly(t *testing.T) {
	core, logged := observer.New(zap.DebugLevel)
	f := newFixture(t, RootCoord, func(_ *ComponentConfig, s *ServerConfig) { s.Logger = zap.New(core, zap.AddStacktrace(zap.ErrorLevel)) })
	f.serve(&fakeRoot{describe: func(_ context.Context, r *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
		panic(fmt.Sprint("no base of type ", r.Base.MsgType)) // r.Base is nil
	}})
	resp, err := f.root().DescribeCollection(testContext(t), &milvuspb.DescribeCollectionRequest{})
	require.NoError(t, err)
	require.Equal(t, errs.Internal.Code(), resp.Status.Code)
	require.Contains(t, resp.Status.Detail, "DescribeCollection panicked: runtime error: invalid memory address")

	entries := logged.FilterMessage("a call panicked").All()
	require.Len(t, entries, 1)
	require.Contains(t, entries[0].Stack, "status_test.go", "the stack leads to what panicked")

	ts, err := f.root().AllocTimestamp(testContext(t), &rootcoordpb.AllocTimestampRequest{Count: 1})
	require.NoError(t, err)
	require.Zero(t, ts.Status.Code)
	require.NoError(t, f.sw.Close(testContext(t)), "a call that panicked has left")
}

func TestOversizedRequestIsRefused(t *testing.T) {
	f := newFixture(t, RootCoord, func(_ *ComponentConfig, s *ServerConfig) { s.MaxRecvSize = 1000 })
	f.serve(&fakeRoot{create: func(context.Context, *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
		return errs.Success(), nil
	}})
	_, err := f.root().CreateCollection(testContext(t), &milvuspb.CreateCollectionRequest{CollectionName: strings.Repeat("x", 2000)})
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	created, err := f.root().CreateCollection(testContext(t), &milvuspb.CreateCollectionRequest{CollectionName: "x"})
	require.NoError(t, err)
	require.Zero(t, created.Code)
}

func TestUnreadableRequestIsRefused(t *testing.T) {
	f := newFixture(t, RootCoord)
	f.serve(&fakeRoot{})
	err := f.conn.Invoke(testContext(t), rootcoordpb.RootCoord_AllocTimestamp_FullMethodName, []byte{0xff},
		new(rootcoordpb.AllocTimestampResponse), grpc.ForceCodec(rawCodec{}))
	require.Equal(t, codes.Internal, status.Code(err))
	require.NoError(t, f.sw.Close(testContext(t)))
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error { return proto.Unmarshal(b, v.(proto.Message)) }
func (rawCodec) Name() string                    { return "proto" }

func TestAnswersOfATermThatIsNotValid(t *testing.T) {
	var failure error
	valid := true
	f := newFixture(t, RootCoord)
	f.sw.Open(&fakeRoot{
		describe: func(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
			valid = false
			return &milvuspb.DescribeCollectionResponse{Status: errs.Success(), CollectionName: "stale"}, failure
		},
		create: func(context.Context, *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
			valid = false
			return errs.Success(), failure
		},
	}, func() bool { return valid })
	f.sw.SetState(commonpb.StateCode_Healthy)

	describe := func() *milvuspb.DescribeCollectionResponse {
		valid = true
		resp, err := f.root().DescribeCollection(testContext(t), &milvuspb.DescribeCollectionRequest{})
		require.NoError(t, err)
		return resp
	}
	create := func() *commonpb.Status {
		resp, err := f.root().CreateCollection(testContext(t), &milvuspb.CreateCollectionRequest{})
		require.NoError(t, err)
		return resp
	}
	const text = "service not ready[rootcoord=5]: Abnormal"
	require.False(t, f.sw.Overdue())
	stale := describe()
	require.True(t, f.sw.Overdue())
	requireNotReady(t, stale.Status, text)
	require.Empty(t, stale.CollectionName)
	failure = errs.CollectionNotFound
	requireNotReady(t, describe().Status, text)

	requireNotReady(t, create(), text) // refused before it starts: describe has left the term invalid
	for _, c := range []struct {
		err  error
		want int32
	}{
		{nil, 0},
		{errs.CollectionNotFound.With(""), 1}, // a verdict made from stale tables
		{errors.New("there is one of that name already"), 1},               // likewise
		{fmt.Errorf("put: %w", errors.New("etcd does not answer")), 65535}, // it may have been written
		{fmt.Errorf("put: %w", context.Canceled), 10000},                   // likewise
		{fmt.Errorf("put: %w", sessionutil.ErrUnknown), 65535},             // likewise
		{fmt.Errorf("put: %w", sessionutil.ErrDeposed), 1},                 // it was not
		{errors.Join(sessionutil.ErrUnknown, sessionutil.ErrDeposed), 65535},
	} {
		valid, failure = true, c.err
		require.Equal(t, c.want, create().Code, c.err)
	}
	require.True(t, f.sw.Overdue())
	require.NoError(t, f.sw.Close(testContext(t)))
	require.False(t, f.sw.Overdue(), "a role that is not open is not overdue")
}

func TestADeposedWriteMayBeSentAgain(t *testing.T) {
	f := newFixture(t, RootCoord)
	f.serve(&fakeRoot{create: func(context.Context, *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
		return nil, fmt.Errorf("save the collection: %w", sessionutil.ErrDeposed)
	}})
	resp, err := f.root().CreateCollection(testContext(t), &milvuspb.CreateCollectionRequest{})
	require.NoError(t, err)
	requireNotReady(t, resp, "service not ready[rootcoord=5]: StandBy")
}

func TestMistakesInTheTablesAreFound(t *testing.T) {
	component := NewComponent(ComponentConfig{Role: RootCoord})
	services := RootCoordServices(component)
	services[0].Writes = []string{"CreateColection"}
	_, err := NewSwitch(SwitchConfig{Component: component, Services: services, Metrics: newFixture(t, RootCoord).metrics})
	require.ErrorContains(t, err, "service milvus.proto.rootcoord.RootCoord: it has no method CreateColection")
}
