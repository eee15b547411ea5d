// Package tableset joins several typed tables into the one state of a follower.
//
// A [Set] sends each key to the table of its kind. It promises that a reader sees all tables at the same revision, that
// a new snapshot takes the place of everything at once, and that a key of a kind nobody knows is left alone. A kind is a
// whole part of the key's path: datacoord-meta/s/ takes nothing of datacoord-meta/statslog/.
//
// [Message] decodes the protobuf values that most kinds hold, and refuses keys and values that cannot be one; the tables
// quarantine those. It does not check that a value belongs to its key.
package tableset
