package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// folder makes the files of an archive in a place of their own, in the given order and with the given modes.
func folder(t *testing.T, private os.FileMode, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "product-1.0")
	for _, name := range names {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700|private))
		mode := 0o600 | private
		if filepath.Dir(name) == "bin" {
			mode |= 0o100
		}
		require.NoError(t, os.WriteFile(file, []byte("content of "+name), mode))
		require.NoError(t, os.Chtimes(file, time.Now(), time.Now().Add(-time.Duration(len(names))*time.Hour)))
	}
	return dir
}

func packed(t *testing.T, dir string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.tar.gz")
	require.NoError(t, run([]string{"pack", dir, file, "1700000000"}))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return b
}

func TestTheSameFilesGiveTheSameBytes(t *testing.T) {
	a := packed(t, folder(t, 0o044, "bin/milvus", "LICENSE", "configs/milvus.yaml"))
	require.Equal(t, a, packed(t, folder(t, 0, "configs/milvus.yaml", "LICENSE", "bin/milvus")), "made by another, with another umask")
	require.NotEqual(t, a, packed(t, folder(t, 0, "configs/milvus.yaml", "LICENSE")))
}

func TestWhatIsInAnArchive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tar.gz")
	require.NoError(t, run([]string{"pack", folder(t, 0, "bin/milvus", "LICENSE"), file, "1700000000"}))
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	zip, err := gzip.NewReader(f)
	require.NoError(t, err)
	modes := map[string]int64{}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, int64(1700000000), h.ModTime.Unix())
		require.Zero(t, h.Uid)
		modes[h.Name] = h.Mode
		if h.Name == "product-1.0/bin/milvus" {
			content, err := io.ReadAll(archive)
			require.NoError(t, err)
			require.Equal(t, "content of bin/milvus", string(content))
		}
	}
	require.Equal(t, map[string]int64{
		"product-1.0/": 0o755, "product-1.0/LICENSE": 0o644, "product-1.0/bin/": 0o755, "product-1.0/bin/milvus": 0o755,
	}, modes)
}

func TestSums(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	for range 2 { // it does not count itself
		require.NoError(t, run([]string{"sums", dir}))
		got, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		require.NoError(t, err)
		require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"+
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n", string(got))
	}
}

func TestBadArguments(t *testing.T) {
	require.ErrorContains(t, run([]string{"pack", t.TempDir(), "x", "yesterday"}), `"yesterday" is not a time`)
	require.ErrorContains(t, run(nil), "usage")
	require.ErrorIs(t, run([]string{"sums", filepath.Join(t.TempDir(), "absent")}), os.ErrNotExist)
}
