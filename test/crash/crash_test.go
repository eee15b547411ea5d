package crash

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/coordclient"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/rpc"
)

// TestCrashAtEveryPoint kills the process that comes to a point, at each point in a cluster of its own.
func TestCrashAtEveryPoint(t *testing.T) {
	bin := clustertest.Binary(t, "failpoints")
	all := stories()
	var missing []failpoint.Point
	for _, point := range failpoint.All() {
		if _, ok := all[point]; !ok {
			missing = append(missing, point)
			continue
		}
		t.Run(strings.ReplaceAll(string(point), "/", " "), func(t *testing.T) { play(t, bin, point, all[point]) })
	}
	fmt.Printf("crash points: %d exist, %d covered\n", len(failpoint.All()), len(failpoint.All())-len(missing))
	require.Empty(t, missing, "points without a story")
	require.Len(t, all, len(failpoint.All()), "a story is about a point that does not exist")
}

// scene is a cluster in which a story plays.
type scene struct {
	t    *testing.T
	bin  string
	etcd *clustertest.Etcd
	raw  *clientv3.Client
	env  []string
}

func newScene(t *testing.T, bin string, data bool) *scene {
	t.Helper()
	etcd := clustertest.StartEtcd(t)
	s := &scene{t: t, bin: bin, etcd: etcd, raw: etcd.Client(t)}
	if data {
		broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
		require.NoError(t, err)
		t.Cleanup(broker.Close)
		s.env = []string{"MQ_TYPE=kafka", "KAFKA_BROKERLIST=" + strings.Join(broker.ListenAddrs(), ",")}
		for _, role := range []string{"datacoord", "querycoord"} {
			peer := clustertest.StartCoord(t, bin, role, clustertest.CoordOptions{Role: role, Endpoints: etcd.Endpoints()})
			clustertest.WaitActive(t, s.raw, 0, peer)
		}
	}
	return s
}

// start runs a RootCoord that dies at a point, or at none if it is empty.
func (s *scene) start(name string, point failpoint.Point) *clustertest.Coord {
	s.t.Helper()
	env := slices.Clone(s.env)
	if point != "" {
		env = append(env, "MILVUS_FAILPOINT="+string(point))
	}
	return clustertest.StartCoord(s.t, s.bin, name, clustertest.CoordOptions{Role: "rootcoord", Endpoints: s.etcd.Endpoints(), Env: env})
}

// direct calls one process: a client that follows would do a call again at the next one by itself.
func (s *scene) direct(address string) client {
	s.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, rpc.DialOptions(rpc.ClientConfig{})...)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	return client{rootcoordpb.NewRootCoordClient(conn)}
}

func play(t *testing.T, bin string, point failpoint.Point, s story) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	sc := newScene(t, bin, s.data)
	first := point
	if s.predecessor != "" {
		first = s.predecessor
	}
	armed := sc.start("armed", first)
	_, active := clustertest.WaitActive(t, sc.raw, 0, armed)
	second := failpoint.Point("")
	if s.predecessor != "" {
		second = point
	}
	next := sc.start("next", second)
	next.WaitLog("is in STANDBY")

	follow, err := coordclient.New(ctx, coordclient.Config{
		Etcd: sc.raw, MetaRoot: "by-dev/meta", Role: "rootcoord", Cluster: "by-dev",
		Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zap.NewNop(),
	})
	require.NoError(t, err)
	defer follow.Close()
	root := client{rootcoordpb.NewRootCoordClient(follow)}
	for _, do := range s.before {
		require.NoError(t, do(ctx, root))
	}

	if err := s.do(ctx, sc.direct(active.Address)); !s.behind { // else the answer and the death overtake each other
		require.Error(t, err, "it dies before it answers")
	}
	armed.Wait()
	if s.predecessor != "" {
		next.Wait() // it dies when it clears away what the first has left
		last := sc.start("last", "")
		clustertest.WaitActive(t, sc.raw, active.Term, last)
	}

	done, err := s.done(ctx, root)
	require.NoError(t, err)
	require.Equal(t, s.certain, done, "what the successor shows")
	if err := s.do(ctx, root); s.repeat || !done {
		require.NoError(t, err, "the call made again")
	} else {
		require.Error(t, err, "what is done cannot be done again")
	}
	done, err = s.done(ctx, root)
	require.NoError(t, err)
	require.True(t, done)

	want := undisturbed(t, bin, s)
	require.Eventually(t, func() bool { return maps.Equal(want, census(t, sc.raw)) }, 2*time.Minute, 50*time.Millisecond,
		"records by kind, without a crash: %v", want)
}

// undisturbed is the census after the same calls when nobody dies. Without a data path nothing is left to the background.
func undisturbed(t *testing.T, bin string, s story) map[string]int {
	t.Helper()
	sc := newScene(t, bin, false)
	_, active := clustertest.WaitActive(t, sc.raw, 0, sc.start("undisturbed", ""))
	root := sc.direct(active.Address)
	for _, do := range append(slices.Clone(s.before), s.do) {
		require.NoError(t, do(t.Context(), root))
	}
	return census(t, sc.raw)
}

// census counts the records of RootCoord by kind.
func census(t *testing.T, raw *clientv3.Client) map[string]int {
	t.Helper()
	const prefix = "by-dev/meta/root-coord/"
	resp, err := raw.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, kv := range resp.Kvs {
		kind := strings.TrimPrefix(string(kv.Key), prefix)
		kinds[strings.TrimRight(kind, "0123456789/")]++
	}
	return kinds
}
