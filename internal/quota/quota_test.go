package quota

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func kv(pairs ...string) (all []*commonpb.KeyValuePair) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, &commonpb.KeyValuePair{Key: pairs[i], Value: pairs[i+1]})
	}
	return all
}

// fakeMeta is two databases: 1 with collection 10, 2 with collections 20 and 21.
type fakeMeta struct {
	mu          sync.Mutex
	databases   []Database
	collections map[int64]Collection
}

func newMeta() *fakeMeta {
	return &fakeMeta{
		databases:   []Database{{ID: 1, Name: "default"}, {ID: 2, Name: "two"}},
		collections: map[int64]Collection{10: {DatabaseID: 1}, 20: {DatabaseID: 2}, 21: {DatabaseID: 2}},
	}
}

func (m *fakeMeta) Databases() []Database {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Database(nil), m.databases...)
}

func (m *fakeMeta) Collection(id int64) (Collection, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, found := m.collections[id]
	return c, found
}

func (m *fakeMeta) Limited() (all []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range m.collections {
		if Limited(c.Properties) {
			all = append(all, id)
		}
	}
	return all
}

func (m *fakeMeta) alter(i int, pairs ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.databases[i].Properties = kv(pairs...)
}

// says checks a limiter: which state for which reason, and that exactly these types are refused.
func says(t *testing.T, n *proxypb.LimiterNode, state milvuspb.QuotaState, code commonpb.ErrorCode, refused ...internalpb.RateType) {
	t.Helper()
	require.NotNil(t, n)
	l := n.GetLimiter()
	require.Equal(t, []milvuspb.QuotaState{state}, l.GetStates())
	require.Equal(t, []commonpb.ErrorCode{code}, l.GetCodes())
	var got []internalpb.RateType
	for _, r := range l.GetRates() {
		require.Zero(t, r.GetR())
		got = append(got, r.GetRt())
	}
	require.ElementsMatch(t, refused, got)
}

const mb = 1 << 20

func TestNothingIsDeniedByDefault(t *testing.T) {
	meta := newMeta()
	meta.alter(0, denyWriting, "false", denyReading, "nonsense", databaseDisk, "-1")
	everything := &usage{Total: 1 << 60, Collections: map[int64]int64{10: 1 << 60}, Partitions: map[int64]map[int64]int64{10: {1: 1 << 60}}}
	for _, use := range []*usage{nil, everything} {
		root := limits(Config{Disk: Disk{Enabled: true, Cluster: -1, Database: -1, Collection: -1, Partition: -1}}, meta, use)
		require.True(t, proto.Equal(&proxypb.LimiterNode{Limiter: &proxypb.Limiter{}}, root), "%v", root)
	}
}

func TestForce(t *testing.T) {
	root := limits(Config{DenyWriting: true}, newMeta(), nil)
	says(t, root, 5, 48, writes...)
	require.Empty(t, root.GetChildren())
	says(t, limits(Config{DenyReading: true}, newMeta(), nil), 4, 48, reads...)

	meta := newMeta()
	meta.alter(1, denyWriting, "true", denyReading, "1")
	root = limits(Config{}, meta, nil)
	require.Empty(t, root.GetLimiter().GetStates())
	require.Len(t, root.GetChildren(), 1)
	l := root.GetChildren()[2].GetLimiter()
	require.Equal(t, []milvuspb.QuotaState{5, 4}, l.GetStates())
	require.Equal(t, []commonpb.ErrorCode{48, 48}, l.GetCodes())
	require.Len(t, l.GetRates(), 6)
}

func TestDisk(t *testing.T) {
	use := &usage{
		Total: 100 * mb, Collections: map[int64]int64{10: 10 * mb, 20: 20 * mb, 21: 21 * mb, 99: 1 << 60},
		Partitions: map[int64]map[int64]int64{10: {100: 10 * mb}, 20: {200: 5 * mb}, 99: {1: 1 << 60}},
	}
	derive := func(d Disk, change ...func(*fakeMeta)) *proxypb.LimiterNode {
		meta := newMeta()
		for _, f := range change {
			f(meta)
		}
		d.Enabled = true
		return limits(Config{Disk: d}, meta, use)
	}
	const code = commonpb.ErrorCode_DiskQuotaExhausted
	full := func(n *proxypb.LimiterNode) { t.Helper(); says(t, n, 5, code, writes[:3]...) }

	root := derive(Disk{Cluster: 100 * mb, Collection: 1})
	full(root)
	require.Empty(t, root.GetChildren())
	require.Empty(t, derive(Disk{Cluster: 100*mb + 1}).GetLimiter().GetStates())

	root = derive(Disk{Collection: 20 * mb})
	require.Len(t, root.GetChildren(), 1)
	require.Len(t, root.GetChildren()[2].GetChildren(), 2)
	require.Empty(t, root.GetChildren()[2].GetLimiter().GetStates())
	full(root.GetChildren()[2].GetChildren()[20])

	root = derive(Disk{Database: 41 * mb})
	require.Len(t, root.GetChildren(), 1)
	full(root.GetChildren()[2])

	root = derive(Disk{Partition: 10 * mb})
	full(root.GetChildren()[1].GetChildren()[10].GetChildren()[100])
	require.Len(t, root.GetChildren(), 1)

	root = derive(Disk{Database: 1, Collection: 1}, func(m *fakeMeta) {
		m.databases[0].Properties, m.databases[1].Properties = kv(databaseDisk, "1000"), kv(databaseDisk, "0")
		m.collections[10] = Collection{DatabaseID: 1, Properties: kv(collectionDisk, "10.5")}
		m.collections[20] = Collection{DatabaseID: 2, Properties: kv(collectionDisk, "NaN")}
	})
	require.NotContains(t, root.GetChildren(), int64(1), "their own quotas hold")
	full(root.GetChildren()[2])
	full(root.GetChildren()[2].GetChildren()[20])

	require.Empty(t, limits(Config{Disk: Disk{Cluster: 1}}, newMeta(), use).GetLimiter().GetStates(), "switched off")
	// What is denied by force keeps that reason.
	says(t, limits(Config{DenyWriting: true, Disk: Disk{Enabled: true, Cluster: 1}}, newMeta(), use), 5, 48, writes...)
}

func TestUsage(t *testing.T) {
	use, err := parseUsage(`{"cluster":{"self":{"quota_metrics":{"TotalBinlogSize":6,"CollectionBinlogSize":{"7":5},
		"PartitionsBinlogSize":{"7":{"8":5}},"CollectionL0RowCount":{}}},"connected_data_nodes":[]}}`)
	require.NoError(t, err)
	require.Equal(t, &usage{Total: 6, Collections: map[int64]int64{7: 5}, Partitions: map[int64]map[int64]int64{7: {8: 5}}}, use)
	use, err = parseUsage(`{"cluster":{"self":{"quota_metrics":null}}}`)
	require.NoError(t, err)
	require.Nil(t, use)
	_, err = parseUsage("")
	require.Error(t, err)
}

func FuzzParseUsage(f *testing.F) {
	f.Add(`{"cluster":{"self":{"quota_metrics":{"TotalBinlogSize":6}}}}`)
	f.Fuzz(func(t *testing.T, topology string) {
		use, err := parseUsage(topology)
		if err != nil && use != nil {
			t.Fatal("both sizes and an error")
		}
		limits(Config{Disk: Disk{Enabled: true, Cluster: 1, Database: 1, Collection: 1, Partition: 1}}, newMeta(), use)
	})
}

func TestSchedule(t *testing.T) {
	s, now := newSchedule(3*time.Second), time.Unix(0, 0)
	require.Equal(t, []int64{1, 2}, s.due(now, []int64{1, 2}, false), "who comes is told at once")
	require.True(t, s.told(now, []int64{1, 2}, []int64{2}))
	require.Empty(t, s.due(now, []int64{1, 2}, false))
	require.Equal(t, []int64{1, 2}, s.due(now, []int64{1, 2}, true), "news go to all at once")
	require.Equal(t, []int64{1, 3}, s.due(now.Add(3*time.Second), []int64{1, 2, 3}, false), "who failed is left alone for longer")
	require.False(t, s.told(now.Add(3*time.Second), []int64{1, 3}, nil))
	require.Equal(t, []int64{2}, s.due(now.Add(5999*time.Millisecond+time.Millisecond), []int64{2}, false))
	var pauses []time.Duration
	for range 6 {
		now = s.proxies[2].next
		require.False(t, s.told(now, []int64{2}, []int64{2}), "it is no news that it fails")
		pauses = append(pauses, s.proxies[2].next.Sub(now))
	}
	require.Equal(t, []time.Duration{12e9, 24e9, 30e9, 30e9, 30e9, 30e9}, pauses)
	require.Len(t, s.proxies, 1, "who has gone is forgotten")
	s.told(now, []int64{2}, nil)
	require.Equal(t, 3*time.Second, s.proxies[2].next.Sub(now))
}

type sending struct {
	ids  []int64
	root *proxypb.LimiterNode
	ts   uint64
}

// fakeProxies hands over what is sent.
type fakeProxies struct {
	mu      sync.Mutex
	ids     []int64
	changed chan struct{}
	sent    chan sending
	fail    func(ids []int64) error
}

func newProxies(ids ...int64) *fakeProxies {
	return &fakeProxies{ids: ids, changed: make(chan struct{}), sent: make(chan sending), fail: func([]int64) error { return nil }}
}

func (p *fakeProxies) set(ids ...int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = ids
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *fakeProxies) Watch() ([]int64, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int64(nil), p.ids...), p.changed
}

func (p *fakeProxies) SetRates(ctx context.Context, ids []int64, root *proxypb.LimiterNode, ts uint64) error {
	select {
	case p.sent <- sending{ids, root, ts}:
	case <-ctx.Done():
	}
	return p.fail(ids)
}

type source func(ctx context.Context) (*milvuspb.GetMetricsResponse, error)

func (s source) GetMetrics(ctx context.Context, _ *milvuspb.GetMetricsRequest, _ ...grpc.CallOption) (*milvuspb.GetMetricsResponse, error) {
	return s(ctx)
}

func run(t *testing.T, c *Center) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestNewsAreSentAtOnce(t *testing.T) {
	meta, proxies := newMeta(), newProxies()
	m := &Metrics{
		States:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "s"}, []string{"quota_states", "name"}),
		DeniedWriting: prometheus.NewCounter(prometheus.CounterOpts{Name: "c"}),
		Ratios:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "r"}, []string{"collection_id"}),
		Delays:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "d"}, []string{"role_name", "node_id"}),
	}
	stop := run(t, New(Config{Interval: time.Hour}, Deps{Proxies: proxies, Meta: meta, Metrics: m, Logger: zaptest.NewLogger(t)}))
	proxies.set(1)
	first := <-proxies.sent // a proxy that comes
	require.Equal(t, []int64{1}, first.ids)
	require.Empty(t, first.root.GetChildren())
	require.InDelta(t, time.Now().UnixMilli(), first.ts>>18, 1e6)
	meta.alter(1, denyWriting, "true")
	second := <-proxies.sent // a change
	says(t, second.root.GetChildren()[2], 5, 48, writes...)
	proxies.set(1, 2)
	third := <-proxies.sent // another proxy: it alone
	require.Equal(t, []int64{2}, third.ids)
	require.True(t, proto.Equal(second.root, third.root))
	require.Equal(t, `label:{name:"name" value:"two"} label:{name:"quota_states" value:"ForceDeny"} gauge:{value:1}`, gathered(t, m.States))
	require.Equal(t, `counter:{value:1}`, gathered(t, m.DeniedWriting))
	meta.alter(1)
	fourth := <-proxies.sent
	require.Equal(t, []int64{1, 2}, fourth.ids)
	require.Empty(t, fourth.root.GetChildren())
	stop()
	require.Empty(t, gathered(t, m.States))
}

// gathered is the series of a collector.
func gathered(t *testing.T, c prometheus.Collector) (text string) {
	t.Helper()
	r := prometheus.NewRegistry()
	require.NoError(t, r.Register(c))
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.Counter != nil {
				m.Counter.CreatedTimestamp = nil
			}
			text += strings.Join(strings.Fields(m.String()), " ")
		}
	}
	return text
}

type someFailed []int64

func (someFailed) Error() string  { return "no" }
func (s someFailed) IDs() []int64 { return s }

func TestAFailingProxyIsNotTheOthers(t *testing.T) {
	proxies := newProxies(1, 2)
	proxies.fail = func(ids []int64) error {
		for _, id := range ids {
			if id == 2 {
				return someFailed{2}
			}
		}
		return nil
	}
	run(t, New(Config{Interval: 20 * time.Millisecond}, Deps{Proxies: proxies, Meta: newMeta(), Logger: zaptest.NewLogger(t)}))
	told := map[int64]int{}
	for range 40 {
		for _, id := range (<-proxies.sent).ids {
			told[id]++
		}
	}
	require.Greater(t, told[1], told[2])
	require.Equal(t, []int64{4, 5}, failures(errors.New("all"), []int64{4, 5}))
}

func TestSizesOfDataCoord(t *testing.T) {
	proxies := newProxies(1)
	answers := make(chan func() (*milvuspb.GetMetricsResponse, error))
	sizes := source(func(ctx context.Context) (*milvuspb.GetMetricsResponse, error) {
		select {
		case answer := <-answers:
			return answer()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	// Sizes are asked for far more often than anything is sent.
	c := New(Config{Interval: time.Millisecond, Disk: Disk{Enabled: true, Cluster: 5}},
		Deps{Proxies: proxies, Meta: newMeta(), Data: sizes, Logger: zaptest.NewLogger(t)})
	c.schedule = newSchedule(time.Hour)
	run(t, c)
	require.Empty(t, (<-proxies.sent).root.GetLimiter().GetStates(), "DataCoord is silent")
	answers <- func() (*milvuspb.GetMetricsResponse, error) { return nil, errors.New("away") }
	answers <- func() (*milvuspb.GetMetricsResponse, error) {
		return &milvuspb.GetMetricsResponse{Status: errs.ToStatus(errs.NotReady)}, nil
	}
	answers <- func() (*milvuspb.GetMetricsResponse, error) {
		return &milvuspb.GetMetricsResponse{Status: errs.Success(), Response: `{"cluster":{"self":{"quota_metrics":{"TotalBinlogSize":6}}}}`}, nil
	}
	require.Equal(t, []commonpb.ErrorCode{54}, (<-proxies.sent).root.GetLimiter().GetCodes())
	answers <- func() (*milvuspb.GetMetricsResponse, error) {
		return nil, errors.New("away again: the last answer holds")
	}
	answers <- func() (*milvuspb.GetMetricsResponse, error) {
		return &milvuspb.GetMetricsResponse{Status: errs.Success(), Response: `{"cluster":{"self":{"quota_metrics":{"TotalBinlogSize":4}}}}`}, nil
	}
	require.Empty(t, (<-proxies.sent).root.GetLimiter().GetCodes())
}

func TestLoadOfQueryNodes(t *testing.T) {
	proxies := newProxies(1)
	query := source(func(context.Context) (*milvuspb.GetMetricsResponse, error) {
		return &milvuspb.GetMetricsResponse{Status: errs.Success(), Response: topology("connected_nodes", 96, time.Now())}, nil
	})
	c := New(Config{Interval: time.Millisecond, Writing: Writing{QueryMemory: Levels{0.85, 0.95}}},
		Deps{Proxies: proxies, Meta: newMeta(), Query: query, Logger: zaptest.NewLogger(t)})
	c.schedule = newSchedule(time.Hour)
	run(t, c)
	root := (<-proxies.sent).root
	for len(root.GetChildren()) == 0 { // the first message may come before the first answer
		root = (<-proxies.sent).root
	}
	says(t, root.GetChildren()[1].GetChildren()[10], 5, commonpb.ErrorCode_MemoryQuotaExhausted, writes...)
	says(t, root.GetChildren()[2].GetChildren()[20], 5, commonpb.ErrorCode_MemoryQuotaExhausted, writes...)
}

func TestDelaysOfNodesAreShown(t *testing.T) {
	delays := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "d"}, []string{"role_name", "node_id"})
	c := New(Config{}, Deps{Metrics: &Metrics{Delays: delays}})
	now := time.UnixMilli(1_800_000_000_000)
	tick := func(behind time.Duration) uint64 { return uint64(now.Add(-behind).UnixMilli()) << 18 } //nolint:gosec // after 1970
	c.showDelays("datanode", []nodeLoad{{ID: 7, Tick: tick(0)}}, now)
	c.showDelays("querynode", []nodeLoad{{ID: 1, Tick: tick(3 * time.Second)}, {ID: 2}}, now)
	c.showDelays("datanode", nil, now)
	require.Equal(t, `label:{name:"node_id" value:"1"} label:{name:"role_name" value:"querynode"} gauge:{value:3000}`, gathered(t, delays),
		"the data node is gone, and the other query node has no flow graph")

	nodes, err := parseLoad(topology("connected_nodes", 1, now), "connected_nodes", Levels{})
	require.NoError(t, err)
	require.EqualValues(t, 2, nodes[0].ID)
}
