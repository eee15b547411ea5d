package clustertest

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel end the child when the test binary ends, however that happens.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
