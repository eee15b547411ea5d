package helm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// binary is the program that the image carries.
const binary = "../../bin/milvus"

// TestTheConfigurationIsOne runs the real program with the files and variables of each pod: `milvus config` has nothing to
// complain of, and says what the values say.
func TestTheConfigurationIsOne(t *testing.T) {
	program, err := filepath.Abs(binary)
	require.NoError(t, err)
	if _, err := os.Stat(program); errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s is missing: make bin/milvus", binary)
	}
	for name, text := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mustRender(t, text)
			dir := t.TempDir()
			for _, c := range m.configMaps {
				for file, content := range c.Data {
					require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
				}
			}
			for _, d := range m.deployments {
				c := d.Spec.Template.Spec.Containers[0]
				stdout, stderr := run(t, program, dir, c, "config")
				require.Empty(t, stderr, "%s: no warning", d.Name)
				for _, role := range roleOf(c) {
					section := strings.TrimSuffix(role, "coord") + "Coord"
					require.Equal(t, d.Spec.Strategy.Type != "Recreate",
						effective(t, stdout, section+".activeStandby.enabled") == "true", "%s: %s", d.Name, role)
					require.Equal(t, "10.1.2.3", effective(t, stdout, section+".ip"))
				}
				require.Equal(t, name == "profiling" && c.Name == "datacoord", effective(t, stdout, "proxy.http.enablePprof") == "true")
			}
		})
	}
}

// run runs the program as in a container: with its variables and no others.
func run(t *testing.T, program, dir string, c corev1.Container, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	for _, e := range c.Env {
		value := e.Value
		switch {
		case e.Name == "MILVUSCONF":
			value = dir
		case e.ValueFrom != nil && e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "status.podIP":
			value = "10.1.2.3"
		case e.ValueFrom != nil:
			value = "1"
		}
		cmd.Env = append(cmd.Env, e.Name+"="+value)
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	return out.String(), errs.String()
}

// effective is the value of a key in what `milvus config` prints.
func effective(t *testing.T, printed, key string) string {
	t.Helper()
	for line := range strings.Lines(printed) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == key {
			return fields[1]
		}
	}
	require.FailNow(t, "no such key", "%s in\n%s", key, printed)
	return ""
}

// TestWhatTheConfigurationSays follows the values that are only there to become configuration.
func TestWhatTheConfigurationSays(t *testing.T) {
	m := mustRender(t, example(t, "external-etcd.yaml"))
	config := m.configMaps[0].Data["default.yaml"]
	for _, want := range []string{
		`endpoints: "etcd-0.etcd.db.svc:2379,etcd-1.etcd.db.svc:2379,etcd-2.etcd.db.svc:2379"`,
		`tlsCert: "/milvus/etcd-tls/tls.crt"`, `tlsKey: "/milvus/etcd-tls/tls.key"`, `tlsCACert: "/milvus/etcd-tls/ca.crt"`,
		`address: "pulsar-proxy.pulsar.svc"`, `type: pulsar`, `enableActiveStandby: true`,
	} {
		require.Contains(t, config, want)
	}
	mount := m.deployments[0].Spec.Template.Spec.Containers[0].VolumeMounts
	require.Contains(t, mount, corev1.VolumeMount{Name: "etcd-tls", MountPath: "/milvus/etcd-tls", ReadOnly: true})
	require.Contains(t, mustRender(t, "extraConfigFiles: {user.yaml: \"a: b\"}").configMaps[0].Data["user.yaml"], "a: b")
	require.Empty(t, mustRender(t, cases(t)["custom ConfigMap"]).configMaps)
}
