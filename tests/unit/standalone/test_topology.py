"""What a folder's workloads and Services become on one host."""

from typing import Any

import pytest

from lawflow.mesh.sidecar import Identity
from lawflow.standalone.topology import TopologyError, address, endpoint_slice, selected, workloads

pytestmark = pytest.mark.unit


def deployment(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}, "annotations": annotations or {}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"template": template},
    }


def service(name: str, port: dict[str, Any], **selector: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": selector, "ports": [port]}}


def port_of(port: dict[str, Any], *objects: dict[str, Any]) -> int:
    found = workloads(objects)
    number: int = endpoint_slice(service("billing", port, app="billing"), found, "/f")["ports"][0]["port"]
    return number


def test_a_workload_is_its_service_account_and_pods_of_others_are_not_counted_twice() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "p", "ownerReferences": [{"controller": True}]}, "spec": {}}
    (found,) = workloads([deployment("billing", serviceAccountName="billing"), pod])
    assert found.identity == Identity("shop", "billing")


def test_a_service_leads_to_the_workloads_that_it_selects_in_its_namespace() -> None:
    found = workloads([deployment("billing"), deployment("orders")])
    assert [each.name for each in selected(service("x", {"port": 1}, app="billing"), found)] == ["billing"]
    assert selected(service("x", {"port": 1}), found) == []


def test_a_port_is_the_target_port_unless_the_annotation_says_otherwise() -> None:
    container = {"ports": [{"name": "web", "containerPort": 3000}]}
    named = deployment("billing", containers=[container])
    assert port_of({"port": 80}, named) == 80
    assert port_of({"port": 80, "targetPort": 8080}, named) == 8080
    assert port_of({"port": 80, "targetPort": "web"}, named) == 3000
    assert port_of({"port": 80}, deployment("billing", {"lawflow.dev/local-port": "9000"})) == 9000


@pytest.mark.parametrize("text", ["", "http", "0", "65536", "-1", "\uff18\uff10"])
def test_an_annotation_that_is_no_port_is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(TopologyError, match=r"Deployment shop/billing: .*local-port.* is no port; name the port"):
        port_of({"port": 80}, deployment("billing", {"lawflow.dev/local-port": text}))


def test_sidecars_of_two_folders_never_share_an_address() -> None:
    identity = Identity("shop", "billing")
    assert address(identity, "/one") != address(identity, "/two")
    assert address(identity, "/one") == address(identity, "/one")
