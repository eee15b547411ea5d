package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// milvusBuckets are those of Milvus' latencies, in milliseconds: 2^0 to 2^17.
var milvusBuckets = prometheus.ExponentialBuckets(1, 2, 18)

// RootCoord are Milvus' series about the root coordinator. Those of the active one count; who stands by leaves them
// alone.
type RootCoord struct {
	// IDs counts ids that were handed out.
	IDs prometheus.Counter
	// Timestamp and TimestampSaved are the physical parts of the last timestamp and of the bound in etcd, in seconds of
	// Unix time.
	Timestamp      prometheus.Gauge
	TimestampSaved prometheus.Gauge
	// Collections is the number of collections by database name. Delete the label of a database that is dropped.
	Collections *prometheus.GaugeVec
	// Databases is the number of databases.
	Databases prometheus.Gauge
	// TickLag is by how many milliseconds the last time tick on a DML channel is behind the clock, by channel.
	TickLag *prometheus.GaugeVec
	// Partitions and DMLChannels are totals over all databases.
	Partitions  prometheus.Gauge
	DMLChannels prometheus.Gauge
	// Proxies is the number of proxies that have a session.
	Proxies prometheus.Gauge
	// Users, Roles and PrivilegeGroups are those in etcd; groups are the custom ones.
	Users           prometheus.Gauge
	Roles           prometheus.Gauge
	PrivilegeGroups prometheus.Gauge
	// QuotaStates is 1 for each reason for which something is refused, by database name or "cluster".
	QuotaStates *prometheus.GaugeVec
	// RateLimitRatio is by how much writing to a collection is slowed down, from 0 to 1, by its id.
	RateLimitRatio *prometheus.GaugeVec
	// ForceDenyWriting counts how often writing began to be refused by force.
	ForceDenyWriting prometheus.Counter

	ddlCount   *prometheus.CounterVec
	ddlLatency *prometheus.HistogramVec
}

func newRootCoord(r prometheus.Registerer) *RootCoord {
	c := &RootCoord{
		IDs:             prometheus.NewCounter(prometheus.CounterOpts{Name: "milvus_rootcoord_id_alloc_count", Help: "Ids that were handed out."}),
		Timestamp:       gauge("milvus_rootcoord_timestamp", "Physical part of the last timestamp, seconds of Unix time."),
		TimestampSaved:  gauge("milvus_rootcoord_timestamp_saved", "Bound of the timestamps in etcd, seconds of Unix time."),
		Collections:     gauges("milvus_rootcoord_collection_num", "Collections by database.", "db_name"),
		Databases:       gauge("milvus_rootcoord_database_num", "Databases."),
		TickLag:         gauges("milvus_rootcoord_produce_tt_lag_ms", "By how much the last time tick on a channel is behind the clock, milliseconds.", "channel_name"),
		Partitions:      gauge("milvus_rootcoord_partition_num", "Partitions of all collections."),
		DMLChannels:     gauge("milvus_rootcoord_dml_channel_num", "DML channels."),
		Proxies:         gauge("milvus_rootcoord_proxy_num", "Proxies that have a session."),
		Users:           gauge("milvus_rootcoord_credential_num", "Users."),
		Roles:           gauge("milvus_rootcoord_num_of_roles", "Roles."),
		PrivilegeGroups: gauge("milvus_rootcoord_num_of_privilege_groups", "Custom privilege groups."),
		QuotaStates: gauges("milvus_rootcoord_quota_states", "1 for each reason for which something is refused, by database name or cluster.",
			"quota_states", "name"),
		RateLimitRatio: gauges("milvus_rootcoord_rate_limit_ratio", "By how much writing to a collection is slowed down, from 0 to 1.",
			"collection_id"),
		ForceDenyWriting: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "milvus_rootcoord_force_deny_writing_counter", Help: "How often writing began to be refused by force.",
		}),
		ddlCount: counters("milvus_rootcoord_ddl_req_count", "DDL calls: total, and their outcomes.", "function_name", "status"),
		ddlLatency: histograms("milvus_rootcoord_ddl_req_latency", "How long DDL calls took, milliseconds.",
			milvusBuckets, "function_name"),
	}
	r.MustRegister(c.IDs, c.Timestamp, c.TimestampSaved, c.Databases, c.TickLag, c.Collections, c.Partitions, c.DMLChannels, c.Proxies, c.Users, c.Roles, c.PrivilegeGroups,
		c.QuotaStates, c.RateLimitRatio, c.ForceDenyWriting, c.ddlCount, c.ddlLatency)
	return c
}

// Meta are Milvus' series about the store of metadata.
type Meta struct {
	latency *prometheus.HistogramVec
	count   *prometheus.CounterVec
	size    *prometheus.HistogramVec
}

func newMeta(r prometheus.Registerer) *Meta {
	m := &Meta{
		latency: histograms("milvus_meta_request_latency", "How long requests to etcd took, milliseconds.", milvusBuckets, "meta_op_type"),
		count:   counters("milvus_meta_op_count", "Requests to etcd: total, and their outcomes.", "meta_op_type", "status"),
		size:    histograms("milvus_meta_kv_size", "Bytes of keys and values in a request to etcd.", milvusBuckets, "meta_op_type"),
	}
	r.MustRegister(m.latency, m.count, m.size)
	return m
}

// Request records one request to etcd. Op is Milvus' name of its kind: "get", "put", "remove" or "txn".
func (m *Meta) Request(op string, took time.Duration, bytes int, err error) {
	m.count.WithLabelValues(op, "total").Inc()
	if err != nil {
		m.count.WithLabelValues(op, "fail").Inc()
		return
	}
	m.count.WithLabelValues(op, "success").Inc()
	m.latency.WithLabelValues(op).Observe(millis(took))
	m.size.WithLabelValues(op).Observe(float64(bytes))
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
