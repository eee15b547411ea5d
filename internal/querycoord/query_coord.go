package querycoord

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Name is the role's name in sessions, logs and metrics.
const Name = "querycoord"

// Config is what QueryCoord needs to know.
type Config struct {
	MetaRoot string // <etcd.rootPath>/<etcd.metaSubPath>
	Standby  bool   // active-standby is on: a term begins with the end of a standby
}

// Deps are the parts that QueryCoord is given.
type Deps struct {
	Client  *clientv3.Client
	Logger  *zap.Logger
	Metrics *metrics.QueryCoord // nil: nothing is measured
}

// QueryCoord is the role: tables that follow etcd for as long as the process lives.
type QueryCoord struct {
	cfg      Config
	logger   *zap.Logger
	metrics  *metrics.QueryCoord
	tables   *tableset.Set[*tables]
	follower *metatable.Follower
}

// New makes the role. It does no I/O.
func New(cfg Config, deps Deps) (*QueryCoord, error) {
	if cfg.MetaRoot == "" || deps.Client == nil || deps.Logger == nil {
		return nil, errors.New("querycoord: MetaRoot, Client and Logger are required")
	}
	unzip, err := newUnzip()
	if err != nil {
		return nil, err
	}
	root := cfg.MetaRoot + "/"
	set := tableset.New(func() *tables { return newTables(root, unzip) })
	return &QueryCoord{
		cfg: cfg, logger: deps.Logger, metrics: deps.Metrics, tables: set,
		follower: metatable.New(metatable.Config{
			Name: Name, Client: deps.Client, Prefixes: prefixes(root), State: set, Logger: deps.Logger,
		}),
	}, nil
}

// Name is the role's name.
func (q *QueryCoord) Name() string { return Name }

// CatchUp waits until the tables show a revision, or ctx ends, and returns the revision that they show.
func (q *QueryCoord) CatchUp(ctx context.Context, revision int64) int64 {
	_ = q.follower.Barrier(ctx, revision) // what has been reached is the answer
	return q.follower.Applied()
}

// Damaged is the number of records that do not decode.
func (q *QueryCoord) Damaged() int { return len(q.tables.Quarantined()) }

// Loaded is closed when the tables hold a first snapshot.
func (q *QueryCoord) Loaded() <-chan struct{} { return q.follower.Loaded() }

// Follow keeps the tables up to date, in standby and while active, until ctx ends.
func (q *QueryCoord) Follow(ctx context.Context) error { return q.follower.Run(ctx) }

// Activate builds what serves one term, when the tables have reached the revision at which the term began. Milvus'
// waits for RootCoord and DataCoord first; nothing here needs them, and a takeover must not depend on another one.
func (q *QueryCoord) Activate(ctx context.Context, term *sessionutil.Term) (coord.Instance, error) {
	if q.cfg.Standby {
		q.logger.Info("querycoord switch from standby to active, activating")
	}
	began := time.Now()
	if err := q.follower.Barrier(ctx, term.Number()); err != nil {
		return coord.Instance{}, err
	}
	caughtUp := coord.Step{Name: "tables", Took: time.Since(began)}
	q.tables.Report(q.logger)
	q.logger.Info("QueryCoord Register Finished")
	return coord.Instance{
		Server:  &service{},
		Run:     q.measure,
		Started: func() { logStarted(q.logger) },
		Steps:   []coord.Step{caughtUp},
	}, nil
}
