//go:build race

package log

// raceEnabled: a race build makes sync.Pool forget on purpose, so allocations are not counted there.
const raceEnabled = true
