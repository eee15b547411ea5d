package tableset

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
)

// group holds two tables of numbers whose kinds begin alike, and one of messages.
type group struct {
	a, b     *metatable.Table[int]
	segments *metatable.Table[*datapb.SegmentInfo]
	kinds    map[string]Table
}

func (g *group) Kinds() map[string]Table { return g.kinds }

func number(_ string, value []byte) (int, error) { return strconv.Atoi(string(value)) }

func newGroup() *group {
	g := &group{}
	g.kinds = map[string]Table{
		"m/s/":   Values(&g.a, number)(Kind{Prefix: "m/s/", Shape: "i"}),
		"m/s-b/": Values(&g.b, number)(Kind{Prefix: "m/s-b/", Shape: "in"}),
		"m/seg/": Message(&g.segments)(Kind{Prefix: "m/seg/", Shape: "i"}),
	}
	return g
}

func kv(revision int64, key, value string) metatable.KV {
	return metatable.KV{Key: key, Value: []byte(value), ModRevision: revision}
}

func load(s *Set[*group], revision int64, kvs ...metatable.KV) {
	s.Load(revision, slices.Values(kvs))()
}

func lens(s *Set[*group]) (a, b int) {
	s.Read(func(g *group) { a, b = g.a.Len(), g.b.Len() })
	return a, b
}

func TestKeysGoToTheTableOfTheirKind(t *testing.T) {
	s := New(newGroup)
	load(s, 1, kv(1, "m/s/1", "1"), kv(1, "m/s-b/1/x", "2"), kv(1, "m/s", "3"), kv(1, "m/s-c/1", "4"), kv(1, "other", "5"), kv(1, "m/t/s/1", "6"))
	a, b := lens(s)
	require.Equal(t, []int{1, 1}, []int{a, b})
	require.Empty(t, s.Quarantined(), "what is of no kind is nobody's business")
	require.Equal(t, 2, s.Len())
}

func TestShapesTombstonesAndDamage(t *testing.T) {
	s := New(newGroup)
	load(s, 7,
		kv(3, "m/s/1", Tombstone), kv(3, "m/s/x", "1"), kv(4, "m/s/1/2", "1"), kv(5, "m/s/", "1"),
		kv(5, "m/s/2", "one"), kv(5, "m/s/3", ""), kv(6, "m/s-b/1/", "1"), kv(6, "m/s-b/-9223372036854775808/v", "1"))
	a, b := lens(s)
	require.Equal(t, []int{0, 1}, []int{a, b})
	var keys []string
	for _, q := range s.Quarantined() {
		keys = append(keys, q.Key)
		require.NotZero(t, q.Revision)
	}
	require.Equal(t, []string{"m/s-b/1/", "m/s/", "m/s/1/2", "m/s/2", "m/s/3", "m/s/x"}, keys)

	s.Apply(8, []metatable.KV{kv(8, "m/s/2", "1"), {Key: "m/s/3", Deleted: true, ModRevision: 8}})
	require.Len(t, s.Quarantined(), 4)
	load(s, 9)
	require.Empty(t, s.Quarantined())
	require.Zero(t, s.Len())
}

func TestUnknownFieldsStay(t *testing.T) {
	value, err := proto.Marshal(&datapb.SegmentInfo{ID: 5})
	require.NoError(t, err)
	value = protowire.AppendTag(value, 3000, protowire.VarintType)
	value = protowire.AppendVarint(value, 42)
	s := New(newGroup)
	load(s, 1, kv(1, "m/seg/5", string(value)))
	s.Read(func(g *group) {
		row, ok, err := g.segments.Get("m/seg/5")
		require.NoError(t, err)
		require.True(t, ok)
		again, err := proto.Marshal(row.Value)
		require.NoError(t, err)
		require.Equal(t, value, again)
	})
}

func TestAReaderSeesOneRevision(t *testing.T) {
	s := New(newGroup)
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range 500 {
			change := []metatable.KV{kv(int64(i), "m/s/1", "1"), kv(int64(i), "m/s-b/1/x", "1")}
			change[0].Deleted, change[1].Deleted = i%2 == 1, i%2 == 1
			if i%50 == 0 {
				load(s, int64(i), change...)
			} else {
				s.Apply(int64(i), change)
			}
		}
	})
	for range 500 {
		a, b := lens(s)
		require.Equal(t, a, b)
	}
	writer.Wait()
}

func TestReportNamesTheFirst(t *testing.T) {
	s := New(newGroup)
	var kvs []metatable.KV
	for i := range 12 {
		kvs = append(kvs, kv(1, fmt.Sprintf("m/s/%02d", i), "x"))
	}
	load(s, 1, kvs...)
	core, logs := observer.New(zap.DebugLevel)
	s.Report(zap.New(core))
	require.Equal(t, 11, logs.Len())
	require.Contains(t, logs.All()[0].ContextMap()["error"], "m/s/00")
	require.EqualValues(t, 2, logs.All()[10].ContextMap()["more"])
}

func FuzzShape(f *testing.F) {
	f.Add("in", "1/a")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, shape, path string) {
		if len(shape) > 8 {
			t.Skip()
		}
		if Shape(shape).check(path) == nil {
			require.Equal(t, len(shape)-1, countSlashes(path))
		}
	})
}

func countSlashes(s string) (n int) {
	for i := range len(s) {
		if s[i] == '/' {
			n++
		}
	}
	return n
}

func TestCheckDecodesAndKeepsNothing(t *testing.T) {
	s := New(newGroup)
	for range 2 {
		kind, present, err := s.Check(kv(1, "m/s/1", "17"))
		require.NoError(t, err)
		require.True(t, present)
		require.Equal(t, "m/s/", kind)
		kind, present, err = s.Check(kv(1, "m/s/1", "seventeen"))
		require.Error(t, err)
		require.False(t, present)
		require.Equal(t, "m/s/", kind)
		_, present, err = s.Check(kv(1, "m/s/1", Tombstone))
		require.NoError(t, err)
		require.False(t, present)
		kind, _, err = s.Check(kv(1, "m/s-c/1", "4"))
		require.NoError(t, err)
		require.Empty(t, kind)
	}
	require.Zero(t, s.Len())
	require.Empty(t, s.Quarantined())
}
