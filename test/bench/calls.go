package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/rpc"
)

const callers = 64

// echo answers without doing anything: what gRPC itself costs for the same messages.
type echo struct {
	rootcoordpb.UnimplementedRootCoordServer
	described *milvuspb.DescribeCollectionResponse
	shown     *milvuspb.ShowCollectionsResponse
}

func (e echo) AllocTimestamp(_ context.Context, r *rootcoordpb.AllocTimestampRequest) (*rootcoordpb.AllocTimestampResponse, error) {
	return &rootcoordpb.AllocTimestampResponse{Status: &commonpb.Status{}, Timestamp: 450000000000000000, Count: r.GetCount()}, nil
}

func (e echo) DescribeCollection(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
	return e.described, nil
}

func (e echo) ShowCollections(context.Context, *milvuspb.ShowCollectionsRequest) (*milvuspb.ShowCollectionsResponse, error) {
	return e.shown, nil
}

// serveEcho runs the peer until it is killed. BENCH_MESSAGE names a file with its answer, to whichever call it belongs.
func serveEcho(addr string) error {
	e := echo{described: &milvuspb.DescribeCollectionResponse{}, shown: &milvuspb.ShowCollectionsResponse{}}
	if file := os.Getenv("BENCH_MESSAGE"); file != "" {
		b, err := os.ReadFile(file) //nolint:gosec // written by this program
		if err != nil {
			return err
		}
		into := proto.Message(e.described)
		if strings.HasSuffix(file, "shown") {
			into = e.shown
		}
		if err := proto.Unmarshal(b, into); err != nil {
			return err
		}
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	rootcoordpb.RegisterRootCoordServer(s, e)
	return s.Serve(lis)
}

func (b *bench) echo(message string) (rootcoordpb.RootCoordClient, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + freePort()
	if _, err := b.start([]string{"BENCH_ECHO=" + addr, "BENCH_MESSAGE=" + message}, self); err != nil {
		return nil, err
	}
	return dial(addr)
}

func dial(addr string) (rootcoordpb.RootCoordClient, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, append(rpc.DialOptions(rpc.ClientConfig{}), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))...)
	if err != nil {
		return nil, err
	}
	return rootcoordpb.NewRootCoordClient(conn), nil
}

// rate is how many calls a second 64 callers get through in d.
func rate(ctx context.Context, d time.Duration, call func(ctx context.Context) error) (float64, error) {
	var n atomic.Int64
	var failed atomic.Pointer[error]
	began := time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for time.Since(began) < d && failed.Load() == nil {
				if err := call(ctx); err != nil {
					failed.Store(&err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n.Load()) / time.Since(began).Seconds(), nil
}

// compare alternates two calls and returns the median ratio of their rates, and the first one's median rate.
func (b *bench) compare(ctx context.Context, ours, peer func(ctx context.Context) error) (ratio, perSecond float64, err error) {
	var ratios, rates []float64
	for round := range 6 {
		a, err := rate(ctx, 2*time.Second, ours)
		if err != nil {
			return 0, 0, err
		}
		p, err := rate(ctx, 2*time.Second, peer)
		if err != nil {
			return 0, 0, err
		}
		if round > 0 { // the first one warms up
			ratios, rates = append(ratios, a/p), append(rates, a)
		}
	}
	return median(ratios), median(rates), nil
}

func (b *bench) one(ctx context.Context) (rootcoordpb.RootCoordClient, *proc, error) {
	p, err := b.coordinator()
	if err != nil {
		return nil, nil, err
	}
	if err := p.await(ctx, "takeover finished"); err != nil {
		return nil, nil, err
	}
	addr, err := b.address(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := dial(addr)
	return c, p, err
}

func timestamps(ctx context.Context, b *bench) error {
	ours, _, err := b.one(ctx)
	if err != nil {
		return err
	}
	peer, err := b.echo("")
	if err != nil {
		return err
	}
	call := func(c rootcoordpb.RootCoordClient) func(context.Context) error {
		req := &rootcoordpb.AllocTimestampRequest{Count: 1}
		return func(ctx context.Context) error {
			resp, err := c.AllocTimestamp(ctx, req)
			return outcome(resp.GetStatus(), err)
		}
	}
	ratio, perSecond, err := b.compare(ctx, call(ours), call(peer))
	if err != nil {
		return err
	}
	report("AllocTimestamp, 64 callers, against a bare echo", fmt.Sprintf("%.2f (%.0f/s)", ratio, perSecond), "0.85")
	return nil
}

func describe(ctx context.Context, b *bench) error {
	ours, _, err := b.one(ctx)
	if err != nil {
		return err
	}
	if err := createCollection(ctx, ours, "c"); err != nil {
		return err
	}
	req := &milvuspb.DescribeCollectionRequest{Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_DescribeCollection}, CollectionName: "c"}
	answer, err := ours.DescribeCollection(ctx, req)
	if err := outcome(answer.GetStatus(), err); err != nil {
		return err
	}
	message, err := proto.Marshal(answer)
	if err != nil {
		return err
	}
	file := b.dir + "/described"
	if err := os.WriteFile(file, message, 0o600); err != nil {
		return err
	}
	peer, err := b.echo(file)
	if err != nil {
		return err
	}
	call := func(c rootcoordpb.RootCoordClient) func(context.Context) error {
		return func(ctx context.Context) error {
			resp, err := c.DescribeCollection(ctx, req)
			return outcome(resp.GetStatus(), err)
		}
	}
	ratio, perSecond, err := b.compare(ctx, call(ours), call(peer))
	if err != nil {
		return err
	}
	report("DescribeCollection (8 fields), 64 callers, against a bare echo", fmt.Sprintf("%.2f (%.0f/s)", ratio, perSecond), "0.6")
	return nil
}

func create(ctx context.Context, b *bench) error {
	c, _, err := b.one(ctx)
	if err != nil {
		return err
	}
	var n atomic.Int64
	call := func(ctx context.Context) error { return createCollection(ctx, c, fmt.Sprintf("c%d", n.Add(1))) }
	empty, err := rate(ctx, 4*time.Second, call)
	if err != nil {
		return err
	}
	report("CreateCollection (8 fields), 64 callers, from 0 collections", fmt.Sprintf("%.0f/s", empty), "800/s")
	most := int64(20000)
	for n.Load() < most {
		if _, err := rate(ctx, time.Second, call); err != nil {
			return err
		}
	}
	full, err := rate(ctx, 4*time.Second, call)
	if err != nil {
		return err
	}
	report(fmt.Sprintf("the same at %d collections, and the ratio", n.Load()), fmt.Sprintf("%.0f/s, %.2f", full, full/empty), "1")
	raw, err := rate(ctx, 4*time.Second, func(ctx context.Context) error {
		id := n.Add(1)
		var ops []clientv3.Op
		for i := range 12 {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("raw/%d/%d", id, i), string(make([]byte, 60))))
		}
		_, err := b.db.Txn(ctx).Then(ops...).Commit()
		return err
	})
	if err != nil {
		return err
	}
	report("against one raw etcd transaction of 12 puts each, 64 callers", fmt.Sprintf("%.2f (raw %.0f/s)", full/raw, raw), "-")
	return nil
}

func createCollection(ctx context.Context, c rootcoordpb.RootCoordClient, name string) error {
	return createDescribed(ctx, c, name, "")
}

// createDescribed gives each field a description: with one of its own, a collection shares no record with another.
func createDescribed(ctx context.Context, c rootcoordpb.RootCoordClient, name, description string) error {
	schema := &schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64}}}
	for i := range 6 {
		schema.Fields = append(schema.Fields, &schemapb.FieldSchema{Name: fmt.Sprintf("field%d", i), DataType: schemapb.DataType_Int64})
	}
	schema.Fields = append(schema.Fields, &schemapb.FieldSchema{
		Name: "vector", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "128"}},
	})
	for _, f := range schema.Fields {
		f.Description = description
	}
	encoded, err := proto.Marshal(schema)
	if err != nil {
		return err
	}
	status, err := c.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{
		Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_CreateCollection}, CollectionName: name, Schema: encoded, ShardsNum: 1,
	})
	return outcome(status, err)
}

func outcome(s *commonpb.Status, err error) error {
	if err != nil {
		return err
	}
	if s.GetCode() != 0 {
		return fmt.Errorf("code %d: %s", s.GetCode(), s.GetReason())
	}
	return nil
}
