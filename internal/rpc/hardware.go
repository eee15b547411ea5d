package rpc

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// hardware remembers the last reading of the processor time, to tell the usage since.
type hardware struct {
	mu   sync.Mutex
	at   time.Time
	used time.Duration
}

// cpuUsage is the share of all cores that this process has used since the last call, in percent; 0 the first time.
func (h *hardware) cpuUsage() float64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	used, now := time.Duration(usage.Utime.Nano()+usage.Stime.Nano()), time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	spent, passed, first := used-h.used, now.Sub(h.at), h.at.IsZero()
	h.at, h.used = now, used
	if first || passed <= 0 {
		return 0
	}
	return 100 * float64(spent) / float64(passed) / float64(runtime.NumCPU())
}

// diskSpace is the size of the file system that holds path and how much of it is used, in bytes; 0 if not known.
func diskSpace(path string) (total, used uint64) {
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil {
		return 0, 0
	}
	block := uint64(fs.Bsize) //nolint:gosec,unconvert // its type differs between systems; never negative
	return fs.Blocks * block, (fs.Blocks - fs.Bfree) * block
}
