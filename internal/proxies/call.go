package proxies

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/errs"
)

// Failure is a proxy that failed a call, and how.
type Failure struct {
	ID      int64
	Address string
	Err     error
}

// CallError is a call that some of the proxies failed.
type CallError struct {
	Method string
	Failed []Failure // by id
	Of     int       // how many were called
}

// Error names the proxies and what is wrong with each.
func (e *CallError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d of %d proxies failed", e.Method, len(e.Failed), e.Of)
	for _, f := range e.Failed {
		fmt.Fprintf(&b, "; proxy %d at %s: %v", f.ID, f.Address, f.Err)
	}
	return b.String()
}

// Unwrap gives the error of each proxy.
func (e *CallError) Unwrap() []error {
	all := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		all[i] = f.Err
	}
	return all
}

// IDs are the proxies that failed.
func (e *CallError) IDs() []int64 {
	ids := make([]int64, len(e.Failed))
	for i, f := range e.Failed {
		ids[i] = f.ID
	}
	return ids
}

// Caller calls the fleet in the name of one term. Give it contexts that end with the term. Safe for concurrent use.
type Caller struct {
	fleet  *Fleet
	source int64 // who calls
}

// Caller makes the caller of a term of the process with that server id.
func (f *Fleet) Caller(serverID int64) *Caller { return &Caller{fleet: f, source: serverID} }

// call is one question to one proxy; the Status is the proxy's answer.
type call func(ctx context.Context, id int64, client proxypb.ProxyClient) (*commonpb.Status, error)

// all asks every proxy at once.
func (c *Caller) all(ctx context.Context, method string, ask call) error {
	bound, cancel := context.WithTimeout(ctx, c.fleet.cfg.Timeout)
	defer cancel()
	members, err := c.fleet.list(bound)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return each(bound, method, members, ask)
}

// each asks the members at once and waits for all of them.
func each(ctx context.Context, method string, members []*member, ask call) error {
	outcomes := make([]error, len(members))
	var work sync.WaitGroup
	for i, m := range members {
		work.Go(func() { outcomes[i] = m.ask(ctx, ask) })
	}
	work.Wait()
	failed := &CallError{Method: method, Of: len(members)}
	for i, err := range outcomes {
		if err != nil {
			failed.Failed = append(failed.Failed, Failure{ID: members[i].id, Address: members[i].address, Err: err})
		}
	}
	if len(failed.Failed) > 0 {
		return failed
	}
	return nil
}

// The pause before a proxy that said "retriable" is asked again grows from first to longest.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 300 * time.Millisecond
)

// ask asks one proxy, again while it says that it may be asked again.
func (m *member) ask(ctx context.Context, ask call) error {
	ctx = metadata.AppendToOutgoingContext(ctx, m.metadata...)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		client, err := m.client()
		if err == nil {
			var answer *commonpb.Status
			if answer, err = ask(ctx, m.id, client); err == nil {
				err = errs.FromStatus(answer)
			}
		}
		if err == nil || m.gone.Load() || harmless(err) {
			return nil
		}
		var remote *errs.RemoteError
		if !errors.As(err, &remote) || !remote.Retriable() || clock.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// harmless tells whether a failure means that there is nobody who could use what the call is about.
func harmless(err error) bool {
	if errors.Is(err, errs.NodeNotMatch) || errors.Is(err, errs.NodeNotFound) || errors.Is(err, errs.Unimplemented) {
		return true
	}
	switch status.Code(err) {
	case codes.Unimplemented:
		return true
	case codes.Unknown: // an interceptor's refusal, of which gRPC carries the text alone
		return strings.Contains(status.Convert(err).Message(), errs.NodeNotMatch.Error())
	}
	return false
}
