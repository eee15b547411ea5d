package rootcoord

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/proxies"
	"github.com/milvus-coord/milvus/internal/quota"
	"github.com/milvus-coord/milvus/internal/rbac"
	"github.com/milvus-coord/milvus/internal/rootcoord/access"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/tso"
)

// Name is the role's name in sessions, logs and metrics.
const Name = "rootcoord"

// Config is what RootCoord needs to know.
type Config struct {
	MetaRoot string // <etcd.rootPath>/<etcd.metaSubPath>
	KvRoot   string // <etcd.rootPath>/<etcd.kvSubPath>
	Cluster  string // the prefix of channel names
	// DmlChannel names the DML channels, after the cluster and before the number; empty is Milvus' rootcoord-dml.
	DmlChannel string
	Standby    bool // active-standby is on: a term begins with the end of a standby
	Limits     Limits
	// Settle is the time from telling of a drop on the channels to asking DataCoord whether the data are gone: the nodes
	// have the message still to read.
	Settle time.Duration
	Data   *DataPath // nil: the cluster is coordinators alone
	// ProxyTimeout bounds a call to a proxy; 0 is proxies.DefaultTimeout.
	ProxyTimeout time.Duration
	// MaxTimeTickLag is from where the cluster counts as unhealthy; 0: nobody looks.
	MaxTimeTickLag time.Duration
	Quota          *quota.Config // nil: the proxies are told of no quotas
	Access         access.Rules
}

// Limits are what RootCoord allows, and the names it gives.
type Limits struct {
	MaxDatabaseNum        int // with the default one
	MaxCollectionNum      int
	MaxCollectionNumPerDB int // unless a database's property says otherwise
	MaxPartitionNum       int // of one collection
	MaxGeneralCapacity    int64
	DmlChannelNum         int
	Channels              []string // the DML channels, where they have names of their own; else they are numbered
	MaxShardNum           int
	DefaultPartitionName  string
	DefaultDBProperties   map[string]string // of the default database, when it is made
}

// Deps are the parts that RootCoord is given.
type Deps struct {
	Client  *clientv3.Client
	Dial    []grpc.DialOption // how processes of the cluster are dialled
	Logger  *zap.Logger
	Metrics *metrics.RootCoord // nil: nothing is measured
}

// RootCoord is the role: tables that follow etcd for as long as the process lives, and a Core for each term.
type RootCoord struct {
	cfg      Config
	client   *clientv3.Client
	dial     []grpc.DialOption
	logger   *zap.Logger
	metrics  *metrics.RootCoord
	keys     catalog.Keys
	tables   *tables
	view     *catalog.View // of tables
	follower *metatable.Follower
	fleet    *proxies.Fleet
	loaded   chan struct{} // closed by Follow when all tables hold a first snapshot
}

// New makes the role. It does no I/O.
func New(cfg Config, deps Deps) (*RootCoord, error) {
	if cfg.MetaRoot == "" || cfg.KvRoot == "" || cfg.Cluster == "" || deps.Client == nil || deps.Logger == nil {
		return nil, errors.New("rootcoord: MetaRoot, KvRoot, Cluster, Client and Logger are required")
	}
	if l := cfg.Limits; l.DefaultPartitionName == "" || l.DmlChannelNum < 1 || l.MaxShardNum < 1 {
		return nil, errors.New("rootcoord: a name of the default partition, channels and shards are required")
	}
	if cfg.DmlChannel == "" {
		cfg.DmlChannel = "rootcoord-dml"
	}
	keys := catalog.Keys{MetaRoot: cfg.MetaRoot}
	all := newTables(keys)
	follower := metatable.New(metatable.Config{
		Name: Name, Client: deps.Client, Prefixes: []string{keys.Prefix()}, State: all, Logger: deps.Logger,
	})
	fleet, err := proxies.New(proxies.Config{
		Client: deps.Client, MetaRoot: cfg.MetaRoot, Cluster: cfg.Cluster, Dial: deps.Dial, Timeout: cfg.ProxyTimeout, Logger: deps.Logger,
	})
	if err != nil {
		return nil, err
	}
	return &RootCoord{
		cfg: cfg, client: deps.Client, dial: deps.Dial, logger: deps.Logger, metrics: deps.Metrics,
		keys: keys, tables: all, view: all.view, follower: follower, fleet: fleet, loaded: make(chan struct{}),
	}, nil
}

// Name is the role's name.
func (r *RootCoord) Name() string { return Name }

// Follow keeps the tables up to date, in standby and while active, until ctx ends.
func (r *RootCoord) Follow(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.follower.Run(ctx) })
	group.Go(func() error { return r.fleet.Run(ctx) })
	group.Go(func() error {
		for _, one := range []<-chan struct{}{r.follower.Loaded(), r.fleet.Loaded()} {
			select {
			case <-one:
			case <-ctx.Done():
				return nil
			}
		}
		close(r.loaded)
		return nil
	})
	return group.Wait()
}

// Activate builds what serves one term: the tables have reached the revision at which the term began, timestamps and ids
// continue above what earlier terms may have given out, the default database exists. What an earlier term left half done
// is cleared away by the instance's Run; it is invisible, and nobody waits for it.
func (r *RootCoord) Activate(ctx context.Context, term *sessionutil.Term) (coord.Instance, error) {
	if r.cfg.Standby {
		r.logger.Info("rootcoord switch from standby to active, activating")
	}
	timestamps, err := tso.NewTimestamps(r.allocator(term, tso.TimestampKey))
	if err != nil {
		return coord.Instance{}, err
	}
	ids, err := tso.NewIDs(r.allocator(term, tso.IDKey))
	if err != nil {
		return coord.Instance{}, err
	}
	var steps steps
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(steps.time("tables", func() error { return r.follower.Barrier(groupCtx, term.Number()) }))
	group.Go(steps.time("proxies", func() error { return r.fleet.Barrier(groupCtx, term.Number()) }))
	group.Go(steps.time("timestamps", func() error { return timestamps.Start(groupCtx) }))
	group.Go(steps.time("ids", func() error { return ids.Start(groupCtx) }))
	if err := group.Wait(); err != nil {
		return coord.Instance{}, err
	}
	r.reportDamage()
	caller := r.fleet.Caller(term.ServerID())
	p := &parts{
		limits: r.cfg.Limits, meta: meta{r.view}, writer: catalog.NewWriter(r.keys, r.view, r.follower, term),
		timestamps: timestamps, ids: ids, settle: r.cfg.Settle, logger: r.logger,
		maxLag: r.cfg.MaxTimeTickLag, proxies: caller, caches: fleetCaches{caller: caller, applied: r.follower.Applied},
	}
	if err := steps.time("database", func() error { return r.ensureDefaultDatabase(ctx, p.writer) })(); err != nil {
		return coord.Instance{}, err
	}
	var left leftovers
	_ = steps.time("counts", func() error { left = r.take(p); return nil })()
	p.ddl, p.chores = newDDL(term, queued(r.metrics), r.logger), newChores(term, pace{first: time.Second, longest: 5 * time.Minute}, r.logger)
	p.access = r.newAccess(term, p, caller)
	if err := steps.time("access", func() error { return p.access.Seed(ctx) })(); err != nil {
		return coord.Instance{}, err
	}
	work := []func(context.Context) error{timestamps.Run, ids.Run}
	if r.metrics != nil {
		work = append(work, newGauges(p, r.metrics).run)
	}
	if p.peers, err = r.newPeers(term.Context()); err != nil {
		return coord.Instance{}, err
	}
	if err := r.connect(ctx, term, p); err != nil {
		p.peers.close()
		return coord.Instance{}, err
	}
	work = append(work,
		func(ctx context.Context) error { p.ticks.Run(ctx); return nil },
		func(ctx context.Context) error { return followSources(ctx, caller, p.ticks) })
	work = append(append(work, p.peers.run), r.proxyWork(caller, p.peers, term.ServerID())...)
	work = append(work, func(context.Context) error {
		p.access.RefreshLater() // what changed at the end of the last term may not have reached the proxies
		return nil
	})
	r.logger.Info("RootCoord Register Finished")
	return coord.Instance{
		Server:  newCore(p, r.metrics),
		Run:     func(ctx context.Context) error { return run(ctx, p, left, work...) },
		Started: func() { logStarted(r.logger) },
		Steps:   steps.list(),
	}, nil
}

// newAccess makes the handlers of the calls about users and grants. Their changes have one lock.
func (r *RootCoord) newAccess(term *sessionutil.Term, p *parts, caller *proxies.Caller) *access.Handlers {
	lock := keep(keylock.Write("access"))
	return access.New(r.cfg.Access, access.Deps{
		Tables:  r.tables.access,
		Writer:  rbac.NewWriter(rbac.Keys{MetaRoot: r.cfg.MetaRoot}, r.tables.access, term, r.follower),
		Proxies: caller,
		Change: func(ctx context.Context, again bool, work func(ctx context.Context) error) error {
			return p.ddl.do(ctx, lock, again, work)
		},
		Later:  func(what string, do func(ctx context.Context) error) { p.chores.start(what, 0, step{"tell", do}) },
		Logger: r.logger,
	})
}

func (r *RootCoord) allocator(term *sessionutil.Term, key string) tso.Config {
	return tso.Config{Client: r.client, Term: term, Key: path.Join(r.cfg.KvRoot, key), Logger: r.logger}
}

func (r *RootCoord) ensureDefaultDatabase(ctx context.Context, writer *catalog.Writer) error {
	var properties []*commonpb.KeyValuePair
	for _, key := range slices.Sorted(maps.Keys(r.cfg.Limits.DefaultDBProperties)) {
		properties = append(properties, &commonpb.KeyValuePair{Key: key, Value: r.cfg.Limits.DefaultDBProperties[key]})
	}
	created := uint64(time.Now().UnixNano()) //nolint:gosec // after 1970
	if err := writer.EnsureDefaultDatabase(ctx, defaultDatabase, created, properties); err != nil {
		return fmt.Errorf("create the default database: %w", err)
	}
	return nil
}

// reportDamage names the records that do not decode. Their objects answer errors; everything else is served.
func (r *RootCoord) reportDamage() {
	const most = 10
	var sick []metatable.Quarantined
	r.view.Read(func(rd catalog.Reader) { sick = rd.Quarantined() })
	sick = append(sick, r.tables.access.Quarantined()...)
	for i, q := range sick {
		if i == most {
			r.logger.Warn("more records of the metadata do not decode", zap.Int("more", len(sick)-most))
			return
		}
		r.logger.Warn("a record of the metadata does not decode, its object is not served", zap.Error(q))
	}
}

// run is a term's work in the background. It returns when ctx ends and nothing writes any more.
func run(ctx context.Context, p *parts, left leftovers, work ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range work {
		group.Go(func() error { return w(ctx) })
	}
	group.Go(func() error { left.clear(ctx, p); return nil })
	group.Go(func() error {
		<-ctx.Done()
		p.chores.cancel()
		ended := p.ddl.close()
		p.chores.close()
		if p.queue != nil {
			p.queue.Close()
		}
		if ended {
			p.writer.Close()
		}
		return nil
	})
	return group.Wait()
}

// Damaged is the number of records that do not decode.
func (r *RootCoord) Damaged() int {
	n := len(r.tables.access.Quarantined())
	r.view.Read(func(rd catalog.Reader) { n += len(rd.Quarantined()) })
	return n
}

// CatchUp waits until the tables show a revision, or ctx ends, and returns the revision that they show.
func (r *RootCoord) CatchUp(ctx context.Context, revision int64) int64 {
	_ = r.follower.Barrier(ctx, revision) // what has been reached is the answer
	return r.follower.Applied()
}

// Loaded is closed when the tables hold a first snapshot.
func (r *RootCoord) Loaded() <-chan struct{} { return r.loaded }
