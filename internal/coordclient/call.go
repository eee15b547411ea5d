package coordclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
)

// ErrOutcomeUnknown says that a call may or may not have been executed, and that sending it again could do harm.
var ErrOutcomeUnknown = errors.New("outcome unknown")

// The pause between two tries grows from first to longest; a switch ends it.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// verdict is what is to be done about the outcome of one try.
type verdict int

const (
	final     verdict = iota // the caller's
	again                    // not executed; the same process may do it in a moment
	elsewhere                // not executed; look who is active
	unknown                  // may have been executed
)

// Invoke makes a unary call; see the package's comment for what is sent again.
func (c *Client) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	pause := firstPause
	var last *target
	for {
		t, err := c.await(ctx)
		if err != nil {
			return err
		}
		if t != last {
			last, pause = t, firstPause
		}
		v := c.view.Load() // before the try, so that a switch during it ends the pause
		sent := &sentFlag{}
		err = t.conn.Invoke(context.WithValue(metadata.AppendToOutgoingContext(ctx, t.metadata...), sentKey{}, sent),
			method, args, reply, opts...)
		answer := err
		if err == nil {
			answer = refusal(method, reply)
		}
		switch judge(err, answer, sent.Load()) {
		case final:
			return err
		case unknown:
			if !idempotent(method) {
				return fmt.Errorf("%s at %s %d: %w: %w", method, c.cfg.Role, t.session.ServerID, ErrOutcomeUnknown, err)
			}
			c.rediscover(ctx)
		case elsewhere:
			c.rediscover(ctx)
		case again:
		}
		if ctx.Err() != nil || c.wait(ctx, v, t, pause) != nil {
			return fmt.Errorf("%s at %s %d: %w (last answer: %w)", method, c.cfg.Role, t.session.ServerID, ended(ctx), answer)
		}
		pause = min(pause*3/2, longestPause)
	}
}

// wait pauses between two tries. It is cut short when t is not the active one any more.
func (c *Client) wait(ctx context.Context, v *view, t *target, pause time.Duration) error {
	if c.view.Load().target != t {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// judge decides about one try. err is gRPC's, answer is err or the Status in the reply.
func judge(err, answer error, sent bool) verdict {
	if err == nil {
		var remote *errs.RemoteError
		if errors.As(answer, &remote) && remote.Retriable() {
			return again
		}
		return final
	}
	code := status.Code(err)
	switch {
	case code == codes.Unknown && misdirected(err):
		return elsewhere
	case code != codes.Unavailable && code != codes.Canceled && code != codes.DeadlineExceeded:
		return final
	case sent:
		return unknown
	}
	return elsewhere
}

// misdirected tells whether the server refused a call that was meant for another cluster or process. Milvus says so in
// the text alone.
func misdirected(err error) bool {
	text := status.Convert(err).Message()
	return strings.Contains(text, errs.NodeNotMatch.Error()) || strings.Contains(text, errs.CrossClusterRouting.Error())
}

// refusal is the Status in a reply as an error; nil if it is a success, and for CheckHealth, whose refusal is its answer.
func refusal(method string, reply any) error {
	if strings.HasSuffix(method, "/CheckHealth") {
		return nil
	}
	switch r := reply.(type) {
	case *commonpb.Status:
		return errs.FromStatus(r)
	case interface{ GetStatus() *commonpb.Status }:
		return errs.FromStatus(r.GetStatus())
	}
	return nil
}

// sentFlag tells whether a request has left for the other side.
type sentFlag struct{ atomic.Bool }

type sentKey struct{}

// sentHandler raises the flag of a call when gRPC hands its headers to the connection. It is conservative: what it calls
// sent may still be in a local buffer.
type sentHandler struct{}

// TagRPC implements stats.Handler.
func (sentHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (sentHandler) HandleRPC(ctx context.Context, event stats.RPCStats) {
	var sent bool
	switch e := event.(type) {
	case *stats.Begin: // gRPC repeats a try by itself only if the server has not looked at it
		if !e.IsTransparentRetryAttempt {
			return
		}
	case *stats.OutHeader:
		sent = true
	default:
		return
	}
	if flag, ok := ctx.Value(sentKey{}).(*sentFlag); ok {
		flag.Store(sent)
	}
}

// TagConn implements stats.Handler.
func (sentHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (sentHandler) HandleConn(context.Context, stats.ConnStats) {}
