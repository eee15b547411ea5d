// Package metrics holds every measurement that a coordinator publishes.
//
// [New] builds one registry with typed collectors; whoever measures something receives the collector it fills, and there
// is no global registry. Names, labels and units are Milvus' own where Milvus has the measurement, so that its
// dashboards go on working; what Milvus lacks (role state, takeovers, lease renewals, requests) has the prefix
// milvus_coord_ and is in seconds.
//
// A series is shown only while something fills it: an absent series means "not known", never "zero". What is true only of
// the active one goes with its term. Counters of ours begin at zero when the role is known, so that the first event is an
// increase. Ages are computed at the scrape. All collectors are safe for concurrent use and none of their methods blocks.
package metrics
