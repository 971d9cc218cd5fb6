"""The custom resources on a real API server: its CEL says what the types say."""

from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.violations import FLOW, VIOLATIONS

pytestmark = pytest.mark.cluster


def test_every_definition_is_established_and_a_lawful_form_is_admitted(control_plane: Cluster, crds: list[str]) -> None:
    assert len(crds) == 5
    control_plane.kubectl("create", "--dry-run=server", "--filename=-", input=FLOW)


@pytest.mark.parametrize(("flow", "path", "message"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_the_api_server_refuses_what_the_types_refuse(
    control_plane: Cluster, crds: list[str], flow: dict[str, Any], path: str, message: str
) -> None:
    refused = control_plane.kubectl("create", "--dry-run=server", "--filename=-", input=flow, check=False)
    assert refused.returncode != 0
    assert message in refused.stderr
    assert path.removeprefix(".") in refused.stderr


def test_kubectl_explain_tells_what_a_field_means(control_plane: Cluster, crds: list[str]) -> None:
    told = control_plane.kubectl("explain", "dataflow.spec.purposes.lawfulBasis.article6").stdout
    assert "A6-1-a to A6-1-f" in told


def test_a_purpose_without_a_basis_stays_admissible(control_plane: Cluster, crds: list[str]) -> None:
    flow = {**FLOW, "spec": {**FLOW["spec"], "purposes": [{"purpose": "dpv:Marketing"}]}}
    control_plane.kubectl("create", "--dry-run=server", "--filename=-", input=flow)
