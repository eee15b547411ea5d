// Package quota tells the proxies what a cluster refuses at present: writing, reading, or nothing.
//
// # What it promises
//
// A [Center] works for one term. It derives the limits from the configuration, the properties of databases and
// collections, and the sizes that DataCoord tells, and sends them to each proxy when it comes, when they change, and
// once in an interval. A proxy that fails is asked less and less often, and at once when the limits change.
//
// Writing to a collection is slowed down, and at last stopped, by the load of the nodes that hold it: memory, segments
// that grow, time ticks that lag. Only rates that have a limit can be slowed down. The rates that a collection's
// properties set are sent always, because proxies do not know these. Each proxy is sent its share.
//
// The limits are a tree: cluster, database, collection, partition. The root is always sent, and empty unless the cluster
// denies something: each message makes a proxy forget what it was told before and take the rates of its own
// configuration. Below it are only the nodes that deny. A node denies by a state with its reason and by rates of 0, and
// only with both: proxies of Milvus 2.5 refuse what has a rate of 0 and look at the state for what to say.
//
// A cluster, database, collection or partition that has outgrown its disk quota refuses writing but not deleting, as
// long as DataCoord says so. When DataCoord does not answer, what it said last holds; what it never said denies nothing.
//
// # What it does not do
//
// It does not slow down by rows in L0 segments or by delete buffers, which Milvus leaves off, and nothing but writing to
// collections. Where nothing is slowed down each proxy keeps to the rates of its own configuration, undivided.
package quota
