package rpc

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/milvus-coord/milvus/internal/metrics"
)

// SwitchConfig is what a Switch joins.
type SwitchConfig struct {
	Component *Component
	Services  []Service // all of the role's gRPC services; see RootCoordServices and its kin
	Metrics   *metrics.Metrics
}

// Switch lets calls through to the instance of the current term, or answers that the role is not ready. It keeps what
// GetComponentStates and the health service say in step with that. Safe for concurrent use.
type Switch struct {
	component *Component
	health    *health.Server
	methods   map[string][]*method // by service
	services  []Service

	current atomic.Pointer[instance] // nil while closed

	mu      sync.Mutex // orders Open, SetState and Close, so that the health service cannot be left behind
	serving bool
}

// NewSwitch makes a closed Switch. An error is a mistake in the table of services.
func NewSwitch(cfg SwitchConfig) (*Switch, error) {
	s := &Switch{component: cfg.Component, health: health.NewServer(), services: cfg.Services, methods: map[string][]*method{}}
	for i := range cfg.Services {
		methods, err := newMethods(s, cfg.Metrics, i)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", cfg.Services[i].Desc.ServiceName, err)
		}
		s.methods[cfg.Services[i].Desc.ServiceName] = methods
	}
	s.health.SetServingStatus(cfg.Component.Role(), healthpb.HealthCheckResponse_NOT_SERVING)
	return s, nil
}

// SetState changes what GetComponentStates and "not ready" answers say. It lets no call in and keeps none out.
func (s *Switch) SetState(state commonpb.StateCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.component.state.Store(int32(state))
	s.announce()
}

// Open lets calls in to server, which implements the services; a service that it does not implement is answered with
// gRPC's Unimplemented. valid is asked before an answer leaves. An instance that was open before is left at once, without
// waiting for its calls.
func (s *Switch) Open(server any, valid func() bool) {
	next := &instance{server: server, valid: valid, drained: make(chan struct{})}
	for _, service := range s.services {
		next.implements = append(next.implements, reflect.TypeOf(server).Implements(reflect.TypeOf(service.Desc.HandlerType).Elem()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.current.Swap(next); old != nil {
		old.close()
		old.withhold()
	}
	s.announce()
}

// Close lets no more calls in and waits until those under way have been answered. If ctx ends before, the answers of the
// calls that are left are withheld ("not ready" goes out in their place, unless they are writes that succeed), and the
// error tells how many there are.
func (s *Switch) Close(ctx context.Context) error {
	last := s.current.Load()
	if last == nil {
		return nil
	}
	last.close()
	err := last.wait(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.CompareAndSwap(last, nil) {
		// Only now: the health service may say that the term is over when its last answer is decided.
		s.announce()
	}
	return err
}

// announce tells the health service. SERVING begins when calls are let in to a healthy role and ends with Close,
// whatever the state is called meanwhile: a role that is stopping still answers. The lock is held.
func (s *Switch) announce() {
	open := s.current.Load() != nil
	s.serving = open && (s.serving || s.component.State() == commonpb.StateCode_Healthy)
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if s.serving {
		status = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus(s.component.Role(), status)
}

// enter counts a call in. It returns nil if no instance is open; otherwise the caller must call leave on what it returns.
func (s *Switch) enter() *instance {
	if i := s.current.Load(); i != nil && i.enter() {
		return i
	}
	return nil
}

// Overdue tells that the role is open, but that etcd has not confirmed its term lately, so that no answer leaves.
func (s *Switch) Overdue() bool {
	i := s.current.Load()
	return i != nil && i.calls.Load()&closed == 0 && !i.valid()
}

// refusal is the error of a call that enter did not let in.
func (s *Switch) refusal() error {
	state := s.component.State()
	if state == commonpb.StateCode_Healthy { // being closed because the term is over; the state follows
		state = commonpb.StateCode_StandBy
	}
	return s.component.notReady(state)
}

// stale is the error of a call that was let in to an instance whose answers do not count any more.
func (s *Switch) stale(i *instance) error {
	if i.calls.Load()&closed != 0 {
		return s.refusal()
	}
	return s.component.notReady(commonpb.StateCode_Abnormal) // etcd has not confirmed the term lately
}

// closed is the bit of instance.calls that lets nobody in any more.
const closed = int64(1) << 62

// instance is the server of one term and the calls that are in it.
type instance struct {
	server     any
	valid      func() bool
	implements []bool // by the index of the service

	calls    atomic.Int64 // number of calls that entered and have not left, and the closed bit
	withheld atomic.Bool  // nobody waits for the remaining answers any more
	drained  chan struct{}
	once     sync.Once // closes drained: when the closed bit is set and no call is left
}

// enter is one atomic addition. A call that comes after close finds the bit in the sum and takes its count back: it was
// never let in, so drained may have been closed meanwhile.
func (i *instance) enter() bool {
	if i.calls.Add(1)&closed == 0 {
		return true
	}
	i.leave()
	return false
}

func (i *instance) leave() {
	if i.calls.Add(-1) == closed {
		i.once.Do(func() { close(i.drained) })
	}
}

func (i *instance) close() {
	if i.calls.Or(closed)&^closed == 0 {
		i.once.Do(func() { close(i.drained) })
	}
}

// withhold makes every answer that is still to come "not ready".
func (i *instance) withhold() { i.withheld.Store(true) }

func (i *instance) wait(ctx context.Context) error {
	select {
	case <-i.drained:
		return nil
	default:
	}
	select {
	case <-i.drained:
		return nil
	case <-ctx.Done():
		i.withhold()
		return fmt.Errorf("%d calls are still under way: %w", i.calls.Load()&^closed, context.Cause(ctx))
	}
}

// current tells whether an answer may leave.
func (i *instance) current() bool { return !i.withheld.Load() && i.valid() }
