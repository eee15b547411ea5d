package helm

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files and the table in docs/helm.md anew")

// TestGolden shows a change of the chart as a change of what it renders to.
func TestGolden(t *testing.T) {
	all := cases(t)
	for _, name := range []string{"default", "pairs", "mixcoord", "external etcd", "everything"} {
		m := mustRender(t, all[name])
		golden(t, filepath.Join("testdata", "golden", strings.ReplaceAll(name, " ", "-")+".yaml"), m.text)
	}
	golden(t, filepath.Join("testdata", "golden", "notes.txt"), mustRender(t, all["pairs"]).notes)
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "%s is another; go test -update writes it anew", path)
}
