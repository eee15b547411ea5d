package catalog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/sessionutil/sessiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = Keys{MetaRoot: "by-dev/meta"}

type setup struct {
	t      testing.TB
	client *clientv3.Client
	view   *View
	table  *metatable.Follower
	writer *Writer
	depose func()
}

func start(t testing.TB, client *clientv3.Client) *setup {
	t.Helper()
	s := &setup{t: t, client: client, view: NewView(keys)}
	s.table = metatable.New(metatable.Config{
		Name: "rootcoord", Client: client, Prefixes: []string{keys.Prefix()}, State: s.view, Logger: zaptest.NewLogger(t),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.table.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	term, depose := sessiontest.ClaimUntil(t, client, keys.MetaRoot, "rootcoord")
	s.depose = depose
	s.writer = NewWriter(keys, s.view, s.table, term)
	t.Cleanup(s.writer.Close)
	require.NoError(t, s.table.Barrier(ctx, term.Number()))
	return s
}

func (s *setup) put(key string, m proto.Message) {
	s.t.Helper()
	value, err := proto.Marshal(m)
	require.NoError(s.t, err)
	s.putRaw(key, string(value))
}

func (s *setup) putRaw(key, value string) {
	s.t.Helper()
	resp, err := s.client.Put(context.Background(), keys.Prefix()+key, value)
	require.NoError(s.t, err)
	require.NoError(s.t, s.table.WaitFor(context.Background(), resp.Header.Revision))
}

// stored are the keys under root-coord/ and the snapshots of it.
func (s *setup) stored() []string {
	s.t.Helper()
	var all []string
	for _, prefix := range []string{keys.Prefix(), keys.MetaRoot + "/snapshots/"} {
		resp, err := s.client.Get(context.Background(), prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
		require.NoError(s.t, err)
		for _, kv := range resp.Kvs {
			all = append(all, strings.TrimPrefix(string(kv.Key), keys.MetaRoot+"/"))
		}
	}
	return all
}

func (s *setup) byName(name string) (c *model.Collection) {
	s.view.Read(func(r Reader) { c = r.Resolve(1, name) })
	return c
}

func newCollection(id int64, name string, fields, partitions int) *model.Collection {
	c := &model.Collection{Info: &etcdpb.CollectionInfo{
		ID: id, DbId: 1, Schema: &schemapb.CollectionSchema{Name: name, DbName: "default"}, CreateTime: 7, ShardsNum: 1,
		VirtualChannelNames:  []string{fmt.Sprintf("by-dev-rootcoord-dml_0_%dv0", id)},
		PhysicalChannelNames: []string{"by-dev-rootcoord-dml_0"},
	}}
	for i := range fields {
		c.Fields = append(c.Fields, &schemapb.FieldSchema{
			FieldID: 100 + int64(i), Name: fmt.Sprintf("field%d", i), DataType: schemapb.DataType_FloatVector,
			TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "128"}},
		})
	}
	c.Fields = append(c.Fields, &schemapb.FieldSchema{FieldID: 0, Name: "RowID"}, &schemapb.FieldSchema{FieldID: 1, Name: "Timestamp"})
	for i := range partitions {
		c.Partitions = append(c.Partitions, model.Partition{Info: &etcdpb.PartitionInfo{
			PartitionID: id*10000 + int64(i), PartitionName: fmt.Sprintf("_default_%d", i), CollectionId: id,
		}})
	}
	return c
}

func TestACollectionLivesInMilvusLayout(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	require.NoError(t, s.writer.EnsureDefaultDatabase(ctx, "default", 5, nil))
	require.NoError(t, s.writer.EnsureDefaultDatabase(ctx, "default", 6, nil))
	require.NoError(t, s.writer.CreateCollection(ctx, newCollection(44, "books", 1, 2)))
	require.NoError(t, s.writer.PutAlias(ctx, &etcdpb.AliasInfo{AliasName: "b", CollectionId: 44, DbId: 1}))
	require.Equal(t, []string{
		"root-coord/database/aliases/1/b", "root-coord/database/collection-info/1/44", "root-coord/database/db-info/1",
		"root-coord/fields/44/0", "root-coord/fields/44/1", "root-coord/fields/44/100",
		"root-coord/partitions/44/440000", "root-coord/partitions/44/440001",
	}, s.stored())
	c := s.byName("b")
	require.Equal(t, "books", c.Name())
	require.Equal(t, []int64{100, 0, 1}, []int64{c.Fields[0].FieldID, c.Fields[1].FieldID, c.Fields[2].FieldID}, "the user's fields first")
	s.view.Read(func(r Reader) {
		require.Equal(t, 1, r.Total())
		require.EqualValues(t, 2, r.Capacity())
		require.Equal(t, 1, r.CollectionCount(1))
	})

	require.NoError(t, s.writer.CreatePartition(ctx, &etcdpb.PartitionInfo{PartitionID: 9, PartitionName: "p", CollectionId: 44}))
	require.NoError(t, s.writer.DropPartition(ctx, 44, 440000))
	s.view.Read(func(r Reader) { require.EqualValues(t, 2, r.Capacity()) })
	require.NoError(t, s.writer.RenameCollection(ctx, 44, 2, "other", "tomes"))
	require.Nil(t, s.view.Collection(44).Info.GetSchema().GetFields())
	s.view.Read(func(r Reader) { require.Equal(t, "tomes", r.CollectionByName(2, "tomes").Name()) })
	require.NoError(t, s.writer.DropCollection(ctx, 44))
	require.NoError(t, s.writer.DropCollection(ctx, 44))
	require.Equal(t, []string{"root-coord/database/db-info/1"}, s.stored(), "the collection, its alias and all that hung on it")
	s.view.Read(func(r Reader) {
		require.Zero(t, r.Total())
		require.Zero(t, r.Capacity())
		require.Nil(t, r.Alias(1, "b"))
	})
}

// The bytes are protobuf's for the fields that Milvus writes, in the order of their numbers.
func TestRecordsAreMilvusToTheByte(t *testing.T) {
	c := newCollection(44, "books", 2, 1)
	c.Info.Schema.Fields = c.Fields // inline copies must not be stored
	c.Info.PartitionIDs = []int64{1}
	got, err := record(c.Info)
	require.NoError(t, err)
	want := &etcdpb.CollectionInfo{}
	require.NoError(t, proto.Unmarshal(got, want))
	require.Empty(t, want.GetSchema().GetFields())
	require.Empty(t, want.GetPartitionIDs()) //nolint:staticcheck // the old layout
	require.Equal(t, "082c"+"1210"+"0a05626f6f6b73", hex.EncodeToString(got)[:22], "ID, then the schema with its name")
}

func TestUnknownFieldsSurviveARewrite(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	c := newCollection(44, "books", 1, 1)
	require.NoError(t, s.writer.CreateCollection(t.Context(), c))
	resp, err := s.client.Get(t.Context(), keys.collection(1, 44))
	require.NoError(t, err)
	s.putRaw("database/collection-info/1/44", string(resp.Kvs[0].Value)+"\xfa\x3f\x03new") // field 1023, of a later Milvus
	require.NoError(t, s.writer.RenameCollection(t.Context(), 44, 1, "default", "tomes"))
	resp, err = s.client.Get(t.Context(), keys.collection(1, 44))
	require.NoError(t, err)
	require.Contains(t, string(resp.Kvs[0].Value), "\xfa\x3f\x03new")
	require.Equal(t, "tomes", s.view.Collection(44).Name())
}

func TestOldLayoutsAreReadAndMoved(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	// 2.2, before databases.
	legacy := newCollection(44, "books", 1, 1)
	legacy.Info.DbId = 0
	s.put("collection/44", legacy.Info)
	s.put("fields/44/100", legacy.Fields[0])
	s.put("partitions/44/440000", legacy.Partitions[0].Info)
	s.put("aliases/b", &etcdpb.AliasInfo{AliasName: "b", CollectionId: 44})
	// 2.1.0, everything inline, and an alias that is a collection's record.
	ancient := &etcdpb.CollectionInfo{
		ID: 45, Schema: &schemapb.CollectionSchema{Name: "scrolls", Fields: legacy.Fields},
		PartitionIDs: []int64{2, 1}, PartitionNames: []string{"b", "a"}, PartitionCreatedTimestamps: []uint64{3, 4},
	}
	s.put("collection/45", ancient)
	s.put("collection-alias/old", &etcdpb.CollectionInfo{ID: 45, Schema: &schemapb.CollectionSchema{Name: "old"}})
	// A record whose id begins like another's.
	s.put("collection/4", &etcdpb.CollectionInfo{ID: 4, Schema: &schemapb.CollectionSchema{Name: "short"}})

	require.Equal(t, int64(44), s.byName("b").ID())
	require.Equal(t, int64(44), s.byName("books").ID())
	require.Equal(t, int64(45), s.byName("old").ID())
	require.Equal(t, "a", s.byName("scrolls").Partitions[0].Info.GetPartitionName())
	s.view.Read(func(r Reader) { require.Equal(t, 3, r.CollectionCount(1)) })

	require.NoError(t, s.writer.CreatePartition(ctx, &etcdpb.PartitionInfo{PartitionID: 9, PartitionName: "new", CollectionId: 45}))
	require.NoError(t, s.writer.PutAlias(ctx, &etcdpb.AliasInfo{AliasName: "old", CollectionId: 44, DbId: 1}))
	require.NoError(t, s.writer.DropCollection(ctx, 44))
	require.Nil(t, s.byName("old"))
	scrolls := s.byName("scrolls")
	require.Equal(t, keys.collection(1, 45), scrolls.Key)
	require.Len(t, scrolls.Partitions, 3)
	require.Len(t, scrolls.Fields, 3)
	require.Equal(t, []string{
		"root-coord/collection/4", "root-coord/database/collection-info/1/45", "root-coord/fields/45/0", "root-coord/fields/45/1",
		"root-coord/fields/45/100", "root-coord/partitions/45/1", "root-coord/partitions/45/2", "root-coord/partitions/45/9",
	}, s.stored())
}

func TestTombstonesAndSnapshotsOfMilvus(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	require.NoError(t, s.writer.CreateCollection(ctx, newCollection(44, "books", 1, 1)))
	s.putRaw("database/aliases/1/b", string(tombstone))
	_, err := s.client.Put(ctx, keys.MetaRoot+"/snapshots/root-coord/database/aliases/1/b_ts5", string(tombstone))
	require.NoError(t, err)
	_, err = s.client.Put(ctx, keys.MetaRoot+"/snapshots/root-coord/database/aliases/1/bb_ts5", "another alias'")
	require.NoError(t, err)
	require.Nil(t, s.byName("b"))
	require.NoError(t, s.writer.PutAlias(ctx, &etcdpb.AliasInfo{AliasName: "b", CollectionId: 44, DbId: 1}))
	require.NotNil(t, s.byName("b"))
	require.NotContains(t, s.stored(), "snapshots/root-coord/database/aliases/1/b_ts5", "Milvus would delete the new alias for it")
	require.Contains(t, s.stored(), "snapshots/root-coord/database/aliases/1/bb_ts5")
	s.putRaw("fields/44/100", string(tombstone))
	require.Len(t, s.byName("books").Fields, 2)
}

func TestAValueThatDoesNotDecodeIsNamedAndKept(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	s := start(t, client)
	require.NoError(t, s.writer.CreateCollection(t.Context(), newCollection(44, "books", 1, 1)))
	require.NoError(t, s.writer.CreateCollection(t.Context(), newCollection(45, "tomes", 1, 1)))
	s.putRaw("fields/44/100", "\xff\xff")
	require.ErrorContains(t, s.byName("books").Damage, "by-dev/meta/root-coord/fields/44/100 at revision")
	require.NoError(t, s.byName("tomes").Damage)
	fresh := NewView(keys)
	f := metatable.New(metatable.Config{Name: "fresh", Client: client, Prefixes: []string{keys.Prefix()}, State: fresh, Logger: zaptest.NewLogger(t)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.Run(ctx) }()
	<-f.Loaded()
	require.Error(t, fresh.Collection(44).Damage)
	fresh.Read(func(r Reader) { require.Len(t, r.Quarantined(), 1) })
	cancel()
	<-done
	good, err := proto.Marshal(newCollection(44, "books", 1, 1).Fields[0])
	require.NoError(t, err)
	s.putRaw("fields/44/100", string(good))
	require.NoError(t, s.byName("books").Damage)
}

func TestConcurrentChangesShareTransactions(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	before, err := s.client.Get(t.Context(), "x")
	require.NoError(t, err)
	var wg sync.WaitGroup
	const n = 200
	for i := range n {
		wg.Go(func() {
			id := int64(1000 + i)
			if i == 77 { // this one collides with a record that somebody else has put
				id = 999
			}
			err := s.writer.CreateCollection(t.Context(), newCollection(id, fmt.Sprintf("c%d", i), 8, 1))
			if i != 77 && err != nil {
				t.Errorf("%d: %v", i, err)
			}
			if err == nil && s.byName(fmt.Sprintf("c%d", i)) == nil {
				t.Errorf("c%d is not visible after it was created", i)
			}
		})
	}
	wg.Wait()
	after, err := s.client.Get(t.Context(), "x")
	require.NoError(t, err)
	require.Less(t, after.Header.Revision-before.Header.Revision, int64(n/2), "transactions were not shared")

	// A guilty one among innocent ones fails alone.
	_, err = s.client.Put(t.Context(), keys.collection(1, 5), "")
	require.NoError(t, err)
	var failed []int64
	var mu sync.Mutex
	for _, id := range []int64{2, 3, 4, 5, 6, 7, 8} {
		wg.Go(func() {
			if err := s.writer.CreateCollection(context.Background(), newCollection(id, fmt.Sprintf("g%d", id), 1, 1)); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, id)
				if !strings.Contains(err.Error(), sessionutil.ErrGuard.Error()) {
					t.Errorf("%d: %v", id, err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, []int64{5}, failed)
}

func TestAnAliasOfTheOldTermIsRefused(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	s := start(t, client)
	require.NoError(t, s.writer.CreateCollection(t.Context(), newCollection(44, "books", 1, 1)))
	s.depose()
	err := s.writer.PutAlias(context.Background(), &etcdpb.AliasInfo{AliasName: "b", CollectionId: 44, DbId: 1})
	require.ErrorIs(t, err, sessionutil.ErrDeposed)
}

// A collection that needs many transactions is invisible until the last one, and whatever a crash leaves is undone.
func TestALargeCollectionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	s := start(t, client)
	require.NoError(t, s.writer.CreateCollection(t.Context(), newCollection(44, "whole", 60, 1024)))
	c := s.byName("whole")
	require.Len(t, c.Partitions, 1024)
	require.Len(t, c.Fields, 62)
	whole := s.stored()

	for step := range 4 {
		crashed := newCollection(int64(50+step), "half", 60, 500)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.writer.CreateCollection(ctx, crashed) }()
		// The process dies when so many records are there.
		require.Eventually(t, func() bool { return len(s.stored()) > len(whole)+step*120 }, time.Minute, 50*time.Microsecond)
		s.depose()
		cancel()
		err := <-done
		s = start(t, client)
		half := s.byName("half")
		if !errors.Is(err, sessionutil.ErrUnknown) { // then it may be there or not, but whole
			require.Equal(t, err == nil, half != nil, "acknowledged: %v", err)
		}
		require.NoError(t, s.writer.Recover(t.Context()))
		if half == nil {
			require.Equal(t, whole, s.stored(), "step %d", step)
			continue
		}
		require.Len(t, half.Partitions, 500)
		require.NoError(t, s.writer.DropCollection(t.Context(), half.ID()))
		require.Equal(t, whole, s.stored())
	}
	// Leftovers of Milvus itself.
	dropping := newCollection(60, "going", 1, 1)
	dropping.Info.State = etcdpb.CollectionState_CollectionDropping
	s.put("database/collection-info/1/60", dropping.Info)
	s.put("partitions/44/1", &etcdpb.PartitionInfo{PartitionID: 1, CollectionId: 44, State: etcdpb.PartitionState_PartitionCreating})
	require.Nil(t, s.byName("going"))
	require.NoError(t, s.writer.Recover(t.Context()))
	require.Equal(t, whole, s.stored())
}

func TestDroppingACollectionWithManyAliases(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	require.NoError(t, s.writer.CreateCollection(t.Context(), newCollection(44, "books", 1, 1)))
	for i := range 90 {
		require.NoError(t, s.writer.PutAlias(t.Context(), &etcdpb.AliasInfo{AliasName: fmt.Sprintf("a%d", i), CollectionId: 44, DbId: 1}))
	}
	s.view.Read(func(r Reader) {
		require.Len(t, r.AliasesOf(44), 90)
		require.True(t, slices.IsSortedFunc(r.Aliases(1), compareAliases))
	})
	require.NoError(t, s.writer.DropCollection(t.Context(), 44))
	require.Empty(t, s.stored())
}

func FuzzParseAndAccept(f *testing.F) {
	f.Add("database/collection-info/1/44", []byte{8, 44})
	f.Add("fields/44/100", []byte("\xff"))
	f.Add("collection/4", []byte{})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		v := NewView(keys)
		v.Apply(1, []metatable.KV{{Key: keys.Prefix() + key, Value: value, ModRevision: 1}})
		v.Apply(2, []metatable.KV{{Key: keys.Prefix() + key, Deleted: true, ModRevision: 2}})
		v.Read(func(r Reader) {
			if r.Total() != 0 || r.Capacity() != 0 || len(r.t.collections) != 0 || len(r.t.sick) != 0 {
				t.Errorf("%q leaves something behind", key)
			}
		})
	})
}
