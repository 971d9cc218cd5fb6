"""Pods that no API server has seen: either a problem with its place, or an injection without a traceback."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pods import IDENTITY_DATA, SETTINGS, Object, pod, pods

from lawflow.inject import inject_pod, shape_problems

pytestmark = pytest.mark.unit

FIELDS = [
    "containers", "initContainers", "ephemeralContainers", "volumes", "hostAliases", "securityContext", "nodeSelector",
    "os", "name", "ports", "containerPort", "protocol", "env", "envFrom", "valueFrom", "secretKeyRef", "secretRef",
    "volumeMounts", "livenessProbe", "httpGet", "port", "runAsUser", "secret", "secretName", "projected", "sources",
    "podCertificate", "signerName", "ip", "hostnames", "sysctls", "value", "hostNetwork", "shareProcessNamespace",
    "restartPolicy", "image", "targetContainerName",
]  # fmt: skip
WORDS = ["lawflow-sidecar", "lawflow-certificate", "lawflow-default", "net.ipv4.ip_unprivileged_port_start", "x", ""]

scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 70000), st.sampled_from(WORDS))
keys = st.sampled_from(FIELDS)
shallow = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(keys, scalars, max_size=3))
maps = st.dictionaries(keys, st.one_of(shallow, st.lists(shallow, max_size=2)), max_size=6)
specs = st.dictionaries(keys, st.one_of(shallow, maps, st.lists(maps, max_size=2)), max_size=6)


@given(specs)
def test_a_spec_without_problems_never_ends_in_a_traceback(spec: dict[str, Any]) -> None:
    if not list(shape_problems(spec, ".spec")):
        inject_pod({"metadata": {}, "spec": spec}, SETTINGS, IDENTITY_DATA)


@given(pods())
def test_a_well_formed_pod_has_no_problems(found: Object) -> None:
    assert list(shape_problems(found["spec"], ".spec")) == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"containers": "app"}, ".spec.containers"),
        ({"containers": [None]}, ".spec.containers[0]"),
        ({"containers": ["app"]}, ".spec.containers[0]"),
        ({"volumes": {"name": "data"}}, ".spec.volumes"),
        ({"hostAliases": [{"hostnames": [1]}]}, ".spec.hostAliases[0].hostnames[0]"),
        ({"securityContext": "none"}, ".spec.securityContext"),
    ],
)
def test_a_problem_names_its_place(spec: dict[str, Any], path: str) -> None:
    assert [each.path for each in shape_problems({**pod()["spec"], **spec}, ".spec")] == [path]
