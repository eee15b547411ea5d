package rpc

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeRoot is a coordinator whose answers a test chooses.
type fakeRoot struct {
	rootcoordpb.UnimplementedRootCoordServer
	describe func(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error)
	create   func(context.Context, *milvuspb.CreateCollectionRequest) (*commonpb.Status, error)
	clock    atomic.Uint64
}

func (f *fakeRoot) DescribeCollection(ctx context.Context, r *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
	return f.describe(ctx, r)
}

func (f *fakeRoot) CreateCollection(ctx context.Context, r *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
	return f.create(ctx, r)
}

func (f *fakeRoot) AllocTimestamp(_ context.Context, r *rootcoordpb.AllocTimestampRequest) (*rootcoordpb.AllocTimestampResponse, error) {
	return &rootcoordpb.AllocTimestampResponse{Status: errs.Success(), Timestamp: f.clock.Add(uint64(r.Count)), Count: r.Count}, nil
}

// fixture is a server of one role on a loopback port, with a client.
type fixture struct {
	id        atomic.Int64
	component *Component
	sw        *Switch
	server    *Server
	conn      *grpc.ClientConn
	address   string
	metrics   *metrics.Metrics
}

type option func(*ComponentConfig, *ServerConfig)

func newFixture(t testing.TB, role string, options ...option) *fixture {
	t.Helper()
	f := &fixture{metrics: metrics.New(metrics.Build{Version: "test"})}
	f.id.Store(5)
	component := ComponentConfig{
		Role: role, ServerID: f.id.Load, Address: func() string { return "10.0.0.1:53100" },
		TimeTickChannel: "by-dev-tt", StatisticsChannel: "by-dev-stats", SegmentInfoChannel: "by-dev-segments",
		Started: time.Now(),
	}
	server := ServerConfig{Cluster: "by-dev", Logger: zap.NewNop()}
	for _, o := range options {
		o(&component, &server)
	}
	f.component = NewComponent(component)
	services := map[string]func(*Component) []Service{
		RootCoord: RootCoordServices, DataCoord: DataCoordServices, QueryCoord: QueryCoordServices,
	}[role](f.component)
	var err error
	f.sw, err = NewSwitch(SwitchConfig{Component: f.component, Services: services, Metrics: f.metrics})
	require.NoError(t, err)
	f.server = NewServer(server, f.sw)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.address = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, f.server.Stop(ctx))
		require.NoError(t, <-served)
	})
	f.conn = dial(t, f.address, ClientConfig{})
	return f
}

func dial(t testing.TB, address string, cfg ClientConfig) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, DialOptions(cfg)...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (f *fixture) root() rootcoordpb.RootCoordClient { return rootcoordpb.NewRootCoordClient(f.conn) }

// serve makes server the instance of a healthy term.
func (f *fixture) serve(server any) {
	f.sw.Open(server, func() bool { return true })
	f.sw.SetState(commonpb.StateCode_Healthy)
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
