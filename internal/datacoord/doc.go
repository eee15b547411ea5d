// Package datacoord is the DataCoord role: for now its metadata, warm in standby and active alike, and its place in the
// election.
//
// It promises that all of DataCoord's etcd tables are in memory, decoded, as they are at one revision; that a term begins
// only when they have reached the revision at which it was won; and that a record it cannot decode is named, left in
// etcd as it is, and kept from nobody else. The methods that every component has are answered by package rpc.
//
// It does not write anything yet. Methods that need more than that are answered with gRPC's Unimplemented. It does not
// follow sessions of nodes, and does not ask other coordinators anything to become active.
package datacoord
