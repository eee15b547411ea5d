// Package proxies knows the proxies of a cluster and tells them what RootCoord has changed.
//
// # What it promises
//
// A [Fleet] holds the proxies whose sessions are in etcd: a snapshot, then the watch from the next revision, in standby
// and active alike. It dials a proxy when that is first called and hangs up when its session goes. A session that cannot
// be read is named in the log and left out.
//
// A [Caller] calls all of them at once for one term. Every proxy has the same time, Config.Timeout, counted from the
// start of the call: one that hangs delays the call by that much, and one whose port refuses by nothing. The call
// succeeds when every proxy of the fleet has answered, and so if there is none. These count as answers, because none of
// them is a process that could still use what it has cached under the session:
//
//   - its session went while it was called;
//   - another process answers at its address ("node not match", code 904, or 901);
//   - it does not know the method (an older release).
//
// A proxy that says "retriable" is asked again within its time. Everything else fails the call with a [*CallError] that
// names the proxies; the others have been told all the same.
//
// # Why an expired cache stays expired
//
// A proxy may cache what it read before a change. It cannot keep that if it is told to expire the name after the change
// is committed, with a timestamp allocated then ([Expiry.TS]): what it read has an earlier one. It is told if the fleet
// knows it. A proxy registers before it reads, so whoever has read the old state registered at a revision before that of
// the change; a call with [Expiry.Revision] waits until the fleet has applied that revision. What registers later reads
// the new state.
//
// # What it does not do
//
// It repeats no call that a proxy has failed, keeps no queue for proxies that are away, and does not decide what a failure
// means to a DDL. Ids are those of processes: one that restarts comes back with another id.
package proxies
