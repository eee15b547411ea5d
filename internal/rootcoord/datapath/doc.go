// Package datapath does what of a DDL happens outside of the metadata: messages on the DML channels and calls to
// DataCoord and QueryCoord.
//
// A [Path] promises that a call has an end: a peer that is absent or switching over is waited for, at most as long as
// [Config.Patience] says, and the error that follows is one that callers may answer with "try again". A peer that answers
// gRPC's Unimplemented has no such duty, for example because it is of a line that does it otherwise: the call counts as
// done, and the log says so once for each method and term.
//
// Everything here may be done twice. Of a message, readers take the first: one about a collection that they do not know,
// or have already dropped, is nothing to them. WatchChannels, DropIndex, ReleaseCollection and the others set a state.
// That is what lets a term repeat a step whose outcome it does not know, and its successor repeat all of them.
//
// It keeps no state and decides nothing: the order of steps, and what is visible between them, is package rootcoord's.
package datapath
