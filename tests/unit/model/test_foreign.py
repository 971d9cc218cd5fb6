"""What keeps Lawflow from reading an object of Kubernetes' own is said with its path; all else is left alone."""

from typing import Any

import pytest
import yaml

from lawflow.model.foreign import shape_problems

pytestmark = pytest.mark.unit

SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: %s}"
DEPLOYMENT = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: %s}}"
CRON_JOB = "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: %s}}"
POD = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: %s}"


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (SERVICE % "text", ".spec"),
        (SERVICE % "{selector: [app]}", ".spec.selector"),
        (SERVICE % "{ports: {port: 80}}", ".spec.ports"),
        (SERVICE % "{ports: [80]}", ".spec.ports[0]"),
        (SERVICE % "{ports: [{port: eighty}]}", ".spec.ports[0].port"),
        (DEPLOYMENT % "{spec: text}", ".spec.template.spec"),
        (DEPLOYMENT % "{spec: {}, metadata: {labels: {a: 1}}}", ".spec.template.metadata.labels.a"),
        (DEPLOYMENT % "{spec: {containers: {name: app}}}", ".spec.template.spec.containers"),
        (DEPLOYMENT % "{spec: {containers: [app]}}", ".spec.template.spec.containers[0]"),
        (CRON_JOB % "text", ".spec.jobTemplate"),
        (CRON_JOB % "{spec: {template: {spec: [a]}}}", ".spec.jobTemplate.spec.template.spec"),
        (POD % "{serviceAccountName: 1}", ".spec.serviceAccountName"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a}}", ".spec"),
    ],
)
def test_a_shape_that_cannot_be_read_is_told_with_its_path(text: str, path: str) -> None:
    (problem,) = shape_problems(read(text))
    assert problem.path == path
    assert problem.fix


@pytest.mark.parametrize(
    "text",
    [
        SERVICE % "{selector: {app: a}, ports: [{port: 80, targetPort: http}, {port: 81, targetPort: 8081}]}",
        SERVICE % "{type: ExternalName, externalName: example.org}",
        DEPLOYMENT % "{spec: {containers: [{name: app, ports: [{containerPort: 80}], lifecycle: anything}]}}",
        "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}, spec: text}",
        "{apiVersion: example.org/v1, kind: Certificate, metadata: {name: a}, spec: {template: text}}",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2}}",
    ],
)
def test_what_can_be_read_or_is_of_no_concern_is_left_alone(text: str) -> None:
    assert shape_problems(read(text)) == []
