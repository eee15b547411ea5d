package rpc

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// memoryTotal is how much memory this process may use: the machine's, or the container's limit if that is less.
func memoryTotal() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	total := uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // 32 bits on some machines
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit, ok := readNumber(path, 0); ok && limit > 0 && limit < total {
			return limit
		}
	}
	return total
}

// memoryUsed is what this process holds in memory.
func memoryUsed() uint64 {
	pages, _ := readNumber("/proc/self/statm", 1)
	return pages * uint64(os.Getpagesize()) //nolint:gosec // never negative
}

// readNumber reads the n-th field of a small file of the kernel.
func readNumber(path string, n int) (uint64, bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(content)
	if n >= len(fields) {
		return 0, false
	}
	number, err := strconv.ParseUint(string(fields[n]), 10, 64)
	return number, err == nil
}
