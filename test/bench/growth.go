package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/twmb/franz-go/pkg/kfake"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

func of(t commonpb.MsgType) *commonpb.MsgBase { return &commonpb.MsgBase{MsgType: t} }

// growth measures how cost grows with the number of collections: of calls, of memory, of doing nothing.
func growth(ctx context.Context, b *bench) error {
	client, p, err := b.one(ctx)
	if err != nil {
		return err
	}
	sizes := []int64{1000, 10000, 100000}
	if b.quick {
		sizes = sizes[:2]
	}
	var made atomic.Int64
	heaps := make([]float64, len(sizes))
	costs := map[string][]string{}
	names := []string{}
	for i, n := range sizes {
		if err := fill(ctx, client, &made, n); err != nil {
			return err
		}
		if heaps[i], err = b.heap(ctx); err != nil {
			return err
		}
		for _, c := range callsAt(client, n) {
			took, err := c.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s at %d collections: %w", c.name, n, err)
			}
			if i == 0 {
				names = append(names, c.name)
			}
			costs[c.name] = append(costs[c.name], fmt.Sprint(round3(took)))
		}
		if n == 10000 {
			if err := showAll(ctx, b, client); err != nil {
				return err
			}
		}
	}
	for _, name := range names {
		report(name+", one caller, p50 at 1k, 10k, ... collections", strings.Join(costs[name], ", "), "flat")
	}
	last := len(sizes) - 1
	perCollection := (heaps[last] - heaps[0]) / float64(sizes[last]-sizes[0])
	report("live memory a collection of 10 fields that all share, by the heap at "+fmt.Sprint(sizes[last]),
		fmt.Sprintf("%.1f KB; RSS %.0f MB", perCollection/1024, p.rss()), "5 KB")
	before, began := p.cpu(), time.Now()
	time.Sleep(idleTime(b))
	report(fmt.Sprintf("idle CPU with %d collections, mq none", sizes[last]),
		fmt.Sprintf("%.3f core", float64(p.cpu()-before)/float64(time.Since(began))), "0.1 core")
	return nil
}

// distinct measures the memory of collections whose fields nobody shares.
func distinct(ctx context.Context, b *bench) error {
	client, p, err := b.one(ctx)
	if err != nil {
		return err
	}
	first, last := int64(1000), int64(20000)
	if b.quick {
		last = 3000
	}
	var made atomic.Int64
	create := func(ctx context.Context, name string) error { return createDescribed(ctx, client, name, name) }
	if err := fillBy(ctx, &made, first, create); err != nil {
		return err
	}
	before, err := b.heap(ctx)
	if err != nil {
		return err
	}
	if err := fillBy(ctx, &made, last, create); err != nil {
		return err
	}
	after, err := b.heap(ctx)
	if err != nil {
		return err
	}
	report(fmt.Sprintf("live memory a collection of 10 fields of its own, by the heap at %d", last),
		fmt.Sprintf("%.1f KB; RSS %.0f MB", (after-before)/float64(last-first)/1024, p.rss()), "5 KB")
	return nil
}

// footprint measures what DDL leaves in etcd, and what it takes.
func footprint(ctx context.Context, b *bench) error {
	client, _, err := b.one(ctx)
	if err != nil {
		return err
	}
	before, err := b.state(ctx)
	if err != nil {
		return err
	}
	const creates = 100
	for i := range creates {
		if err := createCollection(ctx, client, fmt.Sprintf("c%d", i)); err != nil {
			return err
		}
	}
	after, err := b.state(ctx)
	if err != nil {
		return err
	}
	report("etcd transactions a CreateCollection, mq none", fmt.Sprintf("%.2f", float64(after.revision-before.revision)/creates), "1")
	n := 10000
	if b.quick {
		n = 1000
	}
	var callers sync.WaitGroup
	var next atomic.Int64
	var failed atomic.Value
	for range 64 {
		callers.Go(func() {
			for i := next.Add(1); i <= int64(n) && failed.Load() == nil; i = next.Add(1) {
				name := fmt.Sprintf("d%d", i)
				err := createCollection(ctx, client, name)
				if err == nil {
					err = dropCollection(ctx, client, name)
				}
				if err != nil {
					failed.Store(err)
				}
			}
		})
	}
	callers.Wait()
	if err, ok := failed.Load().(error); ok {
		return err
	}
	began := time.Now()
	for {
		end, err := b.state(ctx)
		if err != nil {
			return err
		}
		if end.keys == after.keys || time.Since(began) > time.Minute {
			report(fmt.Sprintf("keys of the metadata before; after creating and dropping %d, and %v", n, time.Since(began).Round(time.Second)),
				fmt.Sprintf("%d; %d", after.keys, end.keys), "as before, 60 s")
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// partitions measures the memory of a million of them.
func partitions(ctx context.Context, b *bench) error {
	client, p, err := b.one(ctx)
	if err != nil {
		return err
	}
	const each = 1000
	collections := int64(1000)
	if b.quick {
		collections = 20
	}
	before, err := b.heap(ctx)
	if err != nil {
		return err
	}
	var next atomic.Int64
	var callers sync.WaitGroup
	var failed atomic.Value
	began := time.Now()
	for range 8 {
		callers.Go(func() {
			for i := next.Add(1); i <= collections && failed.Load() == nil; i = next.Add(1) {
				if err := createPartitioned(ctx, client, fmt.Sprintf("p%d", i), each); err != nil {
					failed.Store(err)
				}
			}
		})
	}
	callers.Wait()
	if err, ok := failed.Load().(error); ok {
		return err
	}
	took := time.Since(began)
	after, err := b.heap(ctx)
	if err != nil {
		return err
	}
	total := collections * each
	report(fmt.Sprintf("live memory a partition, by the heap at %d, made in %v", total, took.Round(time.Second)),
		fmt.Sprintf("%.2f KB; RSS %.0f MB", (after-before)/float64(total)/1024, p.rss()), "1 KB")
	p.end(syscall.SIGTERM)
	began = time.Now()
	if p, err = b.coordinator(); err != nil {
		return err
	}
	if err := p.await(ctx, "takeover finished"); err != nil {
		return err
	}
	report(fmt.Sprintf("start to Healthy on %d partitions", total), fmt.Sprintf("%v; RSS %.0f MB", round(time.Since(began)), p.rss()), "-")
	return nil
}

// ticks measures what time ticks cost: a RootCoord with a broker, and nothing else to do.
func ticks(ctx context.Context, b *bench) error {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	if err != nil {
		return err
	}
	defer broker.Close()
	sizes := []int64{1000, 10000, 100000}
	if b.quick {
		sizes = sizes[:1]
	}
	var made atomic.Int64
	for _, n := range sizes {
		client, p, err := b.one(ctx)
		if err != nil {
			return err
		}
		if err := fill(ctx, client, &made, n); err != nil {
			return err
		}
		p.end(syscall.SIGTERM)
		if p, err = b.coordinator("MQ_TYPE=kafka", "KAFKA_BROKERLIST="+strings.Join(broker.ListenAddrs(), ",")); err != nil {
			return err
		}
		if err := p.await(ctx, "takeover finished"); err != nil {
			return err
		}
		time.Sleep(2 * time.Second) // the topics are made
		before, began := p.cpu(), time.Now()
		time.Sleep(10 * time.Second)
		report(fmt.Sprintf("time ticks on 16 channels every 200 ms, %d collections", n),
			fmt.Sprintf("%.3f core", float64(p.cpu()-before)/float64(time.Since(began))), "flat")
		p.end(syscall.SIGTERM)
	}
	return nil
}

type timedCall struct {
	name  string
	times int
	do    func(ctx context.Context, i int) error
}

// measure is the median of one caller's calls.
func (c timedCall) measure(ctx context.Context) (time.Duration, error) {
	took := make([]time.Duration, c.times)
	for i := range took {
		began := time.Now()
		if err := c.do(ctx, i); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	return median(took), nil
}

// callsAt are calls about collections that fill has made, and about some of their own.
func callsAt(client rootcoordpb.RootCoordClient, n int64) []timedCall {
	name := func(i int) string { return fmt.Sprintf("c%d", int64(i)*7919%n+1) }
	own := func(i int) string { return fmt.Sprintf("own_%d_%d", n, i) }
	return []timedCall{
		{"DescribeCollection", 2000, func(ctx context.Context, i int) error {
			resp, err := client.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{Base: of(commonpb.MsgType_DescribeCollection), CollectionName: name(i)})
			return outcome(resp.GetStatus(), err)
		}},
		{"HasCollection", 2000, func(ctx context.Context, i int) error {
			resp, err := client.HasCollection(ctx, &milvuspb.HasCollectionRequest{Base: of(commonpb.MsgType_HasCollection), CollectionName: name(i)})
			return outcome(resp.GetStatus(), err)
		}},
		{"ShowPartitions", 2000, func(ctx context.Context, i int) error {
			resp, err := client.ShowPartitions(ctx, &milvuspb.ShowPartitionsRequest{Base: of(commonpb.MsgType_ShowPartitions), CollectionName: name(i)})
			return outcome(resp.GetStatus(), err)
		}},
		{"ListDatabases", 2000, func(ctx context.Context, _ int) error {
			resp, err := client.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{Base: of(commonpb.MsgType_ListDatabases)})
			return outcome(resp.GetStatus(), err)
		}},
		{"CreateCollection", 200, func(ctx context.Context, i int) error { return createCollection(ctx, client, own(i)) }},
		{"CreateAlias", 200, func(ctx context.Context, i int) error {
			return outcome(client.CreateAlias(ctx, &milvuspb.CreateAliasRequest{
				Base: of(commonpb.MsgType_CreateAlias), CollectionName: own(i), Alias: "alias_" + own(i),
			}))
		}},
		{"DropCollection", 200, func(ctx context.Context, i int) error { return dropCollection(ctx, client, own(i)) }},
	}
}

// showAll measures the list of all collections, beside a bare echo of the same message.
func showAll(ctx context.Context, b *bench, client rootcoordpb.RootCoordClient) error {
	req := &milvuspb.ShowCollectionsRequest{Base: of(commonpb.MsgType_ShowCollections)}
	shown, err := client.ShowCollections(ctx, req)
	if err := outcome(shown.GetStatus(), err); err != nil {
		return err
	}
	message, err := proto.Marshal(shown)
	if err != nil {
		return err
	}
	file := b.dir + "/shown"
	if err := os.WriteFile(file, message, 0o600); err != nil {
		return err
	}
	peer, err := b.echo(file)
	if err != nil {
		return err
	}
	var p50 [2]time.Duration
	for range 3 { // the last of three rounds, side by side
		for i, c := range []rootcoordpb.RootCoordClient{client, peer} {
			show := timedCall{"", 200, func(ctx context.Context, _ int) error {
				resp, err := c.ShowCollections(ctx, req)
				return outcome(resp.GetStatus(), err)
			}}
			if p50[i], err = show.measure(ctx); err != nil {
				return err
			}
		}
	}
	report(fmt.Sprintf("ShowCollections of 10k (%d KB), one caller, p50; a bare echo of it", len(message)>>10),
		fmt.Sprintf("%v; %v", round3(p50[0]), round3(p50[1])), "2 ms")
	return nil
}

func dropCollection(ctx context.Context, client rootcoordpb.RootCoordClient, name string) error {
	return outcome(client.DropCollection(ctx, &milvuspb.DropCollectionRequest{Base: of(commonpb.MsgType_DropCollection), CollectionName: name}))
}

func createPartitioned(ctx context.Context, client rootcoordpb.RootCoordClient, name string, partitions int64) error {
	encoded, err := proto.Marshal(&schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64}, {Name: "tenant", IsPartitionKey: true, DataType: schemapb.DataType_Int64},
		{Name: "vector", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "128"}}},
	}})
	if err != nil {
		return err
	}
	return outcome(client.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{
		Base: of(commonpb.MsgType_CreateCollection), CollectionName: name, Schema: encoded, ShardsNum: 1, NumPartitions: partitions,
	}))
}

func round3(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// footing is what etcd holds of the metadata.
type footing struct{ revision, keys int64 }

func (b *bench) state(ctx context.Context) (footing, error) {
	resp, err := b.db.Get(ctx, "by-dev/meta/root-coord/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return footing{}, err
	}
	return footing{resp.Header.Revision, resp.Count}, nil
}

// heap is the live memory of the active RootCoord in bytes, after a collection of garbage.
func (b *bench) heap(ctx context.Context) (float64, error) {
	resp, err := b.db.Get(ctx, "by-dev/meta/ha/rootcoord/process/", clientv3.WithPrefix())
	if err != nil || len(resp.Kvs) != 1 {
		return 0, fmt.Errorf("%d processes say where they listen: %w", len(resp.Kvs), err)
	}
	var p struct{ HTTP string }
	if err := json.Unmarshal(resp.Kvs[0].Value, &p); err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTP+"/debug/pprof/heap?gc=1&debug=1", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("no HeapAlloc in %s: %w", req.URL, lines.Err())
}

// idleTime is how long a process is watched that has nothing to do.
func idleTime(b *bench) time.Duration {
	if b.quick {
		return 5 * time.Second
	}
	return 30 * time.Second
}
