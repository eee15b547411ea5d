// Package access answers RootCoord's calls about users, roles, grants and privilege groups.
//
// # What it promises
//
// A change runs under one lock for all of them, on the term's context; it is answered when the records show it and the
// proxies that can be reached have been told. They are told under the lock too, so they hear of changes in the order in
// which these were made. A proxy that fails a message has perhaps not heard of the change: it is told to read all grants
// anew, again and again until it has, and under the lock as well, because a list that was read before a change must not
// replace what the proxy heard after it.
//
// What a proxy is told of a grant is the difference of the policies before and after it. See package rbac.
//
// Errors carry the old ErrorCode that clients of these calls test, all but "not ready", which says that the call may be
// sent again.
//
// # What it does not do
//
// It does not check who calls: proxies do. It keeps no password and no hash but bcrypt's.
package access
