// Package keylock gives read and write locks on names that need no declaring.
//
// A caller asks for all the locks of its work at once. They are taken in the order of their names, so two callers that
// overlap wait for one another instead of deadlocking; a caller must not ask again while it holds some. Locks on one
// name are granted in the order in which they were asked for: a stream of readers does not starve a writer. Waiting ends
// with the context.
//
// What it does not do: locks are not re-entrant, not upgradable, and live in this process only. A name nobody holds
// costs no memory.
package keylock
