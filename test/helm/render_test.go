package helm

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const (
	chartDir    = "../../deployments/helm/milvus-coordinators"
	examplesDir = "../../deployments/helm/examples"
	release     = "my"
	namespace   = "vectors"
)

// serviceMonitor is what the chart uses of the Prometheus operator's type. Its module would bring in the operator.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port          string `json:"port"`
			Path          string `json:"path"`
			Interval      string `json:"interval"`
			ScrapeTimeout string `json:"scrapeTimeout"`
			HonorLabels   bool   `json:"honorLabels"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// manifests is everything that a set of values renders to, decoded.
type manifests struct {
	text  string // all of it, in a fixed order
	notes string

	deployments     []*appsv1.Deployment
	statefulSets    []*appsv1.StatefulSet
	services        []*corev1.Service
	configMaps      []*corev1.ConfigMap
	accounts        []*corev1.ServiceAccount
	budgets         []*policyv1.PodDisruptionBudget
	roles           []*rbacv1.Role
	bindings        []*rbacv1.RoleBinding
	policies        []*networkingv1.NetworkPolicy
	serviceMonitors []*serviceMonitor
}

// values parses YAML as a values file.
func values(t *testing.T, text string) map[string]any {
	t.Helper()
	v := map[string]any{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &v))
	return v
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examplesDir, name))
	require.NoError(t, err)
	return string(text)
}

// render is `helm template`; schema tells whether values.schema.json is asked.
func render(t *testing.T, text string, schema bool) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	require.NoError(t, err)
	given := values(t, text)
	if err := chartutil.ProcessDependencies(chart, given); err != nil {
		return nil, err
	}
	all, err := util.ToRenderValuesWithSchemaValidation(chart, given, common.ReleaseOptions{
		Name: release, Namespace: namespace, Revision: 1, IsInstall: true,
	}, common.DefaultCapabilities, !schema)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

var separator = regexp.MustCompile(`(?m)^---[ \t]*$`)

// mustRender renders and decodes: a field that the Kubernetes type does not have, or has twice, is an error.
func mustRender(t *testing.T, text string) *manifests {
	t.Helper()
	files, err := render(t, text, true)
	require.NoError(t, err)
	m := &manifests{}
	var all strings.Builder
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(file, "NOTES.txt") {
			if !strings.Contains(file, "/charts/") {
				m.notes = files[file]
			}
			continue
		}
		for _, document := range separator.Split(files[file], -1) {
			if raw := strings.TrimSpace(document); decoded(t, m, file, raw) {
				fmt.Fprintf(&all, "---\n# Source: %s\n%s\n", file, raw)
			}
		}
	}
	m.text = all.String()
	return m
}

// decoded adds a document to m; false if there is nothing in it but comments.
func decoded(t *testing.T, m *manifests, file, raw string) bool {
	t.Helper()
	var kind metav1.TypeMeta
	require.NoError(t, yaml.Unmarshal([]byte(raw), &kind), "%s:\n%s", file, raw)
	if kind.Kind == "" {
		require.Empty(t, regexp.MustCompile(`(?m)^\s*(#.*)?$\n?`).ReplaceAllString(raw, ""), file)
		return false
	}
	into := func(o any) {
		require.NoError(t, yaml.UnmarshalStrict([]byte(raw), o), "%s:\n%s", file, raw)
	}
	switch kind.APIVersion + " " + kind.Kind {
	case "apps/v1 Deployment":
		into(added(&m.deployments))
	case "apps/v1 StatefulSet":
		into(added(&m.statefulSets))
	case "v1 Service":
		into(added(&m.services))
	case "v1 ConfigMap":
		into(added(&m.configMaps))
	case "v1 ServiceAccount":
		into(added(&m.accounts))
	case "policy/v1 PodDisruptionBudget":
		into(added(&m.budgets))
	case "rbac.authorization.k8s.io/v1 Role":
		into(added(&m.roles))
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		into(added(&m.bindings))
	case "networking.k8s.io/v1 NetworkPolicy":
		into(added(&m.policies))
	case "monitoring.coreos.com/v1 ServiceMonitor":
		into(added(&m.serviceMonitors))
	default:
		require.Fail(t, "a kind that no test knows", "%s: %s %s", file, kind.APIVersion, kind.Kind)
	}
	return true
}

// added appends a new object and returns it.
func added[T any](list *[]*T) *T {
	o := new(T)
	*list = append(*list, o)
	return o
}

// named finds an object by its name.
func named[T metav1.Object](t *testing.T, list []T, name string) T {
	t.Helper()
	for _, o := range list {
		if o.GetName() == name {
			return o
		}
	}
	require.FailNow(t, "no such object", name)
	panic("unreachable")
}

// variable is the value of a container's environment variable, as far as the chart gives one.
func variable(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// TestTheChartIsWhole: what lies in the folder is what is tried here.
func TestTheChartIsWhole(t *testing.T) {
	require.NoError(t, filepath.WalkDir(chartDir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.False(t, bytes.Contains(text, []byte("\t")), "%s has a tab", path)
		require.True(t, bytes.HasSuffix(text, []byte("\n")), "%s ends without a newline", path)
		return nil
	}))
}
