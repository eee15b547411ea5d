package proxies

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
)

func zapString(key, value string) zap.Field { return zap.String(key, value) }

// long is a time-out that no test waits for.
const long = 40 * time.Second

func TestEveryProxyIsTold(t *testing.T) {
	f := newFixture(t, long)
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("nobody is there")))
	all := []*fakeProxy{f.start(1), f.start(2), f.start(3)}
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("alias", "real")))
	for _, p := range all {
		got := p.received()
		require.Len(t, got, 2)
		for i, name := range []string{"alias", "real"} {
			r, ok := got[i].(*proxypb.InvalidateCollMetaCacheRequest)
			require.True(t, ok)
			require.Equal(t, name, r.GetCollectionName())
			require.Equal(t, int64(self), r.GetBase().GetSourceID())
		}
		require.Equal(t, []string{"by-dev"}, p.header.Get("cluster"))
		require.Equal(t, []string{string(rune('0' + p.id))}, p.header.Get("serverid"))
		require.Equal(t, []string{memberMark}, p.header.Get("sourceid"))
	}
	require.Error(t, f.caller.Expire(f.ctx, Expiry{Kind: commonpb.MsgType_Insert, Names: []string{"a"}}))
	require.NoError(t, f.caller.Expire(f.ctx, Expiry{Kind: commonpb.MsgType_CreateAlias}))
}

func TestWhatIsSent(t *testing.T) {
	f := newFixture(t, long)
	p := f.start(1)
	require.NoError(t, f.caller.UpdateCredential(f.ctx, "u", "hash"))
	require.NoError(t, f.caller.InvalidateCredential(f.ctx, "u"))
	require.NoError(t, f.caller.RefreshPolicy(f.ctx, 1, "u/r"))
	require.NoError(t, f.caller.RefreshPolicy(f.ctx, 7, ""))
	limits := &proxypb.LimiterNode{Limiter: &proxypb.Limiter{}}
	require.NoError(t, f.caller.SetRates(f.ctx, []int64{1, 2}, limits, 44))
	require.NoError(t, f.caller.SetRates(f.ctx, []int64{2}, limits, 45))
	require.NoError(t, f.caller.Forward(f.ctx, &proxypb.InvalidateCollMetaCacheRequest{
		Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_LoadCollection, Timestamp: 3, SourceID: 1}, DbName: "d", CollectionName: "c",
		CollectionID: 4, PartitionName: "p",
	}))
	answers, err := f.caller.Metrics(f.ctx, &milvuspb.GetMetricsRequest{Request: "{}"})
	require.NoError(t, err)
	require.Equal(t, "proxy1", answers[1].GetComponentName())
	require.NoError(t, f.caller.CheckStates(f.ctx))

	base := &commonpb.MsgBase{SourceID: self}
	want := []interface{ String() string }{
		&proxypb.UpdateCredCacheRequest{Base: base, Username: "u", Password: "hash"},
		&proxypb.InvalidateCredCacheRequest{Base: base, Username: "u"},
		&proxypb.RefreshPolicyInfoCacheRequest{Base: base, OpType: 1, OpKey: "u/r"},
		&proxypb.RefreshPolicyInfoCacheRequest{Base: base, OpType: 7},
		&proxypb.SetRatesRequest{Base: &commonpb.MsgBase{MsgID: 44, Timestamp: 44, SourceID: self}, RootLimiter: limits},
		&proxypb.InvalidateCollMetaCacheRequest{
			Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_LoadCollection, Timestamp: 3, SourceID: self}, DbName: "d", CollectionName: "c",
			CollectionID: 4, PartitionName: "p",
		},
		&milvuspb.GetMetricsRequest{Request: "{}"},
		&milvuspb.GetComponentStatesRequest{},
	}
	got := p.received()
	require.Len(t, got, len(want))
	for i, w := range want {
		require.Equal(t, w.String(), got[i].(interface{ String() string }).String())
	}
}

// failed asserts that a call was failed by exactly these proxies.
func failed(t *testing.T, err error, ids ...int64) *CallError {
	t.Helper()
	var c *CallError
	require.ErrorAs(t, err, &c)
	require.Equal(t, ids, c.IDs(), "%v", err)
	return c
}

func TestAKilledProxyFailsAtOnce(t *testing.T) {
	f := newFixture(t, long)
	dead, alive, never := f.start(1), f.start(2), startProxy(t, 3)
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("a")))
	dead.kill()
	never.kill()
	f.register(3, never.addr)
	began := time.Now()
	for range 3 {
		c := failed(t, f.caller.Expire(f.ctx, dropCollection("b")), 1, 3)
		require.Equal(t, 3, c.Of)
		require.ErrorContains(t, c, dead.addr)
		require.Equal(t, codes.Unavailable, status.Code(c.Failed[0].Err))
	}
	require.Less(t, time.Since(began), long, "no call has waited for its time-out")
	require.Len(t, alive.received(), 4, "the others are told all the same")
}

func TestAHangingProxyCostsTheTimeoutAndNoMore(t *testing.T) {
	f := newFixture(t, 2*time.Second)
	hung, slow, fine := silentPort(t), f.start(2), f.start(3)
	release := make(chan struct{})
	slow.script(func(ctx context.Context) (*commonpb.Status, error) {
		select {
		case <-release:
			return errs.Success(), nil
		case <-ctx.Done(): // at the same moment as the caller's: an answer might still be in time
			return nil, ctx.Err()
		}
	})
	f.register(1, hung)
	failed(t, f.caller.Expire(f.ctx, dropCollection("a")), 1, 2)
	require.Len(t, fine.received(), 1)
	close(release)
	failed(t, f.caller.Expire(f.ctx, dropCollection("b")), 1)
}

func TestAProxyWhoseSessionGoesHasSucceeded(t *testing.T) {
	f := newFixture(t, long)
	hung, entered := startProxy(t, 1), make(chan struct{})
	hung.script(func(ctx context.Context) (*commonpb.Status, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	end := f.register(1, hung.addr)
	other := f.start(2)
	done := make(chan error, 1)
	go func() { done <- f.caller.Expire(f.ctx, dropCollection("a")) }()
	<-entered
	end()
	require.NoError(t, <-done)
	require.Len(t, other.received(), 1)
	require.Equal(t, []int64{2}, f.fleet.IDs())
}

func TestARestartedProxyIsAnother(t *testing.T) {
	f := newFixture(t, long)
	old := startProxy(t, 1)
	end := f.register(1, old.addr)
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("a")))
	// It comes back on the same port with another id, while the old lease is still there.
	f.register(2, old.addr)
	var misdirected atomic.Int64
	old.script(func(ctx context.Context) (*commonpb.Status, error) {
		if old.header.Get("serverid")[0] == "1" {
			misdirected.Add(1)
			return nil, status.Error(codes.Unknown, "node not match[expectedNodeID=1][actualNodeID=2]")
		}
		return errs.Success(), nil
	})
	require.NoError(t, f.caller.SetRates(f.ctx, []int64{1}, &proxypb.LimiterNode{}, 1))
	require.NoError(t, f.caller.SetRates(f.ctx, []int64{2}, &proxypb.LimiterNode{}, 1))
	require.Equal(t, int64(1), misdirected.Load())
	end()
	f.sync()
	require.Equal(t, []int64{2}, f.fleet.IDs())
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("b")))
	require.Equal(t, int64(1), misdirected.Load())
}

func TestWhatAnAnswerMeans(t *testing.T) {
	f := newFixture(t, long)
	p := f.start(1)
	for name, test := range map[string]struct {
		status *commonpb.Status
		err    error
		ok     bool
	}{
		"node not match":     {status: errs.ToStatus(errs.NodeNotMatch), ok: true},
		"node not found":     {status: errs.ToStatus(errs.NodeNotFound), ok: true},
		"an older release":   {err: status.Error(codes.Unimplemented, "unknown method"), ok: true},
		"unimplemented":      {status: errs.ToStatus(errs.Unimplemented), ok: true},
		"another cluster":    {err: status.Error(codes.Unknown, "cross cluster routing[expectedCluster=a][actualCluster=b]")},
		"a proxy's error":    {status: errs.ToStatus(errors.New("no"))},
		"the old error code": {status: &commonpb.Status{ErrorCode: commonpb.ErrorCode_UnexpectedError, Reason: "no"}},
		"a panic":            {err: status.Error(codes.Internal, "no")},
	} {
		t.Run(name, func(t *testing.T) {
			p.script(func(context.Context) (*commonpb.Status, error) { return test.status, test.err })
			err := f.caller.UpdateCredential(f.ctx, "u", "h")
			if test.ok {
				require.NoError(t, err)
				return
			}
			failed(t, err, 1)
			if test.status.GetCode() != 0 {
				require.Equal(t, test.status.GetCode(), errs.KindOf(err).Code(), "the proxy's error is in the chain")
			}
		})
	}
}

func TestARetriableAnswerIsAskedAgain(t *testing.T) {
	f := newFixture(t, long)
	p := f.start(1)
	var calls atomic.Int64
	p.script(func(context.Context) (*commonpb.Status, error) {
		if calls.Add(1) < 4 {
			return errs.ToStatus(errs.NotReady.With("Initializing")), nil
		}
		return errs.Success(), nil
	})
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("a")))
	require.Equal(t, int64(4), calls.Load())

	short, cancel := context.WithTimeout(f.ctx, 100*time.Millisecond)
	defer cancel()
	p.script(func(context.Context) (*commonpb.Status, error) { return errs.ToStatus(errs.NotReady), nil })
	failed(t, f.caller.Expire(short, dropCollection("a")), 1)
}

func TestStates(t *testing.T) {
	f := newFixture(t, long)
	f.start(1)
	sick := f.start(2)
	sick.mu.Lock()
	sick.state = commonpb.StateCode_Abnormal
	sick.mu.Unlock()
	err := f.caller.CheckStates(f.ctx)
	failed(t, err, 2)
	require.ErrorContains(t, err, "service not ready[proxy=2]: Abnormal")
	_, err = f.caller.Metrics(f.ctx, &milvuspb.GetMetricsRequest{})
	require.NoError(t, err)
}

func TestTheTermEndsItsCalls(t *testing.T) {
	f := newFixture(t, long)
	p := f.start(1)
	entered := make(chan struct{})
	p.script(func(ctx context.Context) (*commonpb.Status, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	term, over := context.WithCancel(f.ctx)
	done := make(chan error, 1)
	go func() { done <- f.caller.RefreshPolicy(term, 7, "") }()
	<-entered
	over()
	require.Error(t, <-done)
	f.stop()
	require.ErrorIs(t, f.caller.Expire(f.ctx, dropCollection("a")), errClosed)
}

// A proxy that was registered before the DDL's commit is told, even when the news of it is slow.
func TestExpireKnowsWhoHadRegistered(t *testing.T) {
	f := newFixture(t, long)
	p := startProxy(t, 1)
	resp, err := f.kv.Put(f.ctx, metaRoot+"/session/proxy-1", `{"ServerID":1,"Address":"`+p.addr+`"}`)
	require.NoError(t, err)
	e := dropCollection("a")
	e.Revision = resp.Header.Revision
	require.NoError(t, f.caller.Expire(f.ctx, e))
	require.Len(t, p.received(), 1)

	// When etcd does not answer, those that are known are told, and the caller hears that it may not be all.
	short := newFixture(t, 100*time.Millisecond)
	p = short.start(1)
	e.Revision = 1 << 40
	require.ErrorIs(t, short.caller.Expire(short.ctx, e), context.DeadlineExceeded)
	require.NotEmpty(t, p.received())
}

// Nothing is known before the first snapshot, and that is no success.
func TestBeforeTheFirstSnapshot(t *testing.T) {
	f := newFixture(t, long)
	idle, err := New(Config{Client: f.kv, MetaRoot: metaRoot, Logger: zap.NewNop(), Timeout: 10 * time.Millisecond})
	require.NoError(t, err)
	require.ErrorIs(t, idle.Caller(1).UpdateCredential(f.ctx, "u", "h"), context.DeadlineExceeded)
	require.ErrorIs(t, idle.Caller(1).SetRates(f.ctx, nil, nil, 1), context.DeadlineExceeded)
}
