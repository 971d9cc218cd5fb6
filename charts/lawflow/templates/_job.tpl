{{- /* A Job that runs one command of the operator's image; takes "root", "name", "annotations" and "arguments". */}}
{{- define "lawflow.job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "lawflow.labels" .root | nindent 4 }}
  annotations: {{- .annotations | toYaml | nindent 4 }}
spec:
  backoffLimit: 4
  template:
    metadata:
      labels: {{- include "lawflow.labels" .root | nindent 8 }}
    spec:
      restartPolicy: OnFailure
      serviceAccountName: {{ .name }}
      securityContext: {{- include "lawflow.podSecurity" .root | nindent 8 }}
      {{- with include "lawflow.scheduling" .root | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      containers:
        - name: lawflow
          image: {{ include "lawflow.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: {{- .arguments | toYaml | nindent 12 }}
          resources:
            requests: {cpu: 50m, memory: 64Mi}
            limits: {memory: 256Mi}
          securityContext: {{- include "lawflow.containerSecurity" .root | nindent 12 }}
{{- end }}
