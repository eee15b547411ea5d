//go:build !linux

package clock

import "time"

// origin is what the monotonic readings are counted from; a constant of the process.
var origin = time.Now()

// Now is the number of nanoseconds since the process started, on Go's monotonic clock.
func Now() int64 { return int64(time.Since(origin)) }
