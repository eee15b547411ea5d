package sessionutil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
)

// Switch is the wish that the holder of a role hands it to another process. It lies in etcd for a few seconds, on a lease
// of its own, and while it does nobody but To competes for the role.
type Switch struct {
	Term int64     `json:"Term"` // that is to end
	From int64     `json:"From"` // ServerID of its holder
	To   int64     `json:"To"`   // ServerID of the next one
	At   time.Time `json:"At"`
}

// switchTTL is how long a wish lasts. If To dies meanwhile, that is for how long nobody takes the role.
const switchTTL = 5 * time.Second

// Errors of [RequestSwitch].
var (
	ErrSwitchUnderway = errors.New("the role is being handed over already")
	ErrTermOver       = errors.New("the role has changed hands meanwhile")
)

// errSwitched ends the serving of a term whose holder was asked to hand over.
var errSwitched = errors.New("asked to hand the role over")

func switchKey(metaRoot, role string) string { return metaRoot + "/ha/" + role + "/switchover" }

// RequestSwitch asks the holder of a term to hand its role over. It returns when the wish is in etcd.
func RequestSwitch(ctx context.Context, client *clientv3.Client, metaRoot, role string, s Switch) error {
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode a switchover: %w", err)
	}
	lease, err := client.Grant(ctx, int64(switchTTL/time.Second))
	if err != nil {
		return fmt.Errorf("take a lease for a switchover: %w", err)
	}
	key, active := switchKey(metaRoot, role), ActiveKey(metaRoot, role)
	resp, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(active), "=", s.Term), clientv3.Compare(clientv3.Version(key), "=", 0)).
		Then(clientv3.OpPut(key, string(value), clientv3.WithLease(lease.ID))).
		Else(clientv3.OpGet(key)).Commit()
	switch {
	case err != nil:
		return fmt.Errorf("ask for a switchover: %w", err)
	case resp.Succeeded:
		return nil
	case len(resp.Responses[0].GetResponseRange().GetKvs()) > 0:
		return ErrSwitchUnderway
	}
	return ErrTermOver
}

// watchSwitch calls handOver when the holder of term is asked to hand the role over to a process that is registered.
func (s *Session) watchSwitch(ctx context.Context, term *Term, handOver context.CancelCauseFunc) {
	key := switchKey(s.cfg.MetaRoot, s.cfg.Role)
	for ctx.Err() == nil {
		resp, err := s.client.Get(ctx, key)
		if err == nil {
			if len(resp.Kvs) > 0 && s.obeys(ctx, resp.Kvs[0], term) {
				handOver(errSwitched)
				return
			}
			for events := range s.client.Watch(clientv3.WithRequireLeader(ctx), key, clientv3.WithRev(resp.Header.Revision+1)) {
				for _, ev := range events.Events {
					if ev.Type == mvccpb.PUT && s.obeys(ctx, ev.Kv, term) {
						handOver(errSwitched)
						return
					}
				}
			}
		}
		_ = clock.Sleep(ctx, 200*time.Millisecond)
	}
}

// obeys tells whether a wish is about this term, and about somebody who is there to take the role.
func (s *Session) obeys(ctx context.Context, kv *mvccpb.KeyValue, term *Term) bool {
	wish, err := parseSwitch(kv)
	if err != nil || wish.Term != term.number || wish.To == s.cfg.ServerID {
		s.log.Warn("not handing the role over: the wish is not about this term", zap.ByteString("wish", kv.Value), zap.Error(err))
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := s.client.Get(ctx, memberKey(s.cfg.MetaRoot, s.cfg.Role, wish.To))
	if err != nil || len(resp.Kvs) == 0 {
		s.log.Warn("not handing the role over: the next one is not registered", zap.Int64("to", wish.To), zap.Error(err))
		return false
	}
	s.log.Info("handing the ACTIVE role over", zap.Int64("term", term.number), zap.Int64("to", wish.To))
	return true
}

func parseSwitch(kv *mvccpb.KeyValue) (Switch, error) {
	var wish Switch
	if err := json.Unmarshal(kv.Value, &wish); err != nil {
		return Switch{}, fmt.Errorf("%s at revision %d: %w", kv.Key, kv.ModRevision, err)
	}
	return wish, nil
}

// mayClaim tells whether a wish that lies in etcd lets this process compete. One that would never go away by itself, or that
// nobody can read, is no wish.
func (s *Session) mayClaim(kv *mvccpb.KeyValue) bool {
	wish, err := parseSwitch(kv)
	return err != nil || kv.Lease == 0 || wish.To == s.cfg.ServerID
}
