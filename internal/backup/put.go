package backup

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

const (
	// Of one transaction: etcd's own limits are 128 operations and 1.5 MiB, unless it is told otherwise.
	batchOps   = 120
	batchBytes = 1 << 20
	// writers is how many transactions are under way: more do not make etcd quicker.
	writers = 8
)

// put writes the records of the backup, in no certain order.
func (r *restore) put(ctx context.Context, file io.Reader) error {
	in, err := newReader(file)
	if err != nil {
		return err
	}
	defer in.close()
	group, ctx := errgroup.WithContext(ctx)
	batches := make(chan []clientv3.Op)
	var done atomic.Int64
	for range writers {
		group.Go(func() error {
			for ops := range batches {
				if _, err := r.commit(ctx, ops...); err != nil {
					return err
				}
				if n := done.Add(int64(len(ops))); r.Progress != nil {
					r.Progress(n)
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(batches)
		return r.batch(in, func(ops []clientv3.Op) error {
			select {
			case batches <- ops:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
	err = group.Wait()
	r.result.Keys = done.Load()
	return err
}

// batch cuts the records into transactions. A record that is larger than a batch is one by itself.
func (r *restore) batch(in *reader, send func([]clientv3.Op) error) error {
	var ops []clientv3.Op
	size := 0
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		full := ops
		ops, size = nil, 0
		return send(full)
	}
	for {
		key, value, err := in.next()
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return err
		}
		at, err := r.Layout.moved(key, r.from.Layout)
		if err != nil {
			return err
		}
		if r.Layout.counter(at) {
			continue // raised at the beginning
		}
		if len(ops) == batchOps || size+len(key)+len(value) > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		ops = append(ops, clientv3.OpPut(at, string(value)))
		size += len(at) + len(value)
	}
}
