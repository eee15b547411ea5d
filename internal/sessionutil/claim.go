package sessionutil

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
)

// Why the role changed hands, as logs, metrics and the history say it.
const (
	ReasonFirst     = "first"       // nobody of ours had it before
	ReasonStopped   = "stopped"     // the predecessor drained and gave it back
	ReasonSwitched  = "switched"    // it was asked to hand it over
	ReasonFailed    = "failed"      // it could not serve, and gave it back
	ReasonKilled    = "killed"      // its connection broke and nobody listens at its addresses any more
	ReasonSilent    = "silent"      // it did not renew its lease for the silence timeout
	ReasonRestarted = "restarted"   // this process holds the addresses at which the predecessor listened
	ReasonExpired   = "expired"     // its lease ran out
	ReasonDeleted   = "key deleted" // somebody removed the key or revoked the lease
	ReasonRegained  = "regained"    // it was this very process, which had lost the role
)

// Reasons lists them.
func Reasons() []string {
	return []string{
		ReasonFirst, ReasonStopped, ReasonSwitched, ReasonFailed, ReasonKilled, ReasonSilent, ReasonRestarted, ReasonExpired,
		ReasonDeleted, ReasonRegained,
	}
}

// Origin tells how a term began.
type Origin struct {
	Reason      string
	Predecessor int64  // ServerID; 0 if there was none of ours
	Address     string // the predecessor's

	Detect time.Duration // from the first sign of trouble to the deletion of the active key; 0 if there was no sign before
	Claim  time.Duration // the claim's round trip
	Wait   time.Duration // for the predecessor's serve window
}

// claim is the answer to one try to take the active key.
type claim struct {
	number   int64 // revision of the claim; 0 if the role is taken
	adopted  bool  // an earlier claim of this process, whose reply was lost
	revision int64 // at which etcd answered
	at       int64 // when, on package clock

	holder *mvccpb.KeyValue // the active key, if it is taken
	record termRecord       // the predecessor's, or the holder's
	found  bool             // whether there is such a record

	wish        *mvccpb.KeyValue // a switchover that is under way
	maintenance *mvccpb.KeyValue // takeovers are paused
	restoring   *mvccpb.KeyValue // the metadata is not whole
}

// claim tries to take the role. While it is being handed over, only the next one may: it takes the wish away with it. While
// takeovers are paused, only the next one and the last holder may. While the metadata is being restored, nobody may.
func (s *Session) claim(ctx context.Context, reg *registration) (claim, error) {
	c, err := s.tryClaim(ctx, reg, nil, nil)
	if err == nil && c.number == 0 && c.holder == nil && !s.barred(c) {
		return s.tryClaim(ctx, reg, c.wish, c.maintenance)
	}
	return c, err
}

// tryClaim tries to create the active key, its companions and the term record in one transaction, where neither a wish nor a
// pause lies, or those that are given.
func (s *Session) tryClaim(ctx context.Context, reg *registration, wish, maintenance *mvccpb.KeyValue) (claim, error) {
	wishKey, pauseKey := switchKey(s.cfg.MetaRoot, s.cfg.Role), maintenanceKey(s.cfg.MetaRoot, s.cfg.Role)
	restoringKey := RestoringKey(s.cfg.MetaRoot)
	value := s.record(reg.lease)
	then := []clientv3.Op{
		clientv3.OpGet(s.termKey),
		clientv3.OpPut(s.activeKey, value, clientv3.WithLease(reg.lease)),
		clientv3.OpPut(s.termKey, s.termRecord().encode()),
	}
	if wish != nil {
		then = append(then, clientv3.OpDelete(wishKey))
	}
	for _, name := range s.cfg.Companions {
		// Milvus expects a session under another role's name too, such as indexcoord beside datacoord.
		then = append(then, clientv3.OpPut(ActiveKey(s.cfg.MetaRoot, name), s.recordAs(name, reg.lease), clientv3.WithLease(reg.lease)))
	}
	var resp *clientv3.TxnResponse
	err := s.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
		var err error
		resp, err = c.Txn(ctx).
			If(clientv3.Compare(clientv3.Version(s.activeKey), "=", 0), at(wishKey, wish), at(pauseKey, maintenance), at(restoringKey, nil)).
			Then(then...).
			Else(clientv3.OpGet(s.termKey), clientv3.OpGet(s.activeKey), clientv3.OpGet(wishKey), clientv3.OpGet(pauseKey),
				clientv3.OpGet(restoringKey)).Commit()
		return err
	})
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return claim{}, errLeaseLost
	}
	if err != nil {
		return claim{}, err
	}
	c := claim{revision: resp.Header.Revision, at: clock.Now()}
	if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) == 1 {
		if c.record, err = parseTermRecord(kvs[0].Value); err != nil {
			s.log.Warn("unreadable term record, taking the predecessor for one that may still answer",
				zap.String("key", s.termKey), zap.Int64("revision", kvs[0].ModRevision), zap.Error(err))
		}
		c.found = true
	}
	if resp.Succeeded {
		c.number = resp.Header.Revision
		return c, nil
	}
	for i, into := range []**mvccpb.KeyValue{&c.holder, &c.wish, &c.maintenance, &c.restoring} {
		if kvs := resp.Responses[i+1].GetResponseRange().GetKvs(); len(kvs) == 1 {
			*into = kvs[0]
		}
	}
	if c.holder != nil && c.holder.Lease == int64(reg.lease) {
		c.number, c.adopted = c.holder.CreateRevision, true
	}
	return c, nil
}

// at compares a key with what is known of it, nil for nothing.
func at(key string, known *mvccpb.KeyValue) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(key), "=", known.GetModRevision())
}

func (c claim) describeHolder() string {
	if c.holder == nil {
		return "nobody"
	}
	r, err := ParseRecord(c.holder.Value)
	if err != nil {
		return fmt.Sprintf("an unreadable session (%v)", err)
	}
	who := fmt.Sprintf("ServerID %d at %s", r.ServerID, r.Address)
	if r.HostName != "" {
		who += " on host " + r.HostName
	}
	if c.found && c.record.ServerID == r.ServerID {
		who += " since " + c.record.Since
	}
	return who
}

// origin tells why the role was free.
func (s *Session) origin(won claim, r *rival) Origin {
	o := Origin{Reason: ReasonFirst}
	if won.found && !won.adopted {
		o.Predecessor, o.Address = won.record.ServerID, won.record.Address
	}
	switch {
	case r != nil:
		o.Predecessor, o.Address = r.serverID, r.address
		o.Reason, o.Detect = r.cause()
		if won.found && won.record.ServerID == r.serverID && won.record.Ended != "" {
			o.Reason = won.record.howEnded()
		}
	case !won.found || won.adopted:
	case won.record.ServerID == s.cfg.ServerID:
		o.Reason = ReasonRegained
	case won.record.Ended != "":
		o.Reason = won.record.howEnded()
	case s.holdsAddressesOf(won.record):
		o.Reason = ReasonRestarted
	default:
		o.Reason = ReasonExpired
	}
	return o
}

// windowMargin is added to a predecessor's serve window for what lies between its last look at the clock and its answer.
const windowMargin = 250 * time.Millisecond

// awaitSilence returns when it is certain that no earlier term answers any more. That is so at once in every ordinary
// takeover; where no evidence exists, the serve window of a term that ended when its key was deleted is waited out.
func (s *Session) awaitSilence(ctx context.Context, term *Term, won claim, r *rival) error {
	if s.predecessorStopped(ctx, won, r) {
		return nil
	}
	from := won.at
	if r != nil && r.departedAt != 0 {
		from = r.departedAt
	}
	left := time.Duration(from-clock.Now()) + s.cfg.ServeWindow + windowMargin
	s.log.Info("the predecessor is not known to have stopped, waiting until it cannot answer any more",
		zap.Int64("predecessor", won.record.ServerID), zap.Duration("wait", max(left, 0)))
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.acknowledged():
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-term.ctx.Done():
		return context.Cause(term.ctx)
	}
	return nil
}

func (s *Session) predecessorStopped(ctx context.Context, won claim, r *rival) bool {
	switch {
	case won.adopted:
		return false // the record that told was overwritten by the claim whose reply was lost
	case !won.found || won.record.Ended != "":
		return true
	case won.record.ServerID == s.cfg.ServerID:
		return true // this process has ended its own term before it competed again
	case r != nil && (!r.ours || r.stopped()):
		return true
	case s.holdsAddressesOf(won.record):
		return true
	}
	return won.record.HostName == s.cfg.HostName && allRefuse(ctx, won.record.Direct)
}

// holdsAddressesOf tells whether this process listens where the other one did, on the same host: then that one is dead.
func (s *Session) holdsAddressesOf(other termRecord) bool {
	return other.HostName == s.cfg.HostName && len(other.Direct) > 0 && len(s.cfg.Direct) > 0 &&
		slices.Contains(other.Direct, s.cfg.Direct[0])
}

// revokeNamesakes ends the sessions of predecessors of this process: same role, same address, same host. This process
// listens there now, so they are dead. Best effort: what is left expires.
func (s *Session) revokeNamesakes(ctx context.Context) {
	var resp *clientv3.GetResponse
	for try := 0; resp == nil; try++ {
		err := s.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
			var err error
			resp, err = c.Get(ctx, s.activeKey, clientv3.WithPrefix())
			return err
		})
		if err != nil {
			resp = nil
			if try == 3 {
				s.log.Warn("etcd does not answer, still trying", zap.Strings("endpoints", s.client.Endpoints()), zap.Error(err))
			}
			if clock.Sleep(ctx, retryPause(try)) != nil {
				return
			}
		}
	}
	revoked := map[int64]bool{}
	for _, kv := range resp.Kvs {
		r, err := ParseRecord(kv.Value)
		if err != nil || r.ServerName != s.cfg.Role || r.Address != s.cfg.Address || r.ServerID == s.cfg.ServerID ||
			r.HostName != "" && r.HostName != s.cfg.HostName || kv.Lease == 0 || revoked[kv.Lease] {
			continue
		}
		s.log.Info("ending the session of a predecessor on this address",
			zap.Int64("ServerID", r.ServerID), zap.String("address", r.Address))
		revoked[kv.Lease] = true
		s.revoke(ctx, clientv3.LeaseID(kv.Lease))
	}
}
