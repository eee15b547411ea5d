// Package sessionutil registers a coordinator in etcd as Milvus does, and makes at most one process of a role active.
//
// # What it promises
//
// A [Term] is the proof of being active. While a term lasts:
//
//   - Writes. Everything committed through [Term.Commit] carries the compare CreateRevision(active key) == term number.
//     The key is never overwritten by another process, only deleted and created anew, so a write of a deposed process
//     is refused by etcd whenever it arrives: after a pause, over a delayed connection, from a clock that stands still.
//   - Answers. [Term.Valid] is true only less than the serve window after the beginning of the last heartbeat that
//     succeeded. A heartbeat is a linearizable read that finds the active key still ours, and then a renewal of the lease.
//   - Succession. [Session.Run] hands out a term only when no earlier term can be valid any more (below).
//
// Losing the role is not an error: the process is back in standby and may win again. No outage of etcd ends Run.
//
// # Why two terms are never valid at once
//
// Let the active key of term A be deleted at etcd's time d, and let B be the next claim. A heartbeat of A that succeeds
// began with a read that found the key, so every heartbeat that A completes began before d, and A is invalid from
// d + serve window on. B may therefore serve at once if one of these is known, and waits until d + serve window, plus a
// margin, otherwise:
//
//   - A has written "ended" into the term record, which it does after its last answer and before it revokes its lease;
//   - A's health stream, verified to be A's by its ServerID, said that it does not serve any more;
//   - A did not renew its lease for longer than the silence timeout, by etcd's count. The silence timeout is longer than
//     the serve window, so A has been invalid since; and a heartbeat that succeeds only after such a silence ends the
//     term instead of prolonging it, so A will never be valid again, however the key came to be deleted;
//   - A's process is gone: its verified stream broke and every address at which it listened refuses connections, or this
//     process itself holds A's address on A's host.
//
// Both clocks count the same kind of seconds; a drift below a tenth between two machines is covered by the difference
// between the serve window and the silence timeout. A wrong verdict of death (a middle box that answers "refused" in the
// place of a live process, on all of its addresses) costs a switch and never a write.
//
// A process that stops anywhere leaves nothing behind that does not hang on its lease, except the term record, which says
// by its missing end that nobody knows how the term ended.
//
// A write whose reply was lost is sent again. Its guards make the copies harmless: whichever arrives first moves the
// guarded keys on, and the others are refused.
//
// # Switchover
//
// A [Switch] is a wish in etcd, on a lease of a few seconds: the holder of that term is to hand over to that process. The
// holder drains as if it were stopped, writes down that it has, and gives its lease back; then it registers anew, as a
// standby. While the wish lies there a claim needs it to be the claimant's own, and takes it away in the same transaction,
// so that no other standby, and not the old holder, is faster. If the next one dies before it claims, the wish expires and
// all compete. The wish decides nothing about safety: a term that is handed over ends as every term does.
//
// # Maintenance
//
// While [Maintenance] lies in etcd, no death is made official and a free role is taken by its last holder, restarted or
// not, or by switchover, and by nobody else. It delays claims and makes none: all of the above holds.
//
// # Restore
//
// While a [Restoring] lies in etcd, a free role is taken by nobody: every claim compares its absence, as every write of a
// restore compares that of the active keys. So the two exclude each other, and a restore that died leaves no half cluster
// that is taken for a whole one.
//
// # What it does not promise
//
// It does not fence writers that do not use it: a Milvus 2.5 coordinator that was deposed, or a person with etcdctl. It
// does not hear about the death of a Milvus 2.5 coordinator before its lease expires. Without FastFailover, death is
// official only when the lease has expired.
package sessionutil
