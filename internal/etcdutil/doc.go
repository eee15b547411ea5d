// Package etcdutil dials etcd and sends single requests over whichever member answers.
//
// It promises that no wait in here is longer than the context or time-out that the caller gave, and that an etcd that is
// away at start is waited for rather than failed on. [Members.Health] asks how etcd is. It does not interpret keys: prefixes, records and fences belong to
// the packages above.
package etcdutil
