package datacoord

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
const Name = "datacoord"

// Config is what DataCoord needs to know.
type Config struct {
	MetaRoot string // <etcd.rootPath>/<etcd.metaSubPath>
	// WatchSubPath is where channels are assigned to nodes, below MetaRoot: msgChannel.subNamePrefix.dataCoordWatchSubPath.
	// Empty means Milvus' default, channelwatch.
	WatchSubPath string
	Standby      bool // active-standby is on: a term begins with the end of a standby
}

// Deps are the parts that DataCoord is given.
type Deps struct {
	Client  *clientv3.Client
	Logger  *zap.Logger
	Metrics *metrics.DataCoord // nil: nothing is measured
}

// DataCoord is the role: tables that follow etcd for as long as the process lives.
type DataCoord struct {
	cfg      Config
	logger   *zap.Logger
	metrics  *metrics.DataCoord
	tables   *tableset.Set[*tables]
	follower *metatable.Follower
}

// New makes the role. It does no I/O.
func New(cfg Config, deps Deps) (*DataCoord, error) {
	if cfg.MetaRoot == "" || deps.Client == nil || deps.Logger == nil {
		return nil, errors.New("datacoord: MetaRoot, Client and Logger are required")
	}
	if cfg.WatchSubPath == "" {
		cfg.WatchSubPath = "channelwatch"
	}
	k := keys{root: cfg.MetaRoot + "/", watch: cfg.MetaRoot + "/" + cfg.WatchSubPath + "/"}
	set := tableset.New(func() *tables { return newTables(k) })
	return &DataCoord{
		cfg: cfg, logger: deps.Logger, metrics: deps.Metrics, tables: set,
		follower: metatable.New(metatable.Config{
			Name: Name, Client: deps.Client, Prefixes: k.prefixes(), State: set, Logger: deps.Logger,
		}),
	}, nil
}

// Name is the role's name.
func (d *DataCoord) Name() string { return Name }

// CatchUp waits until the tables show a revision, or ctx ends, and returns the revision that they show.
func (d *DataCoord) CatchUp(ctx context.Context, revision int64) int64 {
	_ = d.follower.Barrier(ctx, revision) // what has been reached is the answer
	return d.follower.Applied()
}

// Damaged is the number of records that do not decode.
func (d *DataCoord) Damaged() int { return len(d.tables.Quarantined()) }

// Loaded is closed when the tables hold a first snapshot.
func (d *DataCoord) Loaded() <-chan struct{} { return d.follower.Loaded() }

// Follow keeps the tables up to date, in standby and while active, until ctx ends.
func (d *DataCoord) Follow(ctx context.Context) error { return d.follower.Run(ctx) }

// Activate builds what serves one term, when the tables have reached the revision at which the term began. It asks no
// other coordinator, so that the three can be started in any order.
func (d *DataCoord) Activate(ctx context.Context, term *sessionutil.Term) (coord.Instance, error) {
	if d.cfg.Standby {
		d.logger.Info("datacoord switch from standby to active, activating")
	}
	began := time.Now()
	if err := d.follower.Barrier(ctx, term.Number()); err != nil {
		return coord.Instance{}, err
	}
	caughtUp := coord.Step{Name: "tables", Took: time.Since(began)}
	d.tables.Report(d.logger)
	d.logger.Info("DataCoord Register Finished")
	return coord.Instance{
		Server:  &service{},
		Run:     d.measure,
		Started: func() { logStarted(d.logger) },
		Steps:   []coord.Step{caughtUp},
	}, nil
}
