{{/* What each part uses, wherever it is granted. deploy/base says why. */}}
{{- define "signet.rules.sealed" -}}
- apiGroups: [bitnami.com]
  resources: [sealedsecrets]
  verbs: [get, list, watch]
- apiGroups: [bitnami.com]
  resources: [sealedsecrets/status]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "signet.rules.external" -}}
- apiGroups: [external-secrets.io]
  resources: [externalsecrets]
  verbs: [get, list, watch, patch]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/finalizers]
  verbs: [update]
- apiGroups: [external-secrets.io]
  resources: [secretstores]
  verbs: [get, list, watch]
- apiGroups: [generators.external-secrets.io]
  resources: [passwords, ecrauthorizationtokens]
  verbs: [get]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/status, secretstores/status]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "signet.rules.clusterwide" -}}
- apiGroups: [external-secrets.io]
  resources: [clustersecretstores]
  verbs: [get, list, watch]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets]
  verbs: [create, update, delete]
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets]
  verbs: [get, list, watch, patch]
- apiGroups: [external-secrets.io]
  resources: [clustersecretstores/status, clusterexternalsecrets/status]
  verbs: [update]
- apiGroups: [external-secrets.io]
  resources: [clusterexternalsecrets/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch, patch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [external-secrets-controller]
  verbs: [get, update]
{{- end -}}

{{/* Beside what `sealed` may do with Secrets and Events. */}}
{{- define "signet.rules.restart" -}}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, watch, patch]
{{- end -}}

{{/* A role and its binding: (dict "root" $ "name" "namespace" "rules"). Without a namespace they are
     for the whole cluster. */}}
{{- define "signet.grant" -}}
{{- $scope := ternary "" "Cluster" (ne .namespace "") -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}Role
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  {{- include "signet.metadata" (dict "root" .root "labels" .root.Values.rbac.labels) | nindent 2 }}
rules: {{- .rules | nindent 2 }}
{{ include "signet.bind" . }}
{{- end -}}

{{- define "signet.bind" -}}
{{- $scope := ternary "" "Cluster" (ne .namespace "") -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}RoleBinding
metadata:
  name: {{ default .name .binding }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  {{- include "signet.metadata" (dict "root" .root "labels" .root.Values.rbac.labels) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $scope }}Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "signet.account" .root }}
    namespace: {{ include "signet.namespace" .root }}
{{- end -}}
