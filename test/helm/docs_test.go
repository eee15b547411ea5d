package helm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

const (
	docsPath   = "../../docs/helm.md"
	tableBegin = "<!-- values: begin; made by `go test -update` in test/helm from the chart's values.yaml -->\n"
	tableEnd   = "<!-- values: end -->\n"
)

// TestTheTableOfValues holds docs/helm.md to the comments in values.yaml.
func TestTheTableOfValues(t *testing.T) {
	text, err := os.ReadFile(docsPath)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), tableBegin)
	require.True(t, found, "%s has no place for the table", docsPath)
	_, after, found := strings.Cut(rest, tableEnd)
	require.True(t, found)

	source, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	require.NoError(t, err)
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal(source, &root))
	var table strings.Builder
	table.WriteString("| value | default | |\n|---|---|---|\n")
	rows(t, &table, root.Content[0], "")
	golden(t, docsPath, before+tableBegin+table.String()+tableEnd+after)
}

// rows writes a line for each value, and for each group that is described. The query and data coordinators have the
// values of the root coordinator.
func rows(t *testing.T, table *strings.Builder, mapping *yaml.Node, path string) {
	t.Helper()
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		name := path + key.Value
		if path == "extraConfigFiles." {
			name = path + `"` + key.Value + `"`
		}
		comment := strings.ReplaceAll(strings.ReplaceAll(key.HeadComment, "# ", ""), "\n", " ")
		switch group := value.Kind == yaml.MappingNode && len(value.Content) > 0; {
		case group && !described(value):
			require.NotEmpty(t, comment, "%s is not described in values.yaml", name)
			fmt.Fprintf(table, "| `%s` | | %s |\n", name, comment)
		case group:
			if comment != "" {
				fmt.Fprintf(table, "| `%s` | | %s |\n", name, comment)
			}
			rows(t, table, value, name+".")
		default:
			require.NotEmpty(t, comment, "%s is not described in values.yaml", name)
			fmt.Fprintf(table, "| `%s` | `%s` | %s |\n", name, flow(t, value), comment)
		}
	}
}

// described tells whether the first value in a group has a comment; if not, the group's comment is for all.
func described(group *yaml.Node) bool {
	first := group.Content[0]
	return first.HeadComment != "" || group.Content[1].Kind == yaml.MappingNode && described(group.Content[1])
}

// flow is a value on one line.
func flow(t *testing.T, value *yaml.Node) string {
	t.Helper()
	value.Style = yaml.FlowStyle
	if value.Kind == yaml.ScalarNode {
		if value.Value == "" {
			return `""`
		}
		return value.Value
	}
	text, err := yaml.Marshal(value)
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}
