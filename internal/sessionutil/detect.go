package sessionutil

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// ServerIDHeader is the response header by which a coordinator says who it is.
const ServerIDHeader = "serverid"

// silencePoll is how often a standby looks at the lease of the active one.
const silencePoll = time.Second

// detector holds what is needed to find out that the holder of a role is dead.
type detector struct {
	cfg     Config
	members *etcdutil.Members
	dial    []grpc.DialOption
	log     *zap.Logger
	metrics Metrics
}

// rival is what a standby knows of the process that holds the role. Its goroutines run from detect to release.
type rival struct {
	serverID  int64
	address   string
	addresses []string // all at which the process is known to listen
	lease     clientv3.LeaseID
	term      int64 // CreateRevision of its active key
	modified  int64 // ModRevision of its active key
	ours      bool  // it keeps the protocol of this package, not Milvus' own

	revision   int64 // watched up to here
	departedAt int64 // when the deletion of its key was seen, on package clock

	mu      sync.Mutex
	sign    time.Time // first sign of trouble
	verdict string
	silent  bool
	spared  bool          // it is dead, and takeovers are paused
	ack     chan struct{} // closed when the process itself said that its term is over
	acked   bool
	met     bool // a verified health stream stands

	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newRival(lost claim) *rival {
	r := &rival{
		lease:    clientv3.LeaseID(lost.holder.Lease),
		term:     lost.holder.CreateRevision,
		modified: lost.holder.ModRevision,
		revision: lost.revision,
		ack:      make(chan struct{}),
	}
	record, err := ParseRecord(lost.holder.Value)
	switch {
	case err == nil:
		r.serverID, r.address = record.ServerID, record.Address
		r.ours = lost.found && lost.record.ServerID == record.ServerID
	case lost.found: // somebody has overwritten the JSON; our own record still tells who claimed
		r.serverID, r.address, r.ours = lost.record.ServerID, lost.record.Address, true
	}
	if r.ours {
		r.addresses = slices.Clone(lost.record.Direct)
	}
	if r.address != "" && !slices.Contains(r.addresses, r.address) {
		r.addresses = append(r.addresses, r.address)
	}
	return r
}

// detect starts to look for evidence. What it finds is acted on only if fast failover is on.
func (r *rival) detect(ctx context.Context, d detector) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.running.Go(func() { d.pollLease(ctx, r) })
	if r.ours {
		r.running.Go(func() { d.followHealth(ctx, r) })
	}
}

// release stops the search and waits for it. A nil rival is nobody.
func (r *rival) release() {
	if r != nil && r.cancel != nil {
		r.cancel()
		r.running.Wait()
	}
}

func (r *rival) acknowledged() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.ack
}

// stopped tells whether the holder is proven not to answer any more.
func (r *rival) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acked || r.silent || r.verdict == ReasonKilled
}

func (r *rival) cause() (string, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	detect := time.Duration(0)
	if !r.sign.IsZero() {
		detect = time.Since(r.sign)
	}
	switch {
	case r.verdict != "":
		return r.verdict, detect
	case r.silent:
		return ReasonExpired, detect
	case !r.ours:
		return ReasonExpired, 0 // a Milvus coordinator leaves no record of why it went
	}
	return ReasonDeleted, 0
}

func (r *rival) trouble() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sign.IsZero() {
		r.sign = time.Now()
	}
}

func (r *rival) calm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sign = time.Time{}
}

// meet notes whether a health stream to the process stands.
func (r *rival) meet(standing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.met = standing
}

func (r *rival) connected() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.met
}

// spare tells, once, that the process is dead and takeovers are paused.
func (r *rival) spare() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.spared
	r.spared = true
	return first
}

func (r *rival) judge(verdict string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verdict = verdict
}

// condemn makes a death official: the lease goes, and with it all keys of the process, at one revision.
func (d detector) condemn(ctx context.Context, r *rival, verdict string) error {
	if !d.cfg.FastFailover {
		return nil
	}
	if d.underMaintenance(ctx) {
		if r.spare() {
			d.log.Warn("the ACTIVE process is dead, but takeovers are paused: see 'milvus resume'", zap.String("reason", verdict),
				zap.Int64("ServerID", r.serverID), zap.String("address", r.address))
		}
		return errMaintenance
	}
	r.judge(verdict)
	d.log.Warn("the ACTIVE process is dead, revoking its lease", zap.String("reason", verdict),
		zap.Int64("ServerID", r.serverID), zap.String("address", r.address))
	err := d.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Revoke(ctx, r.lease)
		return err
	})
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) && ctx.Err() == nil {
		d.log.Warn("cannot revoke the lease of the dead ACTIVE process", zap.Error(err))
		return err
	}
	return nil
}

// pollLease looks how long ago the holder renewed its lease. etcd rounds the remaining time down, so what is computed is
// never less than the true silence and less than a second more: only beyond the silence timeout plus that second is the
// silence proven.
func (d detector) pollLease(ctx context.Context, r *rival) {
	defer d.metrics.ActiveForgotten(d.cfg.Role)
	seen := time.Now()
	for clock.Sleep(ctx, silencePoll) == nil {
		if r.lease == 0 {
			if time.Since(seen) > d.cfg.SilenceTimeout {
				d.removeOrphan(ctx, r)
			}
			continue
		}
		var ttl *clientv3.LeaseTimeToLiveResponse
		err := d.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
			var err error
			ttl, err = c.TimeToLive(ctx, r.lease)
			return err
		})
		if err != nil || ttl.TTL < 0 {
			continue
		}
		silence := time.Duration(ttl.GrantedTTL-ttl.TTL) * time.Second
		d.metrics.ActiveSeen(d.cfg.Role, silence, r.connected())
		if !r.ours { // Milvus' own coordinators renew every 20 s: their silence means nothing
			continue
		}
		if silence > d.cfg.Heartbeat+2*time.Second {
			r.trouble()
		}
		if silence < d.cfg.SilenceTimeout+time.Second {
			continue
		}
		r.mu.Lock()
		r.silent = true
		r.mu.Unlock()
		if d.condemn(ctx, r, ReasonSilent) == nil && d.cfg.FastFailover {
			return
		}
	}
}

// removeOrphan deletes an active key that hangs on no lease, unless it was written since: it would stay for ever. A
// holder that lives has put its lease back on the key within a heartbeat.
func (d detector) removeOrphan(ctx context.Context, r *rival) {
	key := ActiveKey(d.cfg.MetaRoot, d.cfg.Role)
	d.log.Warn("the ACTIVE key hangs on no lease and nobody renews it, deleting it", zap.String("key", key))
	_ = d.members.Do(ctx, renewTimeout, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", r.modified)).Then(clientv3.OpDelete(key)).Commit()
		return err
	})
}

// followHealth holds a health stream to the holder. A stream that was once verified to be with this very process, that
// broke, and after which every address of the process refuses connections, is the evidence of a dead process.
func (d detector) followHealth(ctx context.Context, r *rival) {
	verified, pause := false, 2*time.Millisecond
	for ctx.Err() == nil {
		for _, address := range r.addresses {
			if d.watchHealth(ctx, r, address) {
				verified, pause = true, 2*time.Millisecond
				r.trouble()
				break
			}
		}
		if verified && ctx.Err() == nil && allRefuse(ctx, r.addresses) {
			if d.condemn(ctx, r, ReasonKilled) == nil && d.cfg.FastFailover {
				return
			}
		}
		_ = clock.Sleep(ctx, pause)
		pause = min(2*pause, 500*time.Millisecond)
	}
}

// watchHealth follows the stream until it ends, and tells whether it was with the holder.
func (d detector) watchHealth(ctx context.Context, r *rival, address string) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := grpc.NewClient("passthrough:///"+address, d.dial...)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight
	impatient := time.AfterFunc(2*time.Second, cancel)
	stream, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: d.cfg.Role})
	if err != nil {
		return false
	}
	header, err := stream.Header()
	if err != nil || !isServer(header, r.serverID) {
		return false
	}
	impatient.Stop()
	r.calm()
	r.meet(true)
	defer r.meet(false)
	serving := false
	for {
		resp, err := stream.Recv()
		if err != nil {
			return true
		}
		if resp.Status == healthpb.HealthCheckResponse_SERVING {
			serving = true
			continue
		}
		if serving { // it has ended its term; a new one would be under a new key
			r.acknowledge()
		}
	}
}

func (r *rival) acknowledge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.acked {
		r.acked = true
		close(r.ack)
	}
}

func isServer(header metadata.MD, serverID int64) bool {
	return slices.Contains(header.Get(ServerIDHeader), formatID(serverID))
}

// allRefuse tells whether there are addresses and each actively refuses a connection: its host is up and nobody listens.
func allRefuse(ctx context.Context, addresses []string) bool {
	dialer := net.Dialer{Timeout: 300 * time.Millisecond}
	for _, address := range addresses {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			return false
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return false
		}
	}
	return len(addresses) > 0
}
