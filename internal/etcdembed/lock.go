package etcdembed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockDir makes a data directory ours for as long as the file it returns is open. etcd itself would wait for whoever has
// it, without a word about who that is.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("etcd.data.dir (ETCD_DATA_DIR): %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "milvus.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("etcd.data.dir (ETCD_DATA_DIR): %w", err)
	}
	if err := flock(file); err != nil {
		return nil, errors.Join(inUse(dir, err, file), file.Close())
	}
	if err := probe(dir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := writePID(file); err != nil {
		return nil, errors.Join(fmt.Errorf("etcd.data.dir (ETCD_DATA_DIR): %w", err), file.Close())
	}
	return file, nil
}

// probe looks at the database that may be there. Another etcd has locked it, though not our file; and etcd would panic over
// one that is broken.
func probe(dir string) error {
	path := filepath.Join(dir, "member", "snap", "db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Millisecond})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return inUse(dir, syscall.EWOULDBLOCK, nil)
	case err != nil:
		return fmt.Errorf("etcd.data.dir: %s is no database of etcd's: %w", path, err)
	}
	return db.Close()
}

func flock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// inUse names the process, if it has left its id.
func inUse(dir string, err error, lock io.Reader) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("etcd.data.dir: lock %s: %w", dir, err)
	}
	who := "another process"
	if lock != nil {
		if text, err := io.ReadAll(io.LimitReader(lock, 32)); err == nil && len(text) > 0 {
			who = "process " + strings.TrimSpace(string(text))
		}
	}
	return fmt.Errorf("etcd.data.dir: %s is in use by %s; stop it, or choose another directory with ETCD_DATA_DIR", dir, who)
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
