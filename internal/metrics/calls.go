package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcome is how a call ended.
type Outcome int

// The outcomes.
const (
	OK            Outcome = iota // answered, with success
	Failed                       // answered, with an error in its Status
	NotReady                     // refused because the role does not serve
	Rejected                     // refused because it was meant for another cluster or node, or cannot be read
	Unimplemented                // the method is not there yet
	Panicked                     // the handler panicked
	outcomes
)

var outcomeNames = [outcomes]string{"ok", "fail", "not_ready", "rejected", "unimplemented", "panic"}

// String is the outcome as the label shows it.
func (o Outcome) String() string { return outcomeNames[o] }

// Calls measures one method. A series is looked up when it is first needed and never again, so that measuring a call
// costs a few atomic additions, and methods that nobody calls have no series.
type Calls struct {
	metrics         *Metrics
	service, method string
	ddlName         string // function_name of Milvus' DDL series; empty for methods that are not counted there

	kinds    sync.Map // *Calls by what Milvus counts apart
	series   atomic.Pointer[callSeries]
	outcomes [outcomes]atomic.Pointer[prometheus.Counter]
}

type callSeries struct {
	took                          prometheus.Observer
	ddlTotal, ddlSuccess, ddlFail prometheus.Counter // nil unless DDL
	ddlLatency                    prometheus.Observer
}

// rootCoordService is the one whose DDL Milvus counts.
const rootCoordService = "milvus.proto.rootcoord.RootCoord"

// notDDL are the methods of that service that Milvus does not count.
var notDDL = map[string]bool{
	"GetComponentStates": true, "GetTimeTickChannel": true, "GetStatisticsChannel": true, "ShowSegments": true,
	"AllocTimestamp": true, "AllocID": true, "UpdateChannelTimeTick": true, "InvalidateCollectionMetaCache": true,
	"ShowConfigurations": true, "GetMetrics": true, "CheckHealth": true, "GetPChannelInfo": true,
}

// ddlNames are the methods that Milvus counts under another name.
var ddlNames = map[string]string{"ListPolicy": "PolicyList"}

func ddlName(method string) string {
	if name, other := ddlNames[method]; other {
		return name
	}
	return method
}

// Method gives the measurements of a method of a gRPC service, such as milvus.proto.rootcoord.RootCoord.
func (m *Metrics) Method(service, method string) *Calls {
	c := &Calls{metrics: m, service: service, method: method}
	if service == rootCoordService && !notDDL[method] {
		c.ddlName = ddlName(method)
	}
	return c
}

// As gives the measurements of the calls of one kind, such as AddUserToRole, which Milvus' DDL series count apart. An empty
// kind, and any kind of a method that is not counted there, is the method itself.
func (c *Calls) As(kind string) *Calls {
	if kind == "" || c.ddlName == "" {
		return c
	}
	known, _ := c.kinds.LoadOrStore(kind, &Calls{metrics: c.metrics, service: c.service, method: c.method, ddlName: c.ddlName + "-" + kind})
	of, _ := known.(*Calls)
	return of
}

// Done records a call that took so long and ended so.
func (c *Calls) Done(took time.Duration, o Outcome) {
	c.count(o)
	s := c.series.Load()
	if s == nil {
		s = c.resolve()
	}
	s.took.Observe(took.Seconds())
	if s.ddlTotal != nil {
		s.ddl(took, o)
	}
}

// ddl counts what reached the coordinator, as Milvus does.
func (s *callSeries) ddl(took time.Duration, o Outcome) {
	switch o {
	case OK:
		s.ddlSuccess.Inc()
		s.ddlLatency.Observe(millis(took))
	case Failed, Panicked:
		s.ddlFail.Inc()
	default:
		return
	}
	s.ddlTotal.Inc()
}

func (c *Calls) count(o Outcome) {
	counter := c.outcomes[o].Load()
	if counter == nil {
		resolved := c.metrics.requests.WithLabelValues(c.service, c.method, o.String())
		counter = &resolved
		c.outcomes[o].Store(counter)
	}
	(*counter).Inc()
	if o == Panicked {
		c.metrics.panics.Inc()
	}
}

func (c *Calls) resolve() *callSeries {
	m := c.metrics
	s := &callSeries{took: m.requestTime.WithLabelValues(c.service, c.method)}
	if c.ddlName != "" {
		s.ddlTotal = m.RootCoord.ddlCount.WithLabelValues(c.ddlName, "total")
		s.ddlSuccess = m.RootCoord.ddlCount.WithLabelValues(c.ddlName, "success")
		s.ddlFail = m.RootCoord.ddlCount.WithLabelValues(c.ddlName, "fail")
		s.ddlLatency = m.RootCoord.ddlLatency.WithLabelValues(c.ddlName)
	}
	c.series.Store(s)
	return s
}
