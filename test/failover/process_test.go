package failover

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestSIGKILL(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 3 {
		victim, term := s.active()
		victim.Kill()
		heir, _ := s.next(term)
		require.NotEqual(t, victim.Name(), heir.Name())
		heir.WaitLog(`"takeover finished".*\[reason=killed\]`)
		s.start(s.etcd.Endpoints()).WaitLog("is in STANDBY")
		s.settle() // and let the new standby get to know the active one
	}
	s.finish()
}

func TestSIGTERMLosesNoCall(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 3 {
		victim, term := s.active()
		require.Zero(t, victim.Terminate())
		heir, _ := s.next(term)
		heir.WaitLog(`"takeover finished".*\[reason=stopped\]`)
		s.settle()
		s.start(s.etcd.Endpoints()).WaitLog("is in STANDBY")
	}
	s.finish()
	s.noFailedCalls()
}

func TestTheDocumentedLinesInTheirOrder(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	victim, term := s.active()
	standby := s.other(victim)
	victim.Kill()
	s.next(term)
	var seen []string
	documented := []string{
		`[DEBUG] [sessionutil/session_util.go:N] ["watch the ACTIVE key"] [DELETE="key:\"by-dev/meta/session/rootcoord\" mod_revision:`,
		`[DEBUG] [sessionutil/session_util.go:N] ["watch the ACTIVE key"] [DELETE="key:\"by-dev/meta/session/rootcoord-1\" mod_revision:`,
		`[INFO] [sessionutil/session_util.go:N] ["stop watching ACTIVE key"]`,
		`[INFO] [sessionutil/session_util.go:N] ["start retrying to register as ACTIVE service..."]`,
		`[INFO] [sessionutil/session_util.go:N] ["register ACTIVE service successfully"] [ServerID=2]`,
		`[INFO] [sessionutil/session_util.go:N] ["quit STANDBY mode, this node will become ACTIVE"]`,
		`[INFO] [rootcoord/root_coord.go:N] ["rootcoord switch from standby to active, activating"]`,
		`[INFO] [rootcoord/root_coord.go:N] ["RootCoord Register Finished"]`,
		`[DEBUG] [rootcoord/service.go:N] ["RootCoord start done ..."]`,
		`[DEBUG] [components/root_coord.go:N] ["RootCoord successfully started"]`,
	}
	log := standby.Log()
	require.Contains(t, log, `["serverName: rootcoord is in STANDBY ..."]`)
	log = log[strings.Index(log, "is in STANDBY"):]
	for _, line := range strings.Split(log, "\n") {
		for _, want := range documented {
			head, tail, _ := strings.Cut(want, ":N]")
			if strings.Contains(line, head) && strings.Contains(line, tail) {
				seen = append(seen, want)
			}
		}
	}
	require.Equal(t, documented, seen)
	s.finish()
}

// A process that was stopped for longer than the serve window wakes up beside its successor.
func TestSIGSTOPBeyondTheServeWindow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 2 {
		victim, term := s.active()
		victim.Pause()
		heir, _ := s.next(term)
		heir.WaitLog(`"takeover finished".*\[reason=silent\]`)
		s.settle()
		victim.Resume()
		victim.WaitLog(`lost the ACTIVE role, back to STANDBY`)
		time.Sleep(time.Second)
		s.settle()
		require.True(t, victim.Running(), "losing the role is not a crash")
	}
	s.finish()
}

func TestAShortPauseIsForgiven(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	victim, term := s.active()
	victim.Pause()
	time.Sleep(2 * time.Second)
	victim.Resume()
	s.settle()
	_, now := s.active()
	require.Equal(t, term.Term, now.Term)
	s.finish()
}

func TestBothKilledAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, term := s.active()
	for _, c := range s.coords {
		c.Kill()
	}
	s.start(s.etcd.Endpoints())
	s.start(s.etcd.Endpoints())
	s.next(term)
	s.settle()
	s.finish()
}

func TestThreeStandbysRace(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(o *stageOptions) { o.coords = 4 })
	for range 3 {
		victim, term := s.active()
		victim.Kill()
		s.next(term)
		s.settle()
	}
	s.finish()
}

func TestDocumentedModeWaitsForTheLease(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(o *stageOptions) {
		o.env = []string{"COMMON_SESSION_FAST_FAILOVER_ENABLED=false", "COMMON_SESSION_TTL=10"}
	})
	victim, term := s.active()
	began := time.Now()
	victim.Kill()
	heir, _ := s.next(term)
	require.Greater(t, time.Since(began), 7*time.Second)
	heir.WaitLog(`"takeover finished".*\[reason=expired\]`)
	s.finish()
}

func TestASecondProcessWithoutStandbyIsToldWhoServes(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(o *stageOptions) { o.coords = 1 })
	late := s.start(s.etcd.Endpoints(), "ROOT_COORD_ENABLE_ACTIVE_STANDBY=false", "COMMON_SESSION_RETRY_TIMES=3")
	require.Equal(t, 1, late.Wait())
	require.Contains(t, late.Log(), "rootcoord is already served: ServerID 1 at 127.0.0.1:")
	require.Contains(t, late.Log(), "rootCoord.activeStandby.enabled: true")
	s.finish()
}

func TestKeysChangedByHand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ctx := context.Background()

	_, term := s.active()
	_, err := s.client.Delete(ctx, "by-dev/meta/session/rootcoord")
	require.NoError(t, err)
	_, next := s.next(term)
	s.settle()

	resp, err := s.client.Get(ctx, "by-dev/meta/session/rootcoord")
	require.NoError(t, err)
	_, err = s.client.Revoke(ctx, leaseOf(resp))
	require.NoError(t, err)
	_, next = s.next(next)
	s.settle()

	_, err = s.client.Put(ctx, "by-dev/meta/session/rootcoord", `{"ServerID":"wrong"`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		a, ok := clustertest.ActiveOf(ctx, s.client, "rootcoord")
		return ok && a.Term == next.Term && a.ServerID != 0
	}, time.Minute, 10*time.Millisecond, "the holder puts its session back")
	s.settle()
	s.finish()
}
