package catalog

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/metatable"
)

// recordsOf are the records of n collections of ten fields and a partition each, in the order of their keys.
func recordsOf(b testing.TB, n int) []metatable.KV {
	var records []metatable.KV
	add := func(key string, value []byte, err error) {
		require.NoError(b, err)
		records = append(records, metatable.KV{Key: key, Value: value, ModRevision: 1})
	}
	for i := range n {
		c := newCollection(int64(450000000000000000+i), fmt.Sprintf("collection_%d", i), 8, 1)
		info, err := record(c.Info)
		add(keys.collection(1, c.ID()), info, err)
		for _, f := range c.Fields {
			value, err := proto.Marshal(f)
			add(keys.child("fields", c.ID(), f.GetFieldID()), value, err)
		}
		value, err := proto.Marshal(c.Partitions[0].Info)
		add(keys.child("partitions", c.ID(), c.Partitions[0].ID()), value, err)
	}
	slices.SortFunc(records, func(a, b metatable.KV) int { return strings.Compare(a.Key, b.Key) })
	return records
}

// What a collection of ten fields costs in memory.
func BenchmarkCollectionInMemory(b *testing.B) {
	const n = 10000
	records := recordsOf(b, n)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		v := NewView(keys)
		v.Load(1, slices.Values(records))()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/collection")
		runtime.KeepAlive(v)
	}
}

// How long a process that starts reads ten thousand collections, 120 thousand keys, from an etcd on the same machine.
func BenchmarkLoadFromEtcd(b *testing.B) {
	client := clustertest.StartEtcd(b).Client(b)
	for some := range slices.Chunk(recordsOf(b, 10000), 100) {
		var ops []clientv3.Op
		for _, kv := range some {
			ops = append(ops, clientv3.OpPut(kv.Key, string(kv.Value)))
		}
		_, err := client.Txn(b.Context()).Then(ops...).Commit()
		require.NoError(b, err)
	}
	for b.Loop() {
		view := NewView(keys)
		f := metatable.New(metatable.Config{
			Name: "bench", Client: client, Prefixes: []string{keys.Prefix()}, State: view, Logger: zap.NewNop(),
		})
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = f.Run(ctx) }()
		<-f.Loaded()
		cancel()
		<-done
	}
}

// Creations of 64 callers, twelve records each.
func BenchmarkCreateCollection(b *testing.B) {
	s := start(b, clustertest.StartEtcd(b).Client(b))
	var next atomic.Int64
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	began := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := next.Add(1)
			c := newCollection(450000000000000000+id, fmt.Sprintf("collection_%d", id), 8, 1)
			if err := s.writer.CreateCollection(context.Background(), c); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(next.Load())/time.Since(began).Seconds(), "creations/s")
}

// How long readers are kept out while a revision with a new collection is applied.
func BenchmarkApplyCreate(b *testing.B) {
	view := NewView(keys)
	view.Load(1, slices.Values(recordsOf(b, 10000)))()
	fresh := recordsOf(b, 1)
	remove := slices.Clone(fresh)
	for i := range remove {
		remove[i].Deleted, remove[i].Value = true, nil
	}
	for b.Loop() {
		view.Apply(2, fresh)
		view.Apply(3, remove)
	}
}
