package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrExists says that a file would be overwritten.
var ErrExists = errors.New("the file exists already")

// TakeFile writes a backup to path, which is there when it is whole and not before; its owner alone can read it. Without
// overwrite a file of that name is an [ErrExists].
func TakeFile(ctx context.Context, from Source, path string, overwrite bool) (Report, error) {
	if !overwrite {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return Report{}, errors.Join(fmt.Errorf("%s: %w", path, ErrExists), err)
		}
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // 0600
	if err != nil {
		return Report{}, err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // it is gone when it has been renamed
	defer file.Close()           //nolint:errcheck // closed below, when it counts
	report, err := Take(ctx, from, file)
	if err != nil {
		return Report{}, err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return Report{}, fmt.Errorf("write: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return Report{}, err
	}
	return report, syncDir(filepath.Dir(path))
}

// syncDir makes a new name in a folder last.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// TakeStream writes a backup to w, of which w sees nothing before it is whole: it lies in a temporary file until then.
func TakeStream(ctx context.Context, from Source, w io.Writer) (Report, error) {
	file, err := spool()
	if err != nil {
		return Report{}, err
	}
	defer file.Close() //nolint:errcheck // it has no name any more
	report, err := Take(ctx, from, file)
	if err != nil {
		return Report{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Report{}, err
	}
	_, err = io.Copy(w, file)
	return report, err
}

// Spool copies r into a temporary file without a name, which the caller closes: a restore reads its file twice.
func Spool(r io.Reader) (*os.File, error) {
	file, err := spool()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(file, r); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func spool() (*os.File, error) {
	file, err := os.CreateTemp("", "milvus-metadata-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
