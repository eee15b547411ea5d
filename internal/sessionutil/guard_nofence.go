//go:build nofence

package sessionutil

const (
	fenced  = false
	bounded = false
)
