package metrics

import (
	"strconv"

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
	// Registry holds everything; it is what /metrics shows.
	Registry *prometheus.Registry
	// Runtime holds the series of the Go runtime and the process alone; it is what /metrics_default shows.
	Runtime *prometheus.Registry

	RootCoord  *RootCoord
	DataCoord  *DataCoord
	QueryCoord *QueryCoord

	numNode     *prometheus.GaugeVec
	requests    *prometheus.CounterVec
	requestTime *prometheus.HistogramVec
	panics      prometheus.Counter
	ha          ha
	etcd        etcd
}

// New builds the registries and registers all collectors.
func New(build Build) *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry(), Runtime: prometheus.NewRegistry()}
	for _, r := range []*prometheus.Registry{m.Registry, m.Runtime} {
		r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	m.numNode = gauges("milvus_num_node", "Roles that serve, by node id and role.", "node_id", "role_name")
	m.requests = counters("milvus_coord_grpc_requests_total", "Calls that were answered, by outcome.", "service", "method", "outcome")
	m.requestTime = histograms("milvus_coord_grpc_request_seconds", "How long calls took.", latencyBuckets, "service", "method")
	m.panics = counter("milvus_coord_call_panics_total", "Calls that panicked; the log says where.")
	m.Registry.MustRegister(m.numNode, m.requests, m.requestTime, m.panics, buildInfo(build))

	m.ha = newHA(m.Registry)
	m.etcd = newEtcd(m.Registry)
	m.RootCoord = newRootCoord(m.Registry)
	m.DataCoord = newDataCoord(m.Registry)
	m.QueryCoord = newQueryCoord(m.Registry)
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

var (
	latencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	// takeoverBuckets reach from an activation on warm tables to waiting for a lease to expire.
	takeoverBuckets = []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	slackBuckets    = []float64{.1, .25, .5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 10}
	// milvusBuckets are those of Milvus' histograms, in milliseconds or bytes: 2^0 to 2^17.
	milvusBuckets = prometheus.ExponentialBuckets(1, 2, 18)
)

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}
