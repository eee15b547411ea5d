package metatable

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap/zaptest"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

// scanAll reads prefixes in pages of the given size.
func scanAll(t *testing.T, client *clientv3.Client, size int64, prefixes []string, between func()) (map[string]string, int) {
	t.Helper()
	s := newScan(client, prefixes)
	s.page = size
	got, requests := map[string]string{}, 1
	take := func(p *page) {
		require.NoError(t, p.err)
		for _, kv := range p.kvs {
			require.NotContains(t, got, string(kv.Key), "read twice")
			require.LessOrEqual(t, kv.ModRevision, s.revision)
			got[string(kv.Key)] = string(kv.Value)
		}
	}
	first, err := s.begin(t.Context())
	require.NoError(t, err)
	take(&first)
	between()
	pages := make(chan page)
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() { s.read(t.Context(), pages) })
	}
	go func() { reading.Wait(); close(pages) }()
	for p := range pages {
		take(&p)
		requests++
	}
	return got, requests
}

func TestEveryKeyIsReadOnceAtOneRevision(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a test
	want := map[string]string{}
	add := func(key string) {
		want[key] = "v"
		put(t, client, key, "v")
	}
	for i := range 300 { // ids in a row, ids far apart, few and many parts each
		id := 450000000000000000 + i*7
		if i%10 == 0 {
			id = random.Int()
		}
		add(fmt.Sprintf("p/info/%d", id))
		for part := range random.IntN(8) {
			add(fmt.Sprintf("p/part/%d/%d", id, part))
		}
	}
	for _, odd := range []string{"p/", "p/\x00", "p/\xff\xff", "p/\xff\xff\xff", "p/info", "p/info/", "p/info/4", "p/part/\xffx", "q/1"} {
		add(odd)
	}
	for range 200 {
		key := make([]byte, random.IntN(4))
		for i := range key {
			key[i] = "\x00\x01a\xfe\xff"[random.IntN(5)]
		}
		add("p/raw/" + string(key))
	}
	put(t, client, "o/9", "outside")
	put(t, client, "p0", "outside")
	for _, size := range []int64{2, 3, 10, 100, 1_000, 100_000} {
		got, requests := scanAll(t, client, size, []string{"p/", "q/", "r/"}, func() {
			put(t, client, "p/later", "a later revision's")
			_, err := client.Delete(t.Context(), "p/info/4")
			require.NoError(t, err)
		})
		require.Equal(t, want, got, "in pages of %d", size)
		require.Less(t, int64(requests), 20+20*int64(len(want))/size)
		put(t, client, "p/info/4", "v")
		_, err := client.Delete(t.Context(), "p/later")
		require.NoError(t, err)
	}
}

// halfState counts what it is shown.
type halfState struct {
	*Table[string]
	loads, swaps int
}

func (s *halfState) Load(revision int64, all iter.Seq[KV]) func() {
	s.loads++
	swap := s.Table.Load(revision, all)
	return func() { s.swaps++; swap() }
}

// A snapshot of which a page cannot be read is not shown.
func TestHalfASnapshotIsNotShown(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	for i := range 50 {
		put(t, client, fmt.Sprintf("a/%d", i), "v")
	}
	state := &halfState{Table: textTable()}
	f := New(Config{Name: "test", Client: client, Prefixes: []string{"a/"}, State: state, Logger: zaptest.NewLogger(t)})
	broken := errors.New("broken")
	var n int
	var err error
	pages := make(chan page, 2)
	pages <- page{}
	pages <- page{err: broken}
	close(pages)
	for range keys(page{}, pages, &n, &err) {
		n++
	}
	require.ErrorIs(t, err, broken)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = f.load(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, state.loads)
	_, count, err := f.load(t.Context())
	require.NoError(t, err)
	require.Equal(t, 50, count)
	require.Equal(t, 1, state.swaps)

	// History that is compacted between two pages.
	s := newScan(client, []string{"a/"})
	s.page = 10
	_, err = s.begin(t.Context())
	require.NoError(t, err)
	rev := put(t, client, "a/x", "v")
	_, err = client.Compact(t.Context(), rev)
	require.NoError(t, err)
	left := make(chan page, 100)
	s.read(t.Context(), left)
	close(left)
	var last page
	for p := range left {
		last = p
	}
	require.ErrorContains(t, last.err, "compacted")
}

func TestBlocksEndBehindTheirKeys(t *testing.T) {
	for _, c := range []struct {
		from  string
		level int
		want  string
	}{
		{"p/12\x00", 2, "p/2"},
		{"p/12\x00", 3, "p/13"},
		{"p/19", 3, "p/1:"},
		{"p/\xff\xff", 3, "p0"},
		{"p/1", 9, "p/2"},
	} {
		require.Equal(t, c.want, blockEnd(c.from, c.level), "%q at %d", c.from, c.level)
	}
	require.Equal(t, 3, common("abcd", "abce"))
	require.Equal(t, 2, common("ab", "abce"))
	require.Zero(t, common("", strings.Repeat("x", 3)))
}
