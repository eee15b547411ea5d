package catalog

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// batch collects the operations of one change, each guarded by what the view knows of its key.
type batch struct {
	keys   Keys
	view   *View
	guards []sessionutil.Guard
	ops    []clientv3.Op
	err    error // the first
}

func (w *Writer) begin() *batch { return &batch{keys: w.keys, view: w.view} }

// commit applies a change and waits until the view shows it.
func (w *Writer) commit(ctx context.Context, b *batch) error {
	if b.err != nil {
		return b.err
	}
	revision, err := w.committer.commit(sessionutil.Txn{Guards: b.guards, Ops: b.ops})
	if err != nil {
		return err
	}
	return w.follower.WaitFor(ctx, revision)
}

func (b *batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *batch) guard(key string) {
	b.view.Read(func(r Reader) {
		revision, err := r.revision(key)
		if err != nil {
			b.fail(fmt.Errorf("write over what nobody can read: %w", err))
		}
		b.guards = append(b.guards, sessionutil.Guard{Key: key, ModRevision: revision})
	})
}

// replace puts a record where the view knows what lies, or that nothing does. The copies that Milvus may have stored of an
// earlier record there are deleted: its garbage collection would take an old tombstone among them for a reason to delete
// the new record.
func (b *batch) replace(key string, value []byte) {
	b.guard(key)
	b.put(key, value)
	b.ops = append(b.ops, clientv3.OpDelete(b.keys.copies(key), clientv3.WithPrefix()))
}

func (b *batch) replaceMessage(key string, m proto.Message) {
	value, err := encode(key, m)
	if err != nil {
		b.fail(err)
	}
	b.replace(key, value)
}

// create puts a record under an id that is new: nothing lies there, or a tombstone.
func (b *batch) create(key string, value []byte) {
	b.view.Read(func(r Reader) {
		b.guards = append(b.guards, sessionutil.Guard{Key: key, ModRevision: r.t.graves[key]})
	})
	b.put(key, value)
}

// write is replace for a record of which Milvus has no copies.
func (b *batch) write(key string, value []byte) {
	b.guard(key)
	b.put(key, value)
}

// put puts a record that another one guards.
func (b *batch) put(key string, value []byte) {
	b.ops = append(b.ops, clientv3.OpPut(key, string(value)))
}

// remove deletes a record and the copies that Milvus may have stored of it.
func (b *batch) remove(key string) {
	b.guard(key)
	b.ops = append(b.ops, clientv3.OpDelete(key), clientv3.OpDelete(b.keys.copies(key), clientv3.WithPrefix()))
}

// removeAll deletes a range that ends in a slash, and the copies of its keys; another record guards it.
func (b *batch) removeAll(prefix string) {
	b.ops = append(b.ops, clientv3.OpDelete(prefix, clientv3.WithPrefix()), clientv3.OpDelete(b.keys.copies(prefix), clientv3.WithPrefix()))
}

func encode(key string, m proto.Message) ([]byte, error) {
	value, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", key, err)
	}
	return value, nil
}
