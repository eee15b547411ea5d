package sessionutil

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// healthServer is the part of a coordinator that a standby's detector talks to.
type healthServer struct {
	*health.Server
	grpc    *grpc.Server
	addr    string
	streams atomic.Int32
}

func startHealth(t *testing.T, addr string, serverID int64) *healthServer {
	t.Helper()
	lis, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	s := &healthServer{Server: health.NewServer(), addr: lis.Addr().String()}
	s.grpc = grpc.NewServer(grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
		if err := ss.SendHeader(metadata.Pairs(ServerIDHeader, formatID(serverID))); err != nil {
			return err
		}
		s.streams.Add(1)
		return h(srv, ss)
	}))
	healthpb.RegisterHealthServer(s.grpc, s.Server)
	s.SetServingStatus("rootcoord", healthpb.HealthCheckResponse_SERVING)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.grpc.Serve(lis) }()
	t.Cleanup(func() { s.grpc.Stop(); <-done })
	return s
}

type rivalry struct {
	*rival
	d      detector
	lease  clientv3.LeaseID
	client *clientv3.Client
}

// startRivalry puts a holder with the given id and addresses into etcd and looks for its death.
func startRivalry(t *testing.T, id int64, change func(*detector), addresses ...string) *rivalry {
	t.Helper()
	client := clustertest.StartEtcd(t).Client(t)
	grant, err := client.Grant(t.Context(), 60)
	require.NoError(t, err)
	value := fmt.Sprintf(`{"ServerID":%d,"ServerName":"rootcoord","Address":%q}`, id, addresses[0])
	_, err = client.Put(t.Context(), ActiveKey(root, "rootcoord"), value, clientv3.WithLease(grant.ID))
	require.NoError(t, err)
	d := detector{
		cfg: Config{
			MetaRoot: root, Role: "rootcoord", FastFailover: true, Heartbeat: time.Second, ServeWindow: 4 * time.Second,
			SilenceTimeout: 5 * time.Second,
		},
		members: etcdutil.NewMembers(client), log: zaptest.NewLogger(t), metrics: newMeasured(),
		dial: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
	}
	if change != nil {
		change(&d)
	}
	resp := get(t, client, ActiveKey(root, "rootcoord"))
	r := newRival(claim{
		revision: resp.Header.Revision, holder: resp.Kvs[0], found: true, record: termRecord{ServerID: id, Direct: addresses},
	})
	r.detect(context.Background(), d)
	t.Cleanup(r.release)
	return &rivalry{rival: r, d: d, lease: grant.ID, client: client}
}

func (r *rivalry) revoked(t *testing.T) bool {
	t.Helper()
	ttl, err := r.client.TimeToLive(t.Context(), r.lease)
	require.NoError(t, err)
	return ttl.TTL < 0
}

func (r *rivalry) mustVerify(t *testing.T, s *healthServer) {
	t.Helper()
	require.Eventually(t, func() bool { return s.streams.Load() > 0 }, time.Minute, time.Millisecond)
	time.Sleep(200 * time.Millisecond) // the header is on its way
}

func TestDeathOfAProcessIsFoundByItsSockets(t *testing.T) {
	t.Parallel()
	s := startHealth(t, "127.0.0.1:0", 7)
	r := startRivalry(t, 7, nil, s.addr)
	r.mustVerify(t, s)
	require.False(t, r.stopped())
	s.grpc.Stop()
	require.Eventually(t, r.stopped, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool { return r.revoked(t) }, time.Minute, time.Millisecond)
	reason, _ := r.cause()
	require.Equal(t, ReasonKilled, reason)
}

func TestABrokenStreamAloneIsNoEvidence(t *testing.T) {
	t.Parallel()
	s := startHealth(t, "127.0.0.1:0", 7)
	proxy := clustertest.NewProxy(t, s.addr)
	r := startRivalry(t, 7, nil, proxy.Addr(), s.addr)
	r.mustVerify(t, s)
	proxy.Cut()
	time.Sleep(2 * time.Second)
	require.False(t, r.stopped(), "the process itself still listens")
	require.False(t, r.revoked(t))
}

func TestRefusedConnectionsAloneAreNoEvidence(t *testing.T) {
	t.Parallel()
	s := startHealth(t, "127.0.0.1:0", 8) // somebody else listens there
	r := startRivalry(t, 7, nil, s.addr)
	time.Sleep(300 * time.Millisecond)
	s.grpc.Stop()
	time.Sleep(2 * time.Second)
	require.False(t, r.stopped(), "it was never verified that this was the holder's address")
	require.False(t, r.revoked(t))
}

func TestSilenceIsFoundByTheLease(t *testing.T) {
	t.Parallel()
	r := startRivalry(t, 7, nil, "127.0.0.1:1")
	began := time.Now()
	require.Eventually(t, func() bool { return r.revoked(t) }, time.Minute, 50*time.Millisecond)
	require.Greater(t, time.Since(began), r.d.cfg.SilenceTimeout-100*time.Millisecond)
	reason, _ := r.cause()
	require.Equal(t, ReasonSilent, reason)
	require.True(t, r.stopped())
}

func TestRenewalsAreNotSilence(t *testing.T) {
	t.Parallel()
	r := startRivalry(t, 7, nil, "127.0.0.1:1")
	for began := time.Now(); time.Since(began) < 8*time.Second; time.Sleep(500 * time.Millisecond) {
		_, err := r.client.KeepAliveOnce(t.Context(), r.lease)
		require.NoError(t, err)
	}
	require.False(t, r.stopped())
}

func TestDocumentedModeRevokesNothing(t *testing.T) {
	t.Parallel()
	s := startHealth(t, "127.0.0.1:0", 7)
	r := startRivalry(t, 7, func(d *detector) { d.cfg.FastFailover = false }, s.addr)
	r.mustVerify(t, s)
	s.grpc.Stop()
	require.Eventually(t, r.stopped, time.Minute, 10*time.Millisecond, "silence is still a proof for the succession")
	require.False(t, r.revoked(t))
}

func TestAMilvusCoordinatorsSilenceMeansNothing(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	grant, err := client.Grant(t.Context(), 60)
	require.NoError(t, err)
	_, err = client.Put(t.Context(), ActiveKey(root, "rootcoord"), `{"ServerID":7,"Address":"127.0.0.1:1"}`, clientv3.WithLease(grant.ID))
	require.NoError(t, err)
	p := startPeer(t, client, nil)
	p.waitLog("serverName: rootcoord is in STANDBY ...")
	time.Sleep(8 * time.Second)
	ttl, err := client.TimeToLive(t.Context(), grant.ID)
	require.NoError(t, err)
	require.Positive(t, ttl.TTL, "it renews every 20 s; revoking its lease would depose a live one")
}

func TestTheHoldersOwnWordIsProof(t *testing.T) {
	t.Parallel()
	s := startHealth(t, "127.0.0.1:0", 7)
	r := startRivalry(t, 7, nil, s.addr)
	r.mustVerify(t, s)
	require.False(t, r.stopped())
	s.SetServingStatus("rootcoord", healthpb.HealthCheckResponse_NOT_SERVING)
	require.Eventually(t, r.stopped, time.Minute, time.Millisecond)
	<-r.acknowledged()
	require.False(t, r.revoked(t))
}
