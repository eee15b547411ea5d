// Package catalog is RootCoord's metadata: the records in etcd, in Milvus' layout to the byte, the view of them in
// memory, and the only place where they are written.
//
// # View
//
// [View] is fed by a metatable.Follower over <metaRoot>/root-coord/ and answers all reads, in standby and active alike.
// What it gives out is immutable. A record that does not decode is quarantined: it is named, its object answers an error
// ([model.Collection.Damage]), nothing is deleted, and everything else goes on. Tombstones that Milvus left are absent.
// Layouts from before databases are read as belonging to the default one.
//
// # Writer
//
// [Writer] turns one change into one transaction that carries the term's fence and the revisions of the records that it
// replaces, and returns when the view shows it. A change that needs more than one transaction (a collection with more
// than a hundred partitions and fields) begins by writing a state, Creating or Dropping, which hides the object, and ends
// by a single write that makes it visible or gone; what a crash leaves in between is undone or finished by
// [Writer.Recover] in the next term.
//
// Who else writes these keys? Not another term: the fence. Not another change of this term on the same object: callers
// hold a lock on every name and id that a change is about (see rootcoord). A foreign program, such as a Milvus
// coordinator that was deposed: its writes are not fenced, but the guards notice them and the change is refused.
//
// A write never stores snapshot copies (Milvus' time travel); a delete removes the record, and the copies that Milvus may
// have stored of it, for real. See docs/adr.
//
// Transactions of concurrent changes share one etcd transaction where they fit, because etcd's cost is by the round trip.
package catalog
