package metrics

import (
	"strconv"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Build is what milvus_build_info says about the binary.
type Build struct {
	Version string
	Commit  string
	Time    string
}

// Metrics is all that a process measures.
type Metrics struct {
	// Registry holds Milvus' series and ours; it is what /metrics shows.
	Registry *prometheus.Registry
	// Runtime holds the series of the Go runtime and the process; it is what /metrics_default shows.
	Runtime *prometheus.Registry

	RootCoord *RootCoord
	Meta      *Meta

	numNode     *prometheus.GaugeVec
	state       *prometheus.GaugeVec
	term        *prometheus.GaugeVec
	takeover    *prometheus.HistogramVec
	renewal     *prometheus.HistogramVec
	slack       *prometheus.HistogramVec
	fenced      *prometheus.CounterVec
	tableLag    *prometheus.GaugeVec
	requests    *prometheus.CounterVec
	requestTime *prometheus.HistogramVec
}

// New builds the registries and registers all collectors.
func New(build Build) *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry(), Runtime: prometheus.NewRegistry()}
	m.Runtime.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	m.numNode = gauges("milvus_num_node", "Roles that serve, by node id and role.", "node_id", "role_name")
	m.state = gauges("milvus_coord_role_state", "1 for the state that a role is in, 0 for the others.", "role", "state")
	m.term = gauges("milvus_coord_term", "Number of the term that is served; 0 in standby.", "role")
	m.takeover = histograms("milvus_coord_takeover_seconds", "How long the steps of taking a role over took, by its cause.",
		takeoverBuckets, "role", "cause", "step")
	m.renewal = histograms("milvus_coord_lease_renewal_seconds", "How long a successful heartbeat took.", latencyBuckets, "role")
	m.slack = histograms("milvus_coord_serve_deadline_slack_seconds",
		"How far away the serving deadline still was when a heartbeat moved it on.", slackBuckets, "role")
	m.fenced = counters("milvus_coord_fenced_writes_total", "Writes of a term that was over, refused by etcd.", "role")
	m.tableLag = gauges("milvus_coord_table_lag_revisions", "Revisions by which a table is behind etcd, when last known.", "table")
	m.requests = counters("milvus_coord_grpc_requests_total", "Calls that were answered, by outcome.", "service", "method", "outcome")
	m.requestTime = histograms("milvus_coord_grpc_request_seconds", "How long calls took.", latencyBuckets, "service", "method")
	m.Registry.MustRegister(m.numNode, m.state, m.term, m.takeover, m.renewal, m.slack, m.fenced, m.tableLag,
		m.requests, m.requestTime, buildInfo(build))

	m.RootCoord = newRootCoord(m.Registry)
	m.Meta = newMeta(m.Registry)
	return m
}

func buildInfo(build Build) prometheus.Collector {
	info := gauges("milvus_build_info", "1, labelled with the version of the binary.", "version", "built", "git_commit")
	info.WithLabelValues(build.Version, build.Time, build.Commit).Set(1)
	return info
}

// NodeActive says that the node serves the role, or has ceased to. Milvus counts active roles only, not standbys.
func (m *Metrics) NodeActive(role string, nodeID int64, active bool) {
	id := strconv.FormatInt(nodeID, 10)
	if !active {
		m.numNode.DeleteLabelValues(id, role)
		return
	}
	m.numNode.WithLabelValues(id, role).Set(1)
}

// states are the ones that milvus_coord_role_state always shows.
var states = []commonpb.StateCode{
	commonpb.StateCode_Initializing, commonpb.StateCode_Healthy, commonpb.StateCode_Abnormal,
	commonpb.StateCode_StandBy, commonpb.StateCode_Stopping,
}

// StateChanged says in which state the role is now and which term it serves, 0 for none.
func (m *Metrics) StateChanged(role string, state commonpb.StateCode, term int64) {
	for _, s := range states {
		value := 0.0
		if s == state {
			value = 1
		}
		m.state.WithLabelValues(role, s.String()).Set(value)
	}
	m.term.WithLabelValues(role).Set(float64(term))
}

// TakeoverStep says how long one step of a takeover took.
func (m *Metrics) TakeoverStep(role, cause, step string, took time.Duration) {
	m.takeover.WithLabelValues(role, cause, step).Observe(took.Seconds())
}

// Renewed says that a heartbeat succeeded, how long it took, and how far away the serving deadline was when it came;
// slack below zero or of a standby is not recorded.
func (m *Metrics) Renewed(role string, took, slack time.Duration) {
	m.renewal.WithLabelValues(role).Observe(took.Seconds())
	if slack > 0 {
		m.slack.WithLabelValues(role).Observe(slack.Seconds())
	}
}

// FencedOff says that etcd refused so many writes of a deposed term.
func (m *Metrics) FencedOff(role string, writes int64) {
	m.fenced.WithLabelValues(role).Add(float64(writes))
}

// TableLag says by how many revisions the table is behind etcd.
func (m *Metrics) TableLag(table string, revisions int64) {
	m.tableLag.WithLabelValues(table).Set(float64(revisions))
}

var (
	latencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	// takeoverBuckets reach from an activation on warm tables to waiting for a lease to expire.
	takeoverBuckets = []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	slackBuckets    = []float64{.1, .25, .5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 10}
)

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}
