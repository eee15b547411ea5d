{{/*
The parts of a pod. Each takes a dict: root (the top-level context), v (the process' values), process (its line of
milvus.processes).
*/}}

{{- define "milvus.component" -}}
{{ include "milvus.selectorLabels" .root }}
app.kubernetes.io/component: {{ .process.name }}
{{- end }}

{{/* The variables that the chart sets; extraEnv comes after them. */}}
{{- define "milvus.env" -}}
{{- $roles := fromYaml (include "milvus.roles" .root) }}
{{- $external := .root.Values.externalEtcd -}}
- name: MILVUSCONF
  value: /milvus/configs
- name: MILVUS_RUN_DIR
  value: /run/milvus
- name: METRICS_PORT
  value: "9091"
- name: PROXY_HTTP_ENABLE_PPROF
  value: {{ .v.profiling.enabled | quote }}
{{- range .process.roles }}
{{- $role := index $roles . }}
- name: {{ $role.env }}_PORT
  value: {{ int $role.port | quote }}
- name: {{ $role.env }}_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- if $.root.Values.customConfigMap }}
- name: {{ $role.env }}_ENABLE_ACTIVE_STANDBY
  value: {{ $.v.activeStandby.enabled | quote }}
{{- end }}
{{- end }}
{{- if and .v.activeStandby.enabled .root.Values.activeService.enabled }}
- name: KUBERNETES_LABEL_ACTIVE_ENABLED
  value: "true"
- name: KUBERNETES_LABEL_ACTIVE_SELECTOR
  value: {{ printf "app.kubernetes.io/name=%s,app.kubernetes.io/instance=%s" (include "milvus.name" .root) .root.Release.Name }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}
{{- if and $external.enabled $external.auth.enabled }}
- name: ETCD_AUTH_ENABLED
  value: "true"
- name: ETCD_AUTH_USER_NAME
  valueFrom:
    secretKeyRef:
      name: {{ $external.auth.existingSecret }}
      key: {{ $external.auth.usernameKey }}
- name: ETCD_AUTH_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $external.auth.existingSecret }}
      key: {{ $external.auth.passwordKey }}
{{- end }}
{{- end }}

{{/* A probe: its values, as http GET of a path. */}}
{{- define "milvus.probe" -}}
{{- $p := .probe -}}
httpGet:
  path: {{ .path }}
  port: metrics
initialDelaySeconds: {{ $p.initialDelaySeconds }}
periodSeconds: {{ $p.periodSeconds }}
timeoutSeconds: {{ $p.timeoutSeconds }}
successThreshold: {{ $p.successThreshold }}
failureThreshold: {{ $p.failureThreshold }}
{{- end }}

{{- define "milvus.container" -}}
{{- $values := .root.Values }}
{{- $roles := fromYaml (include "milvus.roles" .root) -}}
name: {{ .process.name }}
image: "{{ $values.image.all.repository }}:{{ $values.image.all.tag | default .root.Chart.AppVersion }}"
imagePullPolicy: {{ $values.image.all.pullPolicy }}
args: [milvus, run, {{ .process.name }}]
env:
  {{- include "milvus.env" . | nindent 2 }}
  {{- with .v.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  {{- range .process.roles }}
  - name: {{ . }}
    containerPort: {{ int (index $roles .).port }}
    protocol: TCP
  {{- end }}
  - name: metrics
    containerPort: 9091
    protocol: TCP
{{- if $values.startupProbe.enabled }}
startupProbe:
  {{- include "milvus.probe" (dict "probe" $values.startupProbe "path" "/livez") | nindent 2 }}
{{- end }}
{{- if $values.livenessProbe.enabled }}
livenessProbe:
  {{- include "milvus.probe" (dict "probe" $values.livenessProbe "path" "/livez") | nindent 2 }}
{{- end }}
{{- if $values.readinessProbe.enabled }}
readinessProbe:
  {{- include "milvus.probe" (dict "probe" $values.readinessProbe "path" "/readyz") | nindent 2 }}
{{- end }}
{{- if and .v.activeStandby.enabled $values.preStop.enabled }}
lifecycle:
  preStop:
    exec:
      command:
        - milvus
        - switchover
        - --from-self
        - --timeout={{ int $values.preStop.timeoutSeconds }}s
        - --linger={{ int $values.preStop.lingerSeconds }}s
{{- end }}
{{- with .v.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /milvus/configs
    readOnly: true
  - name: run
    mountPath: /run/milvus
  {{- if and $values.externalEtcd.enabled $values.externalEtcd.tls.enabled }}
  - name: etcd-tls
    mountPath: /milvus/etcd-tls
    readOnly: true
  {{- end }}
  {{- with $values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "milvus.volumes" -}}
{{- $values := .root.Values -}}
- name: config
  configMap:
    name: {{ $values.customConfigMap | default (include "milvus.fullname" .root) }}
- name: run
  emptyDir: {}
{{- if and $values.externalEtcd.enabled $values.externalEtcd.tls.enabled }}
- name: etcd-tls
  secret:
    secretName: {{ $values.externalEtcd.tls.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- with $values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Where the pods of a pair may run: what is said, else as far from one another as possible. */}}
{{- define "milvus.placement" -}}
{{- $values := .root.Values }}
{{- with .v.nodeSelector | default $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .v.tolerations | default $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .v.affinity | default $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- else }}
{{- if .v.activeStandby.enabled }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "milvus.component" . | nindent 14 }}
{{- end }}
{{- end }}
{{- with .v.topologySpreadConstraints | default $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- else }}
{{- if .v.activeStandby.enabled }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "milvus.component" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
