{{/* The parent lists the members by these names. */}}
{{- define "etcd.fullname" -}}
{{- printf "%s-etcd" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end }}

{{- define "etcd.selectorLabels" -}}
app.kubernetes.io/name: etcd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "etcd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "etcd.selectorLabels" . }}
app.kubernetes.io/part-of: milvus
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "etcd.initialCluster" -}}
{{- $name := include "etcd.fullname" . }}
{{- $members := list }}
{{- range $i := until (int .Values.replicaCount) }}
{{- $members = append $members (printf "%s-%d=http://%s-%d.%s-headless.%s.svc:2380" $name $i $name $i $name $.Release.Namespace) }}
{{- end }}
{{- join "," $members }}
{{- end }}
