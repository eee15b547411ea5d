// Package failpoint names the places at which a process may die in the middle of a change of the metadata.
//
// A [Point] stands after a step of a DDL that leaves something behind, in etcd or in another process. [Reach] does nothing
// in a binary as it ships: its body is empty and the compiler drops the call. In one built with the tag "failpoints" the
// process whose environment names a point (MILVUS_FAILPOINT=drop-collection/hidden) kills itself there, with a signal
// that nothing can catch. test/crash does that to every point of [All] and looks at what the successor makes of it.
package failpoint
