// Command archive packs a folder so that the same files always give the same bytes, whoever packs them, where and when.
//
//	archive pack FOLDER FILE.tar.gz SECONDS    the folder's name is that of the folder in the archive; all times are SECONDS
//	archive sums FOLDER                        writes FOLDER/SHA256SUMS of the files in it, as sha256sum does
//
// tar and gzip could do it, but not with the same options on Linux and macOS.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "pack":
		seconds, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a time in seconds since 1970", args[3])
		}
		return pack(args[1], args[2], time.Unix(seconds, 0))
	case len(args) == 2 && args[0] == "sums":
		return sums(args[1])
	}
	return errors.New("usage: archive pack FOLDER FILE.tar.gz SECONDS, or archive sums FOLDER")
}

// pack writes folder to file. Owners, times and what the umask made of the modes are left out.
func pack(folder, file string, at time.Time) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression) // without a time or a name in its header
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zip)
	root := filepath.Base(folder)
	err = fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error { // in lexical order
		if err != nil {
			return err
		}
		return add(archive, filepath.Join(folder, name), path.Join(root, name), d, at)
	})
	return errors.Join(err, archive.Close(), zip.Close())
}

func add(archive *tar.Writer, file, name string, d fs.DirEntry, at time.Time) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, ModTime: at, Mode: 0o644, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg}
	if info.IsDir() || info.Mode()&0o100 != 0 {
		h.Mode = 0o755
	}
	switch {
	case info.IsDir():
		h.Name, h.Typeflag = name+"/", tar.TypeDir
		return archive.WriteHeader(h)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file nor a folder", file)
	}
	h.Size = info.Size()
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	_, err = io.Copy(archive, in)
	return err
}

const sumsFile = "SHA256SUMS"

func sums(folder string) error {
	entries, err := os.ReadDir(folder) // in lexical order
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == sumsFile {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	return os.WriteFile(filepath.Join(folder, sumsFile), list.Bytes(), 0o644) //nolint:gosec // for everybody
}
