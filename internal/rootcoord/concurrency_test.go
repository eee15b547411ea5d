package rootcoord

import (
	"context"
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
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// together runs n calls at once and counts their codes.
func together(n int, call func(i int) error) map[int32]int {
	codes := map[int32]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := call(i)
			mu.Lock()
			defer mu.Unlock()
			codes[errs.ToStatus(err).GetCode()]++
		})
	}
	wg.Wait()
	return codes
}

func TestLimitsHoldUnderConcurrency(t *testing.T) {
	s := newCluster(t).start(t, func(l *Limits) {
		l.MaxCollectionNum, l.MaxCollectionNumPerDB, l.MaxDatabaseNum, l.MaxPartitionNum = 45, 30, 5, 1024
		l.MaxGeneralCapacity = 600
	})
	codes := together(64, func(i int) error {
		_, err := s.CreateDatabase(within(t), &milvuspb.CreateDatabaseRequest{DbName: fmt.Sprintf("d%d", i)})
		return err
	})
	require.Equal(t, map[int32]int{0: 4, 801: 60}, codes)

	codes = together(64, func(i int) error {
		_, err := s.CreateCollection(within(t), createRequest(fmt.Sprintf("c%d", i)))
		return err
	})
	require.Equal(t, map[int32]int{0: 30, 102: 34}, codes)
	require.Len(t, s.show(t, ""), 30)

	first := s.show(t, "")[0]
	codes = together(640, func(i int) error { return s.createPartition(t, first, fmt.Sprintf("p%d", i)) })
	require.Equal(t, map[int32]int{0: 570, 250: 70}, codes)
	require.Len(t, s.partitions(t, first), 571)

	// What is dropped is free for exactly as many.
	for _, p := range s.partitions(t, first)[1:11] {
		require.NoError(t, s.dropPartition(t, first, p))
	}
	codes = together(20, func(i int) error { return s.createPartition(t, first, fmt.Sprintf("q%d", i)) })
	require.Equal(t, map[int32]int{0: 10, 250: 10}, codes)
	require.Equal(t, "5 databases, 30 collections, capacity 600", s.collectionHandlers.ledger.String())
}

func TestLimitOfADatabase(t *testing.T) {
	s := newCluster(t).start(t, func(l *Limits) { l.MaxCollectionNum = 45 })
	s.createDatabase(t, "d", &commonpb.KeyValuePair{Key: "database.max.collections", Value: "5"})
	s.createDatabase(t, "bad", &commonpb.KeyValuePair{Key: "database.max.collections", Value: "many"})
	in := func(db string) func(i int) error {
		return func(i int) error {
			_, err := s.CreateCollection(within(t), createRequest(fmt.Sprintf("c%d", i), func(r *milvuspb.CreateCollectionRequest) { r.DbName = db }))
			return err
		}
	}
	require.Equal(t, map[int32]int{0: 5, 102: 59}, together(64, in("d")))
	require.Equal(t, map[int32]int{G: 1}, together(1, in("bad")))
	require.Equal(t, map[int32]int{0: 40, 102: 24}, together(64, in("default")), "the total counts all databases")
	requireCode(t, 0, in("default")(index(s.show(t, "")[0])), "one that exists is a success at the limit, too")
}

func index(name string) (i int) {
	_, _ = fmt.Sscanf(name, "c%d", &i)
	return i
}

func TestManyCreateOneName(t *testing.T) {
	s := newCluster(t).start(t)
	require.Equal(t, map[int32]int{0: 64}, together(64, func(int) error {
		_, err := s.CreateCollection(within(t), createRequest("c"))
		return err
	}))
	require.Equal(t, "1 databases, 1 collections, capacity 1", s.collectionHandlers.ledger.String())
	codes := together(64, func(i int) error {
		_, err := s.CreateCollection(within(t), createRequest("d", func(r *milvuspb.CreateCollectionRequest) { r.ShardsNum = int32(1 + i%2) }))
		return err
	})
	require.Equal(t, map[int32]int{0: 32, G: 32}, codes, "one of the two forms wins")
	require.Equal(t, map[int32]int{0: 64}, together(64, func(int) error {
		_, err := s.DropCollection(within(t), &milvuspb.DropCollectionRequest{Base: base(commonpb.MsgType_DropCollection), CollectionName: "c"})
		return err
	}))
	require.Equal(t, map[int32]int{0: 1, 1601: 15}, together(16, func(i int) error {
		if i == 0 {
			_, err := s.CreateCollection(within(t), createRequest("n"))
			return err
		}
		time.Sleep(100 * time.Millisecond)
		return s.createAlias(t, "n", "d")
	}))
}

// Everything at once on few names. No call fails in an unforeseen way, and at the end the counts and the tables agree
// with what is in etcd.
func TestConcurrentDDLOnFewNames(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	allowed := map[int32]bool{0: true, 100: true, 1600: true, 1601: true, 1602: true, G: true}
	var calls atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for g := range 24 {
		rng := rand.New(rand.NewPCG(uint64(g), 7))
		wg.Go(func() {
			for ctx.Err() == nil {
				name, other := fmt.Sprintf("x%d", rng.IntN(5)), fmt.Sprintf("x%d", rng.IntN(5))
				var err error
				switch rng.IntN(10) {
				case 0, 1, 2:
					_, err = s.CreateCollection(ctx, createRequest(name))
				case 3:
					_, err = s.DropCollection(ctx, &milvuspb.DropCollectionRequest{Base: base(commonpb.MsgType_DropCollection), CollectionName: name})
				case 4:
					_, err = s.CreateAlias(ctx, &milvuspb.CreateAliasRequest{Base: base(commonpb.MsgType_CreateAlias), Alias: name, CollectionName: other})
				case 5:
					_, err = s.AlterAlias(ctx, &milvuspb.AlterAliasRequest{Base: base(commonpb.MsgType_AlterAlias), Alias: name, CollectionName: other})
				case 6:
					_, err = s.DropAlias(ctx, &milvuspb.DropAliasRequest{Base: base(commonpb.MsgType_DropAlias), Alias: name})
				case 7:
					_, err = s.CreatePartition(ctx, &milvuspb.CreatePartitionRequest{
						Base: base(commonpb.MsgType_CreatePartition), CollectionName: name, PartitionName: other,
					})
				case 8:
					_, err = s.DropPartition(ctx, &milvuspb.DropPartitionRequest{
						Base: base(commonpb.MsgType_DropPartition), CollectionName: name, PartitionName: other,
					})
				case 9:
					_, err = s.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{
						Base: base(commonpb.MsgType_RenameCollection), OldName: name, NewName: other,
					})
				}
				calls.Add(1)
				if code := errs.ToStatus(err).GetCode(); ctx.Err() == nil && !allowed[code] ||
					errors.Is(err, sessionutil.ErrGuard) {
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d calls", calls.Load())
	s.collectionHandlers.ddl.running.Wait() // for calls whose caller had gone
	list, capacity := s.show(t, ""), 0
	for _, name := range list {
		capacity += len(s.partitions(t, name))
	}
	require.Equal(t, fmt.Sprintf("1 databases, %d collections, capacity %d", len(list), capacity), s.collectionHandlers.ledger.String())
	requireLoads(t, s, len(list))
	names := map[string]bool{}
	for _, name := range list {
		require.False(t, names[name], "two collections of one name")
		names[name] = true
		d, err := s.describe(t, name)
		require.NoError(t, err)
		require.Equal(t, name, d.GetCollectionName(), "an alias hides a collection")
	}
	s.end()
	s = c.start(t)
	require.Equal(t, fmt.Sprintf("1 databases, %d collections, capacity %d", len(list), capacity), s.collectionHandlers.ledger.String())
	require.ElementsMatch(t, list, s.show(t, ""))
	requireLoads(t, s, len(list))
}

// requireLoads checks that the channels carry as many collections as there are.
func requireLoads(t *testing.T, s *server, collections int) {
	t.Helper()
	pool := s.collectionHandlers.channels
	pool.mu.Lock()
	defer pool.mu.Unlock()
	sum := 0
	for _, c := range pool.channels {
		require.GreaterOrEqual(t, c.collections, 0)
		sum += c.collections
	}
	require.Equal(t, collections, sum)
}

func TestChannelsAreSpread(t *testing.T) {
	s := newCluster(t).start(t)
	together(64, func(i int) error {
		_, err := s.CreateCollection(within(t), createRequest(fmt.Sprintf("c%d", i), func(r *milvuspb.CreateCollectionRequest) { r.ShardsNum = 2 }))
		return err
	})
	for _, c := range s.collectionHandlers.channels.channels {
		require.Equal(t, 8, c.collections, "channel %s", c.name)
	}
}

func TestChannelsThatWereMadeBeforehand(t *testing.T) {
	s := newCluster(t).start(t, func(l *Limits) { l.Channels = []string{"topic_a", "topic_b"} })
	s.create(t, "c", func(r *milvuspb.CreateCollectionRequest) { r.ShardsNum = 2 })
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	require.Equal(t, []string{"topic_a", "topic_b"}, d.GetPhysicalChannelNames())
	require.Equal(t, fmt.Sprintf("topic_b_%dv1", d.GetCollectionID()), d.GetVirtualChannelNames()[1])
	_, err = s.CreateCollection(within(t), createRequest("d", func(r *milvuspb.CreateCollectionRequest) { r.ShardsNum = 3 }))
	requireCode(t, G, err, "there are two")
}

// A caller that goes away is answered at once. Its write goes on, under its locks, until etcd has answered.
func TestCallerGoesAway(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	c.etcd.Pause()
	require.Eventually(t, func() bool { // the signal takes effect in its own time
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := c.client.Get(ctx, "k")
		return err != nil
	}, time.Minute, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.CreateCollection(ctx, createRequest("c"))
	requireCode(t, 10001, err)
	require.Less(t, time.Since(began), 5*time.Second)

	// The name stays locked: nobody may decide anything about it.
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.DropCollection(ctx, &milvuspb.DropCollectionRequest{Base: base(commonpb.MsgType_DropCollection), CollectionName: "c"})
	requireCode(t, 10001, err)
	require.False(t, s.has(t, "c"))

	c.etcd.Resume()
	require.Eventually(t, func() bool { return s.has(t, "c") }, time.Minute, 10*time.Millisecond)
	s.create(t, "c")
	s.drop(t, "c")
}

// etcd takes no record of that size. What was written before it is taken away again, and the name is free.
func TestAFieldThatFitsNowhere(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	before := c.metadata(t)
	tooLarge := createWith(vectorSchema("c", func(s *schemapb.CollectionSchema) {
		for i := range 3 {
			s.Fields = append(s.Fields, &schemapb.FieldSchema{
				Name: fmt.Sprintf("f%d", i), DataType: schemapb.DataType_Int64, Description: strings.Repeat("x", (i+1)*600<<10),
			})
		}
	}))
	_, err := s.CreateCollection(within(t), tooLarge)
	requireCode(t, G, err)
	require.ErrorContains(t, err, "too large")
	s.create(t, "c")
	s.drop(t, "c")
	require.Eventually(t, func() bool { return slices.Equal(before, c.metadata(t)) }, time.Minute, 10*time.Millisecond)
	require.Equal(t, "1 databases, 0 collections, capacity 0", s.aliasHandlers.ledger.String())
}

// A foreign program that writes RootCoord's keys is noticed, not overwritten.
func TestForeignWriter(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	id, err := s.collectionHandlers.ids.Alloc(t.Context(), 1)
	require.NoError(t, err)
	key := fmt.Sprintf("root-coord/database/collection-info/1/%d", id+1) // where the next collection will be
	c.putMessage(t, key, halfCollection(int64(id)+1, "foreign", etcdpb.CollectionState_CollectionCreated))
	_, err = s.CreateCollection(within(t), createRequest("c"))
	requireCode(t, G, err)
	require.ErrorContains(t, err, key)
	require.False(t, errs.Retriable(err))
	require.False(t, s.has(t, "c"))
	require.Equal(t, "1 databases, 0 collections, capacity 0", s.collectionHandlers.ledger.String(), "what failed is not counted")
	requireLoads(t, s, 0)
	require.Len(t, c.keysUnder(t, key), 1, "the foreign record is untouched")
	require.Eventually(t, func() bool { return s.has(t, "foreign") }, time.Minute, time.Millisecond)
	s.create(t, "c")
}
