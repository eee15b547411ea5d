package clustertest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// stands tells whether every thread of a process is stopped.
func (p *process) stands() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			return false
		}
		// After the name, which is in brackets and may hold any, comes the state.
		if _, state, found := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")); !found || state[0] != 'T' {
			return false
		}
	}
	return true
}
