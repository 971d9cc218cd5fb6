"""What the mesh promises about every input, beyond the golden files."""

import json
from typing import Any

import pytest
from tests.support.mesh import resources_of

from lawflow.inject.secret_discovery import ANNOTATIONS, FILES
from lawflow.mesh import tls
from lawflow.mesh.endpoint import ready_addresses
from lawflow.mesh.resources import LISTENER, ROUTE, SECRET
from lawflow.mesh.route import UNREACHED, closed_route_configuration
from lawflow.model.sidecar import CERTIFICATE_DIRECTORY, CERTIFICATE_SECRET_FILE, TRUST_SECRET_FILE

pytestmark = pytest.mark.unit


def flow(flow_name: str = "orders-to-billing", source: str = "orders", **service: object) -> dict[str, Any]:
    destination = {"service": {"name": "billing", "port": 8080, **service}, "role": "sameController"}
    return {
        "apiVersion": "lawflow.dev/v1alpha1",
        "kind": "DataFlow",
        "metadata": {"name": flow_name, "namespace": "shop"},
        "spec": {
            "source": {"serviceAccountName": source},
            "destination": destination,
            "operations": [{"name": "read", "methods": ["GET"], "path": "/invoices/{id}"}],
        },
    }


def test_a_sidecar_is_told_of_its_own_flows_alone() -> None:
    rendered = resources_of([flow(), flow("crm-to-mail", "crm", name="mail", port=25)])
    assert "mail" not in json.dumps(rendered["shop/orders"])
    assert "crm" not in json.dumps(rendered["shop/billing"])


def test_a_flow_without_operations_lets_nothing_through() -> None:
    bare = flow()
    bare["spec"]["operations"] = []
    for sidecar in resources_of([bare]).values():
        for route in sidecar[ROUTE].values():
            (host,) = route["virtual_hosts"]
            assert host["typed_per_filter_config"]["envoy.filters.http.rbac"]["rbac"]["rules"]["policies"] == {}


def test_no_app_can_claim_that_a_request_was_not_reached_so_that_it_is_repeated() -> None:
    for sidecar in resources_of([flow()]).values():
        for route in sidecar[ROUTE].values():
            assert UNREACHED in route["response_headers_to_remove"]


def test_flows_that_disagree_on_a_port_are_closed_but_the_first() -> None:
    rendered = resources_of([flow(), flow("z-to-billing", "z", serviceAccountName="other")])
    assert "z-to-billing" in json.dumps(rendered["shop/z"][ROUTE])
    secret = rendered["shop/billing"][SECRET]["inbound/shop/billing:8080"]
    (matcher,) = secret["validation_context"]["match_typed_subject_alt_names"]
    assert matcher["matcher"]["exact"].endswith("/ns/shop/sa/orders")


def test_a_port_whose_flows_are_all_open_leaves_the_callers_to_the_handshake() -> None:
    rendered = resources_of([flow()])
    name = "inbound/shop/billing:8080"
    (host,) = rendered["shop/billing"][ROUTE][name]["virtual_hosts"]
    assert host["typed_per_filter_config"]["envoy.filters.http.rbac"]["disabled"] is True
    (matcher,) = rendered["shop/billing"][SECRET][name]["validation_context"]["match_typed_subject_alt_names"]
    assert matcher["matcher"]["exact"].endswith("/ns/shop/sa/orders")


def test_a_port_with_a_closed_flow_denies_its_source_on_connections_that_are_open() -> None:
    closed = flow("crm-to-billing", "crm")
    closed["spec"]["operations"] = []
    rendered = resources_of([flow(), closed])
    (host,) = rendered["shop/billing"][ROUTE]["inbound/shop/billing:8080"]["virtual_hosts"]
    policies = host["typed_per_filter_config"]["envoy.filters.http.rbac"]["rbac"]["rules"]["policies"]
    assert list(policies) == ["shop/orders-to-billing"]


def test_every_tls_socket_asks_for_1_3_and_a_named_peer() -> None:
    for sidecar in resources_of([flow()]).values():
        for listener in sidecar[LISTENER].values():
            for chain in listener["filter_chains"]:
                if socket := chain.get("transport_socket"):
                    assert socket["typed_config"]["require_client_certificate"] is True
                    common = socket["typed_config"]["common_tls_context"]
                    assert common["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_3"
        for secret in sidecar[SECRET].values():
            assert secret["validation_context"]["match_typed_subject_alt_names"]


def test_a_secret_that_would_admit_everybody_is_refused() -> None:
    with pytest.raises(ValueError, match="admit every peer"):
        tls.peer_secret("x", "roots", [])


def test_a_closed_route_configuration_denies_everything() -> None:
    (host,) = closed_route_configuration("inbound/shop/billing:8080")["virtual_hosts"]
    assert host["typed_per_filter_config"]["envoy.filters.http.rbac"]["rbac"]["rules"]["policies"] == {}


def test_the_secret_files_are_those_that_injection_projects() -> None:
    injected = {FILES[annotation]: json.loads(text) for annotation, text in ANNOTATIONS.items()}
    assert injected == {
        CERTIFICATE_SECRET_FILE: tls.certificate_secret_file(CERTIFICATE_DIRECTORY),
        TRUST_SECRET_FILE: tls.trust_secret_file(CERTIFICATE_DIRECTORY),
    }


def test_only_ready_endpoints_are_called_and_an_unset_condition_means_ready() -> None:
    slices: list[dict[str, Any]] = [
        {"endpoints": [{"addresses": ["10.0.0.2"], "conditions": {"ready": True}}, {"addresses": ["10.0.0.1"]}]},
        {"endpoints": [{"addresses": ["10.0.0.3"], "conditions": {"ready": False}}, {"addresses": ["10.0.0.1"]}]},
        {"endpoints": None},
    ]
    assert ready_addresses(slices) == ("10.0.0.1", "10.0.0.2")
