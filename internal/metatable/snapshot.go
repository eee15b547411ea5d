package metatable

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/etcdutil"
)

const (
	// readers is how many requests are under way at once: while etcd gathers one page another is decoded.
	readers = 2
	// pageTimeout bounds the reading of one page.
	pageTimeout = 30 * time.Second
)

// page is a part of the snapshot, or why it could not be read.
type page struct {
	kvs []*mvccpb.KeyValue
	err error
}

// load reads all prefixes at one revision into the state, and returns that revision and the number of keys.
func (f *Follower) load(ctx context.Context) (int64, int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := newScan(f.cfg.Client, f.cfg.Prefixes)
	first, err := s.begin(ctx)
	if err != nil {
		return 0, 0, err
	}
	pages := make(chan page)
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() { s.read(ctx, pages) })
	}
	var all sync.WaitGroup
	all.Go(func() { reading.Wait(); close(pages) })
	count := 0
	swap := f.cfg.State.Load(s.revision, keys(first, pages, &count, &err))
	cancel()
	for range pages { //nolint:revive // a state that did not take all must not keep the readers
	}
	all.Wait()
	if err == nil {
		swap()
	}
	return s.revision, count, err
}

// keys turns pages into keys. On an error it ends early and sets *err; what the state has built is dropped then.
func keys(first page, pages <-chan page, count *int, err *error) iter.Seq[KV] {
	return func(yield func(KV) bool) {
		for p, more := first, true; more; p, more = <-pages {
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

// scan reads ranges of keys in blocks, several at a time.
//
// A request that limits the number of keys makes etcd count the rest of its range as well, an eighth of a microsecond a
// key, so that reading page after page is quadratic; one request for everything holds all of it in memory twice. So the
// requests are for blocks: ranges that end where one byte of the key grows, at a place in the key (the level) that is
// learnt from the keys of the page before. With ids in keys a level is a decimal digit: a block that turns out
// too large is read on in smaller ones, one level down; after one that is nearly empty the next is a level up.
type scan struct {
	client   *clientv3.Client
	budget   int // bytes that a page should have; 0: the number of keys alone decides
	revision int64

	mu      sync.Mutex
	changed sync.Cond  // of what follows
	page    int64      // keys in a request
	todo    []*segment // a stack: the rest of a block comes before the next one
	busy    int        // readers that may find more to do
	failed  bool
}

// segment is a range that is still to be read.
type segment struct {
	from, to string
	floor    int // length of the prefix; below that level a block is the whole segment
	level    int // of the next block
	gap      int // how many blocks in a row were empty
}

func newScan(client *clientv3.Client, prefixes []string) *scan {
	s := &scan{client: client, page: pageKeys}
	s.changed.L = &s.mu
	for _, prefix := range prefixes {
		s.todo = append(s.todo, &segment{from: prefix, to: clientv3.GetPrefixRangeEnd(prefix), floor: len(prefix), level: -1})
	}
	return s
}

// pageKeys is large enough for the round trip not to matter, and small enough for two readers to be busy most of the time and
// for little memory: a page is some 5 MB.
const pageKeys = 32_000

// firstPart is the part of a page that the first one is.
const firstPart = 8

// begin reads the first page, which decides the revision.
func (s *scan) begin(ctx context.Context) (page, error) {
	b, _ := s.next()
	b.limit = max(s.page/firstPart, 2) // the other reader is idle meanwhile
	p := s.fetch(ctx, b)
	return p, p.err
}

// read sends pages until there is nothing more to read, ctx ends, or a page could not be read.
func (s *scan) read(ctx context.Context, into chan<- page) {
	defer context.AfterFunc(ctx, s.fail)()
	for {
		b, ok := s.next()
		if !ok {
			return
		}
		p := s.fetch(ctx, b)
		select {
		case into <- p:
		case <-ctx.Done():
			return
		}
	}
}

// block is what one request is for.
type block struct {
	from, to string
	limit    int64
	of       *segment // what is left of the segment that it was taken from
}

// next waits for something to read; false says that there is nothing more.
func (s *scan) next() (block, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.todo) == 0 && s.busy > 0 && !s.failed {
		s.changed.Wait()
	}
	if s.failed || len(s.todo) == 0 {
		return block{}, false
	}
	s.busy++
	seg := s.todo[len(s.todo)-1]
	b := block{from: seg.from, to: seg.to, limit: s.page, of: seg}
	if end := blockEnd(seg.from, seg.level); seg.level >= seg.floor && end < seg.to {
		b.to, seg.from = end, end
	} else {
		s.todo = s.todo[:len(s.todo)-1]
	}
	return b, true
}

// blockEnd is the first key behind all that equal from up to and including the byte at level.
func blockEnd(from string, level int) string {
	return clientv3.GetPrefixRangeEnd(from[:min(max(level, 0)+1, len(from))])
}

// fetch reads the first keys of a block and leaves the rest to be read.
func (s *scan) fetch(ctx context.Context, b block) page {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	resp, err := s.get(ctx, b)
	if err != nil {
		s.fail()
		return page{err: fmt.Errorf("read %s: %w", b.from, err)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision == 0 {
		s.revision = resp.Header.GetRevision()
	}
	s.busy--
	seg := b.of
	n := int64(len(resp.Kvs))
	if n > 0 {
		seg.gap = 0
	}
	switch {
	case resp.More:
		first, last := string(resp.Kvs[0].Key), string(resp.Kvs[n-1].Key)
		s.todo = append(s.todo, &segment{from: last + "\x00", to: b.to, floor: seg.floor, level: common(first, last)})
		if resp.Count > 4*s.page {
			seg.level++
		}
	case n == 0:
		// A gap in the keys. The climb is quick where it is wide, but not at once to the top: from there all is counted.
		seg.level = max(seg.level-1<<min(seg.gap, 6), seg.floor-1)
		seg.gap++
	case n < s.page/8:
		seg.level--
	}
	s.fit(resp.Kvs)
	s.changed.Broadcast()
	return page{kvs: resp.Kvs}
}

// get asks for less when the answer is larger than the client takes.
func (s *scan) get(ctx context.Context, b block) (*clientv3.GetResponse, error) {
	for {
		resp, err := s.client.Get(ctx, b.from, clientv3.WithRange(b.to), clientv3.WithRev(s.revision), clientv3.WithLimit(b.limit))
		if b.limit == 1 || !tooLarge(err) {
			return resp, err
		}
		b.limit = max(b.limit/8, 1)
	}
}

// tooLarge tells whether an answer was larger than the client takes.
func tooLarge(err error) bool {
	return status.Code(err) == codes.ResourceExhausted && !etcdutil.IsUnavailable(err)
}

// fit makes the next page as many keys as the budget holds of those that were read last; it grows step by step, lest a
// few small records in front of large ones make a page that is far too large.
func (s *scan) fit(kvs []*mvccpb.KeyValue) {
	if s.budget == 0 || len(kvs) == 0 {
		return
	}
	size := 0
	for _, kv := range kvs {
		size += len(kv.Key) + len(kv.Value)
	}
	fitting := int64(s.budget) * int64(len(kvs)) / int64(max(size, 1))
	s.page = min(max(fitting, 1), 4*s.page, pageKeys)
}

func (s *scan) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
	s.changed.Broadcast()
}

// common is the length of the longest common prefix.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
