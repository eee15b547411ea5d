// Package components wires processes: it joins configuration, etcd, sessions, tables, gRPC and HTTP into a running process of
// one role or several, in one straight line, and takes it apart in the reverse order.
//
// A process holds what its roles share. A member is one role in it, with a gRPC port, a session and an election of its own:
// losing a role, or handing it over, does not disturb the others. What one member cannot go on with ends all.
//
// It is the only package besides cmd that knows the configuration; everything below receives its own few values.
package components
