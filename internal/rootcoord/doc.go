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
// What it does not do yet. Lists are not filtered by the caller's grants: there are no users. Time travel reaches as far as
// hiding what is younger than the asked timestamp. It never looks at who calls: that is package rpc.
//
// DESIGN.md tells how the locks work and why a crash leaves nothing half done.
package rootcoord
