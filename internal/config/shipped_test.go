package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

const shippedDir = "../../configs"

// TestShippedFile holds configs/milvus.yaml to what it says of itself: every key is there, with its default.
func TestShippedFile(t *testing.T) {
	config, report, err := Load(Source{Dir: shippedDir})
	require.NoError(t, err)
	require.Empty(t, report.Warnings)
	defaults, _, err := Load(Source{Dir: t.TempDir()})
	require.NoError(t, err)

	require.Equal(t, "debug", config.Log.Level)
	require.Equal(t, "info", defaults.Log.Level)
	config.Log.Level = defaults.Log.Level
	require.Equal(t, defaults, config)
}

func TestShippedFileHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(shippedDir, "milvus.yaml"))
	require.NoError(t, err)
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal(data, &root))
	keys := map[string]bool{}
	leaves(root.Content[0], "", keys)
	for _, doc := range Reference() {
		require.True(t, keys[doc.Key], "%s is not in configs/milvus.yaml", doc.Key)
		delete(keys, doc.Key)
	}
	require.Empty(t, keys, "in configs/milvus.yaml, but read by nobody")
}

// leaves collects the keys that have a value, as they are spelt.
func leaves(node *yaml.Node, path string, keys map[string]bool) {
	for i := 0; i < len(node.Content); i += 2 {
		key := path + node.Content[i].Value
		if value := node.Content[i+1]; value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			leaves(value, key+".", keys)
		} else {
			keys[key] = true
		}
	}
}
