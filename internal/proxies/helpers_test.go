package proxies

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	metaRoot = "by-dev/meta"
	patience = time.Minute
	self     = 99 // the server id of who calls
)

// fakeProxy is a scripted proxy behind a real port.
type fakeProxy struct {
	proxypb.UnimplementedProxyServer
	id     int64
	addr   string
	server *grpc.Server
	done   chan struct{}

	mu     sync.Mutex
	got    []proto.Message
	header metadata.MD
	answer func(ctx context.Context) (*commonpb.Status, error)
	state  commonpb.StateCode
}

func startProxy(t *testing.T, id int64) *fakeProxy {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &fakeProxy{id: id, addr: lis.Addr().String(), server: grpc.NewServer(), done: make(chan struct{}), state: commonpb.StateCode_Healthy}
	p.script(func(context.Context) (*commonpb.Status, error) { return errs.Success(), nil })
	proxypb.RegisterProxyServer(p.server, p)
	go func() { defer close(p.done); _ = p.server.Serve(lis) }()
	t.Cleanup(p.kill)
	return p
}

// kill closes the port and cuts the connections; the session stays.
func (p *fakeProxy) kill() { p.server.Stop(); <-p.done }

func (p *fakeProxy) script(answer func(ctx context.Context) (*commonpb.Status, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *fakeProxy) took(ctx context.Context, req proto.Message) (*commonpb.Status, error) {
	p.mu.Lock()
	p.header, _ = metadata.FromIncomingContext(ctx)
	p.got = append(p.got, req)
	answer := p.answer
	p.mu.Unlock()
	return answer(ctx)
}

func (p *fakeProxy) received() []proto.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]proto.Message(nil), p.got...)
}

func (p *fakeProxy) InvalidateCollectionMetaCache(ctx context.Context, r *proxypb.InvalidateCollMetaCacheRequest) (*commonpb.Status, error) {
	return p.took(ctx, r)
}

func (p *fakeProxy) InvalidateCredentialCache(ctx context.Context, r *proxypb.InvalidateCredCacheRequest) (*commonpb.Status, error) {
	return p.took(ctx, r)
}

func (p *fakeProxy) UpdateCredentialCache(ctx context.Context, r *proxypb.UpdateCredCacheRequest) (*commonpb.Status, error) {
	return p.took(ctx, r)
}

func (p *fakeProxy) RefreshPolicyInfoCache(ctx context.Context, r *proxypb.RefreshPolicyInfoCacheRequest) (*commonpb.Status, error) {
	return p.took(ctx, r)
}

func (p *fakeProxy) SetRates(ctx context.Context, r *proxypb.SetRatesRequest) (*commonpb.Status, error) {
	return p.took(ctx, r)
}

func (p *fakeProxy) GetProxyMetrics(ctx context.Context, r *milvuspb.GetMetricsRequest) (*milvuspb.GetMetricsResponse, error) {
	s, err := p.took(ctx, r)
	return &milvuspb.GetMetricsResponse{Status: s, ComponentName: fmt.Sprint("proxy", p.id)}, err
}

func (p *fakeProxy) GetComponentStates(ctx context.Context, r *milvuspb.GetComponentStatesRequest) (*milvuspb.ComponentStates, error) {
	s, err := p.took(ctx, r)
	p.mu.Lock()
	defer p.mu.Unlock()
	return &milvuspb.ComponentStates{Status: s, State: &milvuspb.ComponentInfo{NodeID: p.id, StateCode: p.state}}, err
}

// silentPort accepts connections and never says a word.
func silentPort(t *testing.T) string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	}()
	t.Cleanup(func() {
		_ = lis.Close()
		<-done
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return lis.Addr().String()
}

type fixture struct {
	t      *testing.T
	etcd   *clustertest.Etcd
	kv     *clientv3.Client
	fleet  *Fleet
	caller *Caller
	ctx    context.Context
	stop   func()
	logs   *observer.ObservedLogs
}

func newFixture(t *testing.T, timeout time.Duration) *fixture {
	f := &fixture{t: t, etcd: clustertest.StartEtcd(t)}
	f.kv = f.etcd.Client(t)
	core, logs := observer.New(zapcore.InfoLevel)
	f.logs = logs
	logger := zaptest.NewLogger(t).WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(c, core) }))
	fleet, err := New(Config{
		Client: f.kv, MetaRoot: metaRoot, Cluster: "by-dev", Dial: rpc.DialOptions(rpc.ClientConfig{}), Timeout: timeout, Logger: logger,
	})
	require.NoError(t, err)
	f.fleet, f.caller = fleet, fleet.Caller(self)
	var cancel context.CancelFunc
	f.ctx, cancel = context.WithTimeout(context.Background(), patience)
	running, end := context.WithCancel(f.ctx)
	done := make(chan error, 1)
	go func() { done <- fleet.Run(running) }()
	f.stop = sync.OnceFunc(func() {
		end()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { f.stop(); cancel() })
	return f
}

// register puts the session of a proxy on a lease of its own, and returns what ends it. The fleet knows of it.
func (f *fixture) register(id int64, addr string) (end func()) {
	f.t.Helper()
	lease, err := f.kv.Grant(f.ctx, 60)
	require.NoError(f.t, err)
	leaseID := int64(lease.ID)
	value, err := json.Marshal(sessionutil.Record{ServerID: id, ServerName: "proxy", Address: addr, LeaseID: &leaseID, TriggerKill: true, Version: "2.5.6"})
	require.NoError(f.t, err)
	resp, err := f.kv.Put(f.ctx, fmt.Sprintf("%s/session/proxy-%d", metaRoot, id), string(value), clientv3.WithLease(lease.ID))
	require.NoError(f.t, err)
	require.NoError(f.t, f.fleet.Barrier(f.ctx, resp.Header.Revision))
	return func() {
		_, err := f.kv.Revoke(f.ctx, lease.ID)
		require.NoError(f.t, err)
	}
}

// sync waits until the fleet knows what is in etcd.
func (f *fixture) sync() {
	f.t.Helper()
	resp, err := f.kv.Get(f.ctx, "x")
	require.NoError(f.t, err)
	require.NoError(f.t, f.fleet.Barrier(f.ctx, resp.Header.Revision))
}

func (f *fixture) start(id int64) *fakeProxy {
	p := startProxy(f.t, id)
	f.register(id, p.addr)
	return p
}

func dropCollection(names ...string) Expiry {
	return Expiry{Kind: commonpb.MsgType_DropCollection, DB: "default", CollectionID: 7, Names: names, TS: 5}
}
