// Package doctor looks at all that a cluster's coordinators need, and says what is wrong and what to do about it.
//
// An examination gathers facts once ([Examine]): every etcd endpoint by itself, the sessions and the metadata's roots in
// etcd at one revision, what the coordinators say of themselves (haview). Then each check of a table judges a part of them.
// A fact that could not be had is a finding, not an end: with etcd away, what needs none is looked at all the same.
//
// A finding is "fail" when the cluster, or a process that is started here, does not work or is about to stop working; "warn"
// when it works and somebody should know; else "ok". The same facts give the same findings.
//
// It changes nothing that lasts: to learn how long a write takes it puts a key below <metaRoot>/ha/doctor/, on a lease that
// it revokes; to learn whether a port is free it listens there for a moment, without accepting a connection.
package doctor
