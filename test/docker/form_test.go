package docker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

// composeFile is as much of the file as is looked at here.
type composeFile struct {
	Services map[string]struct {
		Name        string            `yaml:"container_name"`
		Image       string            `yaml:"image"`
		Command     []string          `yaml:"command"`
		Environment map[string]string `yaml:"environment"`
		Ports       []string          `yaml:"ports"`
	} `yaml:"services"`
}

func shippedFile(t *testing.T) string {
	return filepath.Join(clustertest.RepoRoot(t), "deployments", "docker", "docker-compose.yml")
}

func TestTheFileHasTheDocumentedForm(t *testing.T) {
	raw, err := os.ReadFile(shippedFile(t))
	require.NoError(t, err)
	var file composeFile
	require.NoError(t, yaml.Unmarshal(raw, &file))
	require.Len(t, file.Services, 7, "three pairs and etcd")
	for role, c := range map[string]struct{ variable, port string }{
		"rootcoord": {"ROOT_COORD", "53100"}, "querycoord": {"QUERY_COORD", "19531"}, "datacoord": {"DATA_COORD", "13333"},
	} {
		for _, name := range []string{role, role + "-1"} {
			s, ok := file.Services[name]
			require.True(t, ok, name)
			require.Equal(t, "milvus-"+name, s.Name)
			require.Equal(t, []string{"milvus", "run", role}, s.Command)
			require.Empty(t, s.Ports, "a fixed port of the host")
			want := map[string]string{
				"ETCD_ENDPOINTS": "etcd:2379", "MINIO_ADDRESS": "minio:9000", "PULSAR_ADDRESS": "pulsar://pulsar:6650",
				c.variable + "_ADDRESS": name + ":" + c.port, c.variable + "_ENABLE_ACTIVE_STANDBY": "true",
			}
			for key, value := range want {
				require.Equal(t, value, s.Environment[key], "%s: %s", name, key)
			}
		}
	}
}
