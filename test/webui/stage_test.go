package webui

import (
	"fmt"
	"os"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

// stage is an etcd with a pair of coordinators of some roles.
type stage struct {
	t      *testing.T
	etcd   *clustertest.Etcd
	client *clientv3.Client
	bin    string
	env    []string
	pairs  map[string][]*clustertest.Coord
	made   int
}

func newStage(t *testing.T, roles ...string) *stage {
	t.Helper()
	bin := os.Getenv("WEBUI_BINARY") // for figures: the one that ships, not one with the race detector
	if bin == "" {
		bin = clustertest.Binary(t)
	}
	s := &stage{t: t, bin: bin, etcd: clustertest.StartEtcd(t), pairs: map[string][]*clustertest.Coord{}}
	s.client = s.etcd.Client(t)
	for _, role := range roles {
		s.start(role)
		clustertest.WaitActive(t, s.client, 0, s.pairs[role]...)
		s.start(role).WaitLog("is in STANDBY")
	}
	return s
}

func (s *stage) start(role string) *clustertest.Coord {
	s.t.Helper()
	s.made++
	c := clustertest.StartCoord(s.t, s.bin, fmt.Sprintf("%s-%d", role, s.made), clustertest.CoordOptions{
		Role: role, Endpoints: s.etcd.Endpoints(), Env: s.env,
	})
	s.pairs[role] = append(s.pairs[role], c)
	return c
}

// active is the process that holds a role, and the other one.
func (s *stage) active(role string) (active, standby *clustertest.Coord, now clustertest.Active) {
	s.t.Helper()
	active, now = clustertest.WaitActive(s.t, s.client, 0, s.pairs[role]...)
	for _, c := range s.pairs[role] {
		if c != active && c.Running() {
			standby = c
		}
	}
	return active, standby, now
}

// replaceActive ends the active process of a role, kills it or stops it, waits for the other one, and starts a new one.
func (s *stage) replaceActive(role string, kill bool) {
	s.t.Helper()
	active, standby, now := s.active(role)
	if kill {
		active.Kill()
	} else {
		active.Terminate()
	}
	clustertest.WaitActive(s.t, s.client, now.Term, standby)
	s.pairs[role] = []*clustertest.Coord{standby}
	s.start(role).WaitLog("is in STANDBY")
}
