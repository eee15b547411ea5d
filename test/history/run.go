package history

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/rpc"
)

// never is the return of a call whose outcome nobody knows.
const never = int64(1) << 62

// recorder keeps what callers see, on one clock.
type recorder struct {
	began time.Time

	mu  sync.Mutex
	all []porcupine.Operation
}

func (r *recorder) now() int64 { return int64(time.Since(r.began)) }

func (r *recorder) add(client int, in input, called int64, out output) {
	ended := r.now()
	if out.result == unknown {
		ended = never
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: ended})
}

// directory finds the active process and keeps connections, one a process.
type directory struct {
	db *clientv3.Client

	mu    sync.Mutex
	conns map[string]*grpc.ClientConn
}

func (d *directory) at(address string) (rootcoordpb.RootCoordClient, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	conn := d.conns[address]
	if conn == nil {
		var err error
		if conn, err = grpc.NewClient("passthrough:///"+address, rpc.DialOptions(rpc.ClientConfig{})...); err != nil {
			return nil, err
		}
		d.conns[address] = conn
	}
	return rootcoordpb.NewRootCoordClient(conn), nil
}

func (d *directory) close() {
	for _, c := range d.conns {
		_ = c.Close()
	}
}

// active is the process that holds the role and says that it serves. Calls are not sent to another one: one that could have
// been done twice would be no single call to the model.
func (d *directory) active(ctx context.Context) (rootcoordpb.RootCoordClient, error) {
	for ctx.Err() == nil {
		if c := d.try(ctx); c != nil {
			return c, nil
		}
		pause(ctx, 10*time.Millisecond)
	}
	return nil, ctx.Err()
}

func (d *directory) try(ctx context.Context) rootcoordpb.RootCoordClient {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	resp, err := d.db.Get(ctx, "by-dev/meta/session/rootcoord")
	if err != nil || len(resp.Kvs) == 0 {
		return nil
	}
	var s struct{ Address string }
	if json.Unmarshal(resp.Kvs[0].Value, &s) != nil {
		return nil
	}
	c, err := d.at(s.Address)
	if err != nil {
		return nil
	}
	state, err := c.GetComponentStates(ctx, &milvuspb.GetComponentStatesRequest{})
	if err != nil || state.GetState().GetStateCode() != commonpb.StateCode_Healthy {
		return nil
	}
	return c
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// callTimeout is how long a caller waits before it says that it does not know.
const callTimeout = 2 * time.Second

// follow makes calls of all kinds to the active process until ctx ends.
func follow(ctx context.Context, client int, d *directory, r *recorder) {
	for {
		c, err := d.active(ctx)
		if err != nil {
			return
		}
		for sure := true; sure; {
			if ctx.Err() != nil {
				return
			}
			in := input{
				kind: kind(rand.IntN(int(describeAlias) + 1)), name: rand.IntN(collections), other: rand.IntN(collections), alias: rand.IntN(aliases), //nolint:gosec // a test's choice
			}
			sure = once(ctx, client, c, in, r)
			pause(ctx, time.Millisecond)
		}
	}
}

// heldTimeout is how long a caller waits that holds on to one process. It is short, so that there are calls which begin while
// the process is paused and another one serves, and which it finds when it wakes up.
const heldTimeout = time.Second

// hold reads from one process, whatever becomes of it, until ctx ends.
func hold(ctx context.Context, client int, c rootcoordpb.RootCoordClient, r *recorder) {
	for ctx.Err() == nil {
		in := input{kind: describe, name: rand.IntN(collections)} //nolint:gosec // a test's choice
		called := r.now()
		one, cancel := context.WithTimeout(ctx, heldTimeout)
		out, sure := do(one, c, in)
		cancel()
		if sure {
			r.add(client, in, called, out)
		}
		pause(ctx, time.Millisecond)
	}
}

// once makes one call and records it. It tells whether its outcome is known.
func once(ctx context.Context, client int, c rootcoordpb.RootCoordClient, in input, r *recorder) bool {
	called := r.now()
	one, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	out, sure := do(one, c, in)
	if sure || in.kind != describe && in.kind != describeAlias { // a read that failed has shown nothing
		r.add(client, in, called, out)
	}
	return sure
}

// do makes a call.
func do(ctx context.Context, c rootcoordpb.RootCoordClient, in input) (out output, sure bool) {
	if in.kind == describe || in.kind == describeAlias {
		name := collectionName(in.name)
		if in.kind == describeAlias {
			name = aliasName(in.alias)
		}
		resp, err := c.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{Base: of(commonpb.MsgType_DescribeCollection), CollectionName: name})
		switch {
		case err == nil && resp.GetStatus().GetCode() == 0:
			return output{id: resp.GetCollectionID()}, true
		case err == nil && resp.GetStatus().GetCode() == errs.CollectionNotFound.Code():
			return output{}, true
		}
		return output{result: unknown}, false
	}
	status, err := change(ctx, c, in)
	if err == nil {
		switch status.GetCode() {
		case 0:
			return output{}, true
		case errs.CollectionNotFound.Code(), errs.AliasNotFound.Code(), errs.AliasAlreadyExists.Code():
			return output{result: refused}, true
		case errs.Unexpected.Code():
			if in.kind == rename {
				return output{result: refused}, true
			}
		}
	}
	return output{result: unknown}, false
}

func change(ctx context.Context, c rootcoordpb.RootCoordClient, in input) (*commonpb.Status, error) {
	name, alias := collectionName(in.name), aliasName(in.alias)
	switch in.kind {
	case create:
		schema, err := proto.Marshal(&schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
			{Name: "pk", DataType: schemapb.DataType_Int64, IsPrimaryKey: true},
		}})
		if err != nil {
			return nil, err
		}
		return c.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{
			Base: of(commonpb.MsgType_CreateCollection), CollectionName: name, Schema: schema, ShardsNum: 1,
		})
	case drop:
		return c.DropCollection(ctx, &milvuspb.DropCollectionRequest{Base: of(commonpb.MsgType_DropCollection), CollectionName: name})
	case rename:
		return c.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{
			Base: of(commonpb.MsgType_RenameCollection), OldName: name, NewName: collectionName(in.other),
		})
	case createAlias:
		return c.CreateAlias(ctx, &milvuspb.CreateAliasRequest{Base: of(commonpb.MsgType_CreateAlias), CollectionName: name, Alias: alias})
	case alterAlias:
		return c.AlterAlias(ctx, &milvuspb.AlterAliasRequest{Base: of(commonpb.MsgType_AlterAlias), CollectionName: name, Alias: alias})
	case dropAlias:
		return c.DropAlias(ctx, &milvuspb.DropAliasRequest{Base: of(commonpb.MsgType_DropAlias), Alias: alias})
	}
	return nil, fmt.Errorf("%v is no change", in.kind)
}

func of(t commonpb.MsgType) *commonpb.MsgBase { return &commonpb.MsgBase{MsgType: t} }

func collectionName(i int) string { return fmt.Sprintf("c%d", i) }
func aliasName(i int) string      { return fmt.Sprintf("a%d", i) }
