// Package metatable keeps a read-only copy of key ranges of etcd in memory, in standby and active alike.
//
// A [Follower] reads a snapshot of its ranges at one revision and then watches from the next. It feeds a [State] with
// whole revisions only: a reader of the state never sees half a transaction. It knows up to which revision the state is
// complete, so that a takeover is "wait until the state has reached the revision at which I won" ([Follower.Barrier])
// and an own write is visible when its revision has come back ([Follower.WaitFor]).
//
// It survives what etcd does: a broken watch is resumed, a compacted one begins anew with a snapshot that replaces the
// state (which is how deletions missed in between are noticed), and an etcd that is away is waited for.
//
// It does not write, and it does not decide what a key means: that is the state's. A value that cannot be decoded is the
// state's to quarantine; nothing is deleted.
//
// Completeness without an event is learnt from watch progress that etcd is asked for. Before etcd 3.4.25 and 3.5.8 such
// an answer could overtake events (etcd-io/etcd#15220); with those a new active coordinator may for a moment not see
// what was written last before it won. Its writes are still guarded by the revisions of what it knew.
package metatable
