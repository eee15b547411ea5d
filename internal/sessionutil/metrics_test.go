package sessionutil

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

// measured keeps what a session measures: how often each thing was told, and the last values.
type measured struct {
	mu        sync.Mutex
	events    map[string]int
	slack     time.Duration
	least     time.Duration // slack ever
	paused    bool
	watching  bool
	connected bool
	silence   time.Duration
}

var _ Metrics = (*measured)(nil)

func newMeasured() *measured { return &measured{events: map[string]int{}} }

func (m *measured) note(event string, more func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[event]++
	if more != nil {
		more()
	}
}

func (m *measured) Registered(string) { m.note("registered", nil) }

func (m *measured) Renewed(_ string, _ time.Duration, paused bool) {
	m.note("renewed", func() { m.paused = paused })
}

func (m *measured) Slack(_ string, left time.Duration) {
	m.note("slack", func() { m.slack, m.least = left, min(m.least, left) })
}
func (m *measured) Missed(string)        { m.note("missed", nil) }
func (m *measured) Lost(_, cause string) { m.note("lost "+cause, nil) }
func (m *measured) FencedOff(string)     { m.note("fenced off", nil) }

func (m *measured) ActiveSeen(_ string, silence time.Duration, connected bool) {
	m.note("seen", func() { m.watching, m.silence, m.connected = true, silence, connected })
}

func (m *measured) ActiveForgotten(string) { m.note("forgotten", func() { m.watching = false }) }

func (m *measured) count(event string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events[event]
}

// wait waits until what is measured is as it should be.
func (m *measured) wait(t *testing.T, what string, ok func(*measured) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return ok(m)
	}, time.Minute, 5*time.Millisecond, "%s: %+v", what, m)
}

func TestWhatASessionMeasures(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	first.seen.wait(t, "the active one's slack", func(m *measured) bool {
		return m.events["registered"] == 1 && m.events["renewed"] > 1 && m.slack > 0 && m.slack < 4*time.Second
	})
	require.Zero(t, first.seen.count("seen"))

	second := startPeer(t, client, nil)
	second.seen.wait(t, "what a standby sees of the active one", func(m *measured) bool { return m.watching && m.silence < 5*time.Second })
	require.Zero(t, second.seen.count("slack"), "a standby has no deadline")

	require.NoError(t, PauseTakeovers(t.Context(), client, root, "rootcoord", Maintenance{By: "me", At: time.Now()}))
	for _, p := range []*peer{first, second} {
		p.seen.wait(t, "the pause", func(m *measured) bool { return m.paused })
	}
	_, err := ResumeTakeovers(t.Context(), client, root, "rootcoord")
	require.NoError(t, err)
	for _, p := range []*peer{first, second} {
		p.seen.wait(t, "the end of the pause", func(m *measured) bool { return !m.paused })
	}

	// A switchover loses nothing: the role was given up.
	require.NoError(t, wish(t, client, term, second.id))
	term = second.active()
	second.seen.wait(t, "nobody to watch any more", func(m *measured) bool { return !m.watching })
	first.seen.wait(t, "registered anew", func(m *measured) bool { return m.events["registered"] == 2 && m.watching })
	for _, cause := range Losses() {
		require.Zero(t, first.seen.count("lost "+cause), cause)
	}

	// The key is deleted by hand: the role is lost, and a write that comes after is counted, whoever has the role then.
	_, err = client.Delete(t.Context(), ActiveKey(root, "rootcoord"))
	require.NoError(t, err)
	second.seen.wait(t, "the lost key", func(m *measured) bool { return m.events["lost "+LossKey] == 1 })
	require.Zero(t, second.seen.count("lost "+LossLease))
	require.False(t, term.Valid())
}

func TestALostLeaseIsCounted(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	first.active()
	standby := startPeer(t, client, nil)
	standby.waitLog("serverName: rootcoord is in STANDBY ...")
	kvs := get(t, client, fmt.Sprintf("%s/session/rootcoord-%d", root, standby.id)).Kvs
	_, err := client.Revoke(t.Context(), clientv3.LeaseID(kvs[0].Lease))
	require.NoError(t, err)
	standby.seen.wait(t, "the loss", func(m *measured) bool { return m.events["lost "+LossLease] == 1 && m.events["registered"] == 2 })
}

// Each refused write is counted, also one that the term's holder sends when it has ended.
func TestRefusedWritesAreCounted(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	claim, err := client.Put(t.Context(), ActiveKey(root, "rootcoord"), "a")
	require.NoError(t, err)
	seen := newMeasured()
	term := newTerm(t.Context(), client, ActiveKey(root, "rootcoord"), claim.Header.Revision, 1, func() { seen.FencedOff("rootcoord") })
	defer term.end(errResigned)
	_, err = client.Delete(t.Context(), ActiveKey(root, "rootcoord"))
	require.NoError(t, err)
	_, err = term.Commit(t.Context(), Txn{Ops: []clientv3.Op{clientv3.OpPut("k", "1")}})
	require.ErrorIs(t, err, ErrDeposed)
	require.Equal(t, 1, seen.count("fenced off"))
}

func TestAnEtcdThatIsAwayIsCounted(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	p := startPeer(t, etcd.Client(t), nil)
	p.active()
	etcd.Pause()
	t.Cleanup(func() { etcd.Resume() })
	p.seen.wait(t, "heartbeats that failed", func(m *measured) bool { return m.events["missed"] > 2 })
	etcd.Resume()
	p.seen.wait(t, "a heartbeat that came through", func(m *measured) bool { return m.events["renewed"] > 0 })
}

// A process that stood still for longer than others wait for it finds its deadline passed: the slack is below zero.
func TestSlackBelowZeroIsTold(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	p := startPeer(t, etcd.Client(t), func(c *Config) { c.ServeWindow, c.SilenceTimeout = 700*time.Millisecond, 20*time.Second })
	p.active()
	etcd.Pause()
	t.Cleanup(func() { etcd.Resume() })
	time.Sleep(1500 * time.Millisecond) // twice the window
	etcd.Resume()
	p.seen.wait(t, "a deadline that had passed", func(m *measured) bool { return m.least < 0 || m.events["lost "+LossSilent] > 0 })
}

func TestLossesAndReasonsAreDistinct(t *testing.T) {
	for _, all := range [][]string{Losses(), Reasons()} {
		seen := map[string]bool{}
		for _, one := range all {
			require.False(t, seen[one], one)
			seen[one] = true
		}
	}
}
