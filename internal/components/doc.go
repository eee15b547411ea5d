// Package components wires the roles: it joins configuration, etcd, session, tables, gRPC and HTTP into a running
// process, in one straight line, and takes it apart in the reverse order.
//
// It is the only package besides cmd that knows the configuration; everything below receives its own few values.
package components
