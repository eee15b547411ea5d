package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/coordclient"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/rpc"
)

var allRoles = []string{"rootcoord", "datacoord", "querycoord"}

// oneProcess is a scene of processes of all roles.
type oneProcess struct {
	t      *testing.T
	client *clientv3.Client
	coords []*clustertest.Coord
	bin    string
}

func (s *oneProcess) start(kind string, endpoints []string, env ...string) *clustertest.Coord {
	c := clustertest.StartCoord(s.t, s.bin, fmt.Sprintf("%s-%c", kind, 'A'+len(s.coords)), clustertest.CoordOptions{
		Role: kind, Endpoints: endpoints, Env: env,
	})
	s.coords = append(s.coords, c)
	return c
}

// active waits until c has all roles in terms after the given ones, and returns the terms.
func (s *oneProcess) active(c *clustertest.Coord, after map[string]int64) map[string]int64 {
	s.t.Helper()
	terms := map[string]int64{}
	for _, role := range allRoles {
		_, a := clustertest.WaitActiveRole(s.t, s.client, role, after[role], c)
		terms[role] = a.Term
	}
	return terms
}

func (s *oneProcess) reader() *haview.Reader {
	return &haview.Reader{Client: s.client, MetaRoot: "by-dev/meta", Roles: allRoles, HTTP: http.DefaultClient, Patience: time.Minute}
}

// ha is what a process says of itself.
func ha(t *testing.T, c *clustertest.Coord) opshttp.Standing {
	t.Helper()
	resp, err := http.Get("http://" + c.HTTP() + "/ha")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var s opshttp.Standing
	require.NoError(t, json.Unmarshal(body, &s))
	return s
}

func states(t *testing.T, c *clustertest.Coord) []string {
	t.Helper()
	var all []string
	for _, r := range ha(t, c).Roles {
		all = append(all, r.Role+" "+r.State)
	}
	return all
}

func TestAMixCoordIsKilledAndItsTwinHasAllThree(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	s := &oneProcess{t: t, client: etcd.Client(t), bin: clustertest.Binary(t)}
	active := s.start("mixcoord", etcd.Endpoints())
	terms := s.active(active, nil)
	for range 3 {
		standby := s.start("mixcoord", etcd.Endpoints())
		for _, role := range allRoles {
			standby.WaitLog("serverName: " + role + " is in STANDBY")
		}
		require.Equal(t, []string{"rootcoord StandBy", "datacoord StandBy", "querycoord StandBy"}, states(t, standby))
		id := ha(t, standby).Roles[0].ServerID
		for _, r := range ha(t, standby).Roles {
			require.Equal(t, id, r.ServerID, "a process has one id")
		}
		time.Sleep(300 * time.Millisecond) // the standby gets to know the active one
		active.Kill()
		terms = s.active(standby, terms)
		for _, role := range allRoles {
			standby.WaitLog(`"takeover finished"\] \[role=` + role + `\].*\[reason=killed\]`)
			t.Log(regexp.MustCompile(`\[role=` + role + `\] \[term=.*`).FindString(standby.Log()))
		}
		active = standby
	}
}

// One role goes to the other process; the others stay where they are, in the terms that they have.
func TestOneRoleOfAMixCoordIsSwitchedOver(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	s := &oneProcess{t: t, client: etcd.Client(t), bin: clustertest.Binary(t)}
	a := s.start("mixcoord", etcd.Endpoints())
	terms := s.active(a, nil)
	b := s.start("mixcoord", etcd.Endpoints())
	for _, role := range allRoles {
		b.WaitLog("serverName: " + role + " is in STANDBY")
	}
	require.Eventually(t, func() bool { return ha(t, b).Roles[1].Loaded }, time.Minute, 10*time.Millisecond)
	_, err := s.reader().Switch(t.Context(), "datacoord", 0)
	require.NoError(t, err)
	_, moved := clustertest.WaitActiveRole(t, s.client, "datacoord", terms["datacoord"], b)
	require.Greater(t, moved.Term, terms["datacoord"])
	require.Eventually(t, func() bool {
		now := states(t, a)
		return now[0] == "rootcoord Healthy" && now[1] == "datacoord StandBy" && now[2] == "querycoord Healthy"
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, []string{"rootcoord StandBy", "datacoord Healthy", "querycoord StandBy"}, states(t, b))
	for _, role := range []string{"rootcoord", "querycoord"} {
		now, ok := clustertest.ActiveOf(t.Context(), s.client, role)
		require.True(t, ok)
		require.Equal(t, terms[role], now.Term, "%s was disturbed", role)
	}

	// A stop gives both roles that are left to the other one, in order, and ends in order.
	require.Zero(t, a.Terminate())
	s.active(b, terms)
	require.Regexp(t, `(?s)giving the ACTIVE role back[^\n]*component=querycoord.*giving the ACTIVE role back[^\n]*component=rootcoord`, a.Log())
	for _, role := range []string{"rootcoord", "querycoord"} {
		b.WaitLog(`"takeover finished"\] \[role=` + role + `\].*\[reason=stopped\]`)
	}
}

// Without active-standby, a process that cannot have one of its roles gives the others back and ends.
func TestATakenRoleEndsTheWholeProcess(t *testing.T) {
	t.Parallel()
	etcd := clustertest.StartEtcd(t)
	s := &oneProcess{t: t, client: etcd.Client(t), bin: clustertest.Binary(t)}
	holder := s.start("datacoord", etcd.Endpoints())
	clustertest.WaitActiveRole(t, s.client, "datacoord", 0, holder)
	mix := s.start("mixcoord", etcd.Endpoints(), "ROOT_COORD_ENABLE_ACTIVE_STANDBY=false", "DATA_COORD_ENABLE_ACTIVE_STANDBY=false",
		"QUERY_COORD_ENABLE_ACTIVE_STANDBY=false", "COMMON_SESSION_RETRY_TIMES=4")
	require.Equal(t, 1, mix.Wait())
	require.Contains(t, mix.Log(), "datacoord is already served: ServerID 1 at ")
	require.Regexp(t, `(?s)giving the ACTIVE role back[^\n]*component=querycoord.*giving the ACTIVE role back[^\n]*component=rootcoord`, mix.Log())
	for _, role := range []string{"rootcoord", "querycoord"} {
		_, held := clustertest.ActiveOf(t.Context(), s.client, role)
		require.False(t, held, "%s was not given back", role)
	}
}

// A standalone is killed and comes back with all that was acknowledged; a rootcoord beside it takes its role meanwhile.
func TestAStandaloneAndARootCoordBesideIt(t *testing.T) {
	t.Parallel()
	address := fmt.Sprintf("127.0.0.1:%d", clustertest.FreePort(t))
	env := []string{"ETCD_EMBED_ADDRESS=" + address, "ETCD_DATA_DIR=" + t.TempDir()}
	for _, role := range []string{"ROOT", "DATA", "QUERY"} { // a process that comes back on its addresses is known by them
		env = append(env, fmt.Sprintf("%s_COORD_PORT=%d", role, clustertest.FreePort(t)))
	}
	env = append(env, fmt.Sprintf("METRICS_PORT=%d", clustertest.FreePort(t)))
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	s := &oneProcess{t: t, client: client, bin: clustertest.Binary(t)}
	alone := s.start("standalone", nil, env...)
	terms := s.active(alone, nil)

	follow, err := coordclient.New(context.Background(), coordclient.Config{
		Etcd: client, MetaRoot: "by-dev/meta", Role: "rootcoord", Cluster: "by-dev",
		Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zap.NewNop(),
	})
	require.NoError(t, err)
	t.Cleanup(follow.Close)
	root := rootcoordpb.NewRootCoordClient(follow)
	createDatabase(t, root, "one")
	createDatabase(t, root, "two")
	alone.Kill()
	alone = s.start("standalone", nil, env...)
	terms = s.active(alone, terms)
	for _, role := range allRoles {
		alone.WaitLog(`"takeover finished"\] \[role=` + role + `\].*\[reason=restarted\]`)
	}
	require.ElementsMatch(t, []string{"default", "one", "two"}, databases(t, root))

	// A rootcoord joins, has the role when it is handed over by a stop, and its etcd goes with the standalone.
	beside := s.start("rootcoord", []string{address})
	beside.WaitLog("serverName: rootcoord is in STANDBY")
	_, err = s.reader().Switch(t.Context(), "rootcoord", 0)
	require.NoError(t, err)
	_, held := clustertest.WaitActiveRole(t, client, "rootcoord", terms["rootcoord"], beside)
	createDatabase(t, root, "three")
	require.Zero(t, alone.Terminate())
	require.True(t, beside.Running(), "an etcd that is away ends no process")

	// The standalone comes back, and the one beside it still has the role or takes it again.
	alone = s.start("standalone", nil, env...)
	clustertest.WaitActiveRole(t, client, "rootcoord", held.Term-1, beside, alone)
	require.ElementsMatch(t, []string{"default", "one", "two", "three"}, databases(t, root))
	require.Zero(t, beside.Terminate())
	clustertest.WaitActiveRole(t, client, "rootcoord", held.Term, alone)
}

func createDatabase(t *testing.T, root rootcoordpb.RootCoordClient, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	status, err := root.CreateDatabase(ctx, &milvuspb.CreateDatabaseRequest{DbName: name})
	require.NoError(t, err)
	require.Equal(t, commonpb.ErrorCode_Success, status.ErrorCode, status.Reason)
}

func databases(t *testing.T, root rootcoordpb.RootCoordClient) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, err := root.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{})
	require.NoError(t, err)
	require.Equal(t, commonpb.ErrorCode_Success, resp.GetStatus().GetErrorCode(), resp.GetStatus().GetReason())
	return resp.GetDbNames()
}
