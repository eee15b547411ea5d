package etcdutil

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Members sends a request to one etcd member after the other until one answers. It exists because a client for all
// endpoints may wait on a member that is dead but whose connection is not: half a minute, by default. It is safe for
// concurrent use.
type Members struct {
	clients []*clientv3.Client
	prefer  atomic.Int32 // who answered last
}

// NewMembers makes Members of clients that the caller has dialled, one for each member; Close closes them.
func NewMembers(clients ...*clientv3.Client) *Members { return &Members{clients: clients} }

// Close closes all connections.
func (m *Members) Close() error {
	var errs []error
	for _, c := range m.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Do calls request with one member's client, at most timeout long, and goes on to the next member only if that one did
// not answer ([IsUnavailable]). An answer, also an error that etcd gave, ends the round. When no member answers, the
// error names them all.
func (m *Members) Do(ctx context.Context, timeout time.Duration, request func(context.Context, *clientv3.Client) error) error {
	first := int(m.prefer.Load())
	var failed []error
	for i := range m.clients {
		n := (first + i) % len(m.clients)
		attempt, cancel := context.WithTimeout(ctx, timeout)
		err := request(attempt, m.clients[n])
		cancel()
		if err == nil || !IsUnavailable(err) {
			m.prefer.Store(int32(n)) //nolint:gosec // an index of a handful
			return err
		}
		failed = append(failed, fmt.Errorf("%v: %w", m.clients[n].Endpoints(), err))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// IsUnavailable tells whether err means that no answer of etcd came, so that another member, or the same one later, may
// give it: the connection or the quorum is missing, or the time ran out. It is false for what etcd answered, such as a
// lease that does not exist or a request that is too large.
func IsUnavailable(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	var etcd rpctypes.EtcdError
	if errors.As(err, &etcd) {
		switch etcd.Code() {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unauthenticated:
			return true
		}
		// "too many requests" is etcd asking for patience, not an answer to this request.
		return errors.Is(err, rpctypes.ErrTooManyRequests)
	}
	st, ok := status.FromError(err)
	if !ok {
		return false // not of the connection's making
	}
	switch st.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unauthenticated, codes.Aborted:
		return true
	case codes.Internal, codes.Unknown: // a stream that broke in its middle
		return true
	}
	return false
}
