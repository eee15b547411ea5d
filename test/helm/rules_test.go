package helm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func TestRules(t *testing.T) {
	for name, text := range cases(t) {
		t.Run(name, func(t *testing.T) {
			m := mustRender(t, text)
			checkNames(t, m)
			for _, p := range m.pods() {
				checkPod(t, m, p)
			}
			for _, d := range m.deployments {
				checkDeployment(t, m, d.Name)
			}
			for _, s := range m.services {
				checkService(t, m, s)
			}
			for _, b := range m.budgets {
				checkBudget(t, m, b)
			}
			checkAccess(t, m)
			checkNetwork(t, m)
			checkScraping(t, m)
		})
	}
}

// pod is the template of a Deployment's or StatefulSet's pods.
type pod struct {
	owner    string
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
}

func (p pod) container() corev1.Container { return p.template.Spec.Containers[0] }

func (m *manifests) pods() []pod {
	var all []pod
	for _, d := range m.deployments {
		all = append(all, pod{d.Name, d.Spec.Selector, d.Spec.Template})
	}
	for _, s := range m.statefulSets {
		all = append(all, pod{s.Name, s.Spec.Selector, s.Spec.Template})
	}
	return all
}

// selected are the pods that a selector finds.
func (m *manifests) selected(selector map[string]string) []pod {
	return slices.DeleteFunc(m.pods(), func(p pod) bool {
		return !labels.SelectorFromSet(selector).Matches(labels.Set(p.template.Labels))
	})
}

func checkNames(t *testing.T, m *manifests) {
	t.Helper()
	seen := map[string]bool{}
	add := func(kind string, o metav1.Object) {
		require.LessOrEqual(t, len(o.GetName()), 63, o.GetName())
		require.Equal(t, namespace, o.GetNamespace(), o.GetName())
		require.False(t, seen[kind+o.GetName()], "%s %s twice", kind, o.GetName())
		seen[kind+o.GetName()] = true
		require.Equal(t, release, o.GetLabels()["app.kubernetes.io/instance"], o.GetName())
	}
	for _, o := range m.deployments {
		add("Deployment", o)
	}
	for _, o := range m.statefulSets {
		add("StatefulSet", o)
	}
	for _, o := range m.services {
		add("Service", o)
	}
	for _, o := range m.configMaps {
		add("ConfigMap", o)
	}
	for _, o := range m.budgets {
		add("PodDisruptionBudget", o)
	}
	for _, o := range m.policies {
		add("NetworkPolicy", o)
	}
}

func checkPod(t *testing.T, m *manifests, p pod) {
	t.Helper()
	spec, c := p.template.Spec, p.container()
	require.Len(t, spec.Containers, 1)
	require.True(t, labels.SelectorFromSet(p.selector.MatchLabels).Matches(labels.Set(p.template.Labels)), "%s selects its own pods", p.owner)
	require.Len(t, m.selected(p.selector.MatchLabels), 1, "%s selects no other's", p.owner)

	require.True(t, *spec.SecurityContext.RunAsNonRoot)
	require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
	require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
	require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
	require.False(t, *spec.EnableServiceLinks)

	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		require.False(t, volumes[v.Name], "volume %s twice", v.Name)
		volumes[v.Name] = true
	}
	for _, s := range m.statefulSets {
		for _, claim := range s.Spec.VolumeClaimTemplates {
			volumes[claim.Name] = volumes[claim.Name] || s.Name == p.owner
		}
	}
	for _, mount := range c.VolumeMounts {
		require.True(t, volumes[mount.Name], "%s mounts %s, which it does not have", p.owner, mount.Name)
	}
	env := map[string]bool{}
	for _, e := range c.Env {
		require.False(t, env[e.Name], "%s has %s twice", p.owner, e.Name)
		env[e.Name] = true
	}
	ports := map[string]bool{}
	for _, port := range c.Ports {
		require.False(t, ports[port.Name], "port %s twice", port.Name)
		require.LessOrEqual(t, len(port.Name), 15)
		ports[port.Name] = true
	}
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		if probe != nil {
			require.True(t, ports[probe.HTTPGet.Port.StrVal], "probe of %s at a port that is not there", p.owner)
		}
	}
}

// roleOf are the roles of a coordinator's pod, by its ports.
func roleOf(c corev1.Container) []string {
	var roles []string
	for _, port := range c.Ports {
		if port.Name != "metrics" {
			roles = append(roles, port.Name)
		}
	}
	return roles
}

func checkDeployment(t *testing.T, m *manifests, name string) {
	t.Helper()
	d := named(t, m.deployments, name)
	c := d.Spec.Template.Spec.Containers[0]
	require.Equal(t, []string{"milvus", "run", c.Name}, c.Args)
	require.Empty(t, c.Command)
	if c.LivenessProbe != nil {
		require.Equal(t, "/livez", c.LivenessProbe.HTTPGet.Path)
	}
	if c.ReadinessProbe != nil {
		require.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
	}
	if c.StartupProbe != nil {
		require.Equal(t, "/livez", c.StartupProbe.HTTPGet.Path)
	}
	require.Equal(t, "9091", variable(c, "METRICS_PORT"))
	standsBy := d.Spec.Strategy.Type != "Recreate"
	if d.Spec.Replicas != nil && *d.Spec.Replicas > 1 {
		require.True(t, standsBy, "%s: several pods that do not stand by", name)
	}
	placement := d.Spec.Template.Spec
	if !standsBy {
		require.Nil(t, c.Lifecycle)
		require.False(t, *placement.AutomountServiceAccountToken)
		require.Empty(t, variable(c, "KUBERNETES_LABEL_ACTIVE_ENABLED"))
		return
	}
	require.NotNil(t, placement.Affinity, "a pair keeps off one host")
	require.NotEmpty(t, placement.TopologySpreadConstraints)
	if rolling := d.Spec.Strategy.RollingUpdate; rolling != nil {
		require.Equal(t, "0", rolling.MaxUnavailable.String())
		require.Equal(t, "1", rolling.MaxSurge.String())
	}
	if !strings.Contains(t.Name(), "no_preStop") {
		require.Equal(t, []string{"milvus", "switchover", "--from-self"}, c.Lifecycle.PreStop.Exec.Command[:3])
	}
}

func checkService(t *testing.T, m *manifests, s *corev1.Service) {
	t.Helper()
	selector := maps.Clone(s.Spec.Selector)
	require.Equal(t, release, selector["app.kubernetes.io/instance"])
	for _, role := range []string{"rootcoord", "querycoord", "datacoord"} {
		state := "milvus.io/" + role + "-state"
		if selector[state] == "" {
			continue
		}
		// The pods give themselves this label, if they are told to.
		require.Equal(t, "active", selector[state])
		delete(selector, state)
		found := slices.DeleteFunc(m.selected(selector), func(p pod) bool {
			return !slices.Contains(roleOf(p.container()), role) || variable(p.container(), "KUBERNETES_LABEL_ACTIVE_ENABLED") != "true"
		})
		require.NotEmpty(t, found, "no pod labels itself for %s", s.Name)
		for _, p := range found {
			checkPorts(t, s, p)
		}
		return
	}
	found := m.selected(selector)
	require.Len(t, found, 1, s.Name)
	checkPorts(t, s, found[0])
}

func checkPorts(t *testing.T, s *corev1.Service, p pod) {
	t.Helper()
	for _, port := range s.Spec.Ports {
		require.True(t, slices.ContainsFunc(p.container().Ports, func(c corev1.ContainerPort) bool { return c.Name == port.TargetPort.StrVal }),
			"%s names port %s, which %s does not have", s.Name, port.TargetPort.StrVal, p.owner)
	}
}

func checkBudget(t *testing.T, m *manifests, b *policyv1.PodDisruptionBudget) {
	t.Helper()
	require.Len(t, m.selected(b.Spec.Selector.MatchLabels), 1, b.Name)
	for _, d := range m.deployments {
		if labels.SelectorFromSet(b.Spec.Selector.MatchLabels).Matches(labels.Set(d.Spec.Template.Labels)) {
			require.True(t, d.Spec.Replicas == nil || *d.Spec.Replicas > 1, "a budget of 1 pod: no node could be drained")
		}
	}
}

// checkAccess: pods that label themselves may do that, and nothing else; the others may do nothing.
func checkAccess(t *testing.T, m *manifests) {
	t.Helper()
	label := false
	for _, d := range m.deployments {
		on := variable(d.Spec.Template.Spec.Containers[0], "KUBERNETES_LABEL_ACTIVE_ENABLED") == "true"
		require.Equal(t, on, *d.Spec.Template.Spec.AutomountServiceAccountToken, "%s needs a token to label itself, and for nothing else", d.Name)
		label = label || on
		if len(m.accounts) > 0 {
			require.Equal(t, m.accounts[0].Name, d.Spec.Template.Spec.ServiceAccountName)
		}
	}
	for _, r := range m.roles {
		require.True(t, label)
		require.Len(t, r.Rules, 1)
		require.Equal(t, []string{"pods"}, r.Rules[0].Resources)
		require.Equal(t, []string{"list", "patch"}, r.Rules[0].Verbs)
	}
	if label && !strings.Contains(t.Name(), "account_of_others") {
		require.Len(t, m.roles, 1)
	}
	require.Len(t, m.bindings, len(m.roles))
	for _, b := range m.bindings {
		require.Equal(t, m.roles[0].Name, b.RoleRef.Name)
		require.Equal(t, m.deployments[0].Spec.Template.Spec.ServiceAccountName, b.Subjects[0].Name)
	}
}

func checkNetwork(t *testing.T, m *manifests) {
	t.Helper()
	for _, n := range m.policies {
		found := m.selected(n.Spec.PodSelector.MatchLabels)
		require.NotEmpty(t, found, n.Name)
		ports := map[string]bool{}
		for _, p := range found {
			for _, port := range p.container().Ports {
				ports[port.Name] = true
			}
		}
		// Its own kind is always let in, to every port.
		require.Equal(t, n.Spec.PodSelector, *n.Spec.Ingress[0].From[0].PodSelector)
		require.Empty(t, n.Spec.Ingress[0].Ports)
		for _, rule := range n.Spec.Ingress[1:] {
			for _, port := range rule.Ports {
				require.True(t, ports[port.Port.StrVal], "%s: port %s", n.Name, port.Port.StrVal)
			}
		}
	}
}

// checkScraping: each coordinator's pod is found by exactly one of the Services that are scraped.
func checkScraping(t *testing.T, m *manifests) {
	t.Helper()
	for _, monitor := range m.serviceMonitors {
		times := map[string]int{}
		for _, s := range m.services {
			if !labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels).Matches(labels.Set(s.Labels)) {
				continue
			}
			require.True(t, slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == monitor.Spec.Endpoints[0].Port }))
			found := m.selected(s.Spec.Selector)
			require.NotEmpty(t, found, "%s selects by a label that pods get later: it would scrape some of them twice", s.Name)
			for _, p := range found {
				times[p.owner]++
			}
		}
		for _, d := range m.deployments {
			require.Equal(t, 1, times[d.Name], fmt.Sprintf("%s is scraped", d.Name))
		}
	}
}
