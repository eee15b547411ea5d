package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/tso"
)

// survey is what lies at the destination, at one revision.
type survey struct {
	mark     *mvccpb.KeyValue
	counters map[string]*mvccpb.KeyValue // those that are there
	sessions []*mvccpb.KeyValue
	keys     int64
}

func (r *restore) markKey() string { return sessionutil.RestoringKey(r.Layout.MetaRoot) }

func (r *restore) counterKeys() []string {
	return []string{r.Layout.timestampKey(), r.Layout.idKey(), r.Layout.counterKey()}
}

func (r *restore) survey(ctx context.Context) (survey, error) {
	ops := []clientv3.Op{clientv3.OpGet(r.markKey())}
	for _, key := range r.counterKeys() {
		ops = append(ops, clientv3.OpGet(key))
	}
	sessions := r.Layout.sessions()
	for _, part := range sessions {
		ops = append(ops, clientv3.OpGet(part.From, clientv3.WithRange(part.To), clientv3.WithLimit(1000)))
	}
	for _, part := range r.Layout.data() {
		ops = append(ops, clientv3.OpGet(part.From, clientv3.WithRange(part.To), clientv3.WithCountOnly()))
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := r.Client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return survey{}, fmt.Errorf("look what is there: %w", err)
	}
	s := survey{counters: map[string]*mvccpb.KeyValue{}}
	for i, part := range resp.Responses {
		got := part.GetResponseRange()
		switch {
		case i == 0 && len(got.Kvs) > 0:
			s.mark = got.Kvs[0]
		case i > 0 && i <= 3 && len(got.Kvs) > 0:
			s.counters[string(got.Kvs[0].Key)] = got.Kvs[0]
		case i > 3 && i <= 3+len(sessions):
			s.sessions = append(s.sessions, got.Kvs...)
		case i > 3:
			s.keys += got.Count
		}
	}
	return s, nil
}

// refusal is nil if the restore may begin.
func (r *restore) refusal(s survey) error {
	var reasons []string
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	root := r.Layout.RootPath
	if len(s.sessions) > 0 {
		say("the cluster under %s is live, stop it first: %s", root, describeSessions(r.Layout, s.sessions))
	}
	if !r.Replace && s.mark != nil {
		say("another restore is under way under %s, or died before its end (%s)", root, s.mark.Value)
	} else if !r.Replace && s.keys > 0 {
		say("%d keys are there under %s, which are not replaced unless that is said", s.keys, root)
	}
	if len(reasons) == 0 {
		return nil
	}
	return &RefusedError{Live: len(s.sessions) > 0, Reasons: reasons}
}

// describeSessions names the first few of the processes that are there.
func describeSessions(l Layout, sessions []*mvccpb.KeyValue) string {
	const most = 5
	var all []string
	for i, kv := range sessions {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(sessions)-most))
			break
		}
		one := strings.TrimPrefix(string(kv.Key), sessionutil.SessionRoot(l.MetaRoot))
		if record, err := sessionutil.ParseRecord(kv.Value); err == nil {
			one += " at " + record.Address
		}
		if kv.Lease == 0 {
			one += " (on no lease, so it stays until it is deleted by hand)"
		}
		all = append(all, one)
	}
	return strings.Join(all, ", ")
}

// begin puts the mark and raises the counters, in one transaction, if nobody is there.
func (r *restore) begin(ctx context.Context) error {
	for {
		seen, err := r.survey(ctx)
		if err != nil {
			return err
		}
		if err := r.refusal(seen); err != nil {
			return err
		}
		raised, err := r.raise(seen)
		if err != nil {
			return err
		}
		mark, err := json.Marshal(sessionutil.Restoring{By: r.By, At: r.began})
		if err != nil {
			return fmt.Errorf("encode the mark: %w", err)
		}
		attempt, done := context.WithTimeout(ctx, requestTimeout)
		resp, err := r.Client.Txn(attempt).If(r.unchanged(seen)...).Then(append(raised, clientv3.OpPut(r.markKey(), string(mark)))...).Commit()
		done()
		if err != nil {
			return fmt.Errorf("begin the restore: %w", err)
		}
		if resp.Succeeded {
			r.mark = resp.Header.Revision
			return nil
		}
		if ctx.Err() != nil { // changed between the two: look again
			return context.Cause(ctx)
		}
	}
}

// unchanged compares that what was seen is still so, and that nobody is there.
func (r *restore) unchanged(seen survey) []clientv3.Cmp {
	cmps := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(r.markKey()), "=", seen.mark.GetModRevision())}
	for _, key := range r.counterKeys() {
		cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(key), "=", seen.counters[key].GetModRevision()))
	}
	empty := r.Layout.sessions()
	if !r.Replace {
		empty = append(empty, r.Layout.data()...)
	}
	for _, part := range empty {
		cmps = append(cmps, absent(part))
	}
	return cmps
}

// absent compares that a range holds no key.
func absent(part metatable.Range) clientv3.Cmp {
	return clientv3.Compare(clientv3.Version(part.From), "=", 0).WithRange(part.To)
}

// fence compares that the mark is this restore's and that no role is held.
func (r *restore) fence() []clientv3.Cmp {
	cmps := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(r.markKey()), "=", r.mark)}
	for _, role := range r.Roles {
		cmps = append(cmps, clientv3.Compare(clientv3.Version(sessionutil.ActiveKey(r.Layout.MetaRoot, role)), "=", 0))
	}
	return cmps
}

// raise gives the writes by which the counters come to be the largest of what is there, what the backup says, and, for
// what is made of the time, the present with a margin.
func (r *restore) raise(seen survey) ([]clientv3.Op, error) {
	floor := r.began.Add(Margin).UnixMilli()
	timestamps, err := later(seen.counters[r.Layout.timestampKey()], r.from.Timestamps, floor)
	if err != nil {
		return nil, err
	}
	ids, err := later(seen.counters[r.Layout.idKey()], r.from.IDs, floor)
	if err != nil {
		return nil, err
	}
	next := max(r.from.ServerID, 1)
	if kv := seen.counters[r.Layout.counterKey()]; kv != nil {
		there, err := parseCounter(kv.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		next = max(next, there)
	}
	r.result.Counters = Bounds{Timestamps: time.UnixMilli(timestamps).UTC(), IDs: time.UnixMilli(ids).UTC(), ServerID: next}
	return []clientv3.Op{
		clientv3.OpPut(r.Layout.timestampKey(), string(tso.FormatBound(timestamps))),
		clientv3.OpPut(r.Layout.idKey(), string(tso.FormatBound(ids))),
		clientv3.OpPut(r.Layout.counterKey(), strconv.FormatInt(next, 10)),
	}, nil
}

// later is the largest of a stored bound, that of a backup, and a floor, in milliseconds.
func later(stored *mvccpb.KeyValue, backup time.Time, floor int64) (int64, error) {
	bound := floor
	if !backup.IsZero() {
		bound = max(bound, backup.UnixMilli())
	}
	if stored == nil {
		return bound, nil
	}
	there, err := tso.ParseBound(stored.Value)
	if err != nil {
		return 0, errors.Join(fmt.Errorf("the bound at %s cannot be read, so nobody knows from where on to go", stored.Key), err)
	}
	return max(bound, there), nil
}
