package kubelabel

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	root = "rootcoord"
	data = "datacoord"
)

// start runs a labeller of a pod until the end of the test, or until stop, which waits for it.
func start(t *testing.T, k *kube, pod string, roles ...string) (l *Labeller, stop func()) {
	t.Helper()
	l, err := New(Config{Namespace: "ns", Pod: pod, Roles: roles, Fellows: "app=milvus"}, k.access, zaptest.NewLogger(t))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return l, stop
}

func eventually(t *testing.T, what func() bool) {
	t.Helper()
	require.Eventually(t, what, time.Minute, time.Millisecond)
}

func TestALabelFollowsTheRole(t *testing.T) {
	k := newKube(t, "a")
	k.set("a", map[string]string{stateLabel(root): active}, nil) // left over from the container's earlier life
	l, stop := start(t, k, "a", root, data)
	eventually(t, func() bool { return k.state("a", root) == standby && k.state("a", data) == standby })

	l.Set(root, 17)
	eventually(t, func() bool { return k.state("a", root) == active })
	require.Equal(t, standby, k.state("a", data))
	require.Equal(t, "17", k.annotation("a", termAnnotation(root)))
	require.Equal(t, "1", k.annotation("a", deletionCost))
	require.Empty(t, k.annotation("a", termAnnotation(data)), "no term, nothing said")

	l.Set(data, 20)
	eventually(t, func() bool { return k.annotation("a", deletionCost) == "2" })
	l.Set(root, 0)
	l.Set(data, 0)
	stop()
	require.Equal(t, standby, k.state("a", root), "what was said last is seen, though Run has been told to end")
	require.Equal(t, standby, k.state("a", data))
	require.Equal(t, "0", k.annotation("a", deletionCost))
	require.Equal(t, "app", onlyOther(k, "a"), "other labels stay")
}

// onlyOther is the one label of a pod that is none of ours.
func onlyOther(k *kube, pod string) string {
	found := ""
	for key := range k.pods[pod].Labels {
		if key != stateLabel(root) && key != stateLabel(data) {
			found += key
		}
	}
	return found
}

func TestItTriesAgain(t *testing.T) {
	k := newKube(t, "a")
	k.refuse = 3
	l, _ := start(t, k, "a", root)
	l.Set(root, 5)
	eventually(t, func() bool { return k.state("a", root) == active })
	require.GreaterOrEqual(t, k.asked("PATCH a"), 4)
}

func TestSetNeverWaits(t *testing.T) {
	k := newKube(t, "a")
	reached, release := make(chan struct{}, 100), make(chan struct{})
	k.before = func(string, string) { reached <- struct{}{}; <-release }
	l, _ := start(t, k, "a", root)
	<-reached // the API server hangs
	for term := range int64(1000) {
		l.Set(root, term+1)
	}
	close(release)
	eventually(t, func() bool { return k.annotation("a", termAnnotation(root)) == "1000" })
}

func TestTheTokenIsReadAnew(t *testing.T) {
	k := newKube(t, "a")
	l, _ := start(t, k, "a", root)
	eventually(t, func() bool { return k.state("a", root) == standby })
	k.mu.Lock()
	k.token = "second"
	k.mu.Unlock()
	k.writeToken("second")
	l.Set(root, 5)
	eventually(t, func() bool { return k.state("a", root) == active })
}

func TestASuccessorTakesTheLabelOfTheDead(t *testing.T) {
	k := newKube(t, "dead", "next", "stranger", "later")
	was := map[string]string{stateLabel(root): active}
	k.set("dead", was, map[string]string{termAnnotation(root): "17"})
	k.set("later", was, map[string]string{termAnnotation(root): "99"}) // has won since
	k.set("stranger", map[string]string{stateLabel(root): active, "app": "another"}, nil)
	l, _ := start(t, k, "next", root)
	l.Set(root, 18)
	eventually(t, func() bool { return k.state("next", root) == active && k.state("dead", root) == standby })
	require.Equal(t, active, k.state("later", root), "its term is a later one")
	require.Equal(t, active, k.state("stranger", root), "another cluster's")
}

// TestTheDeposedTakesNothing: between the look and the patch, the other pod becomes active in a later term.
func TestTheDeposedTakesNothing(t *testing.T) {
	k := newKube(t, "deposed", "next")
	k.set("next", map[string]string{stateLabel(root): active}, map[string]string{termAnnotation(root): "4"})
	k.before = func(method, pod string) {
		if method == http.MethodPatch && pod == "next" {
			k.set("next", nil, map[string]string{termAnnotation(root): "18"})
		}
	}
	l, stop := start(t, k, "deposed", root)
	l.Set(root, 17)
	// The patch is refused; the next look finds the later term and asks for nothing more.
	eventually(t, func() bool { return k.asked("GET ") >= 2 })
	stop()
	require.Equal(t, 1, k.asked("PATCH next"))
	require.Equal(t, active, k.state("next", root))
}

func TestAPodThatIsGoneNeedsNoLabel(t *testing.T) {
	k := newKube(t, "dead", "next")
	k.set("dead", map[string]string{stateLabel(root): active}, nil)
	k.before = func(method, pod string) {
		if method == http.MethodPatch && pod == "dead" {
			k.mu.Lock()
			delete(k.pods, "dead")
			k.mu.Unlock()
		}
	}
	l, err := New(Config{Namespace: "ns", Pod: "next", Roles: []string{root}, Fellows: "app=milvus"}, k.access, zaptest.NewLogger(t))
	require.NoError(t, err)
	defer l.api.close()
	l.Set(root, 3)
	require.NoError(t, l.publish(t.Context()))
	require.Equal(t, 1, k.asked("PATCH dead"))
}

func TestOthersAreLeftAloneWithoutASelector(t *testing.T) {
	k := newKube(t, "a", "b")
	k.set("b", map[string]string{stateLabel(root): active}, nil)
	l, err := New(Config{Namespace: "ns", Pod: "a", Roles: []string{root}}, k.access, zaptest.NewLogger(t))
	require.NoError(t, err)
	l.Set(root, 3)
	require.NoError(t, l.publish(t.Context()))
	l.api.close()
	require.Equal(t, active, k.state("a", root))
	require.Equal(t, active, k.state("b", root))
	require.Zero(t, k.asked("GET "), "listing needs no permission then")
}

func TestTheAnswerIsNamed(t *testing.T) {
	k := newKube(t)
	l, err := New(Config{Namespace: "ns", Pod: "gone", Roles: []string{root}}, k.access, zaptest.NewLogger(t))
	require.NoError(t, err)
	defer l.api.close()
	require.EqualError(t, l.publish(t.Context()), "label pod gone: the API server answers 404: pods gone not found")
	require.NoError(t, os.Remove(k.access.TokenFile))
	require.ErrorContains(t, l.publish(t.Context()), "token of the service account")
}

func TestAccess(t *testing.T) {
	_, err := InCluster(func(string) string { return "" })
	require.ErrorContains(t, err, "this process is in no pod")
	vars := map[string]string{"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
	a, err := InCluster(func(name string) string { return vars[name] })
	require.NoError(t, err)
	require.Equal(t, "https://[fd00::1]:443", a.Server)

	_, err = New(Config{}, Access{CAFile: "/nowhere/ca.crt"}, zaptest.NewLogger(t))
	require.ErrorContains(t, err, "is the service account's token mounted?")
	empty := t.TempDir() + "/ca.crt"
	require.NoError(t, os.WriteFile(empty, []byte("nothing"), 0o600))
	_, err = New(Config{}, Access{CAFile: empty}, zaptest.NewLogger(t))
	require.ErrorContains(t, err, "contains none")
}
