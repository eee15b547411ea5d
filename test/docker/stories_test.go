package docker

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maxImage is the size that the image of the coordinators must not exceed.
const maxImage = 45_000_000

func TestCompose(t *testing.T) {
	c := newCluster(t)
	size, err := strconv.Atoi(strings.TrimSpace(c.docker("image", "inspect", "--format", "{{.Size}}", c.image)))
	require.NoError(t, err)
	t.Logf("image %s: %.1f MB", c.image, float64(size)/1e6)
	require.LessOrEqual(t, size, maxImage)

	began := time.Now()
	c.up("etcd", "rootcoord", "rootcoord-1", "querycoord", "querycoord-1", "datacoord", "datacoord-1")
	made := since(began)
	c.awaitWell("datacoord")
	t.Logf("compose up: seven containers made after %v, three pairs Healthy after %v", made, since(began))
	c.up("caller")
	c.awaitAnswers(0)

	for _, role := range []string{"rootcoord", "datacoord", "querycoord"} {
		c.story(role, "stop", []string{"stopped"}, func(active string) func() {
			c.docker("stop", c.container(active))
			return func() { c.docker("start", c.container(active)) }
		})
	}
	// The network of a killed container is there for some milliseconds more and refuses, as a rule for long enough.
	c.story("rootcoord", "kill", []string{"killed", "silent"}, func(active string) func() {
		c.docker("kill", c.container(active))
		return func() { c.docker("start", c.container(active)) }
	})
	c.story("rootcoord", "pause", []string{"silent"}, func(active string) func() {
		c.docker("pause", c.container(active))
		return func() { c.docker("unpause", c.container(active)) }
	})
	c.story("rootcoord", "network disconnect", []string{"silent"}, func(active string) func() {
		c.docker("network", "disconnect", c.network(), c.container(active))
		return func() { c.docker("network", "connect", "--alias", active, c.network(), c.container(active)) }
	})
	c.restartEtcd()

	c.awaitHealthChecks()
	c.seenByAStranger()
	c.endCaller()
}

func since(began time.Time) time.Duration { return time.Since(began).Round(time.Millisecond) }

// story does something to the active container of a role, waits until the other one serves, for one of the reasons, undoes it,
// and waits until the pair is whole again.
func (c *cluster) story(role, what string, reasons []string, do func(active string) (undo func())) {
	c.t.Helper()
	active, standby, term := pair(c.t, c.awaitWell(standbyOfAnother(role)), role)
	began := time.Now()
	undo := do(active)
	took := since(began)
	next := c.takeover(standby, role, term)
	c.t.Logf("docker %s %s (took %v): %s served %v after the command was given, reason %q, detected in %v",
		what, active, took, standby, next.At.Sub(began).Round(time.Millisecond), next.Reason, next.Steps[0].Took.Round(time.Millisecond))
	require.Contains(c.t, reasons, next.Reason)
	require.True(c.t, strings.HasPrefix(next.PredecessorAddress, active+":"), "%+v", next)
	if role == "rootcoord" {
		c.t.Logf("    longest time without an answer to a client that follows: %v", c.pauseSince(began, next.At).Round(time.Millisecond))
	}
	undo()
	now, _, last := pair(c.t, c.awaitWell(standby), role)
	require.Equal(c.t, standby, now, "the role came back by itself")
	require.Equal(c.t, next.Term, last)
}

// standbyOfAnother is a service whose container a story about role leaves alone.
func standbyOfAnother(role string) string {
	if role == "datacoord" {
		return "querycoord"
	}
	return "datacoord"
}

// restartEtcd takes the only etcd away for a moment.
func (c *cluster) restartEtcd() {
	c.t.Helper()
	answered := c.answers()
	began := time.Now()
	c.docker("restart", c.container("etcd"))
	took := since(began)
	c.awaitWell("datacoord")
	c.awaitAnswers(answered)
	c.t.Logf("docker restart etcd (took %v): three pairs Healthy after %v; longest time without an answer %v",
		took, since(began), c.pauseSince(began, time.Now()).Round(time.Millisecond))
}

// awaitHealthChecks waits until the engine finds every container healthy, standbys too.
func (c *cluster) awaitHealthChecks() {
	c.t.Helper()
	for _, service := range []string{"etcd", "rootcoord", "rootcoord-1", "querycoord", "querycoord-1", "datacoord", "datacoord-1"} {
		var state string
		c.await(func() bool {
			state = strings.TrimSpace(c.docker("inspect", "--format", "{{.State.Health.Status}}", c.container(service)))
			return state == "healthy"
		}, func() string { return service + " is " + state })
	}
}

// seenByAStranger runs the image's own command in a container that belongs to no pair.
func (c *cluster) seenByAStranger() {
	c.t.Helper()
	out := c.docker("run", "--rm", "--network", c.network(), "--env", "ETCD_ENDPOINTS=etcd:2379", c.image, "milvus", "status")
	c.t.Log("milvus status says\n" + out)
	require.Equal(c.t, 7, strings.Count(out, "\n"), "a line for each process, and nothing that is wrong")
}

func (c *cluster) answers() int {
	c.t.Helper()
	all := c.reports(time.Now().Add(-patience))
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Answers
}

// awaitAnswers waits until the caller has been answered more often than that.
func (c *cluster) awaitAnswers(than int) {
	c.t.Helper()
	c.await(func() bool { return c.answers() > than }, func() string { return "the caller is not answered" })
}

// endCaller stops the client, and fails for what it has found.
func (c *cluster) endCaller() {
	c.t.Helper()
	c.docker("stop", "--time", "60", c.container("caller"))
	all := c.reports(time.Time{})
	last := all[len(all)-1]
	require.True(c.t, last.Final, "%+v", last)
	require.Empty(c.t, last.Wrong)
	require.Empty(c.t, last.Failures, "calls of a client that follows failed")
	c.t.Logf("%d calls of the client were answered, none failed, nothing acknowledged was lost", last.Answers)
}
