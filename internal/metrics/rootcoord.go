package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RootCoord are Milvus' series about the root coordinator, and a few of ours that it fills. Those without labels are shown
// while it is active; the others begin with the first event, and whoever fills a gauge takes its labels away at the end of
// the term.
type RootCoord struct {
	termly
	// IDs counts ids that were handed out.
	IDs prometheus.Counter
	// Timestamp and TimestampSaved are the physical parts of the last timestamp and of the bound in etcd, in seconds of
	// Unix time.
	Timestamp      prometheus.Gauge
	TimestampSaved prometheus.Gauge
	// Databases is their number; Collections that of collections by database name. Delete the label of a database that is
	// dropped.
	Databases   prometheus.Gauge
	Collections *prometheus.GaugeVec
	// Partitions are those of all databases; DMLChannels the physical channels that collections use, MsgStreams those that
	// there are to use.
	Partitions  prometheus.Gauge
	DMLChannels prometheus.Gauge
	MsgStreams  prometheus.Gauge
	// Proxies is the number of proxies that have a session.
	Proxies prometheus.Gauge
	// Users, Roles and PrivilegeGroups are those in etcd; groups are the custom ones.
	Users           prometheus.Gauge
	Roles           prometheus.Gauge
	PrivilegeGroups prometheus.Gauge

	// TickLag is by how many milliseconds the last time tick on a channel is behind the clock; TimeTickTook how long the
	// sending of one took, in milliseconds.
	TickLag      *prometheus.GaugeVec
	TimeTickTook prometheus.Histogram
	// TimeTickDelay is by how many milliseconds a node is behind with what it has read, by its role and id.
	TimeTickDelay *prometheus.GaugeVec
	// QuotaStates is 1 for each reason for which something is refused, by database name or "cluster".
	QuotaStates *prometheus.GaugeVec
	// RateLimitRatio is by how much writing to a collection is slowed down, from 0 to 1, by its id.
	RateLimitRatio *prometheus.GaugeVec
	// ForceDenyWriting counts how often writing began to be refused by force.
	ForceDenyWriting prometheus.Counter
	// DiskQuota is the most bytes of data that may be stored, by the coordinator's id and the scope, such as "cluster".
	DiskQuota *prometheus.GaugeVec
	// QueryNodeMemory is the share of a query node's memory at which writing stops.
	QueryNodeMemory *prometheus.GaugeVec

	// UnfinishedDDL is the number of collections and partitions that are neither created nor dropped completely, and
	// UnfinishedDDLAge the seconds for which this term has seen the oldest of them.
	UnfinishedDDL    prometheus.Gauge
	UnfinishedDDLAge prometheus.Gauge

	ddlCount   *prometheus.CounterVec
	ddlLatency *prometheus.HistogramVec
	ddlQueued  *prometheus.HistogramVec
}

func newRootCoord(r prometheus.Registerer) *RootCoord {
	c := &RootCoord{
		IDs:             counter("milvus_rootcoord_id_alloc_count", "Ids that were handed out."),
		Timestamp:       gauge("milvus_rootcoord_timestamp", "Physical part of the last timestamp, seconds of Unix time."),
		TimestampSaved:  gauge("milvus_rootcoord_timestamp_saved", "Bound of the timestamps in etcd, seconds of Unix time."),
		Databases:       gauge("milvus_rootcoord_database_num", "Databases."),
		Collections:     gauges("milvus_rootcoord_collection_num", "Collections by database.", "db_name"),
		Partitions:      gauge("milvus_rootcoord_partition_num", "Partitions of all collections."),
		DMLChannels:     gauge("milvus_rootcoord_dml_channel_num", "Physical DML channels that collections use."),
		MsgStreams:      gauge("milvus_rootcoord_msgstream_obj_num", "Physical DML channels that there are to use."),
		Proxies:         gauge("milvus_rootcoord_proxy_num", "Proxies that have a session."),
		Users:           gauge("milvus_rootcoord_credential_num", "Users."),
		Roles:           gauge("milvus_rootcoord_num_of_roles", "Roles."),
		PrivilegeGroups: gauge("milvus_rootcoord_num_of_privilege_groups", "Custom privilege groups."),

		TickLag: gauges("milvus_rootcoord_produce_tt_lag_ms", "By how much the last time tick on a channel is behind the clock.", "channel_name"),
		TimeTickTook: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "milvus_rootcoord_sync_timetick_latency", Help: "How long the sending of a time tick took, milliseconds.", Buckets: milvusBuckets,
		}),
		TimeTickDelay: gauges("milvus_rootcoord_time_tick_delay", "By how much a node is behind with what it has read, milliseconds.",
			"role_name", "node_id"),
		QuotaStates: gauges("milvus_rootcoord_quota_states", "1 for each reason for which something is refused, by database name or cluster.",
			"quota_states", "name"),
		RateLimitRatio: gauges("milvus_rootcoord_rate_limit_ratio", "By how much writing to a collection is slowed down, from 0 to 1.",
			"collection_id"),
		ForceDenyWriting: counter("milvus_rootcoord_force_deny_writing_counter", "How often writing began to be refused by force."),
		DiskQuota:        gauges("milvus_rootcoord_disk_quota", "The most bytes of data that may be stored.", "node_id", "scope"),
		QueryNodeMemory:  gauges("milvus_rootcoord_qn_mem_high_water_level", "Share of a query node's memory at which writing stops."),

		UnfinishedDDL: gauge("milvus_coord_unfinished_ddl", "Collections and partitions that are neither created nor dropped completely."),
		UnfinishedDDLAge: gauge("milvus_coord_unfinished_ddl_age_seconds",
			"For how long this term has seen the oldest of them; 0 if there is none."),

		ddlCount:   counters("milvus_rootcoord_ddl_req_count", "DDL calls: total, and their outcomes.", "function_name", "status"),
		ddlLatency: histograms("milvus_rootcoord_ddl_req_latency", "How long DDL calls took, milliseconds.", milvusBuckets, "function_name"),
		ddlQueued: histograms("milvus_rootcoord_ddl_req_latency_in_queue",
			"How long DDL calls waited for others on the same names, milliseconds.", milvusBuckets, "function_name"),
	}
	c.collectors = []prometheus.Collector{
		c.IDs, c.Timestamp, c.TimestampSaved, c.Databases, c.Partitions, c.DMLChannels, c.MsgStreams, c.Proxies, c.Users, c.Roles,
		c.PrivilegeGroups, c.TimeTickTook, c.ForceDenyWriting, c.UnfinishedDDL, c.UnfinishedDDLAge,
	}
	r.MustRegister(c, c.Collections, c.TickLag, c.TimeTickDelay, c.QuotaStates, c.RateLimitRatio, c.DiskQuota, c.QueryNodeMemory,
		c.ddlCount, c.ddlLatency, c.ddlQueued)
	return c
}

// Queued records how long a call of the gRPC service's method, such as CreateCollection, waited for others.
func (c *RootCoord) Queued(method string, took time.Duration) {
	c.ddlQueued.WithLabelValues(ddlName(method)).Observe(millis(took))
}
