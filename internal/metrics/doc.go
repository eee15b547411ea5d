// Package metrics holds every measurement that a coordinator publishes.
//
// [New] builds one registry with typed collectors; whoever measures something receives the collector it fills, and there
// is no global registry. Names, labels and units are Milvus' own where Milvus has the measurement, so that its
// dashboards go on working; what Milvus lacks (role state, takeovers, lease renewals, requests) has the prefix
// milvus_coord_ and is in seconds.
//
// A measurement is registered only when something fills it: an absent series means "not known", never "zero". All
// collectors are safe for concurrent use and none of their methods blocks.
package metrics
