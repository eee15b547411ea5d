package sessionutil

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/etcdutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "by-dev/meta"

// peer is one process of a role, in this process.
type peer struct {
	t       *testing.T
	id      int64
	logs    *observer.ObservedLogs
	terms   chan *Term
	origins chan Origin
	fail    chan error
	stop    func()
	runErr  chan error
	seen    *measured
}

func (p *peer) Registered(context.Context) {}

func (p *peer) Serve(ctx context.Context, term *Term, o Origin) error {
	p.terms <- term
	p.origins <- o
	select {
	case <-ctx.Done():
	case <-term.Context().Done():
	case err := <-p.fail:
		return err
	}
	return nil
}

func (p *peer) active() *Term {
	p.t.Helper()
	select {
	case term := <-p.terms:
		return term
	case <-time.After(time.Minute):
		p.t.Fatalf("process %d did not become active; its log:\n%s", p.id, p.lines())
		return nil
	}
}

func (p *peer) lines() string {
	var b strings.Builder
	for _, e := range p.logs.All() {
		fmt.Fprintf(&b, "%s %s %v\n", e.Level, e.Message, e.ContextMap())
	}
	return b.String()
}

func (p *peer) waitLog(message string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.logs.FilterMessage(message).Len() > 0 }, time.Minute, 5*time.Millisecond,
		"process %d never logged %q", p.id, message)
}

func startPeer(t *testing.T, client *clientv3.Client, change func(*Config)) *peer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	id, err := AllocServerID(ctx, client, root, zap.NewNop())
	require.NoError(t, err)
	core, logs := observer.New(zapcore.DebugLevel)
	p := &peer{
		t: t, id: id, logs: logs, terms: make(chan *Term, 16), origins: make(chan Origin, 16), fail: make(chan error),
		runErr: make(chan error, 1), seen: newMeasured(),
	}
	cfg := Config{
		MetaRoot: root, Role: "rootcoord", ServerID: id, Address: fmt.Sprintf("127.0.0.1:%d", id), HostName: "host",
		Version: "2.5.6", Standby: true, TTL: 60 * time.Second, RetryTimes: 3, FastFailover: true,
		Heartbeat: 300 * time.Millisecond, ServeWindow: 4 * time.Second, SilenceTimeout: 5 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, Deps{Client: client, Members: etcdutil.NewMembers(client), Logger: zap.New(core), Metrics: p.seen})
	require.NoError(t, err)
	go func() { p.runErr <- s.Run(ctx, p) }()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-p.runErr)
		})
	}
	t.Cleanup(p.stop)
	return p
}

func get(t *testing.T, c *clientv3.Client, key string) *clientv3.GetResponse {
	t.Helper()
	resp, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	return resp
}

func TestServerIDsAreNeverGivenTwice(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	var mu sync.Mutex
	seen := map[int64]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				id, err := AllocServerID(t.Context(), client, root, zap.NewNop())
				mu.Lock()
				if err != nil || seen[id] {
					t.Errorf("id %d, error %v", id, err)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, "41", string(get(t, client, root+"/session/id").Kvs[0].Value))

	_, err := client.Put(t.Context(), root+"/session/id", "forty")
	require.NoError(t, err)
	_, err = AllocServerID(t.Context(), client, root, zap.NewNop())
	require.ErrorContains(t, err, `by-dev/meta/session/id holds "forty"`)
}

func TestTakeoverAfterCleanStopIsLoggedAsDocumented(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	require.True(t, term.Valid())
	require.Equal(t, ReasonFirst, (<-first.origins).Reason)
	second := startPeer(t, client, nil)
	second.waitLog("serverName: rootcoord is in STANDBY ...")
	for _, key := range []string{"rootcoord", fmt.Sprintf("rootcoord-%d", first.id), fmt.Sprintf("rootcoord-%d", second.id)} {
		require.Len(t, get(t, client, root+"/session/"+key).Kvs, 1, key)
	}
	require.Equal(t, term.Number(), get(t, client, root+"/session/rootcoord").Kvs[0].CreateRevision)

	first.stop()
	require.False(t, term.Valid())
	next := second.active()
	require.Greater(t, next.Number(), term.Number())
	origin := <-second.origins
	require.Equal(t, ReasonStopped, origin.Reason)
	require.Equal(t, first.id, origin.Predecessor)
	require.Less(t, origin.Wait, time.Second, "a predecessor that stopped cleanly needs no waiting out")

	var messages []string
	for _, e := range second.logs.All() {
		if e.Message != "put session key into etcd" && e.Message != "serverName: rootcoord is in STANDBY ..." {
			messages = append(messages, e.Level.CapitalString()+" "+e.Message)
		}
	}
	require.Equal(t, []string{
		"INFO start retrying to register as ACTIVE service...",
		"DEBUG watch the ACTIVE key",
		"DEBUG watch the ACTIVE key",
		"INFO stop watching ACTIVE key",
		"INFO start retrying to register as ACTIVE service...",
		"INFO register ACTIVE service successfully",
		"INFO quit STANDBY mode, this node will become ACTIVE",
	}, messages)
	deleted := second.logs.FilterMessage("watch the ACTIVE key").All()
	rev := get(t, client, root+"/session/rootcoord").Kvs[0].CreateRevision - 1
	require.Equal(t, fmt.Sprintf("key:\"by-dev/meta/session/rootcoord\" mod_revision:%d ", rev), deleted[0].ContextMap()["DELETE"])
	require.Equal(t, fmt.Sprintf("key:\"by-dev/meta/session/rootcoord-%d\" mod_revision:%d ", first.id, rev), deleted[1].ContextMap()["DELETE"])
	require.EqualValues(t, second.id, second.logs.FilterMessage("register ACTIVE service successfully").All()[0].ContextMap()["ServerID"])
}

func TestCommitIsFencedAndGuarded(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	p := startPeer(t, client, nil)
	term := p.active()
	put := func(key, value string, guard int64) (int64, error) {
		return term.Commit(t.Context(), Txn{Guards: []Guard{{key, guard}}, Ops: []clientv3.Op{clientv3.OpPut(key, value)}})
	}
	rev, err := put("k", "1", 0)
	require.NoError(t, err)
	_, err = put("k", "2", 0)
	require.ErrorIs(t, err, ErrGuard)
	_, err = put("k", "2", rev)
	require.NoError(t, err)

	// The key is deleted by hand: from that revision on nothing of this term is accepted, whether it has noticed or not.
	_, err = client.Delete(t.Context(), root+"/session/rootcoord")
	require.NoError(t, err)
	_, err = term.Commit(context.Background(), Txn{Ops: []clientv3.Op{clientv3.OpPut("k", "3")}})
	require.ErrorIs(t, err, ErrDeposed)
	require.False(t, term.Valid())
	next := p.active()
	require.Greater(t, next.Number(), term.Number())
	_, err = term.Commit(context.Background(), Txn{Ops: []clientv3.Op{clientv3.OpPut("k", "3")}})
	require.ErrorIs(t, err, ErrDeposed)
	require.Equal(t, "2", string(get(t, client, "k").Kvs[0].Value))
}

// A term that does not know yet that it is deposed is stopped by etcd alone.
func TestFenceNeedsNoKnowledge(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	claim, err := client.Put(t.Context(), ActiveKey(root, "rootcoord"), "a")
	require.NoError(t, err)
	term := newTerm(t.Context(), client, ActiveKey(root, "rootcoord"), claim.Header.Revision, 1, func() {})
	defer term.end(errResigned)
	write := Txn{Ops: []clientv3.Op{clientv3.OpPut("k", "1")}}
	_, err = term.Commit(t.Context(), write)
	require.NoError(t, err)
	// Deleted and created anew with the very same value: the CreateRevision tells the two terms apart.
	_, err = client.Delete(t.Context(), ActiveKey(root, "rootcoord"))
	require.NoError(t, err)
	_, err = client.Put(t.Context(), ActiveKey(root, "rootcoord"), "a")
	require.NoError(t, err)
	_, err = term.Commit(t.Context(), write)
	require.ErrorIs(t, err, ErrDeposed)
	require.EqualValues(t, 1, term.FencedOff())
	require.EqualValues(t, 1, get(t, client, "k").Kvs[0].Version)
}

func TestLeaseRevokedByHandInStandbyAndWhileActive(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	second := startPeer(t, client, nil)
	second.waitLog("serverName: rootcoord is in STANDBY ...")

	// A standby whose lease is gone takes a new one and registers again.
	key := fmt.Sprintf("%s/session/rootcoord-%d", root, second.id)
	old := get(t, client, key).Kvs[0].Lease
	_, err := client.Revoke(t.Context(), clientv3.LeaseID(old))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		kvs := get(t, client, key).Kvs
		return len(kvs) == 1 && kvs[0].Lease != old
	}, time.Minute, 10*time.Millisecond)

	// The active one's: the standby takes over, and the former active one registers again and stands by.
	_, err = client.Revoke(t.Context(), clientv3.LeaseID(get(t, client, root+"/session/rootcoord").Kvs[0].Lease))
	require.NoError(t, err)
	winner := second.terms
	select {
	case next := <-winner:
		require.Greater(t, next.Number(), term.Number())
	case next := <-first.terms:
		require.Greater(t, next.Number(), term.Number())
	case <-time.After(time.Minute):
		t.Fatal("nobody took over")
	}
	require.False(t, term.Valid())
	require.Eventually(t, func() bool {
		resp, err := client.Get(t.Context(), root+"/session/rootcoord", clientv3.WithPrefix())
		return err == nil && len(resp.Kvs) == 3
	}, time.Minute, 10*time.Millisecond, "active key and two members")
}

func TestOverwrittenActiveKeyIsPutBack(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	p := startPeer(t, client, nil)
	term := p.active()
	before := get(t, client, root+"/session/rootcoord").Kvs[0]
	_, err := client.Put(t.Context(), root+"/session/rootcoord", "not a session")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		kv := get(t, client, root+"/session/rootcoord").Kvs[0]
		return string(kv.Value) == string(before.Value) && kv.Lease == before.Lease && kv.CreateRevision == term.Number()
	}, time.Minute, 10*time.Millisecond)
	require.True(t, term.Valid())
}

func TestActiveKeyWithoutLeaseDoesNotBlockForEver(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	_, err := client.Put(t.Context(), root+"/session/rootcoord", `{"ServerID":`)
	require.NoError(t, err)
	p := startPeer(t, client, nil)
	p.active()
}

func TestWithoutStandbyTheHolderIsNamed(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	holder := startPeer(t, client, func(c *Config) { c.Standby = false })
	holder.active()
	resp, err := client.Get(t.Context(), root+"/session/rootcoord", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Len(t, resp.Kvs, 1, "without active-standby only the active key is put")

	late := startPeer(t, client, func(c *Config) { c.Standby = false })
	err = <-late.runErr
	late.runErr <- nil // for stop
	var taken *TakenError
	require.ErrorAs(t, err, &taken)
	require.ErrorContains(t, err, fmt.Sprintf("ServerID %d at 127.0.0.1:%d on host host since ", holder.id, holder.id))
	require.ErrorContains(t, err, "rootCoord.activeStandby.enabled: true")
}

func TestRestartOnTheSameAddressTakesOverAtOnce(t *testing.T) {
	t.Parallel()
	for _, standby := range []bool{true, false} {
		t.Run(fmt.Sprintf("standby %v", standby), func(t *testing.T) {
			etcd := clustertest.StartEtcd(t)
			same := func(c *Config) {
				c.Address, c.Direct, c.Standby = "10.1.2.3:53100", []string{"10.1.2.3:53100"}, standby
			}
			proxy := clustertest.NewProxy(t, etcd.Endpoints()[0])
			dead := startPeer(t, etcd.ClientVia(t, proxy.Addr()), same)
			term := dead.active()
			proxy.Cut() // for etcd this is what death looks like, and there is no way back to compete for the role
			reborn := startPeer(t, etcd.Client(t), same)
			next := reborn.active()
			require.Greater(t, next.Number(), term.Number())
			origin := <-reborn.origins
			require.Equal(t, ReasonRestarted, origin.Reason)
			require.Less(t, origin.Wait, time.Second)
			require.Eventually(t, func() bool { return !term.Valid() }, time.Minute, time.Millisecond)
		})
	}
}

func TestFailedActivationGivesTheRoleBack(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	second := startPeer(t, client, nil)
	second.waitLog("serverName: rootcoord is in STANDBY ...")
	first.fail <- fmt.Errorf("no tables")
	next := second.active()
	require.Greater(t, next.Number(), term.Number())
	require.Equal(t, ReasonFailed, (<-second.origins).Reason)
	require.Equal(t, "cannot serve the ACTIVE role, giving it back", first.logs.FilterLevelExact(zapcore.ErrorLevel).All()[0].Message)
}

func TestWhoComesBackAloneHasRegainedTheRole(t *testing.T) {
	t.Parallel()
	p := startPeer(t, clustertest.StartEtcd(t).Client(t), nil)
	term := p.active()
	require.Equal(t, ReasonFirst, (<-p.origins).Reason)
	p.fail <- errors.New("no tables")
	require.Greater(t, p.active().Number(), term.Number())
	require.Equal(t, ReasonRegained, (<-p.origins).Reason)
}

func TestHowATermEnded(t *testing.T) {
	for want, reason := range map[string]string{
		ReasonStopped:  howTermEnded(nil, nil, false),
		ReasonSwitched: howTermEnded(nil, nil, true),
		ReasonFailed:   howTermEnded(nil, errors.New("no tables"), false),
		ReasonSilent:   howTermEnded(fmt.Errorf("%w: 26s", errSilent), nil, false),
	} {
		require.Equal(t, want, termRecord{Reason: reason}.howEnded())
	}
}

func TestAStartThatWaitsForEtcdSaysSo(t *testing.T) {
	t.Parallel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:1"}, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	core, logs := observer.New(zapcore.WarnLevel)
	failed := make(chan error, 1)
	go func() {
		_, err := AllocServerID(ctx, client, root, zap.New(core))
		failed <- err
	}()
	require.Eventually(t, func() bool { return logs.FilterMessage("etcd does not answer, waiting for it").Len() > 0 },
		time.Minute, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
}

func TestConfigThatWouldBeUnsoundIsRefused(t *testing.T) {
	t.Parallel()
	good := Config{
		MetaRoot: root, Role: "r", ServerID: 1, Address: "a:1", TTL: 60 * time.Second, Heartbeat: time.Second,
		ServeWindow: 4 * time.Second, SilenceTimeout: 5 * time.Second,
	}
	require.NoError(t, good.validate())
	for name, change := range map[string]func(*Config){
		"window as long as silence":    func(c *Config) { c.ServeWindow = c.SilenceTimeout },
		"silence as long as the lease": func(c *Config) { c.TTL = c.SilenceTimeout },
		"one heartbeat a window":       func(c *Config) { c.Heartbeat = 2 * time.Second },
		"no heartbeat":                 func(c *Config) { c.Heartbeat = 0 },
		"half a second":                func(c *Config) { c.TTL += time.Second / 2 },
		"no id":                        func(c *Config) { c.ServerID = 0 },
	} {
		bad := good
		change(&bad)
		require.Error(t, bad.validate(), name)
	}
}
