package sessionutil

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// standbyLogInterval is how often a standby says that it is one; the documentation shows users this line.
const standbyLogInterval = 10 * time.Second

// Session keeps one process of a role registered and lets it compete for the active role. See doc.go.
type Session struct {
	cfg       Config
	client    *clientv3.Client
	members   *etcdutil.Members
	log       *zap.Logger
	metrics   Metrics
	detector  detector
	activeKey string
	memberKey string
	termKey   string

	processKey string
}

// New checks cfg. It does no I/O.
func New(cfg Config, deps Deps) (*Session, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Session{
		cfg:       cfg,
		client:    deps.Client,
		members:   deps.Members,
		log:       deps.Logger,
		metrics:   deps.Metrics,
		detector:  detector{cfg: cfg, members: deps.Members, dial: deps.Dial, log: deps.Logger, metrics: deps.Metrics},
		activeKey: ActiveKey(cfg.MetaRoot, cfg.Role),
		memberKey: memberKey(cfg.MetaRoot, cfg.Role, cfg.ServerID),
		termKey:   termKey(cfg.MetaRoot, cfg.Role),

		processKey: processPrefix(cfg.MetaRoot, cfg.Role) + formatID(cfg.ServerID),
	}, nil
}

// Handler is told what becomes of the session. Its calls come one after the other.
type Handler interface {
	// Registered is called when the process' lease and keys are in etcd; without active-standby nothing is put until the
	// role is won. The process competes for the role when Registered returns: it may wait until it is fit to, but no
	// longer than ctx.
	Registered(ctx context.Context)
	// Serve is the active role: it blocks while the process is active, and returns when ctx ends (having answered what
	// was under way), when the term's context ends, or when it cannot go on. Then the role is given back.
	Serve(ctx context.Context, term *Term, origin Origin) error
}

// Run registers, waits for the role, serves it, and begins anew when it is lost, until ctx ends. A lost lease, a deposed
// term and an etcd that is away are not errors. It returns nil when ctx has ended, and a [*TakenError] when the role is
// held by another process and active-standby is off.
func (s *Session) Run(ctx context.Context, h Handler) error {
	s.revokeNamesakes(ctx)
	served, failures := false, 0
	for ctx.Err() == nil {
		reg, err := s.register(ctx)
		if err != nil {
			break // ctx has ended
		}
		h.Registered(ctx)
		term, origin, err := s.campaign(ctx, reg, served)
		if err == nil {
			served = true
			err = s.serve(ctx, h, term, origin)
			if err == nil || term.Context().Err() != nil && !errors.Is(context.Cause(term.Context()), errResigned) {
				failures = 0
			} else {
				failures++
			}
		}
		s.deregister(ctx, reg)
		var taken *TakenError
		if errors.As(err, &taken) {
			return err
		}
		if failures > 0 && ctx.Err() == nil {
			// Give another process the chance to do better.
			_ = clock.Sleep(ctx, min(time.Second<<min(failures-1, 5), 15*time.Second))
		}
	}
	return nil
}

// serve runs one term and gives the role back.
func (s *Session) serve(ctx context.Context, h Handler, term *Term, origin Origin) error {
	watch, stopWatch := context.WithCancel(term.ctx)
	serving, handOver := context.WithCancelCause(ctx)
	defer handOver(nil)
	var watching sync.WaitGroup
	watching.Go(func() { s.watchOwnKey(watch, term) })
	watching.Go(func() { s.watchSwitch(watch, term, handOver) })
	err := h.Serve(serving, term, origin)
	stopWatch()
	watching.Wait()
	switched := errors.Is(context.Cause(serving), errSwitched)
	cause := context.Cause(term.ctx)
	switch {
	case cause != nil:
		s.countLoss(cause)
		s.log.Warn("lost the ACTIVE role, back to STANDBY", zap.Int64("term", term.number), zap.String("reason", cause.Error()))
	case err != nil && ctx.Err() == nil:
		s.log.Error("cannot serve the ACTIVE role, giving it back", zap.Int64("term", term.number), zap.Error(err))
	default:
		s.log.Info("giving the ACTIVE role back", zap.Int64("term", term.number))
	}
	term.end(errResigned)
	s.resign(ctx, term, howTermEnded(cause, err, switched))
	return err
}

// failedPrefix begins the reason of a term whose holder could not serve.
const failedPrefix = "failed: "

// countLoss is for a term that ended against the holder's will; a lease that is gone has been counted by the heartbeat.
func (s *Session) countLoss(cause error) {
	switch {
	case errors.Is(cause, errKeyLost):
		s.metrics.Lost(s.cfg.Role, LossKey)
	case errors.Is(cause, errSilent):
		s.metrics.Lost(s.cfg.Role, LossSilent)
	}
}

func howTermEnded(cause, err error, switched bool) string {
	switch {
	case cause != nil:
		return cause.Error()
	case err != nil:
		return failedPrefix + err.Error()
	case switched:
		return ReasonSwitched
	}
	return ReasonStopped
}

// resign writes down that this term has answered its last call, so that the next holder need not wait. The lease is
// revoked after it. It is best effort: without the record the next holder waits out the serve window.
func (s *Session) resign(ctx context.Context, term *Term, reason string) {
	ended := s.termRecord()
	ended.Ended, ended.Reason = time.Now().Format(time.RFC3339Nano), reason
	werr := s.insist(ctx, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(s.activeKey), "=", term.number)).
			Then(clientv3.OpPut(s.termKey, ended.encode())).Commit()
		return err
	})
	if werr != nil {
		s.log.Warn("cannot record the end of the term", zap.Int64("term", term.number), zap.Error(werr))
	}
}

// watchOwnKey ends the term as soon as etcd tells that the active key is gone. The heartbeat would find it too, later.
func (s *Session) watchOwnKey(ctx context.Context, term *Term) {
	for ctx.Err() == nil {
		for resp := range s.client.Watch(clientv3.WithRequireLeader(ctx), s.activeKey, clientv3.WithRev(term.number+1)) {
			for _, ev := range resp.Events {
				if ev.Type == mvccpb.DELETE {
					term.end(errKeyLost)
					return
				}
			}
		}
		_ = clock.Sleep(ctx, 200*time.Millisecond)
	}
}

// handOverPoll is how often a process looks whether a switchover between others is done.
const handOverPoll = 50 * time.Millisecond

// campaign competes for the active key until it is won or the registration or ctx ends. first is false when this process
// has been active before: then a taken role is waited for even without active-standby.
func (s *Session) campaign(ctx context.Context, reg *registration, before bool) (*Term, Origin, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(reg.ctx, func() { cancel(context.Cause(reg.ctx)) })()

	var rival *rival
	defer func() { rival.release() }()
	barred := false
	standby := standbyLine{log: s.log, role: s.cfg.Role}
	defer standby.stop()
	for try := 0; ctx.Err() == nil; try++ {
		s.log.Info("start retrying to register as ACTIVE service...")
		began := time.Now()
		won, err := s.claim(ctx, reg)
		switch {
		case ctx.Err() != nil:
			return nil, Origin{}, context.Cause(ctx)
		case errors.Is(err, errLeaseLost):
			return nil, Origin{}, err
		case err != nil:
			if try == 3 || try%60 == 59 {
				s.log.Error("register active key to etcd failed", zap.Error(err))
			}
			_ = clock.Sleep(ctx, retryPause(try))
			continue
		}
		if won.number != 0 {
			return s.accede(ctx, reg, won, rival, time.Since(began))
		}
		if won.holder == nil {
			if s.cfg.Standby {
				standby.start()
			}
			s.waitBarred(ctx, won, &barred)
			continue
		}
		if !s.cfg.Standby && !before && try+1 >= s.cfg.RetryTimes {
			return nil, Origin{}, &TakenError{Role: s.cfg.Role, Key: s.activeKey, Holder: won.describeHolder()}
		}
		rival.release()
		if !s.cfg.Standby {
			s.log.Warn("the role is held by another process, trying again", zap.String("holder", won.describeHolder()))
			_ = clock.Sleep(ctx, min(200*time.Millisecond<<min(try, 4), 3*time.Second))
			continue
		}
		standby.start()
		rival = s.awaitDeparture(ctx, won)
	}
	return nil, Origin{}, context.Cause(ctx)
}

// accede turns a won claim into a term: first it makes sure that the predecessor has stopped answering.
func (s *Session) accede(ctx context.Context, reg *registration, won claim, rival *rival, took time.Duration) (*Term, Origin, error) {
	term := newTerm(ctx, s.client, s.activeKey, won.number, s.cfg.ServerID, func() { s.metrics.FencedOff(s.cfg.Role) })
	term.address = s.cfg.Address
	reg.hold(term, s.cfg.ServeWindow)
	s.log.Info("register ACTIVE service successfully", zap.Int64("ServerID", s.cfg.ServerID))
	origin := s.origin(won, rival)
	origin.Claim = took
	began := time.Now()
	if err := s.awaitSilence(ctx, term, won, rival); err != nil {
		term.end(errResigned)
		return nil, Origin{}, err
	}
	origin.Wait = time.Since(began)
	if s.cfg.Standby {
		s.log.Info("quit STANDBY mode, this node will become ACTIVE")
	}
	return term, origin, nil
}

// awaitDeparture is a standby's life: it watches the holder's keys until the active key is deleted, and meanwhile looks
// for evidence that the holder is dead. It returns what it has learnt of the holder.
func (s *Session) awaitDeparture(ctx context.Context, lost claim) *rival {
	r := newRival(lost)
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	r.detect(ctx, s.detector)
	for watch.Err() == nil {
		// The prefix shows the holder's member key too, which goes at the same revision.
		events := s.client.Watch(clientv3.WithRequireLeader(watch), s.activeKey, clientv3.WithPrefix(), clientv3.WithRev(r.revision+1))
		for resp := range events {
			if resp.CompactRevision != 0 || s.departed(resp, r) {
				s.log.Info("stop watching ACTIVE key")
				return r
			}
		}
		if clock.Sleep(watch, 100*time.Millisecond) == nil && s.gone(watch, r) {
			return r
		}
	}
	return r
}

// departed logs the deletions that a standby is documented to show, and tells whether the active key is among them.
func (s *Session) departed(resp clientv3.WatchResponse, r *rival) bool {
	gone := false
	for _, ev := range resp.Events {
		r.revision = ev.Kv.ModRevision
		key := string(ev.Kv.Key)
		if ev.Type != mvccpb.DELETE || key != s.activeKey && key != memberKey(s.cfg.MetaRoot, s.cfg.Role, r.serverID) {
			continue
		}
		s.log.Debug("watch the ACTIVE key",
			zap.String("DELETE", fmt.Sprintf("key:%q mod_revision:%d ", key, ev.Kv.ModRevision)))
		if key == s.activeKey {
			r.departedAt, gone = clock.Now(), true
		}
	}
	return gone
}

// gone looks whether the holder is still the same after a watch that broke.
func (s *Session) gone(ctx context.Context, r *rival) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := s.client.Get(ctx, s.activeKey)
	if err != nil {
		return false
	}
	if len(resp.Kvs) == 1 && resp.Kvs[0].CreateRevision == r.term {
		return false
	}
	r.departedAt = clock.Now()
	return true
}

// record is this process' session JSON.
func (s *Session) record(lease clientv3.LeaseID) string { return s.recordAs(s.cfg.Role, lease) }

func (s *Session) recordAs(name string, lease clientv3.LeaseID) string {
	id := int64(lease)
	return Record{
		ServerID:    s.cfg.ServerID,
		ServerName:  name,
		Address:     s.cfg.Address,
		Exclusive:   true,
		TriggerKill: true,
		Version:     s.cfg.Version,
		LeaseID:     &id,
		HostName:    s.cfg.HostName,
	}.encode()
}

func (s *Session) termRecord() termRecord {
	return termRecord{
		ServerID: s.cfg.ServerID,
		Address:  s.cfg.Address,
		Direct:   s.cfg.Direct,
		HostName: s.cfg.HostName,
		PID:      os.Getpid(),
		Since:    time.Now().Format(time.RFC3339Nano),
	}
}

func (s *Session) processRecord() Process {
	return Process{
		ServerID: s.cfg.ServerID, Binary: s.cfg.Binary, HTTP: s.cfg.HTTP, PID: os.Getpid(), Since: time.Now(), Standby: s.cfg.Standby,
	}
}

// standbyLine logs the documented line at once and then every ten seconds, on a goroutine that stop waits for.
type standbyLine struct {
	log     *zap.Logger
	role    string
	quit    chan struct{}
	stopped chan struct{}
}

func (l *standbyLine) start() {
	if l.quit != nil {
		return
	}
	l.quit, l.stopped = make(chan struct{}), make(chan struct{})
	l.say()
	go func() {
		defer close(l.stopped)
		tick := time.NewTicker(standbyLogInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.say()
			case <-l.quit:
				return
			}
		}
	}()
}

func (l *standbyLine) say() { l.log.Info("serverName: " + l.role + " is in STANDBY ...") }

func (l *standbyLine) stop() {
	if l.quit != nil {
		close(l.quit)
		<-l.stopped
	}
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }
