package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// tries is how often a backup is begun because its revision was compacted.
const tries = 5

// requestTimeout bounds one request to etcd; a page has a time-out of its own.
const requestTimeout = 10 * time.Second

// Source is what is backed up.
type Source struct {
	Client  *clientv3.Client
	Layout  Layout
	Product string // version, for the header
	// Progress is told how many keys were written so far, page by page. May be nil.
	Progress func(keys int64)
}

// Target is a file that can be begun anew. *os.File is one.
type Target interface {
	io.WriteSeeker
	Truncate(size int64) error
}

// Report is what became of a backup.
type Report struct {
	Header
	Keys    int64         `json:"keys" yaml:"keys"`
	LeftOut int64         `json:"leftOut" yaml:"leftOut"` // keys on a lease
	Bytes   int64         `json:"bytes" yaml:"bytes"`     // of the file
	Tries   int           `json:"tries" yaml:"tries"`     // more than one: the revision was compacted meanwhile
	Took    time.Duration `json:"tookNanoseconds" yaml:"took"`
}

// Take writes a backup. What is in target when it fails is to be thrown away. The error of a root path under which there is
// nothing, or a restore that has not ended, says so.
func Take(ctx context.Context, from Source, target Target) (Report, error) {
	if err := from.Layout.validate(); err != nil {
		return Report{}, err
	}
	began := time.Now()
	for try := 1; ; try++ {
		report, err := from.take(ctx, target)
		if errors.Is(err, rpctypes.ErrCompacted) && try < tries {
			continue
		}
		if errors.Is(err, rpctypes.ErrCompacted) {
			return Report{}, fmt.Errorf("etcd compacted every one of %d revisions before it was read: let it compact less often, or give it less to do meanwhile: %w", tries, err)
		}
		report.Tries, report.Took = try, time.Since(began)
		return report, err
	}
}

func (s Source) take(ctx context.Context, target Target) (Report, error) {
	if _, err := target.Seek(0, io.SeekStart); err != nil {
		return Report{}, fmt.Errorf("begin the file: %w", err)
	}
	if err := target.Truncate(0); err != nil {
		return Report{}, fmt.Errorf("begin the file: %w", err)
	}
	header, err := s.begin(ctx)
	if err != nil {
		return Report{}, err
	}
	out, err := newWriter(target, header)
	if err != nil {
		return Report{}, fmt.Errorf("write: %w", err)
	}
	leftOut := int64(0)
	err = metatable.Walk(ctx, s.Client, header.Revision, s.Layout.saved(), func(page []*mvccpb.KeyValue) error {
		for _, kv := range page {
			if kv.Lease != 0 {
				leftOut++
				continue
			}
			if err := out.add(string(kv.Key), kv.Value); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if s.Progress != nil {
			s.Progress(out.keys)
		}
		return nil
	})
	if err != nil {
		_ = out.compress.Close()
		return Report{}, err
	}
	if err := out.close(leftOut); err != nil {
		return Report{}, fmt.Errorf("write: %w", err)
	}
	size, err := target.Seek(0, io.SeekCurrent)
	if err != nil {
		return Report{}, fmt.Errorf("write: %w", err)
	}
	return Report{Header: header, Keys: out.keys, LeftOut: leftOut, Bytes: size}, nil
}

// begin decides the revision and looks whether there is a whole cluster.
func (s Source) begin(ctx context.Context) (Header, error) {
	ops := []clientv3.Op{clientv3.OpGet(sessionutil.RestoringKey(s.Layout.MetaRoot))}
	for _, r := range s.Layout.saved() {
		ops = append(ops, clientv3.OpGet(r.From, clientv3.WithRange(r.To), clientv3.WithCountOnly()))
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := s.Client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return Header{}, fmt.Errorf("read the metadata: %w", err)
	}
	if marks := resp.Responses[0].GetResponseRange().GetKvs(); len(marks) > 0 {
		return Header{}, fmt.Errorf("the metadata under %s is not whole: it is being restored, or a restore died before its end (%s); restore it first",
			s.Layout.RootPath, marks[0].Value)
	}
	keys := int64(0)
	for _, part := range resp.Responses[1:] {
		keys += part.GetResponseRange().GetCount()
	}
	if keys == 0 {
		return Header{}, fmt.Errorf("there is nothing under the root path %q: is etcd.rootPath that of the cluster?", s.Layout.RootPath)
	}
	return Header{
		Layout: s.Layout, Revision: resp.Header.Revision, Taken: time.Now().UTC().Truncate(time.Millisecond),
		Cluster: fmt.Sprintf("%x", resp.Header.ClusterId), Product: s.Product,
	}, nil
}
