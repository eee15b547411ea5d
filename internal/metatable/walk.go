package metatable

import (
	"context"
	"fmt"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Range is the keys from From up to, and without, To.
type Range struct{ From, To string }

// Under is the range of all keys that begin with prefix.
func Under(prefix string) Range { return Range{prefix, clientv3.GetPrefixRangeEnd(prefix)} }

const (
	walkBudget = 4 << 20 // bytes of a page
	walkFirst  = 1000    // keys of the first one
)

// Walk reads ranges as they were at a revision and hands the keys to take, page by page: the ranges in the order given, the
// keys of each in theirs. take owns the page; the next one is read meanwhile. No page spans two ranges.
//
// Memory does not grow with the number of keys: a page is some 4 MB, or what the client takes in one answer where the
// values grow all at once. The cost is linear, about four microseconds a key.
//
// The error is take's, etcd's (rpctypes.ErrCompacted if the revision is gone), or the cause of ctx.
func Walk(ctx context.Context, client *clientv3.Client, revision int64, ranges []Range, take func([]*mvccpb.KeyValue) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, r := range ranges {
		s := newScan(client, nil)
		s.revision, s.budget, s.page = revision, walkBudget, walkFirst
		s.todo = []*segment{{from: r.From, to: r.To, floor: common(r.From, r.To), level: -1}}
		if err := walk(ctx, s, take); err != nil {
			return fmt.Errorf("at revision %d: %w", revision, err)
		}
	}
	return nil
}

// walk has one reader, so the pages come in order.
func walk(ctx context.Context, s *scan, take func([]*mvccpb.KeyValue) error) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	reading.Go(func() { defer close(pages); s.read(ctx, pages) })
	for p := range pages {
		if p.err != nil {
			return p.err
		}
		if len(p.kvs) == 0 {
			continue
		}
		if err := take(p.kvs); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
