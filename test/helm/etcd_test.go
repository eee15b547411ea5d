package helm

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEtcdTakesItsArguments starts the real etcd as the StatefulSet does, on loopback, and asks it what the probes ask.
func TestEtcdTakesItsArguments(t *testing.T) {
	m := mustRender(t, "etcd: {replicaCount: 1}")
	c := m.statefulSets[0].Spec.Template.Spec.Containers[0]
	client, peer, metrics := freePort(t), freePort(t), freePort(t)
	local := strings.NewReplacer("$(POD_NAME)", "my-etcd-0", "0.0.0.0", "127.0.0.1",
		"my-etcd-0.my-etcd-headless.vectors.svc", "127.0.0.1",
		":2379", client, ":2380", peer, ":2381", metrics, "/var/lib/etcd/data", t.TempDir())
	var args []string
	for _, a := range c.Args {
		args = append(args, local.Replace(strings.Replace(a, "$(POD_NAME).", "my-etcd-0.", 1)))
	}
	startProgram(t, "../../bin/etcd", args...)
	for _, probe := range []string{c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path} {
		require.Eventually(t, func() bool {
			resp, err := http.Get("http://127.0.0.1" + metrics + probe)
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		}, time.Minute, 50*time.Millisecond, probe)
	}
}

// freePort is a port that nobody listens on, as ":1234".
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return fmt.Sprintf(":%d", l.Addr().(*net.TCPAddr).Port)
}

// startProgram runs a program until the end of the test, which shows what it said if it failed.
func startProgram(t *testing.T, path string, args ...string) {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s is missing: make %s", path, strings.TrimPrefix(path, "../../"))
	}
	var said strings.Builder
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s %s said:\n%s", path, strings.Join(args, " "), said.String())
		}
	})
}
