package rootcoord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// fakeProxy hands over what it is told.
type fakeProxy struct {
	proxypb.UnimplementedProxyServer
	expired   chan *proxypb.InvalidateCollMetaCacheRequest
	rates     chan *proxypb.SetRatesRequest
	refreshed chan *proxypb.RefreshPolicyInfoCacheRequest
	updated   chan *proxypb.UpdateCredCacheRequest
	forgotten chan *proxypb.InvalidateCredCacheRequest

	mu       sync.Mutex
	state    commonpb.StateCode
	deaf     bool // to changes of users and grants
	onExpiry func(*proxypb.InvalidateCollMetaCacheRequest) error
}

// startProxy is a proxy with a session, without a lease for simplicity.
func (c *cluster) startProxy(t *testing.T, id int64) *fakeProxy {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &fakeProxy{
		expired: make(chan *proxypb.InvalidateCollMetaCacheRequest, 100), rates: make(chan *proxypb.SetRatesRequest, 100),
		refreshed: make(chan *proxypb.RefreshPolicyInfoCacheRequest, 100),
		updated:   make(chan *proxypb.UpdateCredCacheRequest, 100), forgotten: make(chan *proxypb.InvalidateCredCacheRequest, 100),
		state: commonpb.StateCode_Healthy,
	}
	server, done := grpc.NewServer(), make(chan struct{})
	proxypb.RegisterProxyServer(server, p)
	go func() { defer close(done); _ = server.Serve(lis) }()
	t.Cleanup(func() { server.Stop(); <-done })
	value, err := json.Marshal(sessionutil.Record{ServerID: id, ServerName: "proxy", Address: lis.Addr().String()})
	require.NoError(t, err)
	_, err = c.client.Put(within(t), fmt.Sprintf("%s/session/proxy-%d", c.metaRoot(), id), string(value))
	require.NoError(t, err)
	return p
}

func (p *fakeProxy) InvalidateCollectionMetaCache(_ context.Context, r *proxypb.InvalidateCollMetaCacheRequest) (*commonpb.Status, error) {
	p.mu.Lock()
	on := p.onExpiry
	p.mu.Unlock()
	if on != nil {
		if err := on(r); err != nil {
			return nil, err
		}
	}
	p.expired <- r
	return errs.Success(), nil
}

func (p *fakeProxy) SetRates(_ context.Context, r *proxypb.SetRatesRequest) (*commonpb.Status, error) {
	p.rates <- r
	return errs.Success(), nil
}

func (p *fakeProxy) RefreshPolicyInfoCache(_ context.Context, r *proxypb.RefreshPolicyInfoCacheRequest) (*commonpb.Status, error) {
	if err := p.hear(); err != nil {
		return nil, err
	}
	p.refreshed <- r
	return errs.Success(), nil
}

func (p *fakeProxy) UpdateCredentialCache(_ context.Context, r *proxypb.UpdateCredCacheRequest) (*commonpb.Status, error) {
	if err := p.hear(); err != nil {
		return nil, err
	}
	p.updated <- r
	return errs.Success(), nil
}

func (p *fakeProxy) InvalidateCredentialCache(_ context.Context, r *proxypb.InvalidateCredCacheRequest) (*commonpb.Status, error) {
	if err := p.hear(); err != nil {
		return nil, err
	}
	p.forgotten <- r
	return errs.Success(), nil
}

func (p *fakeProxy) hear() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf {
		return errors.New("not now")
	}
	return nil
}

func (p *fakeProxy) setDeaf(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
}

func (p *fakeProxy) GetComponentStates(context.Context, *milvuspb.GetComponentStatesRequest) (*milvuspb.ComponentStates, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &milvuspb.ComponentStates{Status: errs.Success(), State: &milvuspb.ComponentInfo{StateCode: p.state}}, nil
}

// takes is the next thing on a channel.
func takes[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-within(t).Done():
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestProxiesHearOfEveryDDL(t *testing.T) {
	c := newCluster(t)
	p := c.startProxy(t, 77)
	s := c.start(t)
	require.Equal(t, int32(7), takes(t, p.refreshed).GetOpType(), "grants are read anew at the start of a term")
	require.Empty(t, takes(t, p.rates).GetRootLimiter().GetChildren())
	before, err := s.AllocTimestamp(within(t), &rootcoordpb.AllocTimestampRequest{Count: 1})
	require.NoError(t, err)

	hears := func(kind commonpb.MsgType, names ...string) []*proxypb.InvalidateCollMetaCacheRequest {
		t.Helper()
		var all []*proxypb.InvalidateCollMetaCacheRequest
		for _, name := range names {
			got := takes(t, p.expired)
			require.Equal(t, kind, got.GetBase().GetMsgType())
			require.Equal(t, name, got.GetCollectionName())
			require.Equal(t, s.term.ServerID(), got.GetBase().GetSourceID())
			all = append(all, got)
		}
		return all
	}
	s.create(t, "c")
	created := hears(commonpb.MsgType_DropCollection, "c")[0]
	require.Greater(t, created.GetBase().GetTimestamp(), before.GetTimestamp())
	require.Equal(t, "default", created.GetDbName())
	require.NotZero(t, created.GetCollectionID())
	require.NoError(t, s.createPartition(t, "c", "p"))
	require.Equal(t, "p", hears(commonpb.MsgType_CreatePartition, "c")[0].GetPartitionName())
	require.NoError(t, s.createAlias(t, "a", "c"))
	_, err = s.AlterCollection(within(t), &milvuspb.AlterCollectionRequest{
		Base: base(commonpb.MsgType_AlterCollection), CollectionName: "a", Properties: []*commonpb.KeyValuePair{{Key: "k", Value: "v"}},
	})
	require.NoError(t, err)
	require.Zero(t, hears(commonpb.MsgType_AlterCollection, "a")[0].GetBase().GetTimestamp())
	require.NoError(t, s.dropPartition(t, "c", "p"))
	hears(commonpb.MsgType_DropPartition, "c")
	s.create(t, "d")
	other := hears(commonpb.MsgType_DropCollection, "d")[0].GetCollectionID()
	require.NoError(t, s.alterAlias(t, "a", "d"))
	require.Equal(t, other, hears(commonpb.MsgType_AlterAlias, "a")[0].GetCollectionID())
	s.createDatabase(t, "db")
	_, err = s.RenameCollection(within(t), &milvuspb.RenameCollectionRequest{
		Base: base(commonpb.MsgType_RenameCollection), OldName: "c", NewName: "e", NewDBName: "db",
	})
	require.NoError(t, err)
	require.Equal(t, created.GetCollectionID(), hears(commonpb.MsgType_RenameCollection, "c")[0].GetCollectionID())
	_, err = s.DropCollection(within(t), &milvuspb.DropCollectionRequest{Base: base(commonpb.MsgType_DropCollection), DbName: "db", CollectionName: "e"})
	require.NoError(t, err)
	require.Equal(t, "db", hears(commonpb.MsgType_DropCollection, "e")[0].GetDbName())
	require.NoError(t, s.dropAlias(t, "a"))
	hears(commonpb.MsgType_DropAlias, "a")
	_, err = s.DropDatabase(within(t), &milvuspb.DropDatabaseRequest{DbName: "db"})
	require.NoError(t, err)
	require.Equal(t, "db", hears(commonpb.MsgType_DropDatabase, "")[0].GetDbName())
	require.Empty(t, p.expired)
}

// A caller that lost the answer calls again, and the term that did the work may have died before it told the proxies.
func TestProxiesHearOfWhatIsDoneAlready(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	pair := []*commonpb.KeyValuePair{{Key: "k", Value: "v"}}
	s.create(t, "c")
	calls := []struct {
		kind commonpb.MsgType
		name string
		do   func() error
	}{
		{commonpb.MsgType_CreatePartition, "c", func() error { return s.createPartition(t, "c", "p") }},
		{commonpb.MsgType_DropPartition, "c", func() error { return s.dropPartition(t, "c", "gone") }},
		{commonpb.MsgType_AlterAlias, "a", func() error { return s.alterAlias(t, "a", "c") }},
		{commonpb.MsgType_DropAlias, "gone", func() error { return s.dropAlias(t, "gone") }},
		{commonpb.MsgType_AlterCollection, "a", func() error { return s.alterCollection(t, "a", pair) }},
		{commonpb.MsgType_AlterCollectionField, "c", func() error { return s.alterField(t, "c", "vec", "dim", "8") }},
		{commonpb.MsgType_DropCollection, "gone", func() error { s.drop(t, "gone"); return nil }},
		{commonpb.MsgType_AlterDatabase, "", func() error {
			_, err := s.AlterDatabase(within(t), &rootcoordpb.AlterDatabaseRequest{DbName: "default", Properties: pair})
			return err
		}},
		{commonpb.MsgType_DropDatabase, "", func() error {
			_, err := s.DropDatabase(within(t), &milvuspb.DropDatabaseRequest{DbName: "gone"})
			return err
		}},
	}
	require.NoError(t, s.createAlias(t, "a", "c"))
	for _, call := range calls {
		require.NoError(t, call.do())
	}
	p := c.startProxy(t, 77)
	s.end()
	s = c.start(t)
	for _, call := range calls {
		require.NoError(t, call.do())
		got := takes(t, p.expired)
		require.Equal(t, call.kind, got.GetBase().GetMsgType())
		require.Equal(t, call.name, got.GetCollectionName())
	}
	s.create(t, "new")
	takes(t, p.expired)
	s.create(t, "new")
	require.Empty(t, p.expired, "it would close the streams into a collection in use")
}

// What proxies are told of a creation closes the stream of inserts: it must come before anybody can insert, and only once.
func TestProxiesHearOfACreationBefore(t *testing.T) {
	c := newCluster(t)
	p := c.startProxy(t, 77)
	s := c.start(t)
	var heard []int64
	p.mu.Lock()
	p.onExpiry = func(r *proxypb.InvalidateCollMetaCacheRequest) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		heard = append(heard, r.GetCollectionID())
		if s.role.view.Collection(r.GetCollectionID()) != nil {
			heard = append(heard, -1)
		}
		return errors.New("not now")
	}
	p.mu.Unlock()
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	time.Sleep(2 * time.Second) // in which a background retry would come
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Equal(t, []int64{d.GetCollectionID()}, heard)
}

// A term died between hiding a partition and telling the proxies, which would go on writing to it.
func TestProxiesHearOfAPartitionThatWasHidden(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	s.create(t, "c")
	require.NoError(t, s.createPartition(t, "c", "p"))
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	partition, _ := s.role.view.Collection(d.GetCollectionID()).PartitionByName("p")
	require.NoError(t, s.aliasHandlers.writer.HidePartition(within(t), d.GetCollectionID(), partition.ID()))
	s.end()
	p := c.startProxy(t, 77)
	c.start(t)
	got := takes(t, p.expired)
	require.Equal(t, commonpb.MsgType_DropPartition, got.GetBase().GetMsgType())
	require.Equal(t, "c", got.GetCollectionName())
	require.Equal(t, "p", got.GetPartitionName())
	require.Equal(t, "default", got.GetDbName())
}

func TestForwardKeepsTheType(t *testing.T) {
	c := newCluster(t)
	all := []*fakeProxy{c.startProxy(t, 77), c.startProxy(t, 78)}
	s := c.start(t)
	_, err := s.InvalidateCollectionMetaCache(within(t), &proxypb.InvalidateCollMetaCacheRequest{
		Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_LoadCollection, Timestamp: 4}, DbName: "d", CollectionName: "c", CollectionID: 3,
	})
	require.NoError(t, err)
	for _, p := range all {
		got := takes(t, p.expired)
		require.Equal(t, commonpb.MsgType_LoadCollection, got.GetBase().GetMsgType())
		require.Equal(t, uint64(4), got.GetBase().GetTimestamp())
		require.Equal(t, "c", got.GetCollectionName())
	}
}

func TestADatabaseThatIsDeniedWriting(t *testing.T) {
	c := newCluster(t)
	p := c.startProxy(t, 77)
	s := c.start(t)
	require.Empty(t, takes(t, p.rates).GetRootLimiter().GetChildren())
	s.createDatabase(t, "db", &commonpb.KeyValuePair{Key: "database.force.deny.writing", Value: "true"})
	rates := takes(t, p.rates)
	require.Len(t, rates.GetRootLimiter().GetChildren(), 1)
	for id, n := range rates.GetRootLimiter().GetChildren() {
		require.NotEqual(t, defaultDatabaseID, id)
		require.Equal(t, []commonpb.ErrorCode{commonpb.ErrorCode_ForceDeny}, n.GetLimiter().GetCodes())
	}
	s.end()
	require.Empty(t, p.rates)
}

func TestHealthOfProxies(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	check := func() *milvuspb.CheckHealthResponse {
		t.Helper()
		resp, err := s.CheckHealth(within(t), &milvuspb.CheckHealthRequest{})
		require.NoError(t, err)
		require.Zero(t, resp.GetStatus().GetCode())
		return resp
	}
	require.True(t, check().GetIsHealthy())
	p := c.startProxy(t, 77)
	takes(t, p.rates) // it is known
	require.True(t, check().GetIsHealthy())
	p.mu.Lock()
	p.state = commonpb.StateCode_Abnormal
	p.mu.Unlock()
	resp := check()
	require.False(t, resp.GetIsHealthy())
	require.Len(t, resp.GetReasons(), 1)
	require.Contains(t, resp.GetReasons()[0], "proxy 77 at 127.0.0.1:")
	require.Contains(t, resp.GetReasons()[0], "Abnormal")
}

type metricsOf func() (*milvuspb.GetMetricsResponse, error)

func (m metricsOf) GetMetrics(context.Context, *milvuspb.GetMetricsRequest, ...grpc.CallOption) (*milvuspb.GetMetricsResponse, error) {
	return m()
}

type noCalls struct{ err error }

func (n noCalls) Forward(context.Context, *proxypb.InvalidateCollMetaCacheRequest) error {
	return n.err
}
func (n noCalls) CheckStates(context.Context) error { return n.err }

func TestHealthOfTimeTicks(t *testing.T) {
	hour := uint64(time.Now().Add(-time.Hour).UnixMilli()) << 18
	lagging := fmt.Sprintf(`[{"quota_metrics":null},{"quota_metrics":{"Fgm":{"MinFlowGraphChannel":"ch","MinFlowGraphTt":%d,"NumFlowGraph":1}}},
		{"quota_metrics":{"Fgm":{"MinFlowGraphChannel":"","MinFlowGraphTt":18446744073709551615,"NumFlowGraph":0}}}]`, hour)
	tells := func(body string) metricsOf {
		return func() (*milvuspb.GetMetricsResponse, error) {
			return &milvuspb.GetMetricsResponse{Status: errs.Success(), Response: body}, nil
		}
	}
	fails := func(err error) metricsOf { return func() (*milvuspb.GetMetricsResponse, error) { return nil, err } }
	refuses := func(err error) metricsOf {
		return func() (*milvuspb.GetMetricsResponse, error) {
			return &milvuspb.GetMetricsResponse{Status: errs.ToStatus(err)}, nil
		}
	}
	fine := tells(`{"cluster":{"connected_nodes":[]}}`)
	for name, test := range map[string]struct {
		query, data metricsOf
		max         time.Duration
		want        []string
	}{
		"fine":          {fine, fine, time.Minute, nil},
		"query":         {tells(`{"cluster":{"connected_nodes":` + lagging + `}}`), fine, time.Minute, []string{"querycoord, 1h0m0"}},
		"data":          {fine, tells(`{"cluster":{"connected_data_nodes":` + lagging + `}}`), time.Minute, []string{"datacoord, 1h0m0"}},
		"within bounds": {fine, tells(`{"cluster":{"connected_data_nodes":` + lagging + `}}`), 2 * time.Hour, nil},
		"not looked at": {nil, nil, 0, nil},
		"away":          {fails(context.DeadlineExceeded), fails(grpcstatus.Error(codes.Unavailable, "")), time.Minute, nil},
		"not there":     {fails(grpcstatus.Error(codes.Unimplemented, "")), refuses(errs.Unimplemented), time.Minute, nil},
		"switching":     {refuses(errs.NotReady), fails(context.Canceled), time.Minute, nil},
		"broken":        {refuses(errors.New("no")), tells("{"), time.Minute, []string{"datacoord tells what cannot be read", "querycoord does not tell"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &healthHandlers{&parts{proxies: noCalls{}, peers: &peers{query: test.query, data: test.data}, maxLag: test.max}}
			resp, err := h.CheckHealth(within(t), nil)
			require.NoError(t, err)
			require.Equal(t, len(test.want) == 0, resp.GetIsHealthy())
			require.Len(t, resp.GetReasons(), len(test.want), "%v", resp.GetReasons())
			for i, want := range test.want {
				require.Contains(t, resp.GetReasons()[i], want)
			}
		})
	}
	h := &healthHandlers{&parts{proxies: noCalls{errors.New("not read yet")}}}
	resp, err := h.CheckHealth(within(t), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"not read yet"}, resp.GetReasons())
}

func FuzzSlowest(f *testing.F) {
	f.Add(`{"cluster":{"connected_nodes":[{"quota_metrics":{"Fgm":{"MinFlowGraphChannel":"c","MinFlowGraphTt":1,"NumFlowGraph":1}}}]}}`)
	f.Fuzz(func(t *testing.T, topology string) {
		if worst, err := slowest(topology, time.Now()); (err != nil || worst.channel == "") && worst.lag != 0 {
			t.Fatalf("%+v, %v", worst, err)
		}
	})
}
