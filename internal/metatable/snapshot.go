package metatable

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// pageKeys is how many keys are read in one request. etcd counts the rest of the range for every page, about 0.2 µs a
// key, so small pages make reading quadratic: a million keys take ten seconds in pages of ten thousand, and one more
// second than in a single request in pages of a hundred thousand. A page is some 15 MB.
const pageKeys = 100_000

// pageTimeout bounds the reading of one page.
const pageTimeout = 30 * time.Second

// load reads all prefixes at one revision into the state, and returns that revision and the number of keys.
func (f *Follower) load(ctx context.Context) (int64, int, error) {
	first, err := f.page(ctx, f.cfg.Prefixes[0], f.cfg.Prefixes[0], 0)
	if err != nil {
		return 0, 0, err
	}
	// The next page is fetched while the state takes one over.
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		defer close(pages)
		f.read(ctx, first, pages)
	}()
	count := 0
	swap := f.cfg.State.Load(first.Header.Revision, keys(pages, &count, &err))
	cancel()
	<-reading
	if err == nil {
		swap()
	}
	return first.Header.Revision, count, err
}

// page is a part of the snapshot, or why it could not be read.
type page struct {
	kvs []*mvccpb.KeyValue
	err error
}

// read sends first and everything behind it, at its revision.
func (f *Follower) read(ctx context.Context, first *clientv3.GetResponse, into chan<- page) {
	for i, prefix := range f.cfg.Prefixes {
		for from, resp := prefix, first; ; resp = nil {
			var err error
			if resp == nil || i > 0 && from == prefix {
				resp, err = f.page(ctx, prefix, from, first.Header.Revision)
			}
			p := page{err: err}
			more := false
			if err == nil {
				p.kvs, more = resp.Kvs, resp.More
			}
			if more {
				from = string(p.kvs[len(p.kvs)-1].Key) + "\x00"
			}
			select {
			case into <- p:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			if !more {
				break
			}
		}
	}
}

// page reads the keys of prefix from a key on; at revision 0 it is the latest revision that is asked for.
func (f *Follower) page(ctx context.Context, prefix, from string, revision int64) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	resp, err := f.cfg.Client.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)),
		clientv3.WithRev(revision), clientv3.WithLimit(pageKeys))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", prefix, err)
	}
	return resp, nil
}

// keys turns pages into keys. On an error it ends early and sets *err; what the state has built is dropped then.
func keys(pages <-chan page, count *int, err *error) iter.Seq[KV] {
	return func(yield func(KV) bool) {
		for p := range pages {
			if p.err != nil {
				*err = p.err
				return
			}
			*count += len(p.kvs)
			for i, kv := range p.kvs {
				p.kvs[i] = nil // each is free as soon as the state has taken it over
				if !yield(KV{Key: string(kv.Key), Value: kv.Value, CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision}) {
					return
				}
			}
		}
	}
}
