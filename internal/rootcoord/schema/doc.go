// Package schema judges and completes the schema of a collection that is about to be created.
//
// [Parse] decodes what a client sent and refuses what RootCoord must not store: a field that cannot hold what it
// declares, a name that belongs to the system, a default value of the wrong type. [Complete] adds what the system needs:
// the dynamic field, the ids, the two system fields behind the user's. [PartitionNames] tells which partitions a new
// collection starts with, and [SameFields] whether two schemas are one by value, which is what makes creating a
// collection twice harmless.
//
// It does not check what the proxies check before they ask: the form of names, the number of fields, that there is a
// primary key and a vector. It keeps no state and does no I/O. No input makes it panic.
package schema
