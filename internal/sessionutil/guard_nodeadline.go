//go:build nodeadline && !nofence

package sessionutil

const (
	fenced  = true
	bounded = false
)
