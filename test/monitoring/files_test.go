package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

// rule is a recording rule or an alert.
type rule struct {
	Record      string
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

// inRepository is a file's path.
func inRepository(t *testing.T, parts ...string) string {
	t.Helper()
	return filepath.Join(append([]string{clustertest.RepoRoot(t)}, parts...)...)
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), path)
}

func readRules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	readYAML(t, inRepository(t, "deployments", "monitoring", "rules.yaml"), &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

func alertsOf(rules []rule) (alerts []rule) {
	for _, r := range rules {
		if r.Alert != "" {
			alerts = append(alerts, r)
		}
	}
	return alerts
}

// dashboard is the part of Grafana's model that is checked.
type dashboard struct {
	UID         string
	Title       string
	Panels      []panel
	Templating  struct{ List []variable }
	Annotations struct{ List []annotation }
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  datasource
	GridPos     struct{ X, Y, W, H int }
	Targets     []target
	Panels      []panel // of a row that is closed
}

type target struct {
	Expr       string
	RefID      string
	Datasource datasource
}

type variable struct {
	Name       string
	Type       string
	Label      string
	Datasource datasource
	Definition string // of a query
}

// annotation marks moments in all panels.
type annotation struct{ Name, Expr string }

type datasource struct{ Type, UID string }

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(inRepository(t, "deployments", "monitoring", "milvus-coordinators.json"))
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// all are the panels, also those in rows.
func (d dashboard) all() (panels []panel) {
	for _, p := range d.Panels {
		panels = append(append(panels, p), p.Panels...)
	}
	return panels
}
