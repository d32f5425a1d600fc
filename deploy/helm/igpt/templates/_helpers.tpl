{{- define "igpt.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" $name .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "igpt.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ .Values.role }}
{{- end -}}

{{/* Part-of names the cluster: pods of all its releases have it. */}}
{{- define "igpt.labels" -}}
{{ include "igpt.selector" . }}
app.kubernetes.io/part-of: {{ .Values.cluster.id }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "igpt.isGpu" -}}
{{- if and (eq .Values.role "silo") (gt (int .Values.gpu.count) 0) -}}true{{- end -}}
{{- end -}}

{{- define "igpt.image" -}}
{{- if eq .Values.role "store" -}}
{{- printf "%s:%s" (default "valkey/valkey" .Values.image.repository) (default "8.1" .Values.image.tag) -}}
{{- else -}}
{{- $name := printf "igpt-%s" .Values.role -}}
{{- if include "igpt.isGpu" . -}}{{- $name = "igpt-silo-cuda" -}}{{- end -}}
{{- if not (or .Values.image.registry .Values.image.repository) -}}
{{- fail "image.registry must be given, the registry that the images were pushed to, such as registry.example/team; docs/operations.md, Images, says how. For images that are on the nodes already give image.repository" -}}
{{- end -}}
{{- $image := default $name .Values.image.repository -}}
{{- with .Values.image.registry -}}{{- $image = printf "%s/%s" . $image -}}{{- end -}}
{{- printf "%s:%s" $image (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "igpt.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "igpt.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "igpt.secret" -}}
{{- if .Values.store.existingSecret -}}
{{- .Values.store.existingSecret -}}
{{- else -}}
{{- $_ := required "store.existingSecret or store.password must be given: the store holds every session" .Values.store.password -}}
{{- printf "%s-store" (include "igpt.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Always above the drain budget. */}}
{{- define "igpt.gracePeriod" -}}
{{- $stop := 0 -}}
{{- if eq .Values.role "gateway" -}}{{- $stop = int .Values.drain.preStopSeconds -}}{{- end -}}
{{- add $stop (int .Values.drain.budgetSeconds) (int .Values.drain.marginSeconds) -}}
{{- end -}}

{{/* Seconds as .NET's TimeSpan. */}}
{{- define "igpt.timeSpan" -}}
{{- $all := int . -}}
{{- printf "%02d:%02d:%02d" (div $all 3600) (div (mod $all 3600) 60) (mod $all 60) -}}
{{- end -}}

{{/* Settings of any depth as environment variables: a map with prefix and values. */}}
{{- define "igpt.settings" -}}
{{- $prefix := .prefix -}}
{{- range $name, $value := .values }}
{{- if kindIs "map" $value }}
{{- include "igpt.settings" (dict "prefix" (printf "%s__%s" $prefix $name) "values" $value) }}
{{- else }}
{{- /* Whole numbers arrive as floats, and large ones would be written with an exponent. */}}
{{- if kindIs "float64" $value }}{{ if eq $value (floor $value) }}{{ $value = int64 $value }}{{ end }}{{ end }}
- name: {{ printf "%s__%s" $prefix $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "igpt.podSecurity" -}}
{{- $user := ternary 999 1654 (eq .Values.role "store") -}}
{{- $security := omit .Values.podSecurityContext "runAsUser" "fsGroup" -}}
{{- $_ := set $security "runAsUser" (int (default $user .Values.podSecurityContext.runAsUser)) -}}
{{- $_ := set $security "fsGroup" (int (default $user .Values.podSecurityContext.fsGroup)) -}}
{{- toYaml $security -}}
{{- end -}}

{{- define "igpt.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What pods of all roles have in common; placed under a pod's spec. */}}
{{- define "igpt.pod" -}}
serviceAccountName: {{ include "igpt.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "igpt.podSecurity" . | nindent 2 }}
terminationGracePeriodSeconds: {{ include "igpt.gracePeriod" . }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $tolerations := .Values.tolerations }}
{{- if include "igpt.isGpu" . }}
{{- $tolerations = concat .Values.tolerations .Values.gpu.tolerations }}
{{- with .Values.gpu.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end }}
{{- with $tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
{{- else if ne .Values.role "store" }}
topologySpreadConstraints:
  {{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "igpt.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* What is asked for, else the role's own; a GPU silo always has its devices. */}}
{{- define "igpt.resources" -}}
{{- $own := dict
  "gateway" (dict "requests" (dict "cpu" "250m" "memory" "512Mi") "limits" (dict "memory" "1Gi"))
  "silo" (dict "requests" (dict "cpu" "2" "memory" "4Gi") "limits" (dict "memory" "4Gi"))
  "store" (dict "requests" (dict "cpu" "100m" "memory" "512Mi") "limits" (dict "memory" "1536Mi")) -}}
{{- $resources := deepCopy (default (index $own .Values.role) .Values.resources) -}}
{{- if include "igpt.isGpu" . -}}
{{- $limits := default dict $resources.limits -}}
{{- $_ := set $limits .Values.gpu.resource (toString (int .Values.gpu.count)) -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
