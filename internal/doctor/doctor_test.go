package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/tso"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// about is an examination of by-dev in an etcd.
func about(t testing.TB, endpoints ...string) Config {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return Config{
		Etcd: etcdutil.Config{Endpoints: endpoints}, RootPath: "by-dev", MetaRoot: "by-dev/meta", KvRoot: "by-dev/kv",
		Roles: []string{"rootcoord", "datacoord"}, Companions: map[string][]string{"datacoord": {"indexcoord"}},
		HostName: "here", Settings: 7, HTTP: &http.Client{Transport: transport}, Patience: 20 * time.Second,
	}
}

func examine(t testing.TB, cfg Config) []Finding {
	t.Helper()
	all, err := Examine(t.Context(), cfg)
	require.NoError(t, err)
	return all
}

// want finds a finding whose what and detail hold two texts, and checks how bad it is and what it says to do.
func want(t testing.TB, all []Finding, status Status, what, detail, do string) {
	t.Helper()
	for _, f := range all {
		if strings.Contains(f.What, what) && strings.Contains(f.Detail, detail) {
			require.Equal(t, status, f.Status, "%+v", f)
			require.Contains(t, f.Do, do)
			return
		}
	}
	t.Fatalf("nothing about %q that says %q in:\n%s", what, detail, show(all))
}

func show(all []Finding) string {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "%s  %s  %s  -> %s\n", f.Status, f.What, f.Detail, f.Do)
	}
	return b.String()
}

func put(t testing.TB, client *clientv3.Client, key, value string, opts ...clientv3.OpOption) {
	t.Helper()
	_, err := client.Put(t.Context(), key, value, opts...)
	require.NoError(t, err)
}

func sessionJSON(role string, id int64, address string) string {
	b, err := json.Marshal(sessionutil.Record{ServerID: id, ServerName: role, Address: address, HostName: "here", Version: "2.5.6"})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestAllIsWell(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	cfg := about(t, etcd.Endpoints()...)
	all := examine(t, cfg)
	require.True(t, Well(all), show(all))
	want(t, all, OK, "configuration", "7 settings", "")
	want(t, all, OK, "etcd "+etcd.Endpoints()[0], "answers in", "")
	want(t, all, OK, "etcd alarms", "none", "")
	want(t, all, OK, "root path", "the first RootCoord begins a new cluster", "")
	want(t, all, Warn, "rootcoord", "nobody is registered", "milvus run rootcoord")
	left, err := client.Get(t.Context(), "by-dev/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Empty(t, left.Kvs, "nothing is left behind")

	// A pair that serves.
	live := pair(t, client, time.Now)
	cfg.Ports = []Port{{Key: "rootCoord.port", Number: live.port}, {Key: "dataCoord.port"}}
	put(t, client, "by-dev/kv/gid/timestamp", string(tso.FormatBound(time.Now().UnixMilli())))
	all = examine(t, cfg)
	require.True(t, Well(all), show(all))
	want(t, all, OK, "rootcoord", "1 active, with 1 that stand by", "")
	want(t, all, OK, "port rootCoord.port", "held by rootcoord 1", "")
	want(t, all, OK, "port dataCoord.port", "any free one", "")
	want(t, all, OK, "session leases", "3 sessions, all on a lease", "")
	want(t, all, OK, "addresses", "all 1 can be reached", "")
	want(t, all, OK, "clock", "of 2 others", "")
	want(t, all, OK, "ServerIDs", "the next one is 3", "")
}

// served is a pair of rootcoords, as far as etcd and HTTP show them.
type served struct{ port int }

func pair(t testing.TB, client *clientv3.Client, now func() time.Time) served {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
		_ = json.NewEncoder(w).Encode(opshttp.Standing{Version: "v1", Roles: []opshttp.RoleStanding{
			{Role: "rootcoord", ServerID: 1, State: "Healthy", Loaded: true, Revision: 1 << 40},
			{Role: "rootcoord", ServerID: 2, State: "StandBy", Loaded: true, Revision: 1 << 40},
		}})
	}))
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	lease, err := client.Grant(t.Context(), 600)
	require.NoError(t, err)
	for key, id := range map[string]int64{"rootcoord": 1, "rootcoord-1": 1, "rootcoord-2": 2} {
		put(t, client, "by-dev/meta/session/"+key, sessionJSON("rootcoord", id, address), clientv3.WithLease(lease.ID))
		put(t, client, fmt.Sprintf("by-dev/meta/ha/rootcoord/process/%d", id), fmt.Sprintf(`{"ServerID":%d,"Binary":"v1","PID":9,"HTTP":%q}`, id, address), clientv3.WithLease(lease.ID))
	}
	put(t, client, "by-dev/meta/session/id", "3")
	return served{port: server.Listener.Addr().(*net.TCPAddr).Port}
}

func TestEndpoints(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	refused := fmt.Sprintf("127.0.0.1:%d", clustertest.FreePort(t))
	cert := certificate(t)
	speaks, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	defer speaks.Close()
	go func() {
		for conn, err := speaks.Accept(); err == nil; conn, err = speaks.Accept() {
			go func() { _ = conn.(*tls.Conn).Handshake(); _ = conn.Close() }()
		}
	}()
	cfg := about(t, etcd.Endpoints()[0], refused, speaks.Addr().String())
	cfg.Patience = 3 * time.Second
	all := examine(t, cfg)
	want(t, all, OK, "etcd "+etcd.Endpoints()[0], "answers", "")
	want(t, all, Warn, "etcd "+refused, "connection refused", "correct etcd.endpoints")
	want(t, all, Warn, "etcd "+speaks.Addr().String(), "it speaks TLS, and this configuration does not", "etcd.ssl.enabled")

	// Nobody answers: the rest is looked at all the same.
	cfg.Etcd.Endpoints = []string{refused}
	cfg.Warnings = []string{"odd key"}
	all = examine(t, cfg)
	require.False(t, Well(all))
	want(t, all, Fail, "etcd "+refused, "connection refused", "start etcd")
	want(t, all, Warn, "configuration", "odd key", "milvus config")
	want(t, all, Warn, "roles", "etcd does not answer", "")

	// TLS that does not fit.
	cfg.Etcd.Endpoints = []string{speaks.Addr().String()}
	cfg.Etcd.TLS = etcdutil.TLSConfig{Enabled: true, CAFile: otherCA(t)}
	want(t, examine(t, cfg), Fail, "etcd", "no TLS with it", "etcd.ssl.tlsCACert")
	cfg.Etcd.TLS.CAFile = "/nowhere"
	_, err = Examine(t.Context(), cfg)
	require.ErrorContains(t, err, "etcd.ssl.tlsCACert")
}

func TestAuthentication(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	_, err := client.RoleAdd(t.Context(), "milvus")
	require.NoError(t, err)
	_, err = client.RoleGrantPermission(t.Context(), "milvus", "by-dev/", "by-dev0", clientv3.PermissionType(clientv3.PermReadWrite))
	require.NoError(t, err)
	for name, roles := range map[string][]string{"root": {"root"}, "poor": nil, "milvus": {"milvus"}} {
		_, err := client.UserAdd(t.Context(), name, "secret")
		require.NoError(t, err)
		for _, role := range roles {
			_, err = client.UserGrantRole(t.Context(), name, role)
			require.NoError(t, err)
		}
	}
	_, err = client.AuthEnable(t.Context())
	require.NoError(t, err)
	cfg := about(t, etcd.Endpoints()...)
	cfg.Patience = 3 * time.Second
	want(t, examine(t, cfg), Fail, "etcd", "it wants a user and a password", "etcd.auth.enabled")
	cfg.Etcd.User, cfg.Etcd.Password = "root", "wrong"
	want(t, examine(t, cfg), Fail, "etcd", "it refuses the user", "etcd.auth.password")
	cfg.Etcd.User, cfg.Etcd.Password = "poor", "secret"
	want(t, examine(t, cfg), Fail, "etcd", "the user may not read the root path", "grant the user")
	for _, user := range []string{"root", "milvus"} {
		cfg.Etcd.User = user
		all := examine(t, cfg)
		require.True(t, Well(all), show(all))
		t.Logf("%s:\n%s", user, show(all))
	}
}

func TestNoSpace(t *testing.T) {
	etcd := clustertest.StartEtcd(t, "--quota-backend-bytes", "200000")
	client := etcd.Client(t)
	for i := 0; ; i++ { // until etcd refuses
		require.Less(t, i, 1000)
		if _, err := client.Put(t.Context(), fmt.Sprintf("fill/%d", i), strings.Repeat("x", 10_000)); err != nil {
			break
		}
	}
	alarms, err := client.AlarmList(t.Context())
	require.NoError(t, err)
	require.Equal(t, pb.AlarmType_NOSPACE, alarms.Alarms[0].Alarm)
	all := examine(t, about(t, etcd.Endpoints()...))
	require.False(t, Well(all))
	want(t, all, Fail, "etcd alarms", "NOSPACE", "alarm disarm")
	want(t, all, Fail, "etcd space", "quota 195.3 kB", "defrag")
	want(t, all, Fail, "etcd latency", "a write is refused", "")
}

func TestMembers(t *testing.T) {
	etcd := clustertest.StartEtcdCluster(t, 3)
	cfg := about(t, etcd.Endpoints()...)
	all := examine(t, cfg)
	want(t, all, OK, "etcd members", "3, all have joined", "")
	want(t, all, OK, "etcd leader", "all agree", "")
	want(t, all, OK, "etcd replication", "3 members", "")
	cfg.Etcd.Endpoints = etcd.Endpoints()[:2]
	want(t, examine(t, cfg), Warn, "etcd members", "does not name m2", "add them")

	// Another cluster among the endpoints.
	other := clustertest.StartEtcd(t)
	cfg.Etcd.Endpoints = append(etcd.Endpoints()[:2:2], other.Endpoints()...)
	want(t, examine(t, cfg), Fail, "etcd leader", "2 different etcd clusters", "correct etcd.endpoints")

	// One that was added and never started.
	client := etcd.Client(t)
	require.Eventually(t, func() bool { // refused until the members have been connected for a while
		_, err := client.MemberAdd(t.Context(), []string{"http://127.0.0.1:1"})
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	cfg.Etcd.Endpoints = etcd.Endpoints()
	all = examine(t, cfg)
	want(t, all, Warn, "etcd members", "has never been started", "remove it")
	want(t, all, Warn, "etcd members", "4 vote", "add or remove one")

	// Two of three gone: whoever is left knows no leader.
	etcd.Kill(0, 1)
	cfg.Patience = 3 * time.Second
	all = examine(t, cfg)
	require.False(t, Well(all), show(all))
	want(t, all, Fail, "etcd "+etcd.Endpoints()[0], "connection refused", "")
}

func TestSessions(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	lease, err := client.Grant(t.Context(), 600)
	require.NoError(t, err)
	nobody := fmt.Sprintf("127.0.0.1:%d", clustertest.FreePort(t))
	put(t, client, "by-dev/meta/session/rootcoord", sessionJSON("rootcoord", 1, nobody))
	put(t, client, "by-dev/meta/session/proxy-5", sessionJSON("proxy", 5, nobody))
	put(t, client, "by-dev/meta/session/datacoord", sessionJSON("datacoord", 2, nobody), clientv3.WithLease(lease.ID))
	put(t, client, "by-dev/meta/session/querynode-3", "nonsense", clientv3.WithLease(lease.ID))
	put(t, client, "by-dev/meta/session/datanode-4", `{"ServerID":4,"Address":"`+nobody+`","Version":"2.4.1"}`, clientv3.WithLease(lease.ID))
	put(t, client, "by-dev/meta/session/id", "5")
	all := examine(t, about(t, etcd.Endpoints()...))
	want(t, all, Fail, "session leases", "session/rootcoord is on no lease and never goes away: nobody can claim the role", "etcdctl del by-dev/meta/session/rootcoord")
	want(t, all, Warn, "session leases", "session/proxy-5 is on no lease", "")
	want(t, all, Warn, "session records", "session/querynode-3", "")
	want(t, all, Warn, "session records", "different Milvus lines: 2.4, 2.5", "finish the upgrade")
	want(t, all, Fail, "ServerIDs", "the next one is 5, but proxy-5 has 5", "above 5")
	want(t, all, Warn, "addresses", "rootcoord registered "+nobody+", which cannot be reached from here", "")
	want(t, all, Warn, "companions", "datacoord is active, but not registered as indexcoord", "restart")
	put(t, client, "by-dev/meta/session/indexcoord", sessionJSON("indexcoord", 9, nobody), clientv3.WithLease(lease.ID))
	put(t, client, "by-dev/meta/session/id", "many")
	all = examine(t, about(t, etcd.Endpoints()...))
	want(t, all, Warn, "companions", "datacoord is held by 2, and indexcoord by 9", "")
	want(t, all, Fail, "ServerIDs", `holds "many"`, "put a number there")
	_, err = client.Delete(t.Context(), "by-dev/meta/session/datacoord")
	require.NoError(t, err)
	want(t, examine(t, about(t, etcd.Endpoints()...)), Warn, "companions", "indexcoord is registered, and no datacoord", "")
	put(t, client, "by-dev/meta/session/rootcoord", "nonsense", clientv3.WithLease(lease.ID))
	want(t, examine(t, about(t, etcd.Endpoints()...)), Fail, "session records", "session/rootcoord", "")
}

func TestRolesAndPauses(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	pair(t, client, func() time.Time { return time.Now().Add(-time.Hour) })
	require.NoError(t, sessionutil.PauseTakeovers(t.Context(), client, "by-dev/meta", "rootcoord", sessionutil.Maintenance{By: "me", At: time.Now()}))
	all := examine(t, about(t, etcd.Endpoints()...))
	want(t, all, Warn, "rootcoord", "automatic takeovers are paused", "milvus status rootcoord")
	want(t, all, Warn, "pauses", "by me, since", "milvus resume rootcoord")
	want(t, all, Warn, "clock", "that of here is some 1h0m0s behind", "NTP")
	_, err := client.Delete(t.Context(), "by-dev/meta/session/rootcoord")
	require.NoError(t, err)
	want(t, examine(t, about(t, etcd.Endpoints()...)), Fail, "rootcoord", "nobody is active", "logs")
}

func TestMetadata(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	put(t, client, "another/meta/session/id", "3")
	put(t, client, "alone", "")
	put(t, client, "by-dev2/kv/x", "")
	want(t, examine(t, about(t, etcd.Endpoints()...)), Warn, "root path", "other clusters are under another", "is etcd.rootPath right?")
	put(t, client, "by-dev/meta/root-coord/collection/7", "")
	put(t, client, "by-dev/meta/ha/restoring", `{"By":"me"}`)
	put(t, client, "by-dev/kv/gid/timestamp", string(tso.FormatBound(time.Now().Add(time.Hour).UnixMilli())))
	put(t, client, "by-dev/kv/gid/idTimestamp", "broken")
	all := examine(t, about(t, etcd.Endpoints()...))
	want(t, all, OK, "root path", "1 keys of RootCoord under by-dev/meta", "")
	want(t, all, OK, "metadata", "1 records are of layouts from before databases", "")
	want(t, all, Fail, "metadata", "a restore has not ended", "--replace")
	want(t, all, Warn, "timestamps", "ahead of this host's clock", "clock")
	want(t, all, Fail, "ids", "their bound cannot be read", "backup")
}

func TestPorts(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	taken, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	cfg := about(t, etcd.Endpoints()...)
	cfg.Ports = []Port{
		{Key: "rootCoord.port", Number: port}, {Key: "common.metricsPort", Number: port}, {Key: "dataCoord.port", Number: clustertest.FreePort(t)},
	}
	all := examine(t, cfg)
	want(t, all, Fail, "port rootCoord.port", "held by another program", "change rootCoord.port")
	want(t, all, Warn, "port common.metricsPort", "held by another program", "")
	want(t, all, OK, "port dataCoord.port", "is free", "")
	cfg.Ports[1].ByHand = true
	want(t, examine(t, cfg), Fail, "port common.metricsPort", "held by another program", "change common.metricsPort")
}

func TestVersionsThatOvertake(t *testing.T) {
	for version, wrong := range map[string]bool{"3.4.24": true, "3.4.25": false, "3.5.7": true, "3.5.8": false, "3.6.0": false, "3.3.9": true, "odd": false} {
		require.Equal(t, wrong, overtakes(version), version)
	}
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// otherCA is the file of an authority that has signed nothing.
func otherCA(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t).Certificate[0]}), 0o600))
	return path
}
