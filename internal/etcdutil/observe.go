package etcdutil

import (
	"context"
	"path"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// Request is one sending of a request to etcd, for those who measure. What the client library sends again is a Request of
// its own. Watches and other streams are none.
type Request struct {
	Method string // such as "Txn"
	Took   time.Duration
	Bytes  int // of the request and its answer
	// Answered is false if etcd did not answer in time, or said that it could not serve. What it refuses is an answer, and
	// a request that its caller gave up is not etcd's failure.
	Answered bool
}

// observer tells of requests. It is a stats.Handler, not an interceptor, because gRPC knows how long the messages are: to
// measure a page of a snapshot anew would take milliseconds.
type observer func(Request)

var _ stats.Handler = observer(nil)

// underway is what is known of a request before its end.
type underway struct {
	method string
	bytes  atomic.Int64
	stream atomic.Bool
}

type underwayKey struct{}

// TagRPC implements stats.Handler.
func (o observer) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, underwayKey{}, &underway{method: path.Base(info.FullMethodName)})
}

// HandleRPC implements stats.Handler.
func (o observer) HandleRPC(ctx context.Context, event stats.RPCStats) {
	r, ok := ctx.Value(underwayKey{}).(*underway)
	if !ok {
		return
	}
	switch e := event.(type) {
	case *stats.Begin:
		r.stream.Store(e.IsClientStream || e.IsServerStream)
	case *stats.OutPayload:
		r.bytes.Add(int64(e.Length))
	case *stats.InPayload:
		r.bytes.Add(int64(e.Length))
	case *stats.End:
		if r.stream.Load() {
			return
		}
		o(Request{
			Method: r.method, Took: e.EndTime.Sub(e.BeginTime), Bytes: int(r.bytes.Load()),
			Answered: status.Code(e.Error) == codes.Canceled || !IsUnavailable(e.Error),
		})
	}
}

// TagConn implements stats.Handler.
func (observer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (observer) HandleConn(context.Context, stats.ConnStats) {}
