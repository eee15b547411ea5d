package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/metatable"
)

// Destination is where a backup is restored.
type Destination struct {
	Client *clientv3.Client
	Layout Layout
	Roles  []string // whose active keys must be absent all the time
	By     string   // who restores, for others to see
	// Replace deletes what is there first, also what a restore that died has left.
	Replace bool
	// Progress is told how many keys were put so far. May be nil.
	Progress func(keys int64)
}

// Margin is how far behind the present time the bounds of timestamps and ids are put at least: the window that allocators
// store ahead is 3 s, the rest is for clocks that differ.
const Margin = 10 * time.Second

// Result is what a restore has done.
type Result struct {
	Header             // of the backup
	To         Layout  `json:"to" yaml:"to"`
	Keys       int64   `json:"keys" yaml:"keys"`       // put, without the counters
	Deleted    int64   `json:"deleted" yaml:"deleted"` // before
	Counters   Bounds  `json:"counters" yaml:"counters"`
	TookMillis float64 `json:"tookMillis" yaml:"tookMillis"`
}

// Bounds are the counters as they are after a restore.
type Bounds struct {
	Timestamps time.Time `json:"timestampsFrom" yaml:"timestampsFrom"` // none before this was left to be given out
	IDs        time.Time `json:"idsFrom" yaml:"idsFrom"`
	ServerID   int64     `json:"nextServerID" yaml:"nextServerID"`
}

// RefusedError says why a restore is not begun: nothing has happened.
type RefusedError struct {
	Live    bool // a process is there
	Reasons []string
}

// Error joins the reasons.
func (e *RefusedError) Error() string { return "no restore: " + strings.Join(e.Reasons, "; ") }

// IncompleteError is a restore that did not come to its end: the mark lies in etcd.
type IncompleteError struct{ Err error }

// Error says what follows from it.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("the restore has not ended, and coordinators wait until one has: do it again, replacing what is there: %v", e.Err)
}

// Unwrap gives the reason.
func (e *IncompleteError) Unwrap() error { return e.Err }

// errFenced ends a restore that is not alone any more.
var errFenced = errors.New("a coordinator that does not wait for restores has become active, or another restore has begun")

// Restore puts a backup into etcd; see the package's text for what is certain then, and when it fails. The errors are a
// *DamagedError and a *RefusedError, and then nothing has happened, or an *IncompleteError.
func Restore(ctx context.Context, to Destination, file io.ReadSeeker) (Result, error) {
	began := time.Now()
	if err := to.Layout.validate(); err != nil {
		return Result{}, err
	}
	summary, err := inspect(file, to.Layout)
	if err != nil {
		return Result{}, err
	}
	r := restore{Destination: to, from: summary, began: began, result: Result{Header: summary.Header, To: to.Layout}}
	if err := r.begin(ctx); err != nil {
		return Result{}, err
	}
	if err := r.fill(ctx, file); err != nil {
		return r.result, &IncompleteError{err}
	}
	r.result.TookMillis = float64(time.Since(began).Microseconds()) / 1000
	return r.result, nil
}

// inspect verifies a backup, and that each of its records has a place in the layout.
func inspect(file io.Reader, to Layout) (Summary, error) {
	var misplaced error
	data := to.data()
	summary, err := Verify(file, func(from Layout) ([]Check, error) {
		return []Check{func(kv metatable.KV) (string, bool, error) {
			at, err := to.moved(kv.Key, from)
			if err == nil && !slices.ContainsFunc(data, func(part metatable.Range) bool { return part.From <= at && at < part.To }) {
				err = fmt.Errorf("%s is no metadata, and is not restored", kv.Key)
			}
			if misplaced == nil {
				misplaced = err
			}
			return "", false, nil
		}}, nil
	})
	return summary, errors.Join(err, misplaced)
}

// restore is one that has begun.
type restore struct {
	Destination
	from   Summary
	began  time.Time
	mark   int64 // the revision at which this restore wrote its mark
	result Result
}

// fill is all between the mark's coming and going.
func (r *restore) fill(ctx context.Context, file io.ReadSeeker) error {
	if r.Replace {
		if err := r.clear(ctx); err != nil {
			return fmt.Errorf("delete what is there: %w", err)
		}
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the backup again: %w", err)
	}
	if err := r.put(ctx, file); err != nil {
		return err
	}
	return r.finish(ctx)
}

// clear deletes what is there, page by page.
func (r *restore) clear(ctx context.Context) error {
	return metatable.Walk(ctx, r.Client, r.mark, r.Layout.data(), func(page []*mvccpb.KeyValue) error {
		first, last := string(page[0].Key), string(page[len(page)-1].Key)
		resp, err := r.commit(ctx, clientv3.OpDelete(first, clientv3.WithRange(last+"\x00")))
		if err != nil {
			return err
		}
		r.result.Deleted += resp.Responses[0].GetResponseDeleteRange().GetDeleted()
		return nil
	})
}

// finish takes the mark away if all is there.
func (r *restore) finish(ctx context.Context) error {
	var counts []clientv3.Op
	for _, part := range r.Layout.data() {
		counts = append(counts, clientv3.OpGet(part.From, clientv3.WithRange(part.To), clientv3.WithCountOnly()))
	}
	resp, err := r.commit(ctx, counts...)
	if err != nil {
		return err
	}
	there := int64(0)
	for _, part := range resp.Responses {
		there += part.GetResponseRange().GetCount()
	}
	if there != r.result.Keys {
		return fmt.Errorf("%d keys were put and %d are there: something else writes under %s", r.result.Keys, there, r.Layout.RootPath)
	}
	_, err = r.commit(ctx, clientv3.OpDelete(r.markKey()))
	return err
}

// commitPatience is how long one transaction is tried while etcd does not answer.
const (
	commitPatience = time.Minute
	commitPause    = 200 * time.Millisecond
)

// commit applies ops if this restore is still alone. What is sent twice does no harm.
func (r *restore) commit(ctx context.Context, ops ...clientv3.Op) (*clientv3.TxnResponse, error) {
	for deadline := time.Now().Add(commitPatience); ; {
		attempt, done := context.WithTimeout(ctx, requestTimeout)
		resp, err := r.Client.Txn(attempt).If(r.fence()...).Then(ops...).Commit()
		done()
		switch {
		case err == nil && resp.Succeeded:
			return resp, nil
		case err == nil:
			return nil, errFenced
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !etcdutil.IsUnavailable(err) || time.Now().After(deadline):
			return nil, fmt.Errorf("etcd did not take %s: %w", describe(ops), err)
		}
		select {
		case <-time.After(commitPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func describe(ops []clientv3.Op) string {
	size := 0
	for _, op := range ops {
		size += len(op.KeyBytes()) + len(op.ValueBytes())
	}
	return fmt.Sprintf("%d operations of %d bytes from %s on", len(ops), size, ops[0].KeyBytes())
}
