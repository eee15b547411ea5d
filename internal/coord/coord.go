package coord

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Role is one kind of coordinator.
type Role interface {
	// Name is the role's name in sessions, logs and metrics, such as "rootcoord".
	Name() string
	// Follow keeps the role's tables up to date, in standby and while active, until ctx ends.
	Follow(ctx context.Context) error
	// Loaded is closed when the tables hold a first snapshot.
	Loaded() <-chan struct{}
	// CatchUp waits until the tables show a revision, or ctx ends, and returns the revision that they show.
	CatchUp(ctx context.Context, revision int64) int64
	// Damaged is the number of values in etcd that do not decode, and whose objects are not served.
	Damaged() int
	// Activate builds what serves one term. It returns when everything that must precede the first answer is done. ctx
	// ends with the term and also when the process is told to stop.
	Activate(ctx context.Context, term *sessionutil.Term) (Instance, error)
}

// Instance is what serves one term of a role.
type Instance struct {
	// Server implements the role's gRPC service.
	Server any
	// Run is the background work of the term. It returns when ctx ends; an error before that ends the term. May be nil.
	Run func(ctx context.Context) error
	// Started is called once, when the state is Healthy and calls are let in. May be nil.
	Started func()
	// Steps tells how long the parts of the activation took, for the log and the history of takeovers.
	Steps []Step
}

// Step is a named part of a takeover.
type Step struct {
	Name string
	Took time.Duration
}

// Gate lets calls through to the instance of the current term, or answers them "not ready". Safe for concurrent use.
type Gate interface {
	// SetState is what GetComponentStates and "not ready" answers say.
	SetState(state commonpb.StateCode)
	// Open lets calls in; valid is asked before a read is answered.
	Open(server any, valid func() bool)
	// Close lets no more calls in and waits for those under way, at most until ctx ends.
	Close(ctx context.Context) error
}

// Session is what sessionutil.Session is to a coordinator.
type Session interface {
	Run(ctx context.Context, h sessionutil.Handler) error
}

// Historian records takeovers.
type Historian interface {
	// Record is called on a goroutine of its own within the term, when it serves.
	Record(ctx context.Context, term *sessionutil.Term, t Takeover) error
}

// Metrics receives what a coordinator measures.
type Metrics interface {
	StateChanged(role string, state commonpb.StateCode, term int64)
	TookOver(role, cause string, steps []Step)
	// TablesMeasured is called every few seconds: since when the tables are known to be level with etcd, by how many revisions
	// they are behind, below zero if etcd was not there to tell, and how many values do not decode.
	TablesMeasured(role string, levelAt time.Time, behind int64, damaged int)
}

// Config is what a coordinator needs to know.
type Config struct {
	DrainTimeout time.Duration // how long calls under way may take when the process is told to stop
}

// Deps are the parts that a coordinator joins.
type Deps struct {
	Role      Role
	Session   Session
	Gate      Gate
	Historian Historian
	Metrics   Metrics
	Logger    *zap.Logger
	// Started is called after the instance's own Started.
	Started func()
	// Revision asks etcd for its present revision. It returns when ctx ends, at the latest.
	Revision func(ctx context.Context) (int64, error)
	// OnRegistered is called when the process is registered in etcd.
	OnRegistered func()
}

// Coordinator joins a role, its session and its gate.
type Coordinator struct {
	cfg Config
	Deps
}

// New makes a coordinator. It does no I/O.
func New(cfg Config, deps Deps) *Coordinator { return &Coordinator{cfg: cfg, Deps: deps} }

// Run blocks until ctx ends, then stops in order and returns nil. It returns an error when the process cannot go on:
// the role is taken and active-standby is off.
func (c *Coordinator) Run(ctx context.Context) error {
	// The tables are needed until the last term has ended, which is after ctx.
	follow, stopFollowing := context.WithCancel(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := c.Role.Follow(follow); err != nil && follow.Err() == nil {
			return fmt.Errorf("%s: follow the metadata: %w", c.Role.Name(), err)
		}
		return nil
	})
	group.Go(func() error { c.measureTables(follow); return nil })
	group.Go(func() error {
		defer stopFollowing()
		return c.Session.Run(ctx, c)
	})
	return group.Wait()
}

// Registered implements sessionutil.Handler. A process competes for the role when its tables are warm: won earlier, the
// role would wait for them, while another process might have been ready.
func (c *Coordinator) Registered(ctx context.Context) {
	c.setState(commonpb.StateCode_StandBy, 0)
	if c.OnRegistered != nil {
		c.OnRegistered()
	}
	select {
	case <-c.Role.Loaded():
	case <-ctx.Done():
	}
}

// Serve implements sessionutil.Handler: one term.
func (c *Coordinator) Serve(ctx context.Context, term *sessionutil.Term, origin sessionutil.Origin) error {
	began := time.Now()
	c.setState(commonpb.StateCode_Initializing, term.Number())
	defer c.setState(commonpb.StateCode_StandBy, 0)

	inst, err := c.activate(ctx, term)
	if err != nil {
		return err
	}
	work, stopWork := context.WithCancel(term.Context())
	defer stopWork()
	background, work := errgroup.WithContext(work)
	if inst.Run != nil {
		background.Go(func() error { return inst.Run(work) })
	}
	c.Gate.Open(inst.Server, term.Valid)
	c.setState(commonpb.StateCode_Healthy, term.Number())
	if inst.Started != nil {
		inst.Started()
	}
	if c.Started != nil {
		c.Started()
	}
	takeover := newTakeover(c.Role.Name(), term, origin, inst.Steps, time.Since(began))
	c.announce(takeover)
	background.Go(func() error {
		if err := c.Historian.Record(work, term, takeover); err != nil && work.Err() == nil {
			c.Logger.Warn("cannot record the takeover", zap.Error(err))
		}
		return nil
	})

	select {
	case <-ctx.Done():
		c.setState(commonpb.StateCode_Stopping, term.Number())
	case <-work.Done(): // the term is over, or background work has failed
	}
	c.drain(ctx, term)
	stopWork()
	if err := background.Wait(); err != nil && !errors.Is(err, context.Canceled) && term.Context().Err() == nil {
		return fmt.Errorf("%s: %w", c.Role.Name(), err)
	}
	return nil
}

func (c *Coordinator) activate(ctx context.Context, term *sessionutil.Term) (Instance, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(term.Context(), cancel)()
	inst, err := c.Role.Activate(ctx, term)
	if err != nil {
		return Instance{}, fmt.Errorf("activate %s: %w", c.Role.Name(), err)
	}
	return inst, nil
}

// drain waits for the calls under way. A term that is over gives them a moment only: their writes are refused and their
// contexts have ended.
func (c *Coordinator) drain(ctx context.Context, term *sessionutil.Term) {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.DrainTimeout)
	defer cancel()
	if err := c.Gate.Close(limit); err != nil {
		c.Logger.Warn("calls under way did not end in time, going on without them",
			zap.Int64("term", term.Number()), zap.Duration("waited", c.cfg.DrainTimeout), zap.Error(err))
	}
}

func (c *Coordinator) setState(state commonpb.StateCode, term int64) {
	c.Gate.SetState(state)
	c.Metrics.StateChanged(c.Role.Name(), state, term)
}

func (c *Coordinator) announce(t Takeover) {
	fields := []zap.Field{
		zap.String("role", t.Role), zap.Int64("term", t.Term), zap.Int64("ServerID", t.ServerID), zap.String("reason", t.Reason),
	}
	if t.Predecessor != 0 {
		fields = append(fields, zap.Int64("predecessor", t.Predecessor), zap.String("predecessorAddress", t.PredecessorAddress))
	}
	for _, s := range t.Steps {
		fields = append(fields, zap.Duration(s.Name, s.Took.Round(10*time.Microsecond)))
	}
	c.Logger.Info("takeover finished", fields...)
	c.Metrics.TookOver(t.Role, t.Reason, t.Steps)
}
