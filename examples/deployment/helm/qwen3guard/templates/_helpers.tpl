{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{- define "qwen3guard.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "qwen3guard.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "qwen3guard.labels" -}}
{{ include "qwen3guard.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The Secret of the keys; nothing where none are wanted. */}}
{{- define "qwen3guard.keysSecret" -}}
{{- $n := add (ternary 1 0 (ne .Values.keys.existingSecret "")) (ternary 1 0 (gt (len .Values.keys.create) 0)) (ternary 1 0 .Values.keys.allowWithout) }}
{{- if ne (int $n) 1 }}{{ fail "say who may ask by one of keys.existingSecret, keys.create and keys.allowWithout" }}{{ end }}
{{- if .Values.keys.existingSecret }}{{ .Values.keys.existingSecret }}{{ else if .Values.keys.create }}{{ include "qwen3guard.name" . }}-keys{{ end }}
{{- end }}

{{/* The upstream's port. */}}
{{- define "qwen3guard.upstreamPort" -}}
{{- $url := urlParse .Values.upstream.url }}
{{- if regexMatch ":[0-9]+$" $url.host }}{{ regexFind "[0-9]+$" $url.host }}{{ else }}{{ ternary 443 80 (eq $url.scheme "https") }}{{ end }}
{{- end }}
