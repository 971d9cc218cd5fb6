{{- define "lawflow.labels" -}}
app.kubernetes.io/name: lawflow
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: lawflow
{{- end }}

{{- define "lawflow.selector" -}}
app.kubernetes.io/name: lawflow
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- /* The processes that run as Deployments of the operator's image; the signer where there is something to sign. */}}
{{- define "lawflow.components" -}}
controller webhook xds standby{{ if eq .Values.sidecar.delivery "podCertificate" }} signer{{ end }}
{{- end }}

{{- define "lawflow.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "lawflow.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "lawflow.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "lawflow.scheduling" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* A binding of a role to a service account of Lawflow; takes "root", "kind", "name" and "account". */}}
{{- define "lawflow.binding" -}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}
