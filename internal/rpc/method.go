package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// method is one RPC with everything about it looked up beforehand: a call touches no map of ours.
type method struct {
	sw       *Switch
	service  int // index in sw.services
	name     string
	generic  grpc.MethodHandler // generated: decodes the request and calls the server
	response response
	calls    *metrics.Calls

	always  bool // answered by the component in every state
	shared  bool // answered by the instance, or else by the component
	standBy bool // shared, and answered by the component in StandBy
	writes  bool
	health  bool // CheckHealth: "not ready" is an answer of its own
}

func newMethods(sw *Switch, m *metrics.Metrics, index int) ([]*method, error) {
	service := sw.services[index]
	if len(service.Desc.Streams) != 0 {
		return nil, errors.New("streams are not switched")
	}
	types, err := responses(service.Desc)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(service.Always, service.Shared, service.StandBy, service.Writes) {
		if _, exists := types[name]; !exists {
			return nil, fmt.Errorf("it has no method %s", name)
		}
	}
	methods := make([]*method, 0, len(service.Desc.Methods))
	for _, d := range service.Desc.Methods {
		methods = append(methods, &method{
			sw: sw, service: index, name: d.MethodName, generic: d.Handler,
			response: types[d.MethodName],
			calls:    m.Method(service.Desc.ServiceName, d.MethodName),
			always:   slices.Contains(service.Always, d.MethodName),
			shared:   slices.Contains(service.Shared, d.MethodName),
			standBy:  slices.Contains(service.StandBy, d.MethodName),
			writes:   slices.Contains(service.Writes, d.MethodName),
			health:   d.MethodName == "CheckHealth",
		})
	}
	return methods, nil
}

// call is what one call needs to remember.
type call struct {
	*method
	dec     func(any) error
	request any   // decoded, nil before
	failed  error // why it could not be decoded
}

// decode keeps what gRPC's decoder said apart from what the server says.
func (c *call) decode(request any) error {
	if c.request != nil { // asked for a second time: by the component, after the instance
		proto.Merge(request.(proto.Message), c.request.(proto.Message))
		return nil
	}
	if c.failed = c.dec(request); c.failed == nil {
		c.request = request
	}
	return c.failed
}

// serve answers one call. It is the whole chain of what is otherwise interceptors: flat, because it is on the path of
// every timestamp.
func (m *method) serve(ctx context.Context, b *border, dec func(any) error) (resp any, err error) {
	began, outcome := time.Now(), metrics.Rejected
	ctx, trace := b.trace(ctx)
	c := &call{method: m, dec: dec}
	defer func() {
		if p := recover(); p != nil {
			resp, err, outcome = m.panicked(b, trace, p), nil, metrics.Panicked
		}
		took := time.Since(began)
		m.calls.As(kindOf(c.request)).Done(took, outcome)
		if outcome != metrics.OK || trace != nil {
			b.log(m, trace, took, outcome, resp, err)
		}
	}()
	if err := grpc.SetHeader(ctx, b.header()); err != nil {
		return nil, err
	}
	if err := b.admit(ctx); err != nil {
		return nil, err
	}
	resp, err = m.dispatch(ctx, c)
	outcome = outcomeOf(resp, err)
	return resp, err
}

// kindOf is what Milvus counts calls of one method apart by; empty for most. What a caller made up is no kind.
func kindOf(request any) string {
	switch r := request.(type) {
	case *milvuspb.OperateUserRoleRequest:
		return milvuspb.OperateUserRoleType_name[int32(r.GetType())]
	case *milvuspb.OperatePrivilegeGroupRequest:
		return milvuspb.OperatePrivilegeGroupType_name[int32(r.GetType())]
	}
	return ""
}

// dispatch finds who answers.
func (m *method) dispatch(ctx context.Context, c *call) (any, error) {
	if m.always {
		return c.fromComponent(ctx)
	}
	inst := m.sw.enter()
	if inst == nil {
		if m.standBy && m.sw.component.State() == commonpb.StateCode_StandBy {
			return c.fromComponent(ctx)
		}
		return m.notReady(m.sw.refusal()), nil
	}
	defer inst.leave()
	// A read is judged when it has been made. A write would be refused by its fence; this spares it the way.
	if m.writes && !inst.current() {
		return m.notReady(m.sw.stale(inst)), nil
	}
	var resp any
	err := errAbsent
	if inst.implements[m.service] {
		resp, err = m.generic(inst.server, ctx, c.decode, nil)
	}
	if m.shared && unimplemented(err) {
		return c.fromComponent(ctx)
	}
	if !inst.current() && !(m.writes && final(err)) {
		return m.notReady(m.sw.stale(inst)), nil
	}
	return c.answer(resp, err)
}

func (c *call) fromComponent(ctx context.Context) (any, error) {
	return c.answer(c.generic(c.sw.services[c.service].Component, ctx, c.decode, nil))
}

// answer turns what a server returned into what gRPC sends.
func (c *call) answer(resp any, err error) (any, error) {
	switch {
	case err == nil:
		return resp, nil
	case c.failed != nil:
		return nil, c.failed
	case errors.Is(err, errAbsent):
		return nil, status.Errorf(codes.Unimplemented, "method %s not implemented", c.name)
	case unimplemented(err):
		return nil, err
	case errors.Is(err, sessionutil.ErrDeposed) && !errors.Is(err, sessionutil.ErrUnknown):
		return c.notReady(c.sw.refusal()), nil
	}
	return c.response.with(errs.ToStatus(err)), nil
}

func (m *method) notReady(err error) proto.Message {
	if m.health {
		return m.sw.component.unhealthy(err)
	}
	return m.response.with(errs.ToStatus(err))
}

func (m *method) panicked(b *border, trace *zap.Logger, p any) proto.Message {
	logger := b.logger
	if trace != nil {
		logger = trace
	}
	// The logger adds the stack, which at this point still has the frames of what panicked.
	logger.Error("a call panicked", zap.String("method", m.name), zap.Any("panic", p))
	return m.response.with(errs.ToStatus(errs.Internal.Withf("%s panicked: %v", m.name, p)))
}

// errAbsent says that the instance does not implement the service.
var errAbsent = errors.New("not implemented")

// unimplemented tells whether err is what the generated Unimplemented servers return.
func unimplemented(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, errAbsent) {
		return true
	}
	s, ok := err.(interface{ GRPCStatus() *status.Status }) //nolint:errorlint // an error of a call further on is wrapped
	return ok && s.GRPCStatus().Code() == codes.Unimplemented
}

// final tells whether the outcome of a write stands although the term is no longer valid: it succeeded, or it may have. A
// verdict on the request, such as "not found", was made from tables that may be stale and does not stand.
func final(err error) bool {
	switch errs.KindOf(err) {
	case nil:
		return true
	case errs.Unexpected, errs.Internal, errs.Canceled, errs.DeadlineExceeded:
		if errs.KindOf(err) == errs.Unexpected && errs.Verdict(err) {
			return false
		}
		return errors.Is(err, sessionutil.ErrUnknown) || !errors.Is(err, sessionutil.ErrDeposed)
	}
	return false
}

func outcomeOf(resp any, err error) metrics.Outcome {
	if err != nil {
		if unimplemented(err) {
			return metrics.Unimplemented
		}
		return metrics.Rejected
	}
	s := statusOf(resp)
	switch {
	case s.GetCode() == 0 && s.GetErrorCode() == commonpb.ErrorCode_Success:
		return metrics.OK
	case s.GetCode() == errs.NotReady.Code():
		return metrics.NotReady
	}
	return metrics.Failed
}
