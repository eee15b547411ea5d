package coordclient

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

const (
	metaRoot = "by-dev/meta"
	role     = "rootcoord"
	patience = 20 * time.Second
)

// coordinator is a scripted RootCoord behind a real port.
type coordinator struct {
	rootcoordpb.UnimplementedRootCoordServer
	id     int64
	addr   string
	server *grpc.Server
	calls  atomic.Int64
	seen   atomic.Pointer[metadata.MD]

	mu     sync.Mutex
	answer func(ctx context.Context) (*commonpb.Status, error)
}

func startCoordinator(t *testing.T, id int64) *coordinator {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &coordinator{id: id, addr: lis.Addr().String(), server: grpc.NewServer()}
	c.script(func(context.Context) (*commonpb.Status, error) { return errs.Success(), nil })
	rootcoordpb.RegisterRootCoordServer(c.server, c)
	healthpb.RegisterHealthServer(c.server, health.NewServer())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.server.Serve(lis) }()
	t.Cleanup(func() { c.server.Stop(); <-done })
	return c
}

func (c *coordinator) script(answer func(ctx context.Context) (*commonpb.Status, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *coordinator) next(ctx context.Context) (*commonpb.Status, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	c.seen.Store(&md)
	c.calls.Add(1)
	c.mu.Lock()
	answer := c.answer
	c.mu.Unlock()
	return answer(ctx)
}

func (c *coordinator) AllocID(ctx context.Context, r *rootcoordpb.AllocIDRequest) (*rootcoordpb.AllocIDResponse, error) {
	s, err := c.next(ctx)
	return &rootcoordpb.AllocIDResponse{Status: s, ID: c.id, Count: r.GetCount()}, err
}

func (c *coordinator) CreateDatabase(ctx context.Context, _ *milvuspb.CreateDatabaseRequest) (*commonpb.Status, error) {
	return c.next(ctx)
}

func (c *coordinator) CheckHealth(ctx context.Context, _ *milvuspb.CheckHealthRequest) (*milvuspb.CheckHealthResponse, error) {
	s, err := c.next(ctx)
	return &milvuspb.CheckHealthResponse{Status: s, Reasons: []string{"why"}}, err
}

// activate makes c the active one, in the place of whoever was.
func activate(t *testing.T, etcd *clientv3.Client, c *coordinator) {
	value, err := json.Marshal(sessionutil.Record{ServerID: c.id, ServerName: role, Address: c.addr, Exclusive: true})
	require.NoError(t, err)
	deactivate(t, etcd)
	_, err = etcd.Put(t.Context(), sessionutil.ActiveKey(metaRoot, role), string(value))
	require.NoError(t, err)
}

func deactivate(t *testing.T, etcd *clientv3.Client) {
	_, err := etcd.Delete(t.Context(), sessionutil.ActiveKey(metaRoot, role))
	require.NoError(t, err)
}

type fixture struct {
	etcd   *clustertest.Etcd
	kv     *clientv3.Client
	client *Client
	root   rootcoordpb.RootCoordClient
	ctx    context.Context
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{etcd: clustertest.StartEtcd(t)}
	f.kv = f.etcd.Client(t)
	var err error
	f.client, err = New(t.Context(), Config{
		Etcd: f.kv, MetaRoot: metaRoot, Role: role, Cluster: "by-dev",
		Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zaptest.NewLogger(t),
	})
	require.NoError(t, err)
	t.Cleanup(f.client.Close)
	f.root = rootcoordpb.NewRootCoordClient(f.client)
	var cancel context.CancelFunc
	f.ctx, cancel = context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return f
}

// allocID is a method that may be repeated; it answers with the id of the coordinator.
func (f *fixture) allocID(ctx context.Context) (int64, error) {
	resp, err := f.root.AllocID(ctx, &rootcoordpb.AllocIDRequest{Count: 1})
	return resp.GetID(), err
}

// createDatabase is a method that may not be repeated.
func (f *fixture) createDatabase(ctx context.Context) error {
	resp, err := f.root.CreateDatabase(ctx, &milvuspb.CreateDatabaseRequest{DbName: "d"})
	if err != nil {
		return err
	}
	return errs.FromStatus(resp)
}

func TestFindsTheExactKeyAndSaysWhoItIs(t *testing.T) {
	f := newFixture(t)
	standby := startCoordinator(t, 2)
	value, err := json.Marshal(sessionutil.Record{ServerID: standby.id, Address: standby.addr})
	require.NoError(t, err)
	_, err = f.kv.Put(f.ctx, sessionutil.ActiveKey(metaRoot, role)+"-2", string(value))
	require.NoError(t, err)

	short, cancel := context.WithTimeout(f.ctx, 200*time.Millisecond)
	defer cancel()
	_, err = f.allocID(short)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "no active rootcoord")

	active := startCoordinator(t, 7)
	activate(t, f.kv, active)
	id, err := f.allocID(f.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(7), id)
	md := *active.seen.Load()
	require.Equal(t, []string{"by-dev"}, md.Get("cluster"))
	require.Equal(t, []string{"7"}, md.Get("serverid"))
	require.Equal(t, []string{"QEBtaWx2dXMtbWVtYmVyQEA="}, md.Get("sourceid"))
	require.Zero(t, standby.calls.Load())
	who, err := f.client.Active(f.ctx)
	require.NoError(t, err)
	require.Equal(t, Active{ServerID: 7, Address: active.addr}, who)

	stream, err := healthpb.NewHealthClient(f.client).Watch(f.ctx, &healthpb.HealthCheckRequest{})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
}

func TestFollowsASwitchWhileManyCall(t *testing.T) {
	f := newFixture(t)
	coordinators := []*coordinator{startCoordinator(t, 1), startCoordinator(t, 2), startCoordinator(t, 3)}
	activate(t, f.kv, coordinators[0])
	stop := make(chan struct{})
	var latest atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id, err := f.allocID(f.ctx)
				if err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				latest.Store(id)
			}
		})
	}
	for _, c := range append(coordinators[1:], coordinators...) {
		activate(t, f.kv, c)
		require.Eventually(t, func() bool { return latest.Load() == c.id }, patience, time.Millisecond)
	}
	close(stop)
	callers.Wait()
}

func TestARetriableStatusIsTriedAgain(t *testing.T) {
	f := newFixture(t)
	c := startCoordinator(t, 1)
	c.script(func(context.Context) (*commonpb.Status, error) {
		if c.calls.Load() < 4 {
			return errs.ToStatus(errs.NotReady.With("Initializing")), nil
		}
		return errs.Success(), nil
	})
	activate(t, f.kv, c)
	require.NoError(t, f.createDatabase(f.ctx))
	require.Equal(t, int64(4), c.calls.Load())

	c.script(func(context.Context) (*commonpb.Status, error) { return errs.ToStatus(errs.DatabaseNumLimit), nil })
	require.ErrorIs(t, f.createDatabase(f.ctx), errs.DatabaseNumLimit)
	require.Equal(t, int64(5), c.calls.Load(), "what is not retriable is the answer")

	c.script(func(context.Context) (*commonpb.Status, error) { return errs.ToStatus(errs.NotReady), nil })
	short, cancel := context.WithTimeout(f.ctx, 200*time.Millisecond)
	defer cancel()
	_, err := f.allocID(short)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
	require.ErrorIs(t, err, errs.NotReady, "the last answer is part of the error")
	before := c.calls.Load()
	health, err := f.root.CheckHealth(f.ctx, &milvuspb.CheckHealthRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"why"}, health.GetReasons())
	require.Equal(t, before+1, c.calls.Load())
}

func TestASwitchEndsThePause(t *testing.T) {
	f := newFixture(t)
	old, next := startCoordinator(t, 1), startCoordinator(t, 2)
	old.script(func(context.Context) (*commonpb.Status, error) { return errs.ToStatus(errs.NotReady), nil })
	activate(t, f.kv, old)
	result := make(chan int64, 1)
	go func() {
		id, _ := f.allocID(f.ctx)
		result <- id
	}()
	require.Eventually(t, func() bool { return old.calls.Load() > 3 }, patience, time.Millisecond)
	activate(t, f.kv, next)
	require.Equal(t, int64(2), <-result)
}

func TestAMisdirectedCallIsRedirected(t *testing.T) {
	for _, text := range []string{"node not match[expectedNodeID=1][actualNodeID=2]", "cross cluster routing[expectedCluster=a][actualCluster=b]"} {
		f := newFixture(t)
		c := startCoordinator(t, 1)
		c.script(func(context.Context) (*commonpb.Status, error) {
			if c.calls.Load() < 3 {
				return nil, status.Error(codes.Unknown, text)
			}
			return errs.Success(), nil
		})
		activate(t, f.kv, c)
		require.NoError(t, f.createDatabase(f.ctx))
	}
}

func TestOtherErrorsAreFinal(t *testing.T) {
	f := newFixture(t)
	c := startCoordinator(t, 1)
	activate(t, f.kv, c)
	for _, code := range []codes.Code{codes.Unimplemented, codes.Unknown, codes.InvalidArgument, codes.Internal, codes.ResourceExhausted} {
		c.script(func(context.Context) (*commonpb.Status, error) { return nil, status.Error(code, "no") })
		before := c.calls.Load()
		_, err := f.allocID(f.ctx)
		require.Equal(t, code, status.Code(err))
		require.Equal(t, before+1, c.calls.Load())
	}
}

func TestACallThatBreaksUnderWay(t *testing.T) {
	f := newFixture(t)
	old, next := startCoordinator(t, 1), startCoordinator(t, 2)
	block := func(ctx context.Context) (*commonpb.Status, error) { <-ctx.Done(); return nil, ctx.Err() }
	old.script(block)
	activate(t, f.kv, old)
	unsafe, safe := make(chan error, 1), make(chan error, 1)
	go func() { unsafe <- f.createDatabase(f.ctx) }()
	go func() { _, err := f.allocID(f.ctx); safe <- err }()
	require.Eventually(t, func() bool { return old.calls.Load() == 2 }, patience, time.Millisecond)
	old.server.Stop()
	err := <-unsafe
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.ErrorContains(t, err, "CreateDatabase")
	activate(t, f.kv, next)
	require.NoError(t, <-safe)

	// A process that is silent is left when its session ends, although the connection stands.
	next.script(block)
	go func() { unsafe <- f.createDatabase(f.ctx) }()
	go func() { _, err := f.allocID(f.ctx); safe <- err }()
	require.Eventually(t, func() bool { return next.calls.Load() == 3 }, patience, time.Millisecond)
	third := startCoordinator(t, 3)
	activate(t, f.kv, third)
	require.ErrorIs(t, <-unsafe, ErrOutcomeUnknown)
	require.NoError(t, <-safe)
	require.Equal(t, int64(1), third.calls.Load())

	// So is one whose caller gives up.
	third.script(block)
	short, cancel := context.WithTimeout(f.ctx, 200*time.Millisecond)
	defer cancel()
	err = f.createDatabase(short)
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
}

func TestACallThatNeverLeftIsSafe(t *testing.T) {
	f := newFixture(t)
	dead, next := startCoordinator(t, 1), startCoordinator(t, 2)
	dead.server.Stop()
	activate(t, f.kv, dead)
	done := make(chan error, 1)
	go func() { done <- f.createDatabase(f.ctx) }()
	select {
	case err := <-done:
		t.Fatalf("it must wait, and returned %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	activate(t, f.kv, next)
	require.NoError(t, <-done)
	require.Equal(t, int64(1), next.calls.Load())
}

func TestASessionThatMakesNoSense(t *testing.T) {
	f := newFixture(t)
	key := sessionutil.ActiveKey(metaRoot, role)
	for _, value := range []string{"{", `{"ServerID":4}`, `null`, ""} {
		_, err := f.kv.Put(f.ctx, key, value)
		require.NoError(t, err)
	}
	c := startCoordinator(t, 1)
	activate(t, f.kv, c)
	require.NoError(t, f.createDatabase(f.ctx))
	_, err := f.kv.Put(f.ctx, key, "garbage over a good one")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		short, cancel := context.WithTimeout(f.ctx, 50*time.Millisecond)
		defer cancel()
		_, err := f.client.Active(short)
		return errors.Is(err, context.DeadlineExceeded)
	}, patience, time.Millisecond)
}

func TestEtcdAwayAndBack(t *testing.T) {
	f := newFixture(t)
	first, second := startCoordinator(t, 1), startCoordinator(t, 2)
	activate(t, f.kv, first)
	_, err := f.allocID(f.ctx)
	require.NoError(t, err)
	f.etcd.Kill()
	id, err := f.allocID(f.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), id)
	f.etcd.Restart()
	f.etcd.WaitReady()
	activate(t, f.kv, second)
	require.Eventually(t, func() bool { id, err := f.allocID(f.ctx); return err == nil && id == 2 }, patience, time.Millisecond)
}

func TestCloseEndsWaitingCalls(t *testing.T) {
	f := newFixture(t)
	done := make(chan error, 1)
	go func() { done <- f.createDatabase(f.ctx) }()
	f.client.Close()
	f.client.Close()
	require.Equal(t, codes.Canceled, status.Code(<-done))
	_, err := f.client.Active(f.ctx)
	require.Error(t, err)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(t.Context(), Config{})
	require.Error(t, err)
}
