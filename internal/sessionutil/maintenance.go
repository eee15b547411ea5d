package sessionutil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
)

// Maintenance says that nobody takes a role over by itself: the dead are not found, and a role that is free stays free. A
// switchover is done all the same, and the last holder of a role takes it up again, restarted or not.
type Maintenance struct {
	By    string    `json:"By"`
	At    time.Time `json:"At"`
	Until time.Time `json:"Until,omitzero"` // zero: until somebody ends it
}

// errMaintenance is why a death was not made official.
var errMaintenance = errors.New("takeovers are paused")

func maintenanceKey(metaRoot, role string) string { return metaRoot + "/ha/" + role + "/pause" }

// maintenancePoll is how often a process that may not take a free role looks whether it may.
const maintenancePoll = time.Second

// PauseTakeovers begins maintenance of a role, or changes its end. With an end it hangs on a lease: it ends by itself, no
// earlier than said.
func PauseTakeovers(ctx context.Context, client *clientv3.Client, metaRoot, role string, m Maintenance) error {
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode a pause: %w", err)
	}
	var opts []clientv3.OpOption
	if !m.Until.IsZero() {
		lease, err := client.Grant(ctx, max(int64(math.Ceil(time.Until(m.Until).Seconds())), 1))
		if err != nil {
			return fmt.Errorf("take a lease for a pause: %w", err)
		}
		opts = append(opts, clientv3.WithLease(lease.ID))
	}
	if _, err := client.Put(ctx, maintenanceKey(metaRoot, role), string(value), opts...); err != nil {
		return fmt.Errorf("pause takeovers: %w", err)
	}
	return nil
}

// ResumeTakeovers ends maintenance. It tells whether there was any.
func ResumeTakeovers(ctx context.Context, client *clientv3.Client, metaRoot, role string) (bool, error) {
	resp, err := client.Delete(ctx, maintenanceKey(metaRoot, role))
	if err != nil {
		return false, fmt.Errorf("resume takeovers: %w", err)
	}
	return resp.Deleted > 0, nil
}

func parseMaintenance(kv *mvccpb.KeyValue) (Maintenance, error) {
	var m Maintenance
	if err := json.Unmarshal(kv.Value, &m); err != nil {
		return Maintenance{}, fmt.Errorf("%s at revision %d: %w", kv.Key, kv.ModRevision, err)
	}
	return m, nil
}

// underMaintenance looks whether takeovers are paused. An etcd that does not answer is no reason to wait: it does not
// let a lease be revoked either.
func (d detector) underMaintenance(ctx context.Context) bool {
	paused := false
	_ = d.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
		resp, err := c.Get(ctx, maintenanceKey(d.cfg.MetaRoot, d.cfg.Role), clientv3.WithCountOnly())
		if err == nil {
			paused = resp.Count > 0
		}
		return err
	})
	return paused
}

// barred tells whether a claim that found the role free must not be tried again: the metadata is being restored, the role is
// being handed to another process, or takeovers are paused and this is not the process that held it last.
func (s *Session) barred(c claim) bool {
	if c.restoring != nil {
		return true
	}
	handedToUs := false
	if c.wish != nil {
		if !s.mayClaim(c.wish) {
			return true
		}
		wish, err := parseSwitch(c.wish)
		handedToUs = err == nil && wish.To == s.cfg.ServerID
	}
	heldByUs := c.found && (c.record.ServerID == s.cfg.ServerID || s.holdsAddressesOf(c.record))
	return c.maintenance != nil && !handedToUs && !heldByUs
}

// waitBarred says why a free role is not taken, once, and waits a moment.
func (s *Session) waitBarred(ctx context.Context, c claim, said *bool) {
	pause := handOverPoll
	if c.maintenance != nil || c.restoring != nil {
		pause = maintenancePoll
	}
	if !*said {
		*said = true
		switch {
		case c.restoring != nil:
			s.log.Warn("the role is free, but a restore of the metadata has not ended: see 'milvus metadata restore --help'",
				zap.ByteString("restore", c.restoring.Value))
		case c.maintenance != nil:
			s.log.Warn("the role is free, but takeovers are paused: see 'milvus resume'", zap.ByteString("pause", c.maintenance.Value))
		case c.wish != nil:
			s.log.Info("the role is being handed to another process, not competing", zap.ByteString("wish", c.wish.Value))
		}
	}
	_ = clock.Sleep(ctx, pause)
}
