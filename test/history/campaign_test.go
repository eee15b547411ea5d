package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/coordclient"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/test/failover"
)

// length of a run, without its start.
const length = 10 * time.Second

// takeovers are the ways in which the role changes hands.
var takeovers = map[string]func(ctx context.Context, c *clustertest.Coord){
	"killed":  func(_ context.Context, c *clustertest.Coord) { c.Kill() },
	"stopped": func(_ context.Context, c *clustertest.Coord) { c.Terminate() },
	"paused":  suspend,
}

// suspend stops a process for longer than others wait for it, and wakes it while they are being served.
func suspend(ctx context.Context, c *clustertest.Coord) {
	c.Pause()
	pause(ctx, 8*time.Second)
	c.Resume()
}

// runs is how many are wanted; the campaign is not one of the quick tests.
func runs(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("RUNS"))
	if err != nil {
		t.Skip("a campaign: RUNS says how many runs; see 'make history'")
	}
	return n
}

func TestHistories(t *testing.T) {
	n, bin := runs(t), clustertest.Binary(t)
	var mu sync.Mutex
	how, calls, violated, undecided := map[string]int{}, 0, 0, 0
	names := []string{"killed", "stopped", "paused"}
	t.Run("all", func(t *testing.T) {
		for i := range n {
			name := names[rand.IntN(len(names))] //nolint:gosec // a test's choice
			t.Run(fmt.Sprintf("%d %s", i, name), func(t *testing.T) {
				t.Parallel()
				found, decided, made := play(t, bin, takeovers[name])
				mu.Lock()
				defer mu.Unlock()
				calls += made
				how[name]++
				if len(found) > 0 {
					violated++
				}
				if !decided {
					undecided++
				}
				require.Empty(t, found)
			})
		}
	})
	fmt.Printf("histories: %d runs of %v, each with a takeover %v; %d calls; runs with violations: %d, undecided: %d\n",
		n, length, how, calls, violated, undecided)
}

// TestViolationsAreFound takes away what makes a deposed process harmless.
func TestViolationsAreFound(t *testing.T) {
	runs(t)
	for _, tag := range []string{"nodeadline", "nofence"} {
		t.Run(tag, func(t *testing.T) {
			bin := clustertest.Binary(t, tag)
			const patience = 40 // one run finds it every third or fourth time
			for i := range patience {
				found, _, _ := play(t, bin, suspend)
				if len(found) > 0 {
					fmt.Printf("%s: found in run %d: %s\n", tag, i+1, found[0])
					return
				}
			}
			t.Errorf("nothing was found in %d runs of a build with %s", patience, tag)
		})
	}
}

// play is one run. It returns what is wrong with its history, whether that was decided, and how many calls it holds.
func play(t *testing.T, bin string, takeover func(context.Context, *clustertest.Coord)) (found []string, decided bool, calls int) {
	t.Helper()
	etcd := clustertest.StartEtcd(t)
	db := etcd.Client(t)
	start := func(name string) *clustertest.Coord {
		return clustertest.StartCoord(t, bin, name, clustertest.CoordOptions{Role: "rootcoord", Endpoints: etcd.Endpoints()})
	}
	first := start("first")
	_, active := clustertest.WaitActive(t, db, 0, first)
	second := start("second")
	second.WaitLog("is in STANDBY")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := &directory{db: db, conns: map[string]*grpc.ClientConn{}}
	defer d.close()
	follower, err := coordclient.New(t.Context(), coordclient.Config{
		Etcd: db, MetaRoot: "by-dev/meta", Role: "rootcoord", Cluster: "by-dev", Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zap.NewNop(),
	})
	require.NoError(t, err)
	defer follower.Close()
	held, err := d.at(active.Address)
	require.NoError(t, err)
	work := failover.StartWorkload(ctx, rootcoordpb.NewRootCoordClient(follower), "w")
	for range 4 {
		work.Also(ctx, held)
	}
	r := &recorder{began: time.Now()}
	var callers sync.WaitGroup
	for i := range 6 {
		callers.Go(func() { follow(ctx, i, d, r) })
	}
	for i := range 4 {
		callers.Go(func() { hold(ctx, 6+i, held, r) })
	}
	end := time.After(length)
	pause(ctx, time.Duration(rand.IntN(2000))*time.Millisecond) //nolint:gosec // a test's choice
	takeover(ctx, first)
	<-end
	clustertest.WaitActive(t, db, active.Term, first, second)
	pause(ctx, time.Second)
	cancel()
	callers.Wait()
	work.Stop()
	if found, err = work.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	result, info := porcupine.CheckOperationsVerbose(model(), r.all, 2*time.Minute)
	if result == porcupine.Illegal {
		file := filepath.Join(os.TempDir(), fmt.Sprintf("history-%d.html", time.Now().UnixNano()))
		if err := porcupine.VisualizePath(model(), info, file); err != nil {
			t.Log(err)
		}
		found = append(found, "not linearizable, see "+file)
	}
	return found, result != porcupine.Unknown, len(r.all)
}
