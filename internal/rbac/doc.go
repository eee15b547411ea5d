// Package rbac is who may do what: users, roles, grants and privilege groups, as records in etcd in Milvus' layout, as
// tables in memory, and as the policies that proxies enforce.
//
// [Tables] are fed by a follower and answer all reads. [Writer] is the only one that changes the records; each change is
// fenced by the term and guarded by the revisions of what it replaces. Callers take one lock for all changes.
//
// A grant is stored as it was given: a privilege, or the name of a group. [Tables.Policies] expands groups, because the
// proxies' enforcer knows single privileges only. What a change means to the proxies is the difference of the policies
// before and after it, so a privilege that a role still has by another grant is not taken from it.
//
// A change is one transaction, but for the drop of a role with more than some hundreds of grants, which loses them before.
// What exceeds etcd's 128 operations goes into transactions within it, each of which etcd allows as many as the outer one has
// left. The first forty keys are guarded, against foreign programs; against another term all are fenced, against another
// change of this term all are locked.
//
// The package does not enforce anything, and it knows no passwords but their bcrypt hashes.
package rbac
