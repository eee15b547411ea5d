//go:build !nofence && !nodeadline

package sessionutil

// What makes a deposed process harmless. Builds without one of them are for tests that must find the harm; see test/history.
const (
	fenced  = true // every write is compared with the term
	bounded = true // no answer is given beyond the serve window
)
