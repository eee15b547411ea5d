package sessionutil

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// Why a registration or a term ended.
var (
	errLeaseLost = errors.New("the session's lease is gone from etcd")
	errKeyLost   = errors.New("the active key was deleted or taken over")
	errSilent    = errors.New("no heartbeat came through for longer than the silence timeout")
	errResigned  = errors.New("the role was given back")
)

// renewTimeout bounds one request of a heartbeat to one member, so that a round over three members, one of them dead,
// stays well within the serve window.
const renewTimeout = 700 * time.Millisecond

// farewell is how long a process that gives its role back waits for an etcd that is slow.
const farewell = 2 * time.Second

// registration is a lease with the process' keys on it, kept alive by a heartbeat of its own. In standby it carries the
// member key alone, in a term the active key as well. All of it ends together.
type registration struct {
	lease  clientv3.LeaseID
	ctx    context.Context // ends with the lease
	cancel context.CancelCauseFunc
	done   sync.WaitGroup // the heartbeat

	mu       sync.Mutex
	lastBeat int64 // when the last successful heartbeat began, on package clock
	term     *Term // nil in standby
}

// hold makes term subject to the heartbeat. The term's first deadline comes from the last heartbeat before its claim:
// the claim itself does not renew the lease.
func (r *registration) hold(term *Term, window time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.term = term
	term.extend(r.lastBeat + int64(window))
}

func (r *registration) held() *Term {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.term
}

// register takes a lease and puts this process' keys on it, trying until ctx ends.
func (s *Session) register(ctx context.Context) (*registration, error) {
	for try := 0; ; try++ {
		reg, err := s.tryRegister(ctx)
		if err == nil {
			reg.done.Go(func() { s.heartbeat(reg) })
			return reg, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if try == 3 || try%60 == 59 {
			s.log.Warn("cannot register in etcd, still trying", zap.Strings("endpoints", s.client.Endpoints()), zap.Error(err))
		}
		if err := clock.Sleep(ctx, retryPause(try)); err != nil {
			return nil, err
		}
	}
}

func (s *Session) tryRegister(ctx context.Context) (*registration, error) {
	reg := &registration{}
	err := s.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
		reg.lastBeat = clock.Now()
		grant, err := c.Grant(ctx, int64(s.cfg.TTL/time.Second))
		if err != nil {
			return err
		}
		reg.lease = grant.ID
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take a lease: %w", err)
	}
	value := s.record(reg.lease)
	puts := []clientv3.Op{clientv3.OpPut(s.processKey, s.processRecord().encode(), clientv3.WithLease(reg.lease))}
	if s.cfg.Standby {
		puts = append(puts, clientv3.OpPut(s.memberKey, value, clientv3.WithLease(reg.lease)))
	}
	err = s.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Txn(ctx).Then(puts...).Commit()
		return err
	})
	if err != nil {
		s.revoke(ctx, reg.lease)
		return nil, fmt.Errorf("register %s: %w", s.memberKey, err)
	}
	s.metrics.Registered(s.cfg.Role)
	if s.cfg.Standby {
		s.log.Info("put session key into etcd", zap.String("key", s.memberKey), zap.String("value", value))
	}
	// A stopping process drains before its lease goes, so the lease does not end with ctx.
	reg.ctx, reg.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return reg, nil
}

// deregister ends the heartbeat and gives the lease back, as well as etcd lets it: an etcd that does not answer within
// requestTimeout will let the lease expire.
func (s *Session) deregister(ctx context.Context, reg *registration) {
	reg.cancel(errResigned)
	reg.done.Wait()
	s.revoke(ctx, reg.lease)
}

// revoke is also called when ctx has ended: that is when a process that stops gives its role back.
func (s *Session) revoke(ctx context.Context, lease clientv3.LeaseID) {
	err := s.insist(ctx, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Revoke(ctx, lease)
		return err
	})
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.log.Warn("cannot revoke the session's lease, it will expire", zap.Duration("ttl", s.cfg.TTL), zap.Error(err))
	}
}

// insist sends a farewell again and again until etcd answers, at most for farewell: what is not said costs the next holder
// a wait. It may be sent twice, and ctx may have ended.
func (s *Session) insist(ctx context.Context, request func(context.Context, *clientv3.Client) error) error {
	ctx = context.WithoutCancel(ctx)
	for began, try := time.Now(), 0; ; try++ {
		err := s.members.Do(ctx, renewTimeout, request)
		if !etcdutil.IsUnavailable(err) || time.Since(began) > farewell {
			return err
		}
		_ = clock.Sleep(ctx, retryPause(try))
	}
}

// heartbeat renews the lease until it is gone or the registration is cancelled.
func (s *Session) heartbeat(reg *registration) {
	failing := false
	for {
		begin := clock.Now()
		err := s.beat(reg, begin)
		switch {
		case reg.ctx.Err() != nil:
			return
		case errors.Is(err, errLeaseLost):
			s.log.Warn("session lease is gone from etcd, registering anew", zap.Int64("leaseID", int64(reg.lease)))
			s.metrics.Lost(s.cfg.Role, LossLease)
			if term := reg.held(); term != nil {
				term.end(errLeaseLost)
			}
			reg.cancel(errLeaseLost)
			return
		case err != nil:
			s.metrics.Missed(s.cfg.Role)
			if !failing {
				failing = true
				s.log.Warn("heartbeat to etcd failed, still trying", zap.Error(err))
			}
		case failing:
			failing = false
			s.log.Info("heartbeat to etcd works again")
		}
		pause := s.cfg.Heartbeat - time.Duration(clock.Now()-begin)
		if err != nil {
			pause = s.cfg.Heartbeat / 10
		}
		if clock.Sleep(reg.ctx, max(pause, 0)) != nil {
			return
		}
	}
}

// beat is one heartbeat: is the role still mine, and then, renew the lease. The order matters: a renewal that succeeds
// after the key was found mine proves that nobody had been given the role when the heartbeat began.
func (s *Session) beat(reg *registration, begin int64) error {
	term := reg.held()
	paused := false
	if err := s.members.Do(reg.ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) (err error) {
		paused, err = s.inspect(ctx, c, reg, term)
		return err
	}); err != nil {
		return err
	}
	err := s.members.Do(reg.ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.KeepAliveOnce(ctx, reg.lease)
		return err
	})
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return errLeaseLost
	}
	if err != nil {
		return err
	}
	s.renewed(reg, term, begin)
	s.metrics.Renewed(s.cfg.Role, time.Duration(clock.Now()-begin), paused)
	return nil
}

// renewed moves the local deadline on. A term that was silent for so long that a standby may have called it dead is
// given up for good: this is what makes "silent for longer than the silence timeout" a proof that it never serves again.
func (s *Session) renewed(reg *registration, term *Term, begin int64) {
	now := clock.Now()
	reg.mu.Lock()
	gap := time.Duration(now - reg.lastBeat)
	reg.lastBeat = begin
	reg.mu.Unlock()
	if term == nil || term.ctx.Err() != nil {
		return
	}
	s.metrics.Slack(s.cfg.Role, time.Duration(term.validUntil.Load()-now))
	if gap > (s.cfg.ServeWindow+s.cfg.SilenceTimeout)/2 {
		term.end(fmt.Errorf("%w: %v", errSilent, gap.Round(time.Millisecond)))
		return
	}
	term.extend(begin + int64(s.cfg.ServeWindow))
}

// inspect reads this process' keys and puts back what another writer has overwritten or deleted. The active key is put
// back only while it is still the one that this term created. On the way it learns whether takeovers are paused.
func (s *Session) inspect(ctx context.Context, c *clientv3.Client, reg *registration, term *Term) (paused bool, err error) {
	resp, err := c.Txn(ctx).Then(clientv3.OpGet(s.activeKey), clientv3.OpGet(s.memberKey),
		clientv3.OpGet(maintenanceKey(s.cfg.MetaRoot, s.cfg.Role), clientv3.WithCountOnly())).Commit()
	if err != nil {
		return false, err
	}
	paused = resp.Responses[2].GetResponseRange().GetCount() > 0
	return paused, s.repair(ctx, c, reg, term, resp)
}

// repair looks at what inspect has read.
func (s *Session) repair(ctx context.Context, c *clientv3.Client, reg *registration, term *Term, resp *clientv3.TxnResponse) error {
	active := resp.Responses[0].GetResponseRange().GetKvs()
	member := resp.Responses[1].GetResponseRange().GetKvs()
	if s.cfg.Standby && (len(member) == 0 || member[0].Lease != int64(reg.lease)) {
		s.log.Warn("own session key was deleted or overwritten, putting it back", zap.String("key", s.memberKey))
		if _, err := c.Put(ctx, s.memberKey, s.record(reg.lease), clientv3.WithLease(reg.lease)); err != nil {
			return leaseError(err)
		}
	}
	if term == nil || term.ctx.Err() != nil {
		return nil
	}
	if len(active) == 0 || active[0].CreateRevision != term.number {
		term.end(errKeyLost)
		return nil
	}
	if active[0].Lease == int64(reg.lease) {
		return nil
	}
	s.log.Warn("the ACTIVE key was overwritten by another writer, putting it back",
		zap.String("key", s.activeKey), zap.ByteString("value", active[0].Value))
	_, err := c.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(s.activeKey), "=", term.number)).
		Then(clientv3.OpPut(s.activeKey, s.record(reg.lease), clientv3.WithLease(reg.lease))).Commit()
	return leaseError(err)
}

func leaseError(err error) error {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return errLeaseLost
	}
	return err
}

// isRefusal tells whether etcd has answered a transaction with an error of its own, so that it is not applied.
func isRefusal(err error) bool { return !etcdutil.IsUnavailable(err) }
