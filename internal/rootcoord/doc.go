// Package rootcoord is RootCoord: databases, collections, partitions, aliases, timestamps and ids of a cluster.
//
// [RootCoord] is the role. Its tables follow etcd in standby and while active; [RootCoord.Activate] builds from them, in
// a few round trips, the [Core] that answers one term's calls. Reads come from the tables and take no locks. A DDL takes
// locks on the names it is about, decides, and commits one transaction through the term; it is answered when the tables
// show it.
//
// What it promises: a DDL that was answered is in etcd, written by the term that answered it; one that was not is done
// whole or not at all after the next activation; two on one name are done one after the other; no number of them at once
// exceeds a limit.
//
// Where the cluster has a data path, a collection is hidden until DataCoord watches its channels, and a drop hides it and
// takes it away behind the answer; the proxies' caches are expired before the answer, by a change that is visible here.
//
// What it does not do. Time travel reaches as far as hiding what is younger than the asked timestamp. It asks nobody for a
// password: lists are filtered by the grants of the user that a proxy names, and that is all it knows of who calls.
//
// DESIGN.md tells how the locks work and why a crash leaves nothing half done.
package rootcoord
