package coordclient

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

const (
	readTimeout = 2 * time.Second        // of one look at the active key
	readPause   = 100 * time.Millisecond // between two looks, whoever asks for them
)

// follower keeps a client's view in step with the active key. All of it runs on one goroutine.
type follower struct {
	client   *Client
	key      string
	revision int64 // of etcd, up to which the view is right
	target   *target
	failing  bool // etcd did not answer the last time
}

// run follows the key until ctx ends. While etcd is away the process that was active last is called on.
func (f *follower) run(ctx context.Context) {
	defer func() {
		if f.target != nil {
			_ = f.target.conn.Close()
		}
		f.client.show(&view{closed: true, changed: make(chan struct{})})
	}()
	for ctx.Err() == nil {
		if err := f.look(ctx); err == nil {
			f.watch(ctx)
		}
		_ = clock.Sleep(ctx, readPause)
	}
}

// look reads the key.
func (f *follower) look(ctx context.Context) error {
	attempt, done := context.WithTimeout(ctx, readTimeout)
	defer done()
	resp, err := f.client.cfg.Etcd.Get(attempt, f.key)
	if err != nil {
		if !f.failing && ctx.Err() == nil {
			f.log().Warn("cannot ask etcd who is active, still trying", zap.Error(err))
		}
		f.failing = true
		return err
	}
	f.failing = false
	f.revision = resp.Header.Revision
	if len(resp.Kvs) == 0 {
		f.adopt(ctx, nil)
	} else {
		f.adopt(ctx, resp.Kvs[0])
	}
	return nil
}

// watch follows the key from what was read until the watch breaks.
func (f *follower) watch(ctx context.Context) {
	watching, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	events := f.client.cfg.Etcd.Watch(watching, f.key, clientv3.WithRev(f.revision+1))
	for {
		select {
		case resp, ok := <-events:
			if !ok || resp.Err() != nil {
				return
			}
			for _, ev := range resp.Events {
				if ev.Kv.ModRevision <= f.revision {
					continue // a look was quicker
				}
				f.revision = ev.Kv.ModRevision
				if ev.Type == mvccpb.DELETE {
					f.adopt(ctx, nil)
				} else {
					f.adopt(ctx, ev.Kv)
				}
			}
		case <-f.client.ask:
			if f.look(ctx) != nil {
				return
			}
			if f.target != nil {
				f.target.conn.ResetConnectBackoff()
			}
			if clock.Sleep(ctx, readPause/4) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// adopt makes the holder of the key the one that is called; kv is nil if there is none.
func (f *follower) adopt(ctx context.Context, kv *mvccpb.KeyValue) {
	var session sessionutil.Record
	if kv != nil {
		var err error
		if session, err = sessionutil.ParseRecord(kv.Value); err == nil && session.Address == "" {
			err = errors.New("no Address")
		}
		if err != nil {
			f.log().Warn("the active key does not tell whom to call", zap.Int64("revision", kv.ModRevision), zap.Error(err))
			kv = nil
		}
	}
	switch {
	case kv == nil && f.target == nil:
		return
	case kv == nil:
		f.show(ctx, nil)
		return
	case f.target != nil && f.target.created == kv.CreateRevision &&
		f.target.session.Address == session.Address && f.target.session.ServerID == session.ServerID:
		return // the holder has written its session anew
	}
	t, err := f.client.dial(session, kv.CreateRevision)
	if err != nil {
		f.log().Warn("the active key names an address that cannot be called", zap.Error(err))
		f.show(ctx, nil)
		return
	}
	f.log().Info("active coordinator found", zap.Int64("ServerID", session.ServerID), zap.String("address", session.Address))
	f.show(ctx, t)
}

func (f *follower) show(ctx context.Context, t *target) {
	old := f.target
	f.target = t
	f.client.show(&view{target: t, changed: make(chan struct{})})
	if old != nil {
		f.client.retire(ctx, old)
	}
}

func (f *follower) log() *zap.Logger { return f.client.cfg.Logger.With(zap.String("key", f.key)) }
