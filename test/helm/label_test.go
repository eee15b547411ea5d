package helm

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// TestThePodsLabelThemselves runs the real program twice, with the variables of the chart, and a service account's token
// where kubelet would mount it, against a real API server. The active one is killed: its label is taken by the next.
func TestThePodsLabelThemselves(t *testing.T) {
	s := startAPIServer(t)
	if out, err := exec.Command("unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "none", "/var/run").CombinedOutput(); err != nil {
		t.Skipf("no file system of its own for a process here: %v %s", err, out)
	}
	m := mustRender(t, ha("rootCoordinator"))
	token := s.createPods(t, m, "a", "b")
	container := named(t, m.deployments, "my-milvus-coordinators-rootcoord").Spec.Template.Spec.Containers[0]
	pod := func(name string) corev1.Pod {
		var p corev1.Pod
		_, answer := s.must(t, admin, http.MethodGet, podsPath+"/"+name, "", nil)
		require.NoError(t, json.Unmarshal([]byte(answer), &p))
		return p
	}
	waitFor := func(name, state, cost string) {
		t.Helper()
		require.Eventually(t, func() bool {
			p := pod(name)
			return p.Labels["milvus.io/rootcoord-state"] == state && p.Annotations["controller.kubernetes.io/pod-deletion-cost"] == cost
		}, time.Minute, 20*time.Millisecond, "%s is %s", name, state)
	}

	a := s.startPod(t, container, "a", token)
	waitFor("a", "active", "1")
	b := s.startPod(t, container, "b", token)
	waitFor("b", "standby", "0")
	require.NoError(t, a.Process.Kill())
	waitFor("b", "active", "1")
	waitFor("a", "standby", "1") // its cost is its own affair: it is dead
	require.NotEmpty(t, pod("b").Annotations["milvus.io/rootcoord-term"])
	require.NoError(t, b.Process.Signal(os.Interrupt))
	waitFor("b", "standby", "0")
}

// startPod runs a container's program until the end of the test, in a mount namespace of its own.
func (s *apiServer) startPod(t *testing.T, c corev1.Container, name, token string) *exec.Cmd {
	t.Helper()
	program, err := filepath.Abs(binary)
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "https://"))
	require.NoError(t, err)
	cmd := exec.Command("unshare", "--mount", "--map-root-user", "sh", "-euc", `
		mount -t tmpfs none /var/run
		account=/var/run/secrets/kubernetes.io/serviceaccount
		mkdir -p "$account"
		cp "$API_CERTIFICATE" "$account/ca.crt"
		echo "$API_TOKEN" > "$account/token"
		exec "$PROGRAM" run rootcoord`)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "PROGRAM=" + program, "API_CERTIFICATE=" + filepath.Join(s.certs, "apiserver.crt"), "API_TOKEN=" + token,
		"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "ETCD_ENDPOINTS=" + s.etcd,
		"ROOT_COORD_ENABLE_ACTIVE_STANDBY=true", "METRICS_PORT=0", "ROOT_COORD_PORT=0", "MILVUS_RUN_DIR=" + t.TempDir(),
		"POD_NAME=" + name, "POD_NAMESPACE=" + namespace,
	}
	for _, key := range []string{"KUBERNETES_LABEL_ACTIVE_ENABLED", "KUBERNETES_LABEL_ACTIVE_SELECTOR"} {
		cmd.Env = append(cmd.Env, key+"="+variable(c, key))
	}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said.String())
		}
	})
	return cmd
}
