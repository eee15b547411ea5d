//go:build !linux

package rpc

import (
	"runtime"
)

// memoryTotal is not known here.
func memoryTotal() uint64 { return 0 }

// memoryUsed is what Go has obtained from the system.
func memoryUsed() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Sys
}
