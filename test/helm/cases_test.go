package helm

import "testing"

// ha is a pair of a coordinator.
func ha(key string) string { return key + ": {replicas: 2, activeStandby: {enabled: true}}\n" }

// cases are the sets of values for which everything is checked: each switch is in at least one of them.
func cases(t *testing.T) map[string]string {
	t.Helper()
	c := map[string]string{
		"default":       "",
		"pairs":         example(t, "pairs.yaml"),
		"mixcoord":      example(t, "mixcoord.yaml"),
		"external etcd": example(t, "external-etcd.yaml"),
		"everything":    everything,

		"one pair":                 ha("rootCoordinator"),
		"three":                    "rootCoordinator: {replicas: 3, activeStandby: {enabled: true}}",
		"replicas omitted":         "rootCoordinator: {replicas: -1, activeStandby: {enabled: true}}\nqueryCoordinator: {replicas: -1}",
		"replicas 0":               "rootCoordinator: {replicas: 0}",
		"one that stands by alone": "rootCoordinator: {activeStandby: {enabled: true}}",
		"rootcoord alone":          "queryCoordinator: {enabled: false}\ndataCoordinator: {enabled: false}",
		"a mix beside pairs": ha("rootCoordinator") + ha("queryCoordinator") + ha("dataCoordinator") +
			"mixCoordinator: {enabled: true, activeStandby: {enabled: true}}",
		"a single mix": "rootCoordinator: {enabled: false}\nqueryCoordinator: {enabled: false}\ndataCoordinator: {enabled: false}\n" +
			"mixCoordinator: {enabled: true}",
		"no active service":   ha("rootCoordinator") + "activeService: {enabled: false}",
		"no preStop":          ha("rootCoordinator") + "preStop: {enabled: false}",
		"no budget":           ha("rootCoordinator") + "podDisruptionBudget: {enabled: false}",
		"budget in percent":   ha("rootCoordinator") + "podDisruptionBudget: {maxUnavailable: 50%}",
		"strategy for nobody": "rootCoordinator: {strategy: {type: RollingUpdate}}",
		"heaptrack":           "rootCoordinator: {heaptrack: {enabled: true}}",
		"profiling":           "dataCoordinator: {profiling: {enabled: true}}",
		"no probes": "livenessProbe: {enabled: false}\nreadinessProbe: {enabled: false}\n" +
			"startupProbe: {enabled: false}",
		"no metrics":            "metrics: {enabled: false, serviceMonitor: {enabled: true}}",
		"service monitor":       ha("rootCoordinator") + "metrics: {serviceMonitor: {enabled: true, additionalLabels: {release: prometheus}}}",
		"network policy":        "networkPolicy: {enabled: true}\netcd: {networkPolicy: {enabled: true}}",
		"network policy, tight": "networkPolicy: {enabled: true, clients: [], metrics: [], egress: [{to: [{podSelector: {}}]}]}",
		"account of others":     ha("rootCoordinator") + "serviceAccount: {create: false, name: theirs}\nrbac: {create: false}",
		"default account":       "serviceAccount: {create: false}",
		"user.yaml":             "extraConfigFiles:\n  user.yaml: |\n    rootCoord:\n      maxPartitionNum: 10\n    mq:\n      type: none\n",
		"custom ConfigMap":      ha("rootCoordinator") + "customConfigMap: theirs\nextraConfigFiles: {user.yaml: \"a: b\"}\netcd: {enabled: false}",
		"kafka":                 "externalKafka: {enabled: true, brokerList: \"kafka-0:9092,kafka-1:9092\"}",
		"pulsar by URL":         "externalPulsar: {enabled: true, host: \"pulsar+ssl://pulsar:6651\"}",
		"etcd, one member":      "etcd: {replicaCount: 1, persistence: {enabled: false}, extraEnv: [{name: ETCD_LOG_LEVEL, value: warn}]}",
		"etcd with TLS without client certificate": "etcd: {enabled: false}\nexternalEtcd: {enabled: true, endpoints: [\"e:2379\"], " +
			"tls: {enabled: true, existingSecret: s, certKey: \"\", minVersion: \"1.2\"}}",
		"etcd by the system's authorities": "etcd: {enabled: false}\nexternalEtcd: {enabled: true, endpoints: [\"e:2379\"], " +
			"tls: {enabled: true, existingSecret: s, caKey: \"\"}}",
		"names":         "fullnameOverride: " + longName + "\nnameOverride: coords\n" + ha("queryCoordinator"),
		"another clock": "gracefulStopTimeoutSeconds: 60\nterminationGracePeriodSeconds: 90\nminReadySeconds: 0",
		"headless":      "dataCoordinator: {service: {clusterIP: None, port: 23333}}",
	}
	return c
}

const longName = "a-name-that-is-longer-than-what-is-left-of-the-sixty-three-letters"

// everything sets what the other cases leave at its default.
const everything = `
labels: {team: search}
annotations: {owner: me}
nodeSelector: {disk: ssd}
tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: DoesNotExist}]}]}}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {x: "y"}}}]
priorityClassName: high
image: {all: {repository: registry.example.com/milvus-coordinators, tag: v1, pullPolicy: Always, pullSecrets: [login]}}
volumes: [{name: tls, secret: {secretName: internal-tls}}]
volumeMounts: [{name: tls, mountPath: /milvus/tls, readOnly: true}]
log: {level: warn, format: json}
rootPath: prod
activeService: {annotations: {a: b}, labels: {c: d}}
serviceAccount: {name: coords, annotations: {a: b}, labels: {c: d}}
networkPolicy: {enabled: true, egress: [{ports: [{port: 2379}]}]}
metrics: {serviceMonitor: {enabled: true}}
rootCoordinator:
  replicas: 2
  activeStandby: {enabled: true}
  resources: {requests: {cpu: 500m, memory: 256Mi}, limits: {memory: 1Gi}}
  nodeSelector: {disk: nvme}
  affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {x: "y"}}}]}}
  tolerations: [{key: spot, operator: Exists}]
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  topologySpreadConstraints: [{maxSkew: 2, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {x: "y"}}}]
  extraEnv: [{name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}]
  annotations: {linkerd.io/inject: disabled}
  service: {port: 50000, annotations: {a: b}, labels: {c: d}, clusterIP: 10.0.0.5}
etcd:
  resources: {requests: {cpu: 500m}}
  nodeSelector: {disk: nvme}
  affinity: {podAntiAffinity: {}}
  tolerations: [{operator: Exists}]
  priorityClassName: high
  image: {pullSecrets: [login]}
  persistence: {storageClass: fast, size: 20Gi}
  networkPolicy: {enabled: true}
`
