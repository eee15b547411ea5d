// Package etcdembed runs an etcd of one member inside the process, for a cluster on a single machine.
//
// It is etcd's own server with its own files: etcdctl reads it, and a data directory can be moved to an etcd of its own and
// back. A write that was acknowledged is on disk. Clients of this process and of others reach it over gRPC at one address;
// there is no peer port, no HTTP gateway, and there are no further members. History is compacted by itself, since nobody
// else would do it.
//
// It does not protect what it keeps: whoever reaches the address may read and write, unless etcd's users are turned on or
// its settings demand client certificates.
package etcdembed
