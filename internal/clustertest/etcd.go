package clustertest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Etcd is one etcd process or a cluster of them. Its ports and data survive a restart.
type Etcd struct {
	t       testing.TB
	members []*member
}

type member struct {
	name   string
	client string // host:port
	args   []string
	bin    string
	out    *output
	*process
}

// StartEtcd runs a single etcd until the end of the test. extra are further flags; the elections are quick unless they
// say otherwise.
func StartEtcd(t testing.TB, extra ...string) *Etcd { return StartEtcdCluster(t, 1, extra...) }

// StartEtcdCluster runs n members.
func StartEtcdCluster(t testing.TB, n int, extra ...string) *Etcd {
	t.Helper()
	root := RepoRoot(t)
	bin := filepath.Join(root, "bin", "etcd")
	build(t, filepath.Join(root, "tools", "etcd"), bin, false, "go.etcd.io/etcd/server/v3")
	e := &Etcd{t: t}
	var peers []string
	for i := range n {
		m := &member{name: fmt.Sprintf("m%d", i), client: fmt.Sprintf("127.0.0.1:%d", FreePort(t)), bin: bin, out: &output{}}
		peer := fmt.Sprintf("http://127.0.0.1:%d", FreePort(t))
		peers = append(peers, m.name+"="+peer)
		m.args = []string{
			"--name", m.name, "--data-dir", filepath.Join(t.TempDir(), m.name), "--log-level", "error", "--unsafe-no-fsync",
			"--listen-client-urls", "http://" + m.client, "--advertise-client-urls", "http://" + m.client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		}
		e.members = append(e.members, m)
	}
	for _, m := range e.members {
		m.args = append(m.args, "--initial-cluster", strings.Join(peers, ","))
		if !strings.Contains(strings.Join(extra, " "), "--heartbeat-interval") {
			m.args = append(m.args, "--heartbeat-interval", "10", "--election-timeout", "100")
		}
		m.args = append(m.args, extra...)
		m.start(t)
		t.Cleanup(m.end)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, m := range e.members {
				t.Logf("etcd %s printed:\n%s", m.name, m.out)
			}
		}
	})
	e.WaitReady()
	return e
}

func (m *member) start(t testing.TB) {
	t.Helper()
	p, err := startProcess(exec.Command(m.bin, m.args...), m.out)
	if err != nil {
		t.Fatal(err)
	}
	m.process = p
}

func (m *member) end() {
	if m.running() {
		_ = m.signal(syscall.SIGCONT)
		m.kill()
	}
}

// WaitReady waits until etcd accepts a write.
func (e *Etcd) WaitReady() {
	e.t.Helper()
	client, err := clientv3.New(e.clientConfig())
	if err != nil {
		e.t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // a test's probe
	if !waitUntil(func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := client.Put(ctx, "clustertest", "ready")
		return err == nil
	}) {
		e.t.Fatalf("etcd did not become ready; it printed:\n%s", e.members[0].out)
	}
}

// Endpoints are the clients' addresses, host:port.
func (e *Etcd) Endpoints() []string {
	var all []string
	for _, m := range e.members {
		all = append(all, m.client)
	}
	return all
}

func (e *Etcd) clientConfig() clientv3.Config {
	return clientv3.Config{
		Endpoints: e.Endpoints(), DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	}
}

// Client makes a client that is closed at the end of the test.
func (e *Etcd) Client(t testing.TB) *clientv3.Client { return e.ClientVia(t, e.Endpoints()...) }

// ClientVia makes such a client that dials other endpoints, proxies to the members.
func (e *Etcd) ClientVia(t testing.TB, endpoints ...string) *clientv3.Client {
	t.Helper()
	cfg := e.clientConfig()
	cfg.Endpoints = endpoints
	client, err := clientv3.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Kill ends all members, or those named by index, with SIGKILL.
func (e *Etcd) Kill(which ...int) { e.each(which, func(m *member) { m.kill() }) }

// Restart starts killed members again on their ports and data. It does not wait; see WaitReady.
func (e *Etcd) Restart(which ...int) { e.each(which, func(m *member) { m.start(e.t) }) }

// Pause stops members with SIGSTOP. They stand when it returns.
func (e *Etcd) Pause(which ...int) { e.each(which, func(m *member) { m.pause() }) }

// Resume continues paused members.
func (e *Etcd) Resume(which ...int) {
	e.each(which, func(m *member) { _ = m.signal(syscall.SIGCONT) })
}

func (e *Etcd) each(which []int, do func(*member)) {
	if len(which) == 0 {
		for i := range e.members {
			which = append(which, i)
		}
	}
	for _, i := range which {
		do(e.members[i])
	}
}

// Leader is the index of the member that leads.
func (e *Etcd) Leader() int {
	e.t.Helper()
	leader := -1
	if !waitUntil(func() bool {
		for i, m := range e.members {
			cfg := e.clientConfig()
			cfg.Endpoints = []string{m.client}
			client, err := clientv3.New(cfg)
			if err != nil {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			st, err := client.Status(ctx, m.client)
			cancel()
			_ = client.Close()
			if err == nil && st.Leader == st.Header.MemberId {
				leader = i
				return true
			}
		}
		return false
	}) {
		e.t.Fatal("etcd has no leader")
	}
	return leader
}
