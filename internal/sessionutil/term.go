package sessionutil

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clock"
)

// Errors of [Term.Commit].
var (
	// ErrDeposed says that the term is over: another process may be active. Nothing was written.
	ErrDeposed = errors.New("this process is no longer the active one")
	// ErrGuard says that a guarded key is not as the caller knew it. Nothing was written.
	ErrGuard = errors.New("a guarded key has changed")
	// ErrUnknown says that the transaction was sent and no answer came before the context ended: it may be applied.
	ErrUnknown = errors.New("outcome of the write is unknown")
)

// commitAttempt bounds one sending of a transaction; an etcd election takes about this long.
const commitAttempt = 3 * time.Second

// Term is the proof of being active and the only way to write metadata. It is made by this package alone, when the
// active key has been claimed, and is safe for concurrent use.
type Term struct {
	key      string // the active key
	number   int64  // its CreateRevision
	serverID int64
	address  string
	client   *clientv3.Client

	ctx    context.Context
	cancel context.CancelCauseFunc

	validUntil atomic.Int64 // on the clock of package clock, nanoseconds
	fencedOff  atomic.Int64 // writes that the fence refused

	refusedWrite func() // is told of each of them, also of those that come after the term's end
}

func newTerm(ctx context.Context, client *clientv3.Client, key string, number, serverID int64, refusedWrite func()) *Term {
	t := &Term{key: key, number: number, serverID: serverID, client: client, refusedWrite: refusedWrite}
	// The role outlives the wish to stop: a stopping process drains first. The session that made the term ends it.
	t.ctx, t.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return t
}

// Number is the revision at which the active key was created. It grows with every term of a role.
func (t *Term) Number() int64 { return t.number }

// ServerID is the id under which the holder is registered.
func (t *Term) ServerID() int64 { return t.serverID }

// Address is where the holder is dialled by others.
func (t *Term) Address() string { return t.address }

// Context ends with the term; its cause says why.
func (t *Term) Context() context.Context { return t.ctx }

// Valid tells whether an answer may be given now: the term has not ended, and the last heartbeat that fully succeeded
// was begun less than the serve window ago. It is arithmetic on a local clock that counts while the process or the
// machine is suspended.
func (t *Term) Valid() bool {
	return (!bounded || clock.Now() < t.validUntil.Load()) && t.ctx.Err() == nil
}

// FencedOff counts the writes of this term that etcd refused because the term was over.
func (t *Term) FencedOff() int64 { return t.fencedOff.Load() }

// extend moves the local deadline forward, never back.
func (t *Term) extend(until int64) {
	for {
		old := t.validUntil.Load()
		if until <= old || t.validUntil.CompareAndSwap(old, until) {
			return
		}
	}
}

// end is idempotent; the first cause stays.
func (t *Term) end(cause error) {
	t.validUntil.Store(0)
	t.cancel(cause)
}

// Guard is what a writer knows of a key: the revision at which it was last modified, 0 if it does not exist.
type Guard struct {
	Key         string
	ModRevision int64
}

// Txn is a set of writes that are applied together or not at all. Each guarded key must be put or deleted by Ops: a
// write whose reply was lost is sent again, and it is by the guarded keys that a first try that had arrived is told
// from somebody else's write, and that a copy which is delivered late does no harm.
type Txn struct {
	Guards []Guard
	Ops    []clientv3.Op
}

// Commit applies txn if the term is still the current one and every guard holds. It returns the revision of the write.
//
// When a reply is lost the transaction is sent again until ctx or the term ends. What was sent when the term ends is
// still waited for, at most commitAttempt: etcd's answer is better than not knowing. Errors: [ErrDeposed] and [ErrGuard]
// (nothing was written), [ErrUnknown] (it may have been), and etcd's own refusal, such as a request that is too large.
func (t *Term) Commit(ctx context.Context, txn Txn) (int64, error) {
	if t.ctx.Err() != nil {
		return 0, fmt.Errorf("%w: %w", ErrDeposed, context.Cause(t.ctx))
	}
	cmps := make([]clientv3.Cmp, 0, len(txn.Guards)+1)
	if fenced {
		cmps = append(cmps, clientv3.Compare(clientv3.CreateRevision(t.key), "=", t.number))
	}
	elses := make([]clientv3.Op, 0, len(txn.Guards)+1)
	elses = append(elses, clientv3.OpGet(t.key, clientv3.WithKeysOnly()))
	for _, g := range txn.Guards {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(g.Key), "=", g.ModRevision))
		elses = append(elses, clientv3.OpGet(g.Key))
	}

	for sent := 0; ; sent++ {
		attempt, done := context.WithTimeout(ctx, commitAttempt)
		resp, err := t.client.Txn(attempt).If(cmps...).Then(txn.Ops...).Else(elses...).Commit()
		done()
		switch {
		case err == nil && resp.Succeeded:
			return resp.Header.Revision, nil
		case err == nil:
			return t.refused(resp, txn, sent > 0)
		case isRefusal(err):
			return 0, fmt.Errorf("etcd refused the write: %w", err)
		}
		if ctx.Err() != nil || t.ctx.Err() != nil || clock.Sleep(ctx, retryPause(sent)) != nil {
			return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
	}
}

// refused tells why the compares of a transaction did not hold.
func (t *Term) refused(resp *clientv3.TxnResponse, txn Txn, resent bool) (int64, error) {
	active := resp.Responses[0].GetResponseRange().GetKvs()
	deposed := len(active) == 0 || active[0].CreateRevision != t.number
	if deposed {
		t.fencedOff.Add(1)
		t.refusedWrite()
		t.end(errKeyLost)
	}
	if resent {
		if rev, ok := alreadyApplied(resp, txn); ok {
			return rev, nil
		}
	}
	switch {
	case deposed && resent:
		// A copy whose reply was lost may have come before the end of the term, and been changed since.
		return 0, fmt.Errorf("%w: the reply was lost and the term is over since", ErrUnknown)
	case deposed:
		return 0, fmt.Errorf("%w: the active key of term %d is gone or replaced", ErrDeposed, t.number)
	}
	for i, g := range txn.Guards {
		if now := modRevision(resp.Responses[i+1]); now != g.ModRevision {
			return 0, fmt.Errorf("%w: %s was at revision %d and is at %d", ErrGuard, g.Key, g.ModRevision, now)
		}
	}
	return 0, ErrGuard
}

// alreadyApplied tells whether the guarded keys are as txn would have left them, and at which revision.
func alreadyApplied(resp *clientv3.TxnResponse, txn Txn) (int64, bool) {
	if len(txn.Guards) == 0 {
		return 0, false
	}
	revision := int64(0)
	for i, g := range txn.Guards {
		kvs := resp.Responses[i+1].GetResponseRange().GetKvs()
		op, ok := opOn(txn.Ops, g.Key)
		switch {
		case !ok:
			return 0, false
		case op.IsDelete():
			if len(kvs) != 0 {
				return 0, false
			}
		default:
			if len(kvs) != 1 || kvs[0].ModRevision == g.ModRevision || !bytes.Equal(kvs[0].Value, op.ValueBytes()) {
				return 0, false
			}
			revision = max(revision, kvs[0].ModRevision)
		}
	}
	if revision == 0 { // deletes alone: it was applied before this answer was made
		revision = resp.Header.Revision
	}
	return revision, true
}

func opOn(ops []clientv3.Op, key string) (clientv3.Op, bool) {
	for _, op := range ops {
		if (op.IsPut() || op.IsDelete()) && string(op.KeyBytes()) == key {
			return op, true
		}
	}
	return clientv3.Op{}, false
}

func modRevision(r *pb.ResponseOp) int64 {
	kvs := r.GetResponseRange().GetKvs()
	if len(kvs) == 0 {
		return 0
	}
	return kvs[0].ModRevision
}
