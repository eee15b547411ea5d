package quota

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
)

// Config is what the limits depend on.
type Config struct {
	Interval    time.Duration // between two messages to a proxy
	DenyWriting bool          // of the whole cluster
	DenyReading bool
	Disk        Disk
	Writing     Writing
}

// Proxies are those of the cluster.
type Proxies interface {
	// Watch returns their ids and a channel that is closed when these are others.
	Watch() (ids []int64, changed <-chan struct{})
	// SetRates tells those of ids that are there. Of an error that has a method IDs() []int64, these failed; else all.
	SetRates(ctx context.Context, ids []int64, root *proxypb.LimiterNode, ts uint64) error
}

// Source is a coordinator that tells of data and of its nodes.
type Source interface {
	GetMetrics(ctx context.Context, req *milvuspb.GetMetricsRequest, opts ...grpc.CallOption) (*milvuspb.GetMetricsResponse, error)
}

// Metrics are what a center shows. All are required.
type Metrics struct {
	States        *prometheus.GaugeVec // 1 for each denial; labels: its reason, and the database's name or "cluster"
	DeniedWriting prometheus.Counter   // how often writing began to be denied somewhere by force
	Ratios        *prometheus.GaugeVec // by how much writing is slowed down, from 0 to 1; label: the collection's id
	Delays        *prometheus.GaugeVec // by how many ms nodes are behind with what they have read; labels: role and id
}

// Deps are the parts of a center.
type Deps struct {
	Proxies Proxies
	Meta    Meta
	Data    Source   // DataCoord: sizes of data, load of data nodes; nil: nothing is known of them
	Query   Source   // QueryCoord: load of query nodes; likewise
	Metrics *Metrics // nil: nothing is shown
	Logger  *zap.Logger
}

// Center keeps the proxies' limits right during one term.
type Center struct {
	cfg  Config
	deps Deps
	use  atomic.Pointer[usage]
	// What the nodes told last, as slowdowns.
	dataSlowed, querySlowed atomic.Pointer[map[int64]slowdown]
	// The rest belongs to send's goroutine.
	schedule *schedule
	sent     *proxypb.LimiterNode
}

// New makes a center. It does nothing before Run.
func New(cfg Config, deps Deps) *Center {
	return &Center{cfg: cfg, deps: deps, schedule: newSchedule(cfg.Interval)}
}

// Run works until ctx ends, and returns nil then.
func (c *Center) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { c.send(ctx); return nil })
	if c.deps.Data != nil && (c.cfg.Disk.Enabled || c.cfg.Writing.DataMemory != (Levels{}) || c.cfg.Writing.MaxDelay > 0) {
		group.Go(func() error { c.measure(ctx, "DataCoord", c.deps.Data, c.acceptData); return nil })
	}
	if w := c.cfg.Writing; c.deps.Query != nil && (w.QueryMemory != (Levels{}) || w.Growing != (Levels{}) || w.MaxDelay > 0) {
		group.Go(func() error { c.measure(ctx, "QueryCoord", c.deps.Query, c.acceptQuery); return nil })
	}
	if c.deps.Metrics != nil {
		defer c.deps.Metrics.Delays.Reset()
	}
	return group.Wait()
}

// lookEvery is how often the limits are derived anew. That reads the tables of databases in memory, so a change by DDL
// reaches the proxies in this time and no DDL has to know of quotas.
const lookEvery = 200 * time.Millisecond

func (c *Center) send(ctx context.Context) {
	if c.deps.Metrics != nil {
		defer c.deps.Metrics.States.Reset() // the next active one has them
		defer c.deps.Metrics.Ratios.Reset()
	}
	ticker := time.NewTicker(min(lookEvery, c.cfg.Interval))
	defer ticker.Stop()
	for {
		ids, changed := c.deps.Proxies.Watch()
		c.tell(ctx, ids)
		select {
		case <-ticker.C:
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// tell derives the limits and sends them to the proxies that are due.
func (c *Center) tell(ctx context.Context, ids []int64) {
	root := limits(c.cfg, c.deps.Meta, c.use.Load())
	slowed := c.slowed()
	shareRates(root, c.cfg.Writing.Rates, c.deps.Meta, c.deps.Meta.Limited(), slowed, len(ids))
	news := !proto.Equal(root, c.sent)
	if news {
		c.show(root, slowed)
		c.sent = root
	}
	due := c.schedule.due(time.Now(), ids, news)
	if len(due) == 0 {
		return
	}
	err := c.deps.Proxies.SetRates(ctx, due, root, timestamp(time.Now()))
	if ctx.Err() != nil {
		return
	}
	if c.schedule.told(time.Now(), due, failures(err, due)) {
		c.deps.Logger.Warn("limits did not reach all proxies, trying again", zap.Error(err))
	}
}

// slowed joins what both coordinators' nodes told.
func (c *Center) slowed() map[int64]slowdown {
	all := map[int64]slowdown{}
	for _, told := range []*map[int64]slowdown{c.dataSlowed.Load(), c.querySlowed.Load()} {
		if told == nil {
			continue
		}
		for id, s := range *told {
			if other, twice := all[id]; !twice || s.left < other.left {
				all[id] = s
			}
		}
	}
	return all
}

// failures are the ids of due that an error is about.
func failures(err error, due []int64) []int64 {
	if err == nil {
		return nil
	}
	var some interface {
		error
		IDs() []int64
	}
	if errors.As(err, &some) {
		return some.IDs()
	}
	return due
}

// timestamp is a time as a hybrid timestamp.
func timestamp(t time.Time) uint64 { return uint64(t.UnixMilli()) << 18 } //nolint:gosec // after 1970

// show puts news into the log and the metrics. Rates go up and down with every measurement; they are not logged.
func (c *Center) show(root *proxypb.LimiterNode, slowed map[int64]slowdown) {
	denials := denialsOf(root, c.deps.Meta)
	var before []shown
	if c.sent != nil {
		before = denialsOf(c.sent, c.deps.Meta)
	}
	if !slices.Equal(before, denials) {
		c.deps.Logger.Info("limits of the cluster changed", zap.Any("denials", denials), zap.Int("collections slowed down", len(slowed)))
	}
	if c.deps.Metrics == nil {
		return
	}
	c.deps.Metrics.Ratios.Reset()
	for id, s := range slowed {
		c.deps.Metrics.Ratios.WithLabelValues(strconv.FormatInt(id, 10)).Set(1 - s.left)
	}
	c.deps.Metrics.States.Reset()
	for _, d := range denials {
		c.deps.Metrics.States.WithLabelValues(d.Code, d.Where).Set(1)
		if d.byForce() && !slices.Contains(before, d) {
			c.deps.Metrics.DeniedWriting.Inc()
		}
	}
}

// measureTimeout bounds a question to a coordinator.
const measureTimeout = 10 * time.Second

// measure asks a coordinator until ctx ends. One that does not answer is asked again as if it had.
func (c *Center) measure(ctx context.Context, name string, from Source, accept func(topology string) error) {
	ticker := time.NewTicker(c.cfg.Interval)
	defer ticker.Stop()
	healthy := true
	for {
		err := ask(ctx, from, accept)
		switch {
		case err == nil:
			healthy = true
		case healthy && ctx.Err() == nil:
			healthy = false
			c.deps.Logger.Warn("a coordinator does not tell of data and nodes, limits go by what it told last",
				zap.String("coordinator", name), zap.Error(err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func ask(ctx context.Context, from Source, accept func(topology string) error) error {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	resp, err := from.GetMetrics(ctx, &milvuspb.GetMetricsRequest{Request: `{"metric_type":"system_info"}`})
	if err != nil {
		return err
	}
	if err := errs.FromStatus(resp.GetStatus()); err != nil {
		return err
	}
	return accept(resp.GetResponse())
}

func (c *Center) acceptData(topology string) error {
	use, err := parseUsage(topology)
	if err != nil {
		return err
	}
	nodes, err := parseLoad(topology, "connected_data_nodes", c.cfg.Writing.DataMemory)
	if err != nil {
		return err
	}
	now := time.Now()
	c.showDelays("datanode", nodes, now)
	slowed := slowdowns(c.cfg.Writing, nodes, now)
	c.use.Store(use)
	c.dataSlowed.Store(&slowed)
	return nil
}

func (c *Center) acceptQuery(topology string) error {
	nodes, err := parseLoad(topology, "connected_nodes", c.cfg.Writing.QueryMemory)
	if err != nil {
		return err
	}
	now := time.Now()
	c.showDelays("querynode", nodes, now)
	slowed := slowdowns(c.cfg.Writing, nodes, now)
	c.querySlowed.Store(&slowed)
	return nil
}

// showDelays shows what the nodes of a role told of their time ticks.
func (c *Center) showDelays(role string, nodes []nodeLoad, now time.Time) {
	if c.deps.Metrics == nil {
		return
	}
	delays := c.deps.Metrics.Delays
	delays.DeletePartialMatch(prometheus.Labels{"role_name": role}) // nodes that are gone
	for _, n := range nodes {
		if n.Tick > 0 {
			delays.WithLabelValues(role, strconv.FormatInt(n.ID, 10)).Set(float64(n.delay(now).Milliseconds()))
		}
	}
}
