package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// etcd are the series about requests to etcd: ours, of all of them, and Milvus', of those about metadata.
type etcd struct {
	took   *prometheus.HistogramVec
	failed *prometheus.CounterVec

	metaLatency *prometheus.HistogramVec
	metaCount   *prometheus.CounterVec
	metaSize    *prometheus.HistogramVec
}

// metaOps are Milvus' names of the kinds of requests, by etcd's.
var metaOps = map[string]string{"Range": "get", "Put": "put", "DeleteRange": "remove", "Txn": "txn"}

func newEtcd(r prometheus.Registerer) etcd {
	e := etcd{
		took: histograms("milvus_coord_etcd_request_seconds", "How long etcd took to answer.", latencyBuckets, "method"),
		failed: counters("milvus_coord_etcd_request_errors_total",
			"Requests that etcd did not answer in time, or could not serve.", "method"),
		metaLatency: histograms("milvus_meta_request_latency", "How long requests about metadata took, milliseconds.", milvusBuckets, "meta_op_type"),
		metaCount:   counters("milvus_meta_op_count", "Requests about metadata: total, and their outcomes.", "meta_op_type", "status"),
		metaSize:    histograms("milvus_meta_kv_size", "Bytes of a request about metadata and its answer.", milvusBuckets, "meta_op_type"),
	}
	r.MustRegister(e.took, e.failed, e.metaLatency, e.metaCount, e.metaSize)
	for method := range metaOps {
		e.failed.WithLabelValues(method)
	}
	return e
}

// EtcdRequest records a request to etcd by the name of its method, such as "Txn", and whether it got an answer.
func (m *Metrics) EtcdRequest(method string, took time.Duration, answered bool) {
	m.etcd.took.WithLabelValues(method).Observe(took.Seconds())
	if !answered {
		m.etcd.failed.WithLabelValues(method).Inc()
	}
}

// MetaRequest records a request about metadata likewise, in Milvus' series. Methods that Milvus does not count are passed over.
func (m *Metrics) MetaRequest(method string, took time.Duration, bytes int, answered bool) {
	op, counted := metaOps[method]
	if !counted {
		return
	}
	m.etcd.metaCount.WithLabelValues(op, "total").Inc()
	if !answered {
		m.etcd.metaCount.WithLabelValues(op, "fail").Inc()
		return
	}
	m.etcd.metaCount.WithLabelValues(op, "success").Inc()
	m.etcd.metaLatency.WithLabelValues(op).Observe(millis(took))
	m.etcd.metaSize.WithLabelValues(op).Observe(float64(bytes))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
