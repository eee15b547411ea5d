// Package rpc is the border of a coordinator: its gRPC server, what every call has in common, and how other coordinators
// are dialled.
//
// # What it promises
//
//   - A port that listens from the start. Whatever is called while the role does not serve is answered with Milvus'
//     "service not ready", as a Status in the method's own response type. [Component] answers GetComponentStates and the
//     few others that Milvus answers in every state.
//   - One gate. Calls reach the coordinator of the current term through a [Switch]. After [Switch.Close] has returned nil
//     no handler of that term runs and none will: not a call that was decoding its request, not one that came meanwhile.
//   - No stale answers. When a handler has returned, its answer leaves only if the term is still valid at that moment;
//     otherwise the answer is "not ready". A write that succeeded is committed under the fence and stays a success.
//   - Handlers return plain errors. They become a Status (package errs) in the response; the gRPC error is nil. Only what
//     is not there (Unimplemented), what cannot be read, and what was meant for another cluster or node is a gRPC error.
//   - A panic ends the call, not the process.
//   - Every answer says who gave it: the response headers "serverid" and "role". The health service tells SERVING for the
//     role's name from the first call that is let in until after the last answer of the term: a standby may take
//     NOT_SERVING, from a server it knows by that header, as the word of the active one that its term is over.
//
// # What it does not promise
//
// It does not decide who serves (package coord), and does not know what a call does. It checks the names that callers send
// (cluster, serverid), which protects from mistakes and from nothing else: there is no authentication inside a cluster.
// A handler that ignores its context can outlive the bound of Close; its answer is withheld, but it runs.
package rpc
