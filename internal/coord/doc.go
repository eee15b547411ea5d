// Package coord runs a coordinator: standby, active, standby again, for as long as the process lives.
//
// It promises the order of a takeover (the term is won and its predecessor silent, the role's tables have caught up,
// allocators have started above the stored bounds, state Healthy, calls are let in) and its reverse (no new calls, those
// in flight are answered, background work has ended, the role is given back). Nothing that belongs to one term outlives
// it. An activation that fails gives the role back and is tried again later.
//
// It does not know what a role does: that is behind [Role]. It does not decide who is active: that is sessionutil's.
package coord
