// Package coordclient calls the active coordinator of a role, whichever process that is.
//
// # What it promises
//
// A [Client] is a grpc.ClientConnInterface, so the generated clients work on top of it. It finds the active process by
// the exact key session/<role>, watches that key, and follows a switch at once: calls that come while there is no active
// one wait for the next, within the caller's context. It sends the metadata that Milvus' own clients send.
//
// A call that was certainly not executed is sent again until the caller's context ends: the answer was a Status that
// says "retriable", the request never left, or the process at the other end said that it is not the one the call was
// meant for. A call that may have been executed (the connection broke, or was given up in a switch, after the request had
// left) is sent again only if its method is known to do no harm twice; the others fail with [ErrOutcomeUnknown].
//
// When the caller's context ends, that is the error; what went wrong last is in its text.
//
// # What it does not do
//
// It gives no call a time limit of its own: a process that is connected but silent is waited for until its session ends
// or gRPC's keepalive finds the connection dead. It does not balance load and does not call standbys.
package coordclient
