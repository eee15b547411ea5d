// Package backup copies a cluster's metadata out of etcd into a file, checks such a file, and puts it back.
//
// # What is in a backup
//
// Everything under the cluster's root path as it was at one revision, byte for byte: Milvus' metadata of all coordinators,
// its snapshot copies, the allocators' bounds. Left out is what is about processes and not about data: keys on a lease
// (sessions, whatever a process says of itself, wishes), every session without one, and this product's own <metaRoot>/ha/
// (who was active and why not any more: its numbers are revisions of that etcd). Of the sessions only the counter of
// ServerIDs is kept. The data themselves, in the object store and the message queue, are not here; the backup of a
// cluster with data is of all three.
//
// # One revision, in bounded memory
//
// [Take] pins the revision of its first read and reads ranges of it with metatable.Walk, a page of some megabytes at a
// time. etcd has no way to keep a revision from being compacted. If that happens before the end, the file is begun anew at
// a new revision: with etcd's automatic compaction, every five minutes or rarer as Milvus sets it up, the second try ends
// long before the next one, since a million keys take seconds. After [tries] tries it gives up and says so. Half a file is
// never left under the name that was asked for: it is written beside it, synced, and renamed.
//
// # The file
//
//	magic     8 bytes "MILVUSMB", then one byte: the version of the format, 1
//	then, compressed with zstd, one frame:
//	header    length (uvarint), [Header] as JSON
//	records   0x01, length of the key (uvarint), key, length of the value (uvarint), value; keys ascending
//	end       0x00
//	trailer   length (uvarint), [Trailer] as JSON: the number of records, and the SHA-256 of all from the header's length
//	          to the end's 0x00, before compression
//
// Nothing follows. A reader believes nothing before the trailer: [Verify] reads it all, and [Restore] verifies first.
//
// # Restore
//
// A restore must not be mistaken for a cluster before it is whole, and must not write where a cluster lives. Both are kept by
// one key, sessionutil.Restoring, and by compares in every transaction:
//
//   - The first transaction needs that no session of any process is there, and, unless what is there is to be replaced,
//     that there is no metadata; it puts the mark and raises the bounds. Every claim of a role compares the absence of the
//     mark, so from here on no coordinator of this product becomes active; one that is started waits and says why.
//   - Every further one compares that the mark is still as this restore wrote it, and that no role is held. A second restore
//     writes the mark anew and thereby stops the first one. A Milvus coordinator, which knows of no mark, stops the
//     restore when it claims its role; it has a half cluster then. Keep those stopped.
//   - The last one, when as many keys are there as were read, takes the mark away.
//
// A restore that dies anywhere leaves the mark. The way out is to restore again, with Replace. A backup of a root path with
// the mark is refused.
//
// Timestamps and ids do not go back. The bounds become the largest of what is there, what the backup holds, and the present
// time plus a margin, so that also what was given out between the backup and the loss is not given out again, if clocks
// agree as far as that margin. The counter of ServerIDs becomes the larger of the two. They are raised before anything is
// deleted or put, so they hold for a restore that dies, too.
//
// What a value says is not changed: under another root path, channel names and paths in the object store are those of the
// cluster that was backed up, and two clusters that share a message queue or a bucket would share the data. Revisions are
// new: where an old layout left two records of one object, the last in the order of keys counts after a restore.
package backup
