// Package tso hands out the cluster's timestamps and ids from memory, below a bound that is kept in etcd.
//
// # What it promises
//
// Values of one key are unique and strictly increasing over all terms, all processes and all settings of the wall clock,
// as long as every writer of the key follows the rule: store a bound, then hand out values below it only; a new term
// starts above the stored bound. The bound is written through the [sessionutil.Term] and guarded by the revision at which
// this process last saw the key, so a deposed process cannot move it. A bound that cannot be read, or that is not one, is
// an error that names the key; it is never taken for "nothing is stored".
//
// A value leaves only while the term is valid, which is asked after the value was taken: a value that is answered was
// taken by the one active process.
//
// Memory hands out, so a call costs no round trip. While etcd is away allocation goes on up to the bound and then answers
// "not ready, retriable" until etcd is back.
//
// # How a value is made
//
// Milvus' hybrid timestamp: milliseconds since 1970 shifted left by 18 bits, plus a counter. One uint64 holds both, so
// the counter's overflow is the next millisecond without further ado. [Timestamps] follow the wall clock: when it goes
// back they stand still and only count, when it jumps ahead they follow as soon as the bound does. [IDs] begin at the
// wall clock of the term's start and only count from there.
//
// # What it does not do
//
// It does not synchronise clocks: two clusters, or a cluster and its clients, may differ by what their clocks differ. It
// does not give back what was allocated and not used.
package tso
