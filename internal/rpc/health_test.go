package rpc

import (
	"context"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
)

func watch(t *testing.T, f *fixture, service string) healthpb.Health_WatchClient {
	t.Helper()
	stream, err := healthpb.NewHealthClient(f.conn).Watch(testContext(t), &healthpb.HealthCheckRequest{Service: service})
	require.NoError(t, err)
	header, err := stream.Header()
	require.NoError(t, err)
	require.Equal(t, []string{"5"}, header.Get("serverid"))
	require.Equal(t, []string{"rootcoord"}, header.Get("role"))
	return stream
}

func requireNext(t *testing.T, stream healthpb.Health_WatchClient, want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	resp, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, want, resp.Status)
}

func TestHealthFollowsTheTerm(t *testing.T) {
	f := newFixture(t, RootCoord)
	process, role := watch(t, f, ""), watch(t, f, RootCoord)
	requireNext(t, process, serving)
	requireNext(t, role, notServing)
	f.sw.SetState(commonpb.StateCode_StandBy)
	f.sw.SetState(commonpb.StateCode_Initializing)
	f.serve(&fakeRoot{})
	requireNext(t, role, serving)
	require.NoError(t, f.sw.Close(testContext(t)))
	requireNext(t, role, notServing)

	resp, err := healthpb.NewHealthClient(f.conn).Check(testContext(t), &healthpb.HealthCheckRequest{Service: RootCoord})
	require.NoError(t, err)
	require.Equal(t, notServing, resp.Status)
	var header metadata.MD
	_, err = healthpb.NewHealthClient(f.conn).Check(testContext(t), &healthpb.HealthCheckRequest{Service: DataCoord}, grpc.Header(&header))
	require.Equal(t, codes.NotFound, status.Code(err))
	require.Equal(t, []string{"5"}, header.Get("serverid"))
}

// TestHealthOutlastsTheLastAnswer is what makes NOT_SERVING the word of the active one that its term is over: a standby
// that hears it may serve at once.
func TestHealthOutlastsTheLastAnswer(t *testing.T) {
	f := newFixture(t, RootCoord)
	entered, release := make(chan struct{}), make(chan struct{})
	f.serve(&fakeRoot{describe: func(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
		close(entered)
		<-release
		return &milvuspb.DescribeCollectionResponse{Status: errs.Success()}, nil
	}})
	role := watch(t, f, RootCoord)
	requireNext(t, role, serving)
	answered := make(chan error, 1)
	go func() {
		_, err := f.root().DescribeCollection(context.Background(), &milvuspb.DescribeCollectionRequest{})
		answered <- err
	}()
	<-entered
	f.sw.SetState(commonpb.StateCode_Stopping)
	closed := make(chan error, 1)
	go func() { closed <- f.sw.Close(context.Background()) }()

	early := make(chan healthpb.HealthCheckResponse_ServingStatus, 1)
	go func() {
		resp, _ := role.Recv()
		early <- resp.GetStatus()
	}()
	select {
	case s := <-early:
		t.Fatalf("the health service said %v with a call under way", s)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	require.NoError(t, <-closed)
	require.Equal(t, notServing, <-early)
	require.NoError(t, <-answered)
}

func TestHealthHeaderComesBeforeAnyMessage(t *testing.T) {
	f := newFixture(t, RootCoord)
	// A stream whose request has not been sent: the server has nothing to answer yet.
	stream, err := f.conn.NewStream(testContext(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, healthpb.Health_Watch_FullMethodName)
	require.NoError(t, err)
	header, err := stream.Header()
	require.NoError(t, err)
	require.Equal(t, []string{"5"}, header.Get("serverid"))
	require.NoError(t, stream.CloseSend())
}

func TestStopEndsHealthStreams(t *testing.T) {
	f := newFixture(t, RootCoord)
	stream := watch(t, f, "")
	requireNext(t, stream, serving)
	began := time.Now()
	require.NoError(t, f.server.Stop(testContext(t)))
	require.Less(t, time.Since(began), 5*time.Second)
	_, err := stream.Recv()
	require.Error(t, err)
}

func TestStopIsBounded(t *testing.T) {
	f := newFixture(t, RootCoord)
	entered, answered := make(chan struct{}), make(chan struct{})
	f.serve(&fakeRoot{describe: func(ctx context.Context, _ *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	go func() {
		defer close(answered)
		_, _ = f.root().DescribeCollection(context.Background(), &milvuspb.DescribeCollectionRequest{})
	}()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, f.server.Stop(ctx), context.DeadlineExceeded)
	<-answered
}
