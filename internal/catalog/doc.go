// Package catalog is RootCoord's metadata: the records in etcd, in Milvus' layout to the byte, the view of them in
// memory, and the only place where they are written.
//
// # View
//
// [View] is fed by a metatable.Follower over <metaRoot>/root-coord/ and answers all reads, in standby and active alike.
// What it gives out is immutable. It depends on the records that are there and on nothing else: a process that has
// followed them for days has the same view as one that starts now.
//
// A record that does not decode, or that is about another object than its key says, is quarantined: it is named, its
// object answers an error ([model.Collection.Damage]) instead of seeming to be gone, no change writes over it or deletes
// it, and everything else goes on. The collections of a database that cannot be read are listed and served, under a name
// that no user can give: what is listed nowhere, DataCoord takes for a reason to delete data. Tombstones that Milvus left are absent. Layouts from before databases are read as
// belonging to the default one; the first change of such an object moves it to the present layout.
//
// # Writer
//
// [Writer] turns one change into one transaction that carries the term's fence and the revisions of the records that it
// replaces, and returns when the view shows it. A change that needs more than one transaction (a collection with more
// than a hundred partitions and fields, or more than forty aliases to be dropped) begins by writing a state, Creating or
// Dropping, which hides the object, and ends by a single write that makes it visible or gone; what a crash leaves in
// between is undone or finished by [Writer.Recover] in the next term.
//
// Who else writes these keys? Not another term: the fence. Not another change of this term on the same object: callers
// hold a lock on every name and id that a change is about, the database's against its being dropped included, until the
// method has returned (see rootcoord). That is why only a record of its own guards a change, and not, say, the database's
// the creation of a collection. A foreign program, such as a Milvus coordinator that was deposed, is not fenced; the guards
// notice what it did to a record, and the change is refused.
//
// A write never stores snapshot copies (Milvus' time travel); a delete removes the record, and the copies that Milvus may
// have stored of it, for real: of a key that is put again, its garbage collection would take an old tombstone among the
// copies for a reason to delete the new record. See docs/adr.
//
// Transactions of concurrent changes share one etcd transaction where they fit, because etcd's cost is by the round trip.
// If one of them is refused, each is sent alone, so that the guilty one fails alone. An unknown outcome is that of all.
package catalog
