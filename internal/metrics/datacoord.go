package metrics

import "github.com/prometheus/client_golang/prometheus"

// DataCoord are Milvus' series about the data coordinator that its metadata tell.
type DataCoord struct {
	// Segments is the number of segments, by state, level and whether they are sorted.
	Segments *prometheus.GaugeVec
}

func newDataCoord(r prometheus.Registerer) *DataCoord {
	c := &DataCoord{
		Segments: gauges("milvus_datacoord_segment_num", "Segments by state, level and whether they are sorted.",
			"segment_state", "segment_level", "segment_is_sorted"),
	}
	r.MustRegister(c.Segments)
	return c
}

// QueryCoord are Milvus' series about the query coordinator that its metadata tell. They are shown while it is active.
type QueryCoord struct {
	termly
	// Collections and Partitions are those that are loaded, or are to be.
	Collections prometheus.Gauge
	Partitions  prometheus.Gauge
}

func newQueryCoord(r prometheus.Registerer) *QueryCoord {
	c := &QueryCoord{
		Collections: gauge("milvus_querycoord_collection_num", "Collections that are loaded, or are to be."),
		Partitions:  gauge("milvus_querycoord_partition_num", "Partitions that are loaded, or are to be."),
	}
	c.collectors = []prometheus.Collector{c.Collections, c.Partitions}
	r.MustRegister(c)
	return c
}
