package catalog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

func partitionOf(id, partition int64) *etcdpb.PartitionInfo {
	return &etcdpb.PartitionInfo{PartitionID: partition, PartitionName: fmt.Sprintf("p%d", partition), CollectionId: id}
}

func aliasOf(name string, id int64) *etcdpb.AliasInfo {
	return &etcdpb.AliasInfo{AliasName: name, CollectionId: id, DbId: 1}
}

// content is everything under root-coord/ and its snapshots, keys and values.
func (s *setup) content() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, key := range s.stored() {
		resp, err := s.client.Get(context.Background(), keys.MetaRoot+"/"+key)
		require.NoError(s.t, err)
		all[key] = hex.EncodeToString(resp.Kvs[0].Value)
	}
	return all
}

// readAnew is a view as a process that starts now has it, and that does not follow.
func (s *setup) readAnew() *View {
	view := NewView(keys)
	f := metatable.New(metatable.Config{Client: s.client, Prefixes: []string{keys.Prefix()}, State: view, Logger: zap.NewNop()})
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { _ = f.Run(ctx) })
	<-f.Loaded()
	cancel()
	following.Wait()
	return view
}

// Another program, one that is not fenced, has changed every record, and this process has not heard of it.
func TestAForeignChangeIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	require.NoError(t, s.writer.EnsureDefaultDatabase(ctx, "default", 5, nil))
	require.NoError(t, s.writer.CreateCollection(ctx, newCollection(44, "books", 1, 2)))
	require.NoError(t, s.writer.PutAlias(ctx, aliasOf("a", 44)))
	old := newCollection(45, "old", 1, 1)
	s.put("collection/45", old.Info)
	s.put("aliases/b", aliasOf("b", 45))
	w := NewWriter(keys, s.readAnew(), s.table, s.writer.committer.term)
	for _, key := range s.stored() {
		resp, err := s.client.Get(ctx, keys.MetaRoot+"/"+key)
		require.NoError(t, err)
		s.putRaw(strings.TrimPrefix(key, "root-coord/"), string(resp.Kvs[0].Value))
	}
	s.put("database/collection-info/1/50", newCollection(50, "theirs", 1, 1).Info)
	s.put("partitions/44/9", partitionOf(44, 9))
	s.put("database/aliases/1/new", aliasOf("new", 44))
	before := s.content()
	for name, write := range map[string]func() error{
		"AlterDatabase":          func() error { return w.PutDatabase(ctx, &etcdpb.DatabaseInfo{Id: 1, Name: "default"}) },
		"DropDatabase":           func() error { return w.DropDatabase(ctx, 1) },
		"CreateCollection":       func() error { return w.CreateCollection(ctx, newCollection(50, "ours", 2, 2)) },
		"CreateCollection large": func() error { return w.CreateCollection(ctx, newCollection(50, "ours", 2, 200)) },
		"AlterCollection":        func() error { return w.AlterCollection(ctx, newCollection(44, "books", 0, 0).Info) },
		"RenameCollection":       func() error { return w.RenameCollection(ctx, 44, 1, "default", "tomes") },
		"to another database":    func() error { return w.RenameCollection(ctx, 44, 2, "other", "tomes") },
		"modernize":              func() error { return w.RenameCollection(ctx, 45, 1, "default", "modern") },
		"DropCollection":         func() error { return w.DropCollection(ctx, 44) },
		"CreatePartition":        func() error { return w.CreatePartition(ctx, partitionOf(44, 9)) },
		"DropPartition":          func() error { return w.DropPartition(ctx, 44, 440000) },
		"PutAlias":               func() error { return w.PutAlias(ctx, aliasOf("new", 44)) },
		"AlterAlias":             func() error { return w.PutAlias(ctx, aliasOf("a", 45)) },
		"move alias":             func() error { return w.PutAlias(ctx, aliasOf("b", 44)) },
		"DropAlias":              func() error { return w.DropAlias(ctx, 1, "a") },
	} {
		require.ErrorIs(t, write(), sessionutil.ErrGuard, name)
	}
	require.Equal(t, before, s.content())
}

// The values of all kinds of records, as Milvus' own protobuf code wrote them.
func TestGoldenRecords(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	require.NoError(t, s.writer.EnsureDefaultDatabase(ctx, "default", 5, []*commonpb.KeyValuePair{{Key: "k", Value: "v"}}))
	c := &model.Collection{
		Info: &etcdpb.CollectionInfo{
			ID: 44, DbId: 1, CreateTime: 7, ShardsNum: 1, ConsistencyLevel: commonpb.ConsistencyLevel_Bounded,
			Schema: &schemapb.CollectionSchema{
				Name: "books", DbName: "default", Description: "d", AutoID: true, EnableDynamicField: true,
				Fields: []*schemapb.FieldSchema{{FieldID: 100}}, Functions: []*schemapb.FunctionSchema{{Id: 100}},
			},
			VirtualChannelNames: []string{"dml_0_44v0"}, PhysicalChannelNames: []string{"dml_0"},
			StartPositions: []*commonpb.KeyDataPair{{Key: "dml_0", Data: []byte{1, 2}}},
			Properties:     []*commonpb.KeyValuePair{{Key: "collection.ttl.seconds", Value: "60"}},
		},
		Fields: []*schemapb.FieldSchema{{
			FieldID: 100, Name: "pk", IsPrimaryKey: true, DataType: schemapb.DataType_VarChar, AutoID: true,
			TypeParams: []*commonpb.KeyValuePair{{Key: "max_length", Value: "8"}},
		}},
		Functions: []*schemapb.FunctionSchema{{
			Id: 100, Name: "f", Type: schemapb.FunctionType_BM25, InputFieldIds: []int64{100}, InputFieldNames: []string{"pk"},
		}},
		Partitions: []model.Partition{{Info: &etcdpb.PartitionInfo{
			PartitionID: 45, PartitionName: "_default", PartitionCreatedTimestamp: 7, CollectionId: 44,
		}}},
	}
	require.NoError(t, s.writer.CreateCollection(ctx, c))
	alias := aliasOf("b", 44)
	alias.CreatedTime = 9
	require.NoError(t, s.writer.PutAlias(ctx, alias))
	require.Equal(t, map[string]string{
		"root-coord/database/db-info/1":            golden["database"],
		"root-coord/database/collection-info/1/44": golden["collection"],
		"root-coord/partitions/44/45":              golden["partition"],
		"root-coord/fields/44/100":                 golden["field"],
		"root-coord/functions/44/100":              golden["function"],
		"root-coord/database/aliases/1/b":          golden["alias"],
	}, s.content())
}

var golden = map[string]string{
	"database": "120764656661756c7418012001280532060a016b120176",
	"collection": "082c" + // id
		"12170a05626f6f6b7312016418012801420764656661756c74" + // schema: name, description, AutoID, dynamic field, database
		"1807" + "3a0a646d6c5f305f34347630" + "4205646d6c5f30" + "5001" + // created, channels, shards
		"5a0b0a05646d6c5f3012020102" + "6002" + // start positions, consistency; the state Created is 0
		"721c0a16636f6c6c656374696f6e2e74746c2e7365636f6e647312023630" + "7801", // properties, database
	"partition": "082d12085f64656661756c741807202c",
	"field":     "08641202706b18012815320f0a0a6d61785f6c656e6774681201384001",
	"function":  "0a0166106420012a02706b320164",
	"alias":     "0a0162102c18092801",
}

func TestNothingIsWrittenAfterTheTerm(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	require.NoError(t, s.writer.EnsureDefaultDatabase(ctx, "default", 5, nil))
	require.NoError(t, s.writer.CreateCollection(ctx, newCollection(44, "books", 1, 2)))
	require.NoError(t, s.writer.PutAlias(ctx, aliasOf("a", 44)))
	half := newCollection(45, "half", 1, 1)
	half.Info.State = etcdpb.CollectionState_CollectionCreating
	s.put("database/collection-info/1/45", half.Info)
	legacy := newCollection(46, "legacy", 1, 1)
	s.put("collection/46", legacy.Info)
	before := s.content()
	// Somebody else is active. This process has not heard of it.
	resp, err := s.client.Delete(ctx, keys.MetaRoot+"/session/rootcoord")
	require.NoError(t, err)
	require.EqualValues(t, 1, resp.Deleted)
	w := s.writer
	for name, write := range map[string]func() error{
		"EnsureDefaultDatabase":  func() error { return w.PutDatabase(ctx, &etcdpb.DatabaseInfo{Id: 2, Name: "db"}) },
		"AlterDatabase":          func() error { return w.PutDatabase(ctx, &etcdpb.DatabaseInfo{Id: 1, Name: "default"}) },
		"DropDatabase":           func() error { return w.DropDatabase(ctx, 1) },
		"CreateCollection":       func() error { return w.CreateCollection(ctx, newCollection(50, "new", 2, 2)) },
		"CreateCollection large": func() error { return w.CreateCollection(ctx, newCollection(51, "large", 2, 200)) },
		"AlterCollection":        func() error { return w.AlterCollection(ctx, newCollection(44, "books", 0, 0).Info) },
		"RenameCollection":       func() error { return w.RenameCollection(ctx, 44, 1, "default", "tomes") },
		"modernize":              func() error { return w.RenameCollection(ctx, 46, 1, "default", "modern") },
		"DropCollection":         func() error { return w.DropCollection(ctx, 44) },
		"CreatePartition":        func() error { return w.CreatePartition(ctx, partitionOf(44, 9)) },
		"DropPartition":          func() error { return w.DropPartition(ctx, 44, 440000) },
		"PutAlias":               func() error { return w.PutAlias(ctx, aliasOf("b", 44)) },
		"DropAlias":              func() error { return w.DropAlias(ctx, 1, "a") },
		"Recover":                func() error { return w.Recover(ctx) },
	} {
		require.ErrorIs(t, write(), sessionutil.ErrDeposed, name)
	}
	require.Equal(t, before, s.content())
}

func TestWhatCannotBeReadIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	require.NoError(t, s.writer.CreateCollection(ctx, newCollection(44, "books", 1, 2)))
	require.NoError(t, s.writer.CreateCollection(ctx, newCollection(45, "tomes", 1, 2)))
	half := newCollection(46, "half", 1, 1)
	half.Info.State = etcdpb.CollectionState_CollectionDropping
	s.put("database/collection-info/1/46", half.Info)
	bad := "\xff\xff"
	s.putRaw("fields/44/100", bad)
	s.putRaw("database/collection-info/1/45", bad)
	s.putRaw("fields/46/100", bad)
	s.putRaw("database/aliases/1/a", bad)
	s.putRaw("database/db-info/2", bad)
	before := s.content()
	for name, err := range map[string]error{
		"drop":     s.writer.DropCollection(ctx, 44),
		"rename":   s.writer.RenameCollection(ctx, 44, 1, "default", "x"),
		"alter":    s.writer.AlterCollection(ctx, newCollection(45, "tomes", 0, 0).Info),
		"drop 45":  s.writer.DropCollection(ctx, 45),
		"drop 46":  s.writer.DropCollection(ctx, 46),
		"add":      s.writer.CreatePartition(ctx, partitionOf(44, 9)),
		"remove":   s.writer.DropPartition(ctx, 44, 440000),
		"alias":    s.writer.PutAlias(ctx, aliasOf("a", 44)),
		"database": s.writer.PutDatabase(ctx, &etcdpb.DatabaseInfo{Id: 2}),
	} {
		var q metatable.Quarantined
		require.ErrorAs(t, err, &q, name)
	}
	require.NoError(t, s.writer.Recover(ctx))
	require.Equal(t, before, s.content())
	s.view.Read(func(r Reader) { require.Len(t, r.Quarantined(), 5) })
}

// Milvus' copies of a record go with it, and those of a key that begins like it stay.
func TestCopiesGoWithTheirRecords(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	ctx := t.Context()
	copied := func(key string) {
		_, err := s.client.Put(ctx, keys.MetaRoot+"/snapshots/root-coord/"+key, "x")
		require.NoError(t, err)
	}
	require.NoError(t, s.writer.PutDatabase(ctx, &etcdpb.DatabaseInfo{Id: 2, Name: "db"}))
	require.NoError(t, s.writer.CreateCollection(ctx, newCollection(44, "books", 1, 1)))
	require.NoError(t, s.writer.CreatePartition(ctx, partitionOf(44, 9)))
	require.NoError(t, s.writer.PutAlias(ctx, aliasOf("a", 44)))
	s.putRaw("database/collection-info/2/44", string(tombstone)) // it was there, once
	for _, key := range []string{
		"database/collection-info/1/44_ts1", "database/collection-info/2/44_ts1", "database/collection-info/1/44_ts18446744073709551615",
		"fields/44/100_ts1", "fields/44/1_ts1", "partitions/44/440000_ts1", "partitions/44/9_ts1", "functions/44/100_ts1",
		"database/aliases/1/a_ts1", "database/db-info/2_ts1",
	} {
		copied(key)
	}
	stay := []string{
		"snapshots/root-coord/database/aliases/1/ab_ts1", "snapshots/root-coord/database/collection-info/1/441_ts1",
		"snapshots/root-coord/database/db-info/22_ts1", "snapshots/root-coord/fields/441/100_ts1", "snapshots/root-coord/partitions/44/99_ts1",
	}
	for _, key := range stay {
		copied(strings.TrimPrefix(key, "snapshots/root-coord/"))
	}
	require.NoError(t, s.writer.DropPartition(ctx, 44, 9))
	require.NotContains(t, s.stored(), "snapshots/root-coord/partitions/44/9_ts1")
	require.Subset(t, s.stored(), stay)
	require.NoError(t, s.writer.RenameCollection(ctx, 44, 2, "db", "tomes"))
	require.NotContains(t, s.stored(), "snapshots/root-coord/database/collection-info/2/44_ts1")
	require.NoError(t, s.writer.DropCollection(ctx, 44))
	require.NoError(t, s.writer.DropDatabase(ctx, 2))
	require.Equal(t, slices.DeleteFunc(stay, func(k string) bool { return strings.Contains(k, "/44/") }), s.stored())
}

// A collection of the oldest layout that needs several transactions to be moved is whole at every moment.
func TestALargeOldCollectionIsMoved(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	s := start(t, client)
	ancient := &etcdpb.CollectionInfo{ID: 45, Schema: &schemapb.CollectionSchema{Name: "scrolls"}}
	for i := range int64(60) {
		ancient.Schema.Fields = append(ancient.Schema.Fields, &schemapb.FieldSchema{FieldID: 100 + i, Name: fmt.Sprintf("f%d", i)})
	}
	for i := range int64(1000) {
		ancient.PartitionIDs = append(ancient.PartitionIDs, i+1)                           //nolint:staticcheck // the old layout
		ancient.PartitionNames = append(ancient.PartitionNames, fmt.Sprintf("p%d", i))     //nolint:staticcheck // the old layout
		ancient.PartitionCreatedTimestamps = append(ancient.PartitionCreatedTimestamps, 3) //nolint:staticcheck // the old layout
	}
	s.put("collection/45", ancient)
	whole := func() {
		c := s.byName("scrolls")
		require.NotNil(t, c)
		require.Len(t, c.Partitions, 1000)
		require.Len(t, c.Fields, 60)
	}
	for step := range 3 { // the process dies in the middle, three times
		done := make(chan error, 1)
		go func() { done <- s.writer.AlterCollection(context.Background(), ancient) }()
		require.Eventually(t, func() bool { return len(s.stored()) > step*250 }, time.Minute, 50*time.Microsecond)
		s.depose()
		err := <-done
		s = start(t, client)
		whole()
		if err == nil {
			break
		}
	}
	require.NoError(t, s.writer.CreatePartition(t.Context(), partitionOf(45, 2000)))
	require.NoError(t, s.writer.DropPartition(t.Context(), 45, 2000))
	whole()
	require.Len(t, s.stored(), 1061)
	require.Contains(t, s.stored(), "root-coord/database/collection-info/1/45")
	require.NoError(t, s.writer.DropCollection(t.Context(), 45))
	require.Empty(t, s.stored())
}

// churn makes, renames and drops collections of its own until stop is closed, and returns what must be there and what
// may be.
func (s *setup) churn(stop <-chan struct{}, base int64, seed uint64) (must, may map[int64]bool) {
	random := rand.New(rand.NewPCG(seed, 9)) //nolint:gosec // a test
	must, may = map[int64]bool{}, map[int64]bool{}
	ctx := context.Background()
	for id := base; ; id++ {
		select {
		case <-stop:
			return must, may
		default:
		}
		partitions := 3
		if random.IntN(10) == 0 {
			partitions = 150
		}
		switch err := s.writer.CreateCollection(ctx, newCollection(id, fmt.Sprintf("c%d", id), 4, partitions)); {
		case err == nil:
			must[id] = true
		case errors.Is(err, sessionutil.ErrUnknown):
			may[id] = true
			continue
		default:
			return must, may
		}
		if random.IntN(2) == 0 {
			if err := s.writer.RenameCollection(ctx, id, 2, "other", fmt.Sprintf("r%d", id)); err != nil {
				return must, may
			}
		}
		if random.IntN(3) == 0 {
			delete(must, id)
			if may[id] = true; s.writer.DropCollection(ctx, id) == nil {
				delete(may, id)
			}
		}
	}
}

// Whatever happens to etcd: readers see whole collections, what was acknowledged is there, and a process that starts
// afterwards sees what the one that lived through it sees.
func TestWholeCollectionsThroughEtcdsDeaths(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	s := start(t, etcd.Client(t))
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	var looks atomic.Int64
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s.view.Read(func(r Reader) {
				total, capacity := 0, int64(0)
				for db := range int64(3) {
					for c := range r.Collections(db) {
						total++
						capacity += c.Capacity()
						if n := len(c.Partitions); len(c.Fields) != 6 || n != 3 && n != 150 || strings.HasPrefix(c.Name(), "r") != (db == 2) {
							t.Errorf("half a collection: %s of %d: %d fields, %d partitions", c.Name(), db, len(c.Fields), n)
						}
					}
				}
				if total != r.Total() || capacity != r.Capacity() {
					t.Errorf("%d collections of capacity %d, counted %d and %d", total, capacity, r.Total(), r.Capacity())
				}
			})
			looks.Add(1)
			time.Sleep(time.Millisecond)
		}
	})
	var mu sync.Mutex
	must, may := map[int64]bool{}, map[int64]bool{}
	for i := range 8 {
		writers.Go(func() {
			a, b := s.churn(stop, int64(i+1)*100_000, uint64(i))
			mu.Lock()
			defer mu.Unlock()
			for id := range a {
				must[id] = true
			}
			for id := range b {
				may[id] = true
			}
		})
	}
	for range 3 {
		time.Sleep(150 * time.Millisecond)
		etcd.Kill()
		etcd.Restart()
		etcd.WaitReady()
	}
	time.Sleep(150 * time.Millisecond)
	close(stop)
	writers.Wait()
	readers.Wait()
	require.Positive(t, looks.Load())
	require.NotEmpty(t, must) // how many depends on the machine

	last, err := s.client.Get(t.Context(), "x")
	require.NoError(t, err)
	require.NoError(t, s.table.Barrier(t.Context(), last.Header.Revision))
	fresh := s.readAnew()
	require.Equal(t, dump(fresh), dump(s.view))
	fresh.Read(func(r Reader) {
		for c := range r.AllCollections() {
			require.True(t, must[c.ID()] || may[c.ID()], "collection %d was dropped", c.ID())
			delete(must, c.ID())
		}
		require.Empty(t, must, "acknowledged and lost")
	})
}

// The longest names, the largest fields and a record that leaves little room beside it.
func TestACollectionOfAnySizeIsWritten(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	for name, shape := range map[string]struct{ partitions, params, properties int }{
		"many partitions": {1024, 10, 10},
		"large fields":    {1, 300 << 10, 10},
		"large record":    {1024, 10, 1 << 20},
		"all at once":     {1024, 20 << 10, 1200 << 10},
	} {
		c := newCollection(44, name, 64, shape.partitions)
		c.Info.Properties = []*commonpb.KeyValuePair{{Key: "k", Value: strings.Repeat("x", shape.properties)}}
		for _, p := range c.Partitions {
			p.Info.PartitionName = strings.Repeat("p", 246) + fmt.Sprintf("%09d", p.ID())
		}
		for _, f := range c.Fields {
			f.TypeParams = append(f.TypeParams, &commonpb.KeyValuePair{Key: "k", Value: strings.Repeat("y", shape.params)})
		}
		require.NoError(t, s.writer.CreateCollection(t.Context(), c), name)
		got := s.byName(name)
		require.NotNil(t, got)
		require.Len(t, got.Partitions, shape.partitions)
		require.Len(t, got.Fields, 66)
		require.NoError(t, s.writer.HideCollection(t.Context(), 44))
		require.NoError(t, s.writer.DropCollection(t.Context(), 44))
		require.Empty(t, s.stored(), name)
	}
}

func TestATransactionThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, clustertest.StartEtcd(t).Client(t))
	c := newCollection(44, "books", 1, 1)
	c.Info.Properties = []*commonpb.KeyValuePair{{Key: "k", Value: strings.Repeat("x", 1700<<10)}}
	err := s.writer.CreateCollection(t.Context(), c)
	require.ErrorContains(t, err, "too large")
	require.NotErrorIs(t, err, sessionutil.ErrUnknown)
	c.Info.Properties = nil
	for _, f := range c.Fields { // large fields go in several transactions
		f.Description = strings.Repeat("x", 400<<10)
	}
	require.NoError(t, s.writer.CreateCollection(t.Context(), c))
	require.Len(t, s.byName("books").Fields, 3)
}
