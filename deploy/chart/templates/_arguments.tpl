{{/* The command line, from the values. A value that is not set leaves the program's default. */}}
{{- define "signet.arguments" -}}
{{- $v := .Values -}}
{{- $list := list (printf "--parts=%s" (join "," $v.parts)) -}}
{{- $list = append $list (printf "--update-status=%t" $v.updateStatus) -}}
{{- $list = append $list (printf "--key-prefix=%s" $v.secretName) -}}
{{- $list = append $list (printf "--listen-addr=:%v" (default 8080 $v.containerPorts.http)) -}}
{{- $list = append $list (printf "--listen-metrics-addr=:%v" (default 8081 $v.containerPorts.metrics)) -}}
{{- range $flag, $value := dict
    "key-renew-period" $v.keyrenewperiod
    "key-ttl" $v.keyttl
    "key-cutoff-time" $v.keycutofftime
    "rate-limit" $v.rateLimit
    "rate-limit-burst" $v.rateLimitBurst
    "log-level" $v.logLevel
    "log-format" $v.logFormat
    "max-unseal-retries" $v.maxRetries
    "kubeclient-qps" $v.kubeClientQPS
    "kubeclient-burst" $v.kubeClientBurst
    "additional-namespaces" (join "," $v.additionalNamespaces)
    "privatekey-annotations" (include "signet.pairs" (dict "map" $v.privateKeyAnnotations "name" "privateKeyAnnotations"))
    "privatekey-labels" (include "signet.pairs" (dict "map" $v.privateKeyLabels "name" "privateKeyLabels"))
    "namespace" $v.external.namespace
    "controller-class" $v.external.controllerClass
-}}
{{- if ne (toString $value) "" -}}
{{- $list = append $list (printf "--%s=%v" $flag $value) -}}
{{- end -}}
{{- end -}}
{{- if $v.skipRecreate -}}{{- $list = append $list "--skip-recreate" -}}{{- end -}}
{{- /* Both are the program's default: what is false says nothing, as in the incumbent's chart. */ -}}
{{- if $v.watchForSecrets -}}{{- $list = append $list "--watch-for-secrets" -}}{{- end -}}
{{- if $v.logInfoStdout -}}{{- $list = append $list "--log-info-stdout" -}}{{- end -}}
{{- if include "signet.namespaced" . -}}
{{- $list = append $list "--enable-cluster-store-reconciler=false" -}}
{{- end -}}
{{- if and (include "signet.namespaced" .) (not $v.additionalNamespaces) -}}
{{- $list = append $list "--all-namespaces=false" -}}
{{- end -}}
{{- toYaml (concat $list $v.extraArgs) -}}
{{- end -}}
