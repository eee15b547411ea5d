package rootcoord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/errs"
)

// record gives the revisions of the metadata that work writes, each as the operations that make it.
func (c *cluster) record(t *testing.T, work func()) [][]clientv3.Op {
	t.Helper()
	prefix := c.metaRoot() + "/root-coord/"
	now, err := c.client.Get(within(t), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := c.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(now.Header.Revision+1))
	work()
	last, err := c.client.Put(within(t), prefix+"end", "")
	require.NoError(t, err)
	var revisions [][]clientv3.Op
	at := int64(0)
	for resp := range watch {
		for _, e := range resp.Events {
			if e.Kv.ModRevision == last.Header.Revision {
				_, err := c.client.Delete(within(t), prefix+"end")
				require.NoError(t, err)
				return revisions
			}
			if e.Kv.ModRevision != at {
				at = e.Kv.ModRevision
				revisions = append(revisions, nil)
			}
			op := clientv3.OpDelete(string(e.Kv.Key))
			if e.Type == clientv3.EventTypePut {
				op = clientv3.OpPut(string(e.Kv.Key), string(e.Kv.Value))
			}
			revisions[len(revisions)-1] = append(revisions[len(revisions)-1], op)
		}
	}
	t.Fatal("the watch ended")
	return nil
}

// replay makes another cluster whose metadata is that of the first revisions.
func (c *cluster) replay(t *testing.T, root string, revisions ...[]clientv3.Op) *cluster {
	t.Helper()
	other := c.beside(root)
	for _, ops := range revisions {
		for _, op := range ops {
			key := other.metaRoot() + strings.TrimPrefix(string(op.KeyBytes()), c.metaRoot())
			var err error
			if op.IsDelete() {
				_, err = c.client.Delete(within(t), key)
			} else {
				_, err = c.client.Put(within(t), key, string(op.ValueBytes()))
			}
			require.NoError(t, err)
		}
	}
	return other
}

// requireWhole checks that every collection there is is complete, and that nothing belongs to a collection that is not
// there.
func requireWhole(t *testing.T, c *cluster, s *server, fields int, partitions func(name string) int) {
	t.Helper()
	var ids []string
	list, err := s.ShowCollections(within(t), &milvuspb.ShowCollectionsRequest{Base: base(commonpb.MsgType_ShowCollections)})
	require.NoError(t, err)
	for i, name := range list.GetCollectionNames() {
		id := fmt.Sprint(list.GetCollectionIds()[i])
		ids = append(ids, id)
		require.Len(t, c.keysUnder(t, "root-coord/fields/"+id+"/"), fields, name)
		require.Len(t, c.keysUnder(t, "root-coord/partitions/"+id+"/"), partitions(name), name)
	}
	orphans := func() (found []string) {
		for _, kind := range []string{"database/collection-info/1/", "fields/", "partitions/", "functions/"} {
			for _, key := range c.keysUnder(t, "root-coord/"+kind) {
				rest := strings.TrimPrefix(key, c.metaRoot()+"/root-coord/"+kind)
				id, _, _ := strings.Cut(rest, "/")
				if !strings.Contains(" "+strings.Join(ids, " ")+" ", " "+id+" ") {
					found = append(found, key)
				}
			}
		}
		return found
	}
	for deadline := time.Now().Add(30 * time.Second); len(orphans()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left over: %v", orphans())
		}
	}
}

// A creation of several transactions that ends after any of them is undone by the next activation, or whole.
func TestCrashAtEachStepOfACreation(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	const partitions = 300
	before := c.record(t, func() { s.createDatabase(t, "d") })
	steps := c.record(t, func() {
		_, err := s.CreateCollection(within(t), createWith(vectorSchema("big", partitionKey), func(r *milvuspb.CreateCollectionRequest) {
			r.NumPartitions = partitions
		}))
		require.NoError(t, err)
	})
	require.Greater(t, len(steps), 2, "it should take several transactions")
	for k := range len(steps) + 1 {
		t.Run(fmt.Sprintf("after %d of %d", k, len(steps)), func(t *testing.T) {
			c := c.replay(t, fmt.Sprintf("crash%d", k), append(before[:1:1], steps[:k]...)...)
			s := c.start(t)
			require.Equal(t, k == len(steps), s.has(t, "big"), "visible only when the last step is done")
			requireWhole(t, c, s, 5, func(string) int { return partitions })
			require.Equal(t, k == len(steps), s.has(t, "big"))
			s.create(t, "small")
		})
	}
}

// A drop of several transactions that ends after any but none of them is finished by the next activation.
func TestCrashAtEachStepOfADrop(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	const aliases = 130
	before := c.record(t, func() {
		s.create(t, "c")
		for i := range aliases {
			require.NoError(t, s.createAlias(t, fmt.Sprintf("n%d", i), "c"))
		}
	})
	steps := c.record(t, func() { s.drop(t, "c") })
	require.Greater(t, len(steps), 2, "it should take several transactions")
	for k := range len(steps) + 1 {
		t.Run(fmt.Sprintf("after %d of %d", k, len(steps)), func(t *testing.T) {
			c := c.replay(t, fmt.Sprintf("crash%d", k), append(before[:len(before):len(before)], steps[:k]...)...)
			s := c.start(t)
			require.Equal(t, k == 0, s.has(t, "c"), "invisible from the first step on")
			requireWhole(t, c, s, 4, func(string) int { return 1 })
			require.Equal(t, k == 0, s.has(t, "n7"))
			want := 0
			if k == 0 {
				want = aliases
			}
			require.Eventually(t, func() bool { return len(c.keysUnder(t, "root-coord/database/aliases/")) == want },
				30*time.Second, 20*time.Millisecond)
		})
	}
}

// Terms end in the middle of concurrent DDL. What was acknowledged is there in the next term; what was not is there whole
// or not at all; no id is given twice, and time does not go back.
func TestTermsEndInTheMiddleOfDDL(t *testing.T) {
	c := newCluster(t)
	acked := map[string]bool{} // name -> exists, for names whose last call was answered
	var mu sync.Mutex
	var lastTS uint64
	ids := map[int64]string{}
	for round := range 4 {
		s := c.start(t)
		ts, err := s.AllocTimestamp(within(t), &rootcoordpb.AllocTimestampRequest{Count: 1})
		require.NoError(t, err)
		require.Greater(t, ts.GetTimestamp(), lastTS)
		for name, exists := range acked {
			require.Equal(t, exists, s.has(t, name), name)
		}
		requireWhole(t, c, s, 5, partitionsOf)

		ctx, stop := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for g := range 8 {
			rng := rand.New(rand.NewPCG(uint64(round), uint64(g)))
			callers.Go(func() {
				for ctx.Err() == nil {
					name := fmt.Sprintf("c%d_%d", g, rng.IntN(6))
					create := rng.IntN(3) > 0
					var err error
					if create {
						_, err = s.CreateCollection(ctx, createWith(vectorSchema(name, partitionKey), func(r *milvuspb.CreateCollectionRequest) {
							r.NumPartitions = int64(partitionsOf(name))
						}))
					} else {
						_, err = s.DropCollection(ctx, &milvuspb.DropCollectionRequest{
							Base: base(commonpb.MsgType_DropCollection), CollectionName: name,
						})
					}
					mu.Lock()
					if err == nil {
						acked[name] = create
					} else {
						delete(acked, name) // done or not
						stop()
						if kind := errs.KindOf(err); kind != errs.NotReady && kind != errs.Canceled {
							t.Errorf("%s: %v", name, err)
						}
					}
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(150+100*round) * time.Millisecond)
		s.crash()
		last, err := s.collectionHandlers.ids.Alloc(t.Context(), 1)
		requireCode(t, 1, err, "a term that is over gives no ids, it gave ", last)
		stop()
		callers.Wait()
		lastTS = ts.GetTimestamp()
	}
	s := c.start(t)
	for name, exists := range acked {
		require.Equal(t, exists, s.has(t, name), name)
		if !exists {
			continue
		}
		d, err := s.describe(t, name)
		require.NoError(t, err)
		require.Empty(t, ids[d.GetCollectionID()], "one id, two collections")
		ids[d.GetCollectionID()] = name
	}
	requireWhole(t, c, s, 5, partitionsOf)
	require.NotEmpty(t, acked)
}

// partitionsOf makes some collections need several transactions.
func partitionsOf(name string) int {
	if strings.HasSuffix(name, "_0") || strings.HasSuffix(name, "_3") {
		return 260
	}
	return 3
}
