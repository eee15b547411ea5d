package failover

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/coordclient"
	"github.com/milvus-coord/milvus/internal/rpc"
)

// stage is an etcd, some RootCoords on it, and a workload that follows the active one.
type stage struct {
	t      *testing.T
	etcd   *clustertest.Etcd
	client *clientv3.Client // direct, never cut
	bin    string
	coords []*clustertest.Coord
	root   rootcoordpb.RootCoordClient
	work   *Workload
	bounds *boundWatch
}

type option func(*stageOptions)

type stageOptions struct {
	etcdMembers int
	etcdFlags   []string
	coords      int
	env         []string
	through     map[int][]string // endpoints of single coordinators, such as a proxy's
	etcd        *clustertest.Etcd
	perCoordEnv map[int][]string
}

func newStage(t *testing.T, options ...option) *stage {
	t.Helper()
	o := stageOptions{etcdMembers: 1, coords: 2}
	for _, set := range options {
		set(&o)
	}
	s := &stage{t: t, etcd: o.etcd, bin: clustertest.Binary(t)}
	if s.etcd == nil {
		s.etcd = clustertest.StartEtcdCluster(t, o.etcdMembers, o.etcdFlags...)
	}
	s.client = s.etcd.Client(t)
	for i := range o.coords {
		endpoints := s.etcd.Endpoints()
		if via, ok := o.through[i]; ok {
			endpoints = via
		}
		s.start(endpoints, append(append([]string(nil), o.env...), o.perCoordEnv[i]...)...)
		if i == 0 {
			clustertest.WaitActive(t, s.client, 0, s.coords...)
		} else {
			s.coords[i].WaitLog("is in STANDBY")
		}
	}
	follow, err := coordclient.New(context.Background(), coordclient.Config{
		Etcd: s.etcd.Client(t), MetaRoot: "by-dev/meta", Role: "rootcoord", Cluster: "by-dev",
		Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zap.NewNop(),
	})
	require.NoError(t, err)
	t.Cleanup(follow.Close)
	s.root = rootcoordpb.NewRootCoordClient(follow)
	s.bounds = watchBounds(t, s.client)
	s.work = StartWorkload(context.Background(), s.root, "c")
	t.Cleanup(s.work.Stop)
	s.settle()
	return s
}

func (s *stage) start(endpoints []string, env ...string) *clustertest.Coord {
	c := clustertest.StartCoord(s.t, s.bin, fmt.Sprintf("rootcoord-%c", 'A'+len(s.coords)), clustertest.CoordOptions{
		Role: "rootcoord", Endpoints: endpoints, Env: env,
	})
	s.coords = append(s.coords, c)
	return c
}

// settle lets the workload run for a moment in the present state.
func (s *stage) settle() {
	s.t.Helper()
	began := time.Now()
	require.Eventually(s.t, func() bool { return s.work.LastAnswer().After(began.Add(300 * time.Millisecond)) },
		3*time.Minute, 10*time.Millisecond, "nothing is served; %s", s.work.Summary())
}

func (s *stage) active() (*clustertest.Coord, clustertest.Active) {
	s.t.Helper()
	return clustertest.WaitActive(s.t, s.client, 0, s.coords...)
}

// next waits for a term after a.
func (s *stage) next(a clustertest.Active) (*clustertest.Coord, clustertest.Active) {
	s.t.Helper()
	return clustertest.WaitActive(s.t, s.client, a.Term, s.coords...)
}

func (s *stage) other(c *clustertest.Coord) *clustertest.Coord {
	for _, o := range s.coords {
		if o != c && o.Running() {
			return o
		}
	}
	s.t.Fatal("there is no other process")
	return nil
}

// finish ends the workload and checks what must hold whatever happened.
func (s *stage) finish() {
	s.t.Helper()
	s.settle()
	s.work.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	violations, err := s.work.Check(ctx)
	require.NoError(s.t, err)
	require.Empty(s.t, violations)
	require.Empty(s.t, s.bounds.stop(), "a stored bound went back: a deposed term wrote")
	s.t.Log(s.work.Summary())
	for _, line := range s.work.Failed() {
		s.t.Log("failed call: ", line)
	}
}

// noFailedCalls is for stories in which a client that follows must not notice.
func (s *stage) noFailedCalls() {
	s.t.Helper()
	require.Empty(s.t, s.work.Failed())
}

// long tells whether stories of minutes are wanted.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("MILVUS_E2E_SHORT") != "" {
		t.Skip("a story of minutes")
	}
}
