// Package components wires the roles: it joins configuration, etcd, session, tables, gRPC and HTTP into a running
// process, in one straight line, and takes it apart in the reverse order.
//
// It is the only package besides cmd that knows the configuration; everything below receives its own few values.
package components

// MilvusVersion is the release whose protocol and layout the coordinators speak; sessions carry it.
const MilvusVersion = "2.5.6"
