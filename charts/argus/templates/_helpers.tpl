{{/* The name of what is installed. */}}
{{- define "argus.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- printf "%s-operator" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s-operator" .Release.Name $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "argus.selector" -}}
app.kubernetes.io/name: argus-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "argus.labels" -}}
{{ include "argus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: argus
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The console's name, and its labels. */}}
{{- define "argus.console" -}}
{{- printf "%s-console" (include "argus.fullname" . | trimSuffix "-operator") -}}
{{- end -}}

{{- define "argus.consoleSelector" -}}
app.kubernetes.io/name: argus-console
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "argus.consoleLabels" -}}
{{ include "argus.consoleSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: console
app.kubernetes.io/part-of: argus
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "argus.serviceAccount" -}}
{{- default (include "argus.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* The image of a part: list, root and part. */}}
{{- define "argus.image" -}}
{{- $images := (index . 0).Values.images -}}
{{- if $images.registry }}{{ trimSuffix "/" $images.registry }}/{{ end -}}
{{- index $images (index . 1) }}:{{ default (index . 0).Chart.AppVersion $images.tag -}}
{{- end -}}

{{/*
What the operator may do where its clusters are: tests hold that it needs all of this, and nothing
else. Server-side apply makes objects by "patch", and takes the right to "create".
*/}}
{{- define "argus.rules" -}}
- apiGroups: [argus.dev]
  resources: [argusclusters]
  verbs: [get, list, watch]
- apiGroups: [argus.dev]
  resources: [argusclusters/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch, delete]
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, services]
  verbs: [list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch]
# Those of a pool go with it, while the cluster stays.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: [list, create, patch, delete]
# Of a pod that is refused, its owner tells in events alone.
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
{{- end -}}
