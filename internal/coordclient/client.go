package coordclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// memberMark is what Milvus' own processes send as "sourceid": base64 of @@milvus-member@@.
const memberMark = "QEBtaWx2dXMtbWVtYmVyQEA="

// linger is how long calls under way may still be answered by a process whose session has ended. One that stops in order
// has answered before; one that is silent must not hold its callers.
const linger = 100 * time.Millisecond

// Config describes a client.
type Config struct {
	Etcd     *clientv3.Client
	MetaRoot string            // <etcd.rootPath>/<etcd.metaSubPath>
	Role     string            // "rootcoord"
	Cluster  string            // msgChannel.chanNamePrefix.cluster; a server of another cluster refuses the call
	Dial     []grpc.DialOption // how coordinators of this cluster are dialled; see rpc.DialOptions
	Logger   *zap.Logger
}

// Client calls the active process of one role. It is safe for concurrent use; calls take no lock.
type Client struct {
	cfg    Config
	view   atomic.Pointer[view]
	ask    chan struct{} // one element: a caller found the process gone
	cancel context.CancelFunc
	work   sync.WaitGroup // the follower and the connections that linger
}

// view is who is active, as far as is known.
type view struct {
	target  *target       // nil while nobody is
	closed  bool          // the client is closed
	changed chan struct{} // closed when another view has taken this one's place
}

// target is one term of an active process.
type target struct {
	session  sessionutil.Record
	created  int64 // CreateRevision of its active key
	conn     *grpc.ClientConn
	metadata []string
}

var _ grpc.ClientConnInterface = (*Client)(nil)

// New makes a client and begins to look for the active process, until Close is called or ctx ends.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Etcd == nil || cfg.MetaRoot == "" || cfg.Role == "" || cfg.Logger == nil {
		return nil, errors.New("coordclient: Etcd, MetaRoot, Role and Logger are required")
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &Client{cfg: cfg, ask: make(chan struct{}, 1), cancel: cancel}
	c.view.Store(&view{changed: make(chan struct{})})
	f := &follower{client: c, key: sessionutil.ActiveKey(cfg.MetaRoot, cfg.Role)}
	c.work.Go(func() { f.run(ctx) })
	return c, nil
}

// Close ends all calls under way and waits for the client's goroutines. It may be called more than once.
func (c *Client) Close() {
	c.cancel()
	c.work.Wait()
}

// Active is who is called at present.
type Active struct {
	ServerID int64
	Address  string
}

// Active waits for an active process and tells who it is.
func (c *Client) Active(ctx context.Context) (Active, error) {
	t, err := c.await(ctx)
	if err != nil {
		return Active{}, err
	}
	return Active{ServerID: t.session.ServerID, Address: t.session.Address}, nil
}

// NewStream opens a stream to the process that is active now; it ends with that process' session.
func (c *Client) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	t, err := c.await(ctx)
	if err != nil {
		return nil, err
	}
	return t.conn.NewStream(metadata.AppendToOutgoingContext(ctx, t.metadata...), desc, method, opts...)
}

var errClosed = status.Error(codes.Canceled, "the client is closed")

// await returns the active process as soon as there is one.
func (c *Client) await(ctx context.Context) (*target, error) {
	for {
		v := c.view.Load()
		switch {
		case v.closed:
			return nil, errClosed
		case v.target != nil:
			return v.target, nil
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("no active %s: %w", c.cfg.Role, ended(ctx))
		}
	}
}

// ended is the end of a caller's context, as itself and as a gRPC error.
func ended(ctx context.Context) error { return contextError{ctx.Err()} }

type contextError struct{ error }

func (e contextError) Unwrap() error              { return e.error }
func (e contextError) GRPCStatus() *status.Status { return status.FromContextError(e.error) }

// rediscover asks the follower to look who is active, because a call found that the one it knew is not.
// A caller that has given up knows nothing.
func (c *Client) rediscover(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	select {
	case c.ask <- struct{}{}:
	default: // somebody has asked already
	}
}

// show makes t the one that is called; nil for nobody. The follower alone calls it.
func (c *Client) show(next *view) {
	old := c.view.Swap(next)
	close(old.changed)
}

// dial makes the target of a session. It does not wait for the connection.
func (c *Client) dial(session sessionutil.Record, created int64) (*target, error) {
	opts := append([]grpc.DialOption{grpc.WithStatsHandler(sentHandler{})}, c.cfg.Dial...)
	conn, err := grpc.NewClient("passthrough:///"+session.Address, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", session.Address, err)
	}
	conn.Connect()
	t := &target{session: session, created: created, conn: conn, metadata: []string{"sourceid", memberMark}}
	if c.cfg.Cluster != "" {
		t.metadata = append(t.metadata, "cluster", c.cfg.Cluster)
	}
	if session.ServerID != 0 {
		t.metadata = append(t.metadata, "serverid", strconv.FormatInt(session.ServerID, 10))
	}
	return t, nil
}

// retire closes the connection of a target that nobody calls any more, after a moment for what is under way.
func (c *Client) retire(ctx context.Context, t *target) {
	c.work.Go(func() {
		_ = clock.Sleep(ctx, linger)
		_ = t.conn.Close()
	})
}
