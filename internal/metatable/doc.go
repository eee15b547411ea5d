// Package metatable keeps a read-only copy of key ranges of etcd in memory, in standby and active alike.
//
// A [Follower] reads a snapshot of its ranges at one revision and then watches from the next. It feeds a [State] with
// whole revisions only: a reader of the state never sees half a transaction. It knows up to which revision the state is
// complete, so that a takeover is "wait until the state has reached the revision at which I won" ([Follower.Barrier])
// and an own write is visible when its revision has come back ([Follower.WaitFor]).
//
// It survives what etcd does: a broken watch is resumed, a compacted one begins anew with a snapshot that replaces the
// state (which is how deletions missed in between are noticed), and an etcd that is away is waited for. Only an etcd that
// is restored from a backup, to a revision that is behind, it does not notice: processes are to be started again then.
//
// It does not write, and it does not decide what a key means: that is the state's. A value that cannot be decoded is the
// state's to quarantine; nothing is deleted. A follower of several prefixes applies a transaction over two of them in two
// steps; [Follower.Applied] counts only what is complete in all.
//
// Completeness without an event is learnt from watch progress that etcd is asked for. Before etcd 3.4.25 and 3.5.8 such
// an answer could overtake events (etcd-io/etcd#15220); with those a new active coordinator may for a moment not see
// what was written last before it won. Its writes are still guarded by the revisions of what it knew.
//
// The snapshot costs what etcd needs to gather it, about two microseconds a key: it is read in blocks of keys, two at a
// time, and handed to the state block by block, so that it is never in memory twice.
package metatable
