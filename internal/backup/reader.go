package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// reader reads one backup. Its memory does not depend on what lengths a damaged file names.
type reader struct {
	header  Header
	trailer Trailer // when next has returned io.EOF

	expand *zstd.Decoder
	in     *bufio.Reader
	sum    hash.Hash
	last   string
	keys   int64
}

// newReader reads the header. The caller closes the reader.
func newReader(r io.Reader) (*reader, error) {
	start := make([]byte, len(magic)+1)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(magic)]) != magic {
		return nil, &DamagedError{Err: errors.New("this is no backup of metadata: it does not begin with " + magic)}
	}
	if v := start[len(magic)]; v != formatVersion {
		return nil, &DamagedError{Err: fmt.Errorf("version %d of the format, this program reads version %d", v, formatVersion)}
	}
	expand, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("make a zstd decoder: %w", err)
	}
	in := &reader{expand: expand, in: bufio.NewReaderSize(expand, 64<<10), sum: sha256.New()}
	if err := in.json(&in.header); err != nil {
		in.close()
		return nil, in.damaged(err)
	}
	if err := in.header.validate(); err != nil {
		in.close()
		return nil, in.damaged(err)
	}
	return in, nil
}

// ReadHeader tells what a file is a backup of, unproved, and leaves the file at its beginning.
func ReadHeader(file io.ReadSeeker) (Header, error) {
	in, err := newReader(file)
	if err != nil {
		return Header{}, err
	}
	in.close()
	_, err = file.Seek(0, io.SeekStart)
	return in.header, err
}

func (r *reader) close() { r.expand.Close() }

func (r *reader) damaged(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &DamagedError{Keys: r.keys, Err: err}
}

// next gives the next record; io.EOF when the trailer has proved that all were given. Every other error is a DamagedError.
func (r *reader) next() (key string, value []byte, err error) {
	mark, err := r.byte()
	if err != nil {
		return "", nil, r.damaged(err)
	}
	switch mark {
	case endMark:
		if err := r.end(); err != nil {
			return "", nil, r.damaged(err)
		}
		return "", nil, io.EOF
	case recordMark:
	default:
		return "", nil, r.damaged(fmt.Errorf("byte %#x where a record begins", mark))
	}
	k, err := r.bytes(maxKey)
	if err == nil {
		value, err = r.bytes(maxValue)
	}
	switch {
	case err != nil:
		return "", nil, r.damaged(err)
	case string(k) <= r.last:
		return "", nil, r.damaged(fmt.Errorf("key %q comes after %q", k, r.last))
	}
	r.last = string(k)
	r.keys++
	return r.last, value, nil
}

func (r *reader) end() error {
	sum := hex.EncodeToString(r.sum.Sum(nil))
	if err := r.json(&r.trailer); err != nil {
		return err
	}
	switch {
	case r.trailer.Keys != r.keys:
		return fmt.Errorf("%d keys were written", r.trailer.Keys)
	case r.trailer.SHA256 != sum:
		return fmt.Errorf("the SHA-256 is %s, not %s", sum, r.trailer.SHA256)
	}
	switch _, err := r.in.ReadByte(); {
	case err == nil:
		return errors.New("something follows the end")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

func (r *reader) json(into any) error {
	b, err := r.bytes(maxJSON)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func (r *reader) byte() (byte, error) {
	b, err := r.in.ReadByte()
	if err == nil {
		r.sum.Write([]byte{b})
	}
	return b, err
}

// ReadByte lets binary.ReadUvarint count what it reads.
func (r *reader) ReadByte() (byte, error) { return r.byte() }

func (r *reader) bytes(most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("a length of %d bytes, at most %d are possible", n, most)
	}
	if n <= 64<<10 {
		b := make([]byte, n)
		_, err = io.ReadFull(io.TeeReader(r.in, r.sum), b)
		return b, err
	}
	var b bytes.Buffer                                           // grows with what is there, not with what a length promises
	_, err = io.CopyN(io.MultiWriter(&b, r.sum), r.in, int64(n)) //nolint:gosec // bounded above
	return b.Bytes(), err
}
