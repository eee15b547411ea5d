// Package pidfile keeps, for each running role of this machine, a locked file with its pid: /run/milvus/<role>.pid, or
// under /tmp/milvus where that cannot be written.
//
// The lock is what counts. It is held for the life of the process and goes with it however it ends, so a file that is not
// locked is a leftover. A second process of a role takes <role>-2.pid, and so on.
package pidfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// Dirs are where pid files may be, in the order in which they are tried.
func Dirs() []string { return []string{"/run/milvus", "/tmp/milvus"} }

// File is a pid file that this process holds.
type File struct {
	file *os.File
	path string
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Release removes the file and gives the lock back.
func (f *File) Release() error {
	// Removed while it is locked: nobody can have taken it over.
	return errors.Join(os.Remove(f.path), f.file.Close())
}

// TakenError says that a role of that alias runs already.
type TakenError struct {
	Path string
	PID  int
}

// Error names the process and the way out.
func (e *TakenError) Error() string {
	return fmt.Sprintf("%s is locked by process %d: it runs already; give this one another --alias", e.Path, e.PID)
}

// maxTwins bounds how many processes of a role without alias a machine may have.
const maxTwins = 64

// Acquire takes the pid file of role in the first of dirs that can be written. A taken alias is a [*TakenError].
func Acquire(dirs []string, role, alias string) (*File, error) {
	var failed []error
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // others may look who runs
			failed = append(failed, err)
			continue
		}
		f, err := acquireIn(dir, role, alias)
		var taken *TakenError
		if err == nil || errors.As(err, &taken) {
			return f, err
		}
		failed = append(failed, err)
	}
	return nil, fmt.Errorf("no pid file can be written: %w", errors.Join(failed...))
}

func acquireIn(dir, role, alias string) (*File, error) {
	if alias != "" {
		return lock(filepath.Join(dir, role+"-"+alias+".pid"))
	}
	for n := 1; n <= maxTwins; n++ {
		name := role + ".pid"
		if n > 1 {
			name = fmt.Sprintf("%s-%d.pid", role, n)
		}
		f, err := lock(filepath.Join(dir, name))
		var taken *TakenError
		if !errors.As(err, &taken) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%d processes of %s run already", maxTwins, role)
}

func lock(path string) (*File, error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // as above
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			pid := readPID(file)
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, &TakenError{Path: path, PID: pid}
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !same(file, path) { // its last owner has removed it between the opening and the lock
			_ = file.Close()
			continue
		}
		if err := writePID(file); err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
		return &File{file: file, path: path}, nil
	}
}

func same(file *os.File, path string) bool {
	a, err := file.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func readPID(file *os.File) int {
	b, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// Process is a running process of a role.
type Process struct {
	PID  int
	Path string
}

// Running lists the processes of role that hold a pid file in dirs: of all aliases if alias is empty.
func Running(dirs []string, role, alias string) ([]Process, error) {
	var found []Process
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, role+"*.pid"))
		if err != nil {
			return nil, err
		}
		sort.Strings(paths)
		for _, path := range paths {
			name := strings.TrimSuffix(filepath.Base(path), ".pid")
			if name != role && !strings.HasPrefix(name, role+"-") || alias != "" && name != role+"-"+alias {
				continue
			}
			if pid, locked := holder(path); locked && pid > 0 {
				found = append(found, Process{PID: pid, Path: path})
			}
		}
	}
	return found, nil
}

// Alive tells whether the process still holds its file.
func (p Process) Alive() bool {
	pid, locked := holder(p.Path)
	return locked && pid == p.PID
}

func holder(path string) (pid int, locked bool) {
	file, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer file.Close() //nolint:errcheck // read only
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return 0, false // nobody's
	}
	return readPID(file), true
}
