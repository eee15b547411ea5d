package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// writer writes one backup.
type writer struct {
	compress *zstd.Encoder
	buffer   *bufio.Writer // of what is hashed and compressed
	sum      hash.Hash
	last     string
	keys     int64
}

// newWriter writes the header.
func newWriter(w io.Writer, h Header) (*writer, error) {
	if _, err := io.WriteString(w, magic+string(rune(formatVersion))); err != nil {
		return nil, err
	}
	compress, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
	if err != nil {
		return nil, fmt.Errorf("make a zstd encoder: %w", err)
	}
	out := &writer{compress: compress, sum: sha256.New()}
	out.buffer = bufio.NewWriterSize(io.MultiWriter(out.sum, compress), 64<<10)
	return out, out.json(h)
}

// add writes one record; keys must ascend.
func (w *writer) add(key string, value []byte) error {
	if key <= w.last {
		return fmt.Errorf("%q came after %q", key, w.last)
	}
	w.last = key
	w.keys++
	_ = w.buffer.WriteByte(recordMark) // a bufio.Writer's errors stay until the next check
	w.length(len(key))
	_, _ = w.buffer.WriteString(key)
	w.length(len(value))
	_, err := w.buffer.Write(value)
	return err
}

// close writes the trailer.
func (w *writer) close(leftOut int64) error {
	_ = w.buffer.WriteByte(endMark)
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	if err := w.json(Trailer{Keys: w.keys, LeftOut: leftOut, SHA256: hex.EncodeToString(w.sum.Sum(nil))}); err != nil {
		return err
	}
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	return w.compress.Close()
}

func (w *writer) json(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.length(len(b))
	_, err = w.buffer.Write(b)
	return err
}

func (w *writer) length(n int) {
	_, _ = w.buffer.Write(binary.AppendUvarint(nil, uint64(n))) //nolint:gosec // a length
}
