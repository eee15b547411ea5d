package failover

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func itoa(n int) string { return strconv.Itoa(n) }

func leaseOf(resp *clientv3.GetResponse) clientv3.LeaseID { return clientv3.LeaseID(resp.Kvs[0].Lease) }

// cuttable starts a stage whose first process, the active one, reaches etcd through a proxy.
func cuttable(t *testing.T, env ...string) (*stage, *clustertest.Proxy) {
	etcd := clustertest.StartEtcd(t)
	proxy := clustertest.NewProxy(t, etcd.Endpoints()[0])
	s := newStage(t, func(o *stageOptions) {
		o.etcd, o.env = etcd, env
		o.through = map[int][]string{0: {proxy.Addr()}}
	})
	return s, proxy
}

func TestActiveCutOffFromEtcd(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*clustertest.Proxy){
		"connections closed": (*clustertest.Proxy).Cut,
		"packets dropped":    (*clustertest.Proxy).Blackhole,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := cuttable(t)
			victim, term := s.active()
			cut(proxy)
			heir, _ := s.next(term)
			require.NotEqual(t, victim.Name(), heir.Name())
			heir.WaitLog(`"takeover finished".*\[reason=silent\]`)
			s.settle()
			proxy.Heal()
			victim.WaitLog(`lost the ACTIVE role, back to STANDBY`)
			victim.WaitLog(`is in STANDBY`)
			s.settle()
			// It can win again.
			_, term = s.active()
			heir.Kill()
			again, _ := s.next(term)
			require.Equal(t, victim.Name(), again.Name())
			s.finish()
		})
	}
}

// The standby's view of the active one goes through a proxy that is registered as its address.
func TestActiveCutOffFromItsStandbyAlone(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	port := clustertest.FreePort(t)
	proxy := clustertest.NewProxy(t, "127.0.0.1:"+itoa(port))
	s := newStage(t, func(o *stageOptions) {
		o.etcd = etcd
		o.perCoordEnv = map[int][]string{0: {"ROOT_COORD_PORT=" + itoa(port), "ROOT_COORD_ADDRESS=" + proxy.Addr()}}
	})
	_, term := s.active()
	proxy.Cut()
	time.Sleep(4 * time.Second)
	proxy.Heal()
	s.settle()
	_, now := s.active()
	require.Equal(t, term.Term, now.Term, "it renews its lease and listens: it is not dead")
	s.finish()
}

func TestActiveCutOffFromEverything(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	toEtcd := clustertest.NewProxy(t, etcd.Endpoints()[0])
	port := clustertest.FreePort(t)
	toActive := clustertest.NewProxy(t, "127.0.0.1:"+itoa(port))
	s := newStage(t, func(o *stageOptions) {
		o.etcd, o.through = etcd, map[int][]string{0: {toEtcd.Addr()}}
		o.perCoordEnv = map[int][]string{0: {"ROOT_COORD_PORT=" + itoa(port), "ROOT_COORD_ADDRESS=" + toActive.Addr()}}
	})
	_, term := s.active()
	toEtcd.Blackhole()
	toActive.Blackhole()
	s.next(term)
	s.settle()
	toEtcd.Heal()
	toActive.Heal()
	s.coords[0].WaitLog(`lost the ACTIVE role, back to STANDBY`)
	s.settle()
	s.finish()
}

func TestEtcdKilledAndRestarted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 3 {
		s.etcd.Kill()
		time.Sleep(time.Second)
		s.etcd.Restart()
		s.etcd.WaitReady()
		s.settle()
	}
	for _, c := range s.coords {
		require.True(t, c.Running())
	}
	s.finish()
}

func TestEtcdAwayForLongerThanTheTTL(t *testing.T) {
	t.Parallel()
	long(t)
	s := newStage(t, func(o *stageOptions) { o.env = []string{"COMMON_SESSION_TTL=10"} })
	s.etcd.Kill()
	time.Sleep(25 * time.Second)
	for _, c := range s.coords {
		require.True(t, c.Running(), "no outage of etcd ends a process")
	}
	s.etcd.Restart()
	s.etcd.WaitReady()
	s.settle()
	s.finish()
}

func TestEtcdAwayForNinetySeconds(t *testing.T) {
	t.Parallel()
	long(t)
	s := newStage(t)
	s.etcd.Kill()
	time.Sleep(90 * time.Second)
	for _, c := range s.coords {
		require.True(t, c.Running(), "no outage of etcd ends a process")
	}
	s.etcd.Restart()
	s.etcd.WaitReady()
	back := time.Now()
	require.Eventually(t, func() bool { return s.work.LastAnswer().After(back) }, time.Minute, time.Millisecond)
	t.Logf("served again %v after etcd accepted writes", time.Since(back).Round(time.Millisecond))
	s.finish()
}

func TestThreeEtcdMembersWithTheLeaderKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(o *stageOptions) { o.etcdMembers = 3 })
	for range 2 {
		leader := s.etcd.Leader()
		s.etcd.Kill(leader)
		s.settle()
		s.etcd.Restart(leader)
		time.Sleep(time.Second)
		leader = s.etcd.Leader()
		s.etcd.Pause(leader)
		s.settle()
		s.etcd.Resume(leader)
		time.Sleep(time.Second)
	}
	for _, c := range s.coords {
		require.True(t, c.Running())
	}
	s.finish()
}
