package helm

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	corev1 "k8s.io/api/core/v1"
)

// TestLint is `helm lint --strict --with-subcharts`.
func TestLint(t *testing.T) {
	for name, text := range cases(t) {
		t.Run(name, func(t *testing.T) {
			lintChart(t, chartDir, values(t, text))
		})
	}
	lintChart(t, filepath.Join(chartDir, "charts", "etcd"), nil)
}

func lintChart(t *testing.T, dir string, given map[string]any) {
	t.Helper()
	for _, message := range lint.RunAll(dir, given, namespace).Messages {
		require.Less(t, message.Severity, support.WarningSev, message.Error())
	}
}

// TestRefusals: what cannot work is refused before anything is installed, and the message names the value. Where the schema
// refuses it, too, "by schema" is a part of what that says.
func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		text     string
		want     string // of the templates; empty: only the schema knows
		bySchema string
	}{
		"two that do not stand by": {
			"rootCoordinator: {replicas: 2}",
			"rootCoordinator.replicas is 2, but rootCoordinator.activeStandby.enabled is false", "/rootCoordinator/activeStandby/enabled",
		},
		"the same, of a mix": {
			"rootCoordinator: {enabled: false}\nqueryCoordinator: {enabled: false}\ndataCoordinator: {enabled: false}\n" +
				"mixCoordinator: {enabled: true, replicas: 3}",
			"mixCoordinator.replicas is 3, but mixCoordinator.activeStandby.enabled is false", "/mixCoordinator/activeStandby/enabled",
		},
		"a mix beside another": {
			"mixCoordinator: {enabled: true}",
			"Coordinator.enabled and mixCoordinator.enabled are both true", "",
		},
		"a mix beside a pair": {
			ha("rootCoordinator") + ha("queryCoordinator") + ha("dataCoordinator") + "mixCoordinator: {enabled: true}",
			"mixCoordinator.activeStandby.enabled to true", "",
		},
		"nobody": {
			"rootCoordinator: {enabled: false}\nqueryCoordinator: {enabled: false}\ndataCoordinator: {enabled: false}",
			"no coordinator is enabled", "",
		},
		"two etcds":          {"externalEtcd: {enabled: true, endpoints: [\"a:1\"]}", "etcd.enabled and externalEtcd.enabled are both true", ""},
		"no etcd":            {"etcd: {enabled: false}", "etcd.enabled and externalEtcd.enabled are both false", ""},
		"etcd without place": {"etcd: {enabled: false}\nexternalEtcd: {enabled: true}", "externalEtcd.endpoints is empty", ""},
		"TLS without Secret": {
			"etcd: {enabled: false}\nexternalEtcd: {enabled: true, endpoints: [\"a:1\"], tls: {enabled: true}}",
			"externalEtcd.tls.existingSecret is empty", "",
		},
		"login without Secret": {
			"etcd: {enabled: false}\nexternalEtcd: {enabled: true, endpoints: [\"a:1\"], auth: {enabled: true}}",
			"externalEtcd.auth.existingSecret is empty", "",
		},
		"two queues": {
			"externalKafka: {enabled: true, brokerList: \"a:1\"}\nexternalPulsar: {enabled: true, host: a}",
			"externalPulsar.enabled and externalKafka.enabled are both true", "",
		},
		"Pulsar nowhere": {"externalPulsar: {enabled: true}", "externalPulsar.host is empty", ""},
		"Kafka nowhere":  {"externalKafka: {enabled: true}", "externalKafka.brokerList is empty", ""},
		"killed before it has handed over": {
			ha("rootCoordinator") + "terminationGracePeriodSeconds: 20",
			"terminationGracePeriodSeconds is 20, but a stop may take 27", "",
		},
		"a variable of the chart's": {
			"rootCoordinator: {extraEnv: [{name: METRICS_PORT, value: \"1\"}]}",
			"rootCoordinator.extraEnv sets METRICS_PORT, which the chart sets itself", "",
		},
		"a slip of the pen":          {"rootCoordinater: {replicas: 2}", "", "rootCoordinater"},
		"a slip of the pen, within":  {"rootCoordinator: {replica: 2}", "", "replica"},
		"a number that is a text":    {"rootCoordinator: {replicas: \"2\"}", "", "/rootCoordinator/replicas"},
		"-2 replicas":                {"rootCoordinator: {replicas: -2}", "", "/rootCoordinator/replicas"},
		"a level that nobody has":    {"log: {level: loud}", "", "/log/level"},
		"two members of etcd":        {"etcd: {replicaCount: 2}", "", "/replicaCount"},
		"another configuration file": {"extraConfigFiles: {milvus.yaml: \"\"}", "", "milvus.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.want != "" {
				_, err := render(t, tc.text, false)
				require.ErrorContains(t, err, tc.want)
			}
			_, err := render(t, tc.text, true)
			require.Error(t, err)
			if tc.bySchema != "" {
				require.Contains(t, err.Error(), tc.bySchema)
				require.Contains(t, err.Error(), "values don't meet the specifications of the schema")
			}
		})
	}
}

func TestReplicas(t *testing.T) {
	m := mustRender(t, "rootCoordinator: {replicas: -1}\nqueryCoordinator: {replicas: 0}")
	require.Nil(t, named(t, m.deployments, "my-milvus-coordinators-rootcoord").Spec.Replicas)
	require.Zero(t, *named(t, m.deployments, "my-milvus-coordinators-querycoord").Spec.Replicas)
	require.Equal(t, int32(1), *named(t, m.deployments, "my-milvus-coordinators-datacoord").Spec.Replicas)
}

func TestStrategy(t *testing.T) {
	m := mustRender(t, "rootCoordinator: {replicas: 2, activeStandby: {enabled: true}}\n"+
		"queryCoordinator: {activeStandby: {enabled: true}, strategy: {rollingUpdate: {maxSurge: 2}}}\ndataCoordinator: {strategy: {type: RollingUpdate}}")
	root := named(t, m.deployments, "my-milvus-coordinators-rootcoord").Spec.Strategy
	require.Equal(t, "RollingUpdate", string(root.Type))
	require.Equal(t, "2", named(t, m.deployments, "my-milvus-coordinators-querycoord").Spec.Strategy.RollingUpdate.MaxSurge.String())
	require.Equal(t, "Recreate", string(named(t, m.deployments, "my-milvus-coordinators-datacoord").Spec.Strategy.Type))
	require.Contains(t, m.notes, "dataCoordinator.strategy has no effect")
	require.NotContains(t, m.notes, "queryCoordinator.strategy")
}

func TestWhatHasNoEffectIsSaid(t *testing.T) {
	require.NotContains(t, mustRender(t, "").notes, "heaptrack")
	require.Contains(t, mustRender(t, "queryCoordinator: {heaptrack: {enabled: true}}").notes, "queryCoordinator.heaptrack.enabled has no effect")
	require.Contains(t, mustRender(t, "").notes, "neither externalPulsar nor externalKafka")
}

func TestActiveServices(t *testing.T) {
	active := func(m *manifests) []string {
		var names []string
		for _, s := range m.services {
			if s.Labels["milvus.io/pods"] == "active" {
				names = append(names, strings.TrimPrefix(s.Name, "my-milvus-coordinators-"))
			}
		}
		return names
	}
	require.Empty(t, active(mustRender(t, "")))
	require.Equal(t, []string{"querycoord-active"}, active(mustRender(t, ha("queryCoordinator"))))
	all := []string{"datacoord-active", "querycoord-active", "rootcoord-active"}
	require.Equal(t, all, active(mustRender(t, example(t, "mixcoord.yaml"))), "one for each role of the process")
	m := mustRender(t, cases(t)["a mix beside pairs"])
	require.Equal(t, all, active(m))
	require.Equal(t, map[string]string{
		"app.kubernetes.io/name": "milvus-coordinators", "app.kubernetes.io/instance": release, "milvus.io/rootcoord-state": "active",
	}, named(t, m.services, "my-milvus-coordinators-rootcoord-active").Spec.Selector, "whichever Deployment it belongs to")
	require.Equal(t, "app.kubernetes.io/name=milvus-coordinators,app.kubernetes.io/instance=my",
		variable(m.deployments[0].Spec.Template.Spec.Containers[0], "KUBERNETES_LABEL_ACTIVE_SELECTOR"))
	require.Empty(t, active(mustRender(t, ha("rootCoordinator")+"activeService: {enabled: false}")))
}

func TestSecretsStaySecret(t *testing.T) {
	m := mustRender(t, example(t, "external-etcd.yaml"))
	c := m.deployments[0].Spec.Template.Spec.Containers[0]
	for _, e := range c.Env {
		if e.Name == "ETCD_AUTH_PASSWORD" {
			require.Equal(t, &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "etcd-login"}, Key: "password",
			}, e.ValueFrom.SecretKeyRef)
			return
		}
	}
	t.Fatal("no password")
}

// TestAChangedConfigurationRestartsThePods, and nothing else does.
func TestAChangedConfigurationRestartsThePods(t *testing.T) {
	sum := func(text string) string {
		return mustRender(t, text).deployments[0].Spec.Template.Annotations["checksum/config"]
	}
	require.Equal(t, sum(""), sum("labels: {a: b}"))
	require.NotEqual(t, sum(""), sum("rootPath: other"))
	require.NotEqual(t, sum(""), sum("extraConfigFiles: {user.yaml: \"log: {level: info}\"}"))
}

// TestEtcdIsWhereTheCoordinatorsLookForIt holds the two charts together.
func TestEtcdIsWhereTheCoordinatorsLookForIt(t *testing.T) {
	m := mustRender(t, "etcd: {replicaCount: 3}")
	s := m.statefulSets[0]
	require.Equal(t, int32(3), *s.Spec.Replicas)
	config := m.configMaps[0].Data["default.yaml"]
	args := strings.Join(s.Spec.Template.Spec.Containers[0].Args, "\n")
	for _, member := range []string{"my-etcd-0", "my-etcd-1", "my-etcd-2"} {
		host := member + "." + s.Spec.ServiceName + "." + namespace + ".svc"
		require.Contains(t, config, host+":2379")
		require.Contains(t, args, member+"=http://"+host+":2380")
	}
	require.True(t, named(t, m.services, s.Spec.ServiceName).Spec.PublishNotReadyAddresses)
	require.NotContains(t, mustRender(t, "etcd: {replicaCount: 1}").configMaps[0].Data["default.yaml"], "my-etcd-1")
}
