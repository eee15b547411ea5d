package tso

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

const (
	// window is how far ahead of what is handed out the bound is stored.
	window = 3000 // ms
	// maxMillis is the last millisecond that the stored form, nanoseconds in an int64, can say: a day in the year 2262.
	// Shifted by 18 bits it is still a positive int64, so ids are.
	maxMillis = math.MaxInt64 / int64(time.Millisecond)
	// readAttempt bounds one reading of the bound; an etcd election takes about this long.
	readAttempt = 3 * time.Second
	// retryPause lies between two tries while etcd refuses or does not answer.
	retryPause = 100 * time.Millisecond
)

// Where Milvus keeps the bounds of timestamps and ids, below its kv root.
const (
	TimestampKey = "gid/timestamp"
	IDKey        = "gid/idTimestamp"
)

// ParseBound reads a stored bound: values of this and later milliseconds since 1970 were not given out.
func ParseBound(value []byte) (millis int64, err error) { return decodeBound(value) }

// FormatBound is the stored form of a bound in milliseconds since 1970.
func FormatBound(millis int64) []byte { return encodeBound(millis) }

// Term is what an allocator needs of the proof of being active. *sessionutil.Term is one.
type Term interface {
	Valid() bool
	Commit(ctx context.Context, txn sessionutil.Txn) (int64, error)
}

// Reader reads a key linearizably. *clientv3.Client is one.
type Reader interface {
	Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error)
}

// Config describes one allocator of one term.
type Config struct {
	Client Reader
	Term   Term
	Key    string // where the bound is stored
	Logger *zap.Logger
	Now    func() time.Time // the wall clock; nil means time.Now
}

// store keeps the bound: the first millisecond of which no value may be handed out. It is used by one goroutine at a time.
type store struct {
	cfg      Config
	revision int64 // ModRevision of the key as last seen; 0: absent
}

// read fetches the bound, waiting for an etcd that is away until ctx ends. Absent is 0. Milvus wrote a bound with a
// fraction of a millisecond and might have used the whole of it, so such a one is rounded up.
func (s *store) read(ctx context.Context) (int64, error) {
	for {
		attempt, done := context.WithTimeout(ctx, readAttempt)
		resp, err := s.cfg.Client.Get(attempt, s.cfg.Key)
		done()
		if err == nil {
			return s.decode(resp)
		}
		if ctx.Err() != nil || !etcdutil.IsUnavailable(err) {
			return 0, fmt.Errorf("read the allocator's bound at %s: %w", s.cfg.Key, err)
		}
		if err := clock.Sleep(ctx, retryPause); err != nil {
			return 0, fmt.Errorf("read the allocator's bound at %s: %w", s.cfg.Key, err)
		}
	}
}

func (s *store) decode(resp *clientv3.GetResponse) (int64, error) {
	if len(resp.Kvs) == 0 {
		s.revision = 0
		return 0, nil
	}
	millis, err := decodeBound(resp.Kvs[0].Value)
	if err != nil {
		return 0, fmt.Errorf("the allocator's bound at %s: %w", s.cfg.Key, err)
	}
	s.revision = resp.Kvs[0].ModRevision
	return millis, nil
}

// write stores a bound. sessionutil.ErrGuard says that another writer has moved the key.
func (s *store) write(ctx context.Context, millis int64) error {
	if millis > maxMillis {
		return fmt.Errorf("the allocator's bound at %s would lie beyond the year 2262: correct the clock", s.cfg.Key)
	}
	revision, err := s.cfg.Term.Commit(ctx, sessionutil.Txn{
		Guards: []sessionutil.Guard{{Key: s.cfg.Key, ModRevision: s.revision}},
		Ops:    []clientv3.Op{clientv3.OpPut(s.cfg.Key, string(encodeBound(millis)))},
	})
	if err != nil {
		return fmt.Errorf("store the allocator's bound at %s: %w", s.cfg.Key, err)
	}
	s.revision = revision
	return nil
}

// errCorrupt is what a bound that is not one is refused with.
var errCorrupt = errors.New("not 8 bytes of nanoseconds since 1970, big-endian; restore it from a backup, or delete it if " +
	"no value was ever given out from it")

func decodeBound(value []byte) (int64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("%x: %w", value, errCorrupt)
	}
	nanos := binary.BigEndian.Uint64(value)
	if nanos > math.MaxInt64 {
		return 0, fmt.Errorf("%x: %w", value, errCorrupt)
	}
	const perMilli = uint64(time.Millisecond)
	return int64((nanos + perMilli - 1) / perMilli), nil
}

func encodeBound(millis int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(millis)*uint64(time.Millisecond))
}
