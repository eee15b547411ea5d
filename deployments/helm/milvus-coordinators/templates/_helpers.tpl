{{/* Names and labels, and the tables of roles and of the values that run them. */}}

{{- define "milvus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 40 letters leave room for -querycoord-active within the 63 that a Service may have. */}}
{{- define "milvus.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "milvus.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "milvus.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What all coordinators of the release have in common, and nothing else of the namespace. */}}
{{- define "milvus.selectorLabels" -}}
app.kubernetes.io/name: {{ include "milvus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "milvus.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "milvus.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.all.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/part-of: milvus
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "milvus.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "milvus.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* The roles: their section of the configuration, the beginning of their variables, and their port. */}}
{{- define "milvus.roles" -}}
rootcoord: {section: rootCoord, env: ROOT_COORD, port: 53100}
querycoord: {section: queryCoord, env: QUERY_COORD, port: 19531}
datacoord: {section: dataCoord, env: DATA_COORD, port: 13333}
{{- end }}

{{/* The values that run a process: what it is called, and its roles. */}}
{{- define "milvus.processes" -}}
rootCoordinator: {name: rootcoord, roles: [rootcoord]}
queryCoordinator: {name: querycoord, roles: [querycoord]}
dataCoordinator: {name: datacoord, roles: [datacoord]}
mixCoordinator: {name: mixcoord, roles: [rootcoord, querycoord, datacoord]}
{{- end }}

{{/* The roles of which at least one process stands by, as a JSON object {"rootcoord": true}. */}}
{{- define "milvus.pairs" -}}
{{- $pairs := dict }}
{{- range $key, $process := fromYaml (include "milvus.processes" .) }}
{{- $v := index $.Values $key }}
{{- if and $v.enabled $v.activeStandby.enabled }}
{{- range $process.roles }}{{ $_ := set $pairs . true }}{{ end }}
{{- end }}
{{- end }}
{{- toJson $pairs }}
{{- end }}

{{/* Not empty if pods label themselves. */}}
{{- define "milvus.labelsActive" -}}
{{- if and .Values.activeService.enabled (fromJson (include "milvus.pairs" .)) }}yes{{ end }}
{{- end }}

{{/* The members of the chart's own etcd, or of the external one: host:port, separated by commas. */}}
{{- define "milvus.etcdEndpoints" -}}
{{- if .Values.externalEtcd.enabled }}
{{- join "," .Values.externalEtcd.endpoints }}
{{- else }}
{{- $name := printf "%s-etcd" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- $members := list }}
{{- range $i := until (int .Values.etcd.replicaCount) }}
{{- $members = append $members (printf "%s-%d.%s-headless.%s.svc:2379" $name $i $name $.Release.Namespace) }}
{{- end }}
{{- join "," $members }}
{{- end }}
{{- end }}
