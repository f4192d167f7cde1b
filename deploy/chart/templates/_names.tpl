{{/* The incumbent's names, so that an upgrade of its release keeps every object and selector. */}}
{{- define "signet.name" -}}
{{- default "sealed-secrets" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "signet.fullname" -}}
{{- $name := include "signet.name" . -}}
{{- $joined := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $joined .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "signet.namespace" -}}
{{- default .Release.Namespace .Values.namespace -}}
{{- end -}}

{{- define "signet.account" -}}
{{- default (ternary (include "signet.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "signet.selector" -}}
app.kubernetes.io/name: {{ include "signet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* A string or a structure, with template expressions in it. */}}
{{- define "signet.render" -}}
{{- $text := ternary .value (toYaml .value) (kindIs "string" .value) -}}
{{- tpl $text .root -}}
{{- end -}}

{{/* Namespace, labels and annotations: (dict "root" $ "labels" {...} "annotations" {...}). What is
     given later wins. */}}
{{- define "signet.metadata" -}}
{{- $labels := fromYaml (include "signet.selector" .root) -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "sealed-secrets" -}}
{{- range list .labels .root.Values.commonLabels -}}
{{- $labels = mergeOverwrite $labels (fromYaml (include "signet.render" (dict "value" (default dict .) "root" $.root))) -}}
{{- end -}}
{{- $annotations := dict -}}
{{- range list .annotations .root.Values.commonAnnotations -}}
{{- $annotations = mergeOverwrite $annotations (fromYaml (include "signet.render" (dict "value" (default dict .) "root" $.root))) -}}
{{- end -}}
labels: {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Whether a part is on: (dict "root" $ "part" "external"). */}}
{{- define "signet.has" -}}
{{- if has .part .root.Values.parts -}}true{{- end -}}
{{- end -}}

{{/* Whether rights are granted by namespace. */}}
{{- define "signet.namespaced" -}}
{{- if or .Values.namespaced (and .Values.rbac.namespacedRoles (not .Values.rbac.clusterRole)) -}}true{{- end -}}
{{- end -}}

{{/* k=v,k=v of a map of strings. */}}
{{- define "signet.pairs" -}}
{{- $pairs := list -}}
{{- range $key, $value := .map -}}
{{- if not (and $value (kindIs "string" $value)) -}}
{{- fail (printf "%s.%s has to be a string that is not empty" $.name $key) -}}
{{- end -}}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}
