package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/tso"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var layout = Layout{RootPath: "by-dev", MetaRoot: "by-dev/meta", KvRoot: "by-dev/kv"}

// file makes a backup of keys and values, in the order given.
func file(t testing.TB, kvs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newWriter(&b, Header{Layout: layout, Revision: 7, Taken: time.Unix(1, 0).UTC(), Cluster: "c", Product: "p"})
	require.NoError(t, err)
	for i := 0; i < len(kvs); i += 2 {
		require.NoError(t, w.add(kvs[i], []byte(kvs[i+1])))
	}
	require.NoError(t, w.close(3))
	return b.Bytes()
}

func readAll(b []byte) (map[string]string, error) {
	r, err := newReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer r.close()
	all := map[string]string{}
	for {
		key, value, err := r.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all[key] = string(value)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	large := strings.Repeat("0123456789", 20_000)
	got, err := readAll(file(t, "by-dev/a", "", "by-dev/b", large, "by-dev/c\x00", "\x00\xff"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"by-dev/a": "", "by-dev/b": large, "by-dev/c\x00": "\x00\xff"}, got)
	s, err := Verify(bytes.NewReader(file(t)), nil)
	require.NoError(t, err)
	require.Equal(t, int64(7), s.Revision)
	require.Equal(t, int64(3), s.LeftOut)
	require.Equal(t, layout, s.Layout)
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	whole := file(t, "by-dev/meta/a", "one", "by-dev/meta/b", "two", "by-dev/meta/c", strings.Repeat("three", 50))
	want, err := readAll(whole)
	require.NoError(t, err)
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x20
		got, err := readAll(damaged)
		if err == nil { // unused bits of compression may change; what is read may not
			require.Equal(t, want, got, "byte %d", i)
			continue
		}
		var is *DamagedError
		require.ErrorAs(t, err, &is, "byte %d", i)
		_, err = readAll(whole[:i])
		require.ErrorAs(t, err, &is, "the first %d bytes", i)
	}
	_, err = readAll(append(bytes.Clone(whole), 'x'))
	require.Error(t, err)
	_, err = readAll(append(bytes.Clone(whole), whole[len(magic)+1:]...))
	require.ErrorContains(t, err, "something follows the end")
}

func TestWhatIsNoBackup(t *testing.T) {
	_, err := readAll([]byte("hello, this is a text"))
	require.ErrorContains(t, err, "this is no backup of metadata")
	newer := file(t)
	newer[len(magic)] = 9
	_, err = readAll(newer)
	require.ErrorContains(t, err, "version 9 of the format")
}

func TestKeysMustAscend(t *testing.T) {
	w, err := newWriter(io.Discard, Header{Layout: layout})
	require.NoError(t, err)
	require.NoError(t, w.add("b", nil))
	require.Error(t, w.add("b", nil))
	require.Error(t, w.add("a", nil))
}

func TestVerifyCountsAndNames(t *testing.T) {
	check := func(kv metatable.KV) (string, bool, error) {
		switch kv.Value[0] {
		case 'd':
			return "things", false, nil
		case 'b':
			return "things", true, errors.New("bad thing")
		case 't':
			return "things", true, nil
		}
		return "", false, nil
	}
	b := file(t, "by-dev/kv/gid/idTimestamp", string(tso.FormatBound(5000)), "by-dev/kv/gid/timestamp", "short",
		"by-dev/meta/1", "t", "by-dev/meta/2", "d", "by-dev/meta/3", "b", "by-dev/meta/4", "?", "by-dev/meta/session/id", "12")
	s, err := Verify(bytes.NewReader(b), func(l Layout) ([]Check, error) {
		require.Equal(t, layout, l)
		return []Check{check}, nil
	})
	require.NoError(t, err)
	require.Equal(t, []Kind{{"things", 1}}, s.Kinds)
	require.Equal(t, int64(1), s.Tombstones)
	require.Equal(t, int64(1), s.Other)
	require.Equal(t, int64(2), s.Undecoded)
	require.Equal(t, "by-dev/kv/gid/timestamp", s.Examples[0].Key)
	require.Equal(t, Unreadable{"by-dev/meta/3", "bad thing"}, s.Examples[1])
	require.Equal(t, time.Unix(5, 0).UTC(), s.IDs)
	require.Equal(t, int64(12), s.ServerID)
}

func TestRangesLeaveOutWhatIsAboutProcesses(t *testing.T) {
	in := func(ranges []metatable.Range, key string) bool {
		for _, r := range ranges {
			if r.From <= key && key < r.To {
				return true
			}
		}
		return false
	}
	for key, want := range map[string][2]bool{ // saved, data
		"by-dev/meta/root-coord/x":      {true, true},
		"by-dev/config/x":               {true, true},
		"by-dev/meta/session/id":        {true, false},
		"by-dev/kv/gid/timestamp":       {true, false},
		"by-dev/kv/gid/idTimestamp":     {true, false},
		"by-dev/kv/gid/timestamp2":      {true, true},
		"by-dev/meta/session/rootcoord": {false, false},
		"by-dev/meta/session/id2":       {false, false},
		"by-dev/meta/ha/rootcoord/term": {false, false},
		"by-dev/meta/ha/restoring":      {false, false},
		"by-dev/meta/hazard":            {true, true},
		"by-dev2/meta/root-coord/x":     {false, false},
		"by-dev":                        {false, false},
		"by-dev/meta/session-like/x":    {true, true},
		"by-dev/meta/sessionx":          {true, true},
	} {
		require.Equal(t, want, [2]bool{in(layout.saved(), key), in(layout.data(), key)}, key)
	}
	rootless := Layout{MetaRoot: "meta", KvRoot: "kv"}
	require.NoError(t, rootless.validate())
	require.True(t, in(rootless.saved(), "meta/a"))
	require.False(t, in(rootless.saved(), "other/a"))
	at, err := Layout{RootPath: "n", MetaRoot: "n/m", KvRoot: "n/k"}.moved("by-dev/meta/a", layout)
	require.NoError(t, err)
	require.Equal(t, "n/m/a", at)
	at, err = Layout{RootPath: "n", MetaRoot: "n/m", KvRoot: "n/k"}.moved("by-dev/config/a", layout)
	require.NoError(t, err)
	require.Equal(t, "n/config/a", at)
	_, err = rootless.moved("by-dev/config/a", layout)
	require.Error(t, err)
}

// FuzzReader looks for a panic, for memory that a length makes it take, and for an error of another kind.
func FuzzReader(f *testing.F) {
	whole := file(f, "by-dev/meta/a", "one", "by-dev/meta/b", strings.Repeat("two", 100))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(magic + "\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := readAll(b)
		var damaged *DamagedError
		if err != nil && !errors.As(err, &damaged) {
			t.Fatal(fmt.Errorf("not a DamagedError: %w", err))
		}
	})
}

// FuzzFrames is FuzzReader behind the compression, whose checksums hide the rest from it.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{1, 1, 'a', 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, frames []byte) {
		var b bytes.Buffer
		w, err := newWriter(&b, Header{Layout: layout})
		require.NoError(t, err)
		_, _ = w.buffer.Write(frames)
		require.NoError(t, w.buffer.Flush())
		require.NoError(t, w.compress.Close())
		_, err = readAll(b.Bytes())
		var damaged *DamagedError
		if err != nil && !errors.As(err, &damaged) {
			t.Fatal(fmt.Errorf("not a DamagedError: %w", err))
		}
	})
}

func TestATrailerThatDoesNotFit(t *testing.T) {
	for want, change := range map[string]func(*writer){
		"the SHA-256 is":      func(w *writer) { w.sum.Write([]byte("x")) },
		"2 keys were written": func(w *writer) { w.keys++ },
	} {
		var b bytes.Buffer
		w, err := newWriter(&b, Header{Layout: layout})
		require.NoError(t, err)
		require.NoError(t, w.add("by-dev/a", nil))
		require.NoError(t, w.buffer.Flush())
		change(w)
		require.NoError(t, w.close(0))
		_, err = readAll(b.Bytes())
		require.ErrorContains(t, err, want)
	}
}
