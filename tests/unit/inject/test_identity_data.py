"""Which pods get a sidecar, and which destinations it is told of."""

import pytest

from lawflow.inject import identity_data, needs_sidecar
from lawflow.model.dataflow import DataFlow
from lawflow.model.parse import parse
from lawflow.model.workload import PodTemplate

pytestmark = pytest.mark.unit


def flow(source: str, destination: dict[str, object]) -> DataFlow:
    found = parse(
        {
            "apiVersion": "lawflow.dev/v1alpha1",
            "kind": "DataFlow",
            "metadata": {"name": f"from-{source}", "namespace": "shop"},
            "spec": {
                "source": {"serviceAccountName": source},
                "destination": {"role": "processor", **destination},
            },
        }
    )
    assert isinstance(found, DataFlow)
    return found


ORDERS = flow("orders", {"service": {"namespace": "finance", "name": "billing", "port": 80}})
MAIL = flow("mail", {"service": {"name": "smtp", "port": 25, "serviceAccountName": "relay"}})
PSP = flow("orders", {"external": {"host": "api.psp.example", "organisation": "PSP"}})
FLOWS = (ORDERS, MAIL, PSP)


def template(account: str, flows: str | None = None) -> PodTemplate:
    annotations = {"annotations": {"lawflow.dev/flows": flows}} if flows else {}
    return PodTemplate("", annotations, {"serviceAccountName": account})


@pytest.mark.parametrize(
    ("account", "namespace", "needed"),
    [
        ("orders", "shop", True),
        ("billing", "finance", True),
        ("relay", "shop", True),
        ("billing", "shop", False),
        ("orders", "finance", False),
        ("smtp", "shop", False),
    ],
)
def test_the_pods_at_both_ends_of_a_flow_need_a_sidecar_and_no_others(
    account: str, namespace: str, needed: bool
) -> None:
    assert needs_sidecar(template(account), namespace, FLOWS) is needed


def test_a_pod_that_declares_a_flow_needs_a_sidecar_even_before_the_flow_exists() -> None:
    assert needs_sidecar(template("else", "not-there-yet"), "shop", ())


def test_a_sidecar_is_told_of_the_destinations_of_its_own_account_only() -> None:
    assert [each.host for each in identity_data("orders", "shop", FLOWS).destinations] == [
        "api.psp.example",
        "billing.finance.svc",
    ]
    assert identity_data("billing", "finance", FLOWS).destinations == ()


def test_the_namespaces_mode_is_handed_on() -> None:
    assert identity_data("orders", "shop", FLOWS, "redirect").interception == "redirect"
