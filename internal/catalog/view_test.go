package catalog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
)

// dump is all that a view answers, as text.
func dump(v *View) string {
	var out strings.Builder
	v.Read(func(r Reader) {
		for _, id := range slices.Sorted(maps.Keys(r.t.databases)) {
			fmt.Fprintln(&out, "database", id, r.Database(id).Info.GetName(), r.Database(id).ModRevision, r.CollectionCount(id))
		}
		for _, name := range []string{"d1", "d2"} {
			fmt.Fprintln(&out, name, r.t.dbNames[name])
		}
		for _, id := range slices.Sorted(maps.Keys(r.t.collections)) {
			c := r.t.collections[id]
			fmt.Fprintln(&out, "collection", id, c.Key, c.ModRevision, c.Unreadable, c.Damage, r.Collection(id) == c, wire(c.Info))
			for _, f := range c.Fields {
				fmt.Fprintln(&out, "  field", wire(f))
			}
			for _, p := range c.Partitions {
				fmt.Fprintln(&out, "  partition", p.ModRevision, wire(p.Info))
			}
			for _, f := range c.Functions {
				fmt.Fprintln(&out, "  function", wire(f))
			}
			for _, a := range r.AliasesOf(id) {
				fmt.Fprintln(&out, "  alias", a.Info.GetAliasName(), a.Key, a.ModRevision)
			}
		}
		for db := range int64(3) {
			var ids []int64
			for c := range r.Collections(db) {
				ids = append(ids, c.ID())
			}
			slices.Sort(ids)
			fmt.Fprintln(&out, "db", db, r.CollectionCount(db), ids)
			for _, name := range []string{"n0", "n1", "n2"} {
				fmt.Fprintln(&out, " ", name, idOf(r.CollectionByName(db, name)), idOf(r.Resolve(db, name)))
			}
			for _, a := range r.Aliases(db) {
				fmt.Fprintln(&out, "  alias", a.Info.GetAliasName(), a.Info.GetCollectionId(), a.Key, a.ModRevision)
			}
		}
		fmt.Fprintln(&out, r.Total(), r.Capacity(), r.Quarantined(), r.t.graves)
		for _, id := range slices.Sorted(maps.Keys(r.t.spareCollections)) {
			for _, p := range r.t.spareCollections[id] {
				fmt.Fprintln(&out, "spare", p.key, p.kind, p.revision, wire(p.info))
			}
		}
		for db := range int64(3) {
			for _, name := range []string{"n0", "n1", "n2"} {
				for _, p := range r.t.spareAliases[objectName{db, name}] {
					fmt.Fprintln(&out, "spare", p.key, p.kind, p.revision, wire(p.info))
				}
			}
		}
	})
	return out.String()
}

func idOf(c *model.Collection) int64 {
	if c == nil {
		return 0
	}
	return c.ID()
}

func wire(m proto.Message) string {
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return fmt.Sprintf("%x", b)
}

// randomRecord is a change to one of a few keys, with a value that Milvus might have written, or damage.
func randomRecord(r *rand.Rand, revision int64) metatable.KV {
	pick := func(ids ...int64) int64 { return ids[r.IntN(len(ids))] }
	id, db, name := pick(4, 44), pick(1, 2), fmt.Sprintf("n%d", r.IntN(3))
	info := &etcdpb.CollectionInfo{
		ID: id, DbId: db, Schema: &schemapb.CollectionSchema{Name: name}, ShardsNum: int32(r.IntN(3)),
		State: etcdpb.CollectionState(r.IntN(5) / 2 % 3), VirtualChannelNames: []string{"v0"},
	}
	field := &schemapb.FieldSchema{FieldID: pick(0, 1, 100, 101), Name: name}
	part := &etcdpb.PartitionInfo{PartitionID: pick(7, 8, 9), CollectionId: id, PartitionName: name, State: etcdpb.PartitionState(r.IntN(2))}
	alias := &etcdpb.AliasInfo{AliasName: name, CollectionId: id, DbId: db}
	var key string
	var value proto.Message
	switch r.IntN(11) {
	case 0:
		key, value = keys.database(db), &etcdpb.DatabaseInfo{Id: db, Name: fmt.Sprintf("d%d", pick(1, 2))}
	case 1, 2:
		key, value = keys.collection(db, id), info
	case 3:
		info.DbId = 0
		key, value = keys.legacyCollection(id), info
	case 4:
		info.DbId, info.Schema.Fields = 0, []*schemapb.FieldSchema{field}
		info.PartitionIDs, info.PartitionNames = []int64{8, 3}, []string{"inline"} //nolint:staticcheck // the old layout
		key, value = keys.legacyCollection(id), info
	case 5:
		key, value = keys.child(partitions, id, part.GetPartitionID()), part
	case 6:
		key, value = keys.child(fields, id, field.GetFieldID()), field
	case 7:
		key, value = keys.child(functions, id, 100), &schemapb.FunctionSchema{Id: 100, Name: name}
	case 8:
		key, value = keys.alias(db, name), alias
	case 9:
		alias.DbId = 0
		key, value = keys.Prefix()+"aliases/"+name, alias
	default:
		key, value = keys.Prefix()+"collection-alias/"+name, &etcdpb.CollectionInfo{ID: id}
	}
	kv := metatable.KV{Key: key, ModRevision: revision}
	switch r.IntN(10) {
	case 0, 1, 2:
		kv.Deleted = true
	case 3:
		kv.Value = tombstone
	case 4:
		kv.Value = []byte("\xff\xff")
	case 5:
		kv.Value = []byte("\x08\x63") // a record of id 99
	default:
		kv.Value, _ = proto.Marshal(value)
	}
	return kv
}

// What a standby has followed for days is what a process that starts now reads.
func TestFollowingEqualsReadingAnew(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
		followed, stored := NewView(keys), map[string]metatable.KV{}
		for revision := range int64(60) {
			var changes []metatable.KV
			for range 1 + random.IntN(4) {
				kv := randomRecord(random, revision+1)
				if slices.ContainsFunc(changes, func(other metatable.KV) bool { return other.Key == kv.Key }) {
					continue // a transaction changes a key once
				}
				changes = append(changes, kv)
				if stored[kv.Key] = kv; kv.Deleted {
					delete(stored, kv.Key)
				}
			}
			before := dump(followed)
			seen := immutable(followed)
			followed.Apply(revision+1, changes)
			seen(t)
			all := slices.Collect(maps.Values(stored))
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			read := NewView(keys)
			read.Load(revision+1, slices.Values(all))()
			require.Equal(t, dump(read), dump(followed), "seed %d, revision %d, before:\n%s", seed, revision+1, before)
			checkCounts(t, followed)
		}
	}
}

// immutable remembers what a reader holds; the function it returns checks that nobody has changed it since.
func immutable(v *View) func(t *testing.T) {
	type held struct {
		c    *model.Collection
		text string
	}
	text := func(c *model.Collection) string {
		return fmt.Sprintf("%v %v %v %v", *c, c.Fields, c.Partitions, c.Functions)
	}
	var all []held
	v.Read(func(r Reader) {
		for c := range r.AllCollections() {
			all = append(all, held{c, text(c)})
		}
	})
	return func(t *testing.T) {
		for _, h := range all {
			require.Equal(t, h.text, text(h.c))
		}
	}
}

func checkCounts(t *testing.T, v *View) {
	t.Helper()
	v.Read(func(r Reader) {
		total, partitions, capacity, perDB := 0, 0, int64(0), map[int64]int{}
		names := map[objectName]bool{}
		channels, unfinished := map[string]int{}, 0
		for c := range r.AllCollections() {
			for _, name := range c.Info.GetPhysicalChannelNames() {
				channels[name]++
			}
			if !c.Created() || slices.ContainsFunc(c.Partitions, func(p model.Partition) bool { return !p.Created() }) {
				unfinished++
			}
			if c.Created() {
				total++
				partitions += c.CreatedPartitions()
				capacity += c.Capacity()
				perDB[c.DBID()]++
				names[objectName{c.DBID(), indexName(c)}] = true
			}
		}
		require.Equal(t, total, r.Total())
		require.Equal(t, capacity, r.Capacity())
		require.Equal(t, partitions, r.Partitions())
		require.Equal(t, channels, r.ChannelUse())
		require.Len(t, r.Unfinished(), unfinished)
		for name := range names {
			require.NotNil(t, r.CollectionByName(name.db, name.name))
		}
	})
}

func TestARecordThatCannotBeReadStaysThere(t *testing.T) {
	v := NewView(keys)
	v.Apply(1, []metatable.KV{{Key: keys.collection(2, 44), Value: []byte("\xff\xff"), ModRevision: 1}})
	v.Read(func(r Reader) {
		c := r.Collection(44)
		require.NotNil(t, c, "a collection that seems to be gone is one whose data may be deleted")
		require.True(t, c.Unreadable)
		require.Error(t, c.Damage)
		require.EqualValues(t, 2, c.DBID())
		require.Equal(t, 1, r.CollectionCount(2), "or its database")
		require.Empty(t, slices.Collect(r.Collections(2)))
		require.Nil(t, r.CollectionByName(2, ""))
		_, err := r.revision(keys.collection(2, 44))
		require.ErrorContains(t, err, "undecodable value of by-dev/meta/root-coord/database/collection-info/2/44 at revision 1")
	})
}
