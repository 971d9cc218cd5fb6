"""The gate as objects of the API server: admission policies that need no Lawflow process, and webhook configurations.

Pure: the chart, the static manifest and the tests apply what :func:`policies` and :func:`webhook_configurations` make.
Each policy has a module that says why it is there; :mod:`lawflow.gate.cel` holds the expressions that they share.
"""

from lawflow.gate import (
    break_glass,
    certificate_requests,
    declared_flows,
    flow_index,
    namespace_labels,
    sidecar_access,
    sidecar_genuine,
    sidecar_isolation,
    sidecar_present,
    unlawful_flows,
)
from lawflow.gate.policy import Object
from lawflow.gate.settings import GateSettings
from lawflow.gate.webhooks import webhook_configurations

__all__ = ["GateSettings", "policies", "webhook_configurations"]

_POLICIES = (
    unlawful_flows,
    declared_flows,
    sidecar_present,
    sidecar_genuine,
    sidecar_isolation,
    sidecar_access,
    certificate_requests,
    namespace_labels,
    flow_index,
    break_glass,
)


def policies(settings: GateSettings | None = None) -> list[Object]:
    """All ValidatingAdmissionPolicies and their bindings, policies first. Uninstall them in reverse order."""
    made = [module.policy(settings or GateSettings()) for module in _POLICIES]
    return [one.definition() for one in made] + [binding for one in made for binding in one.bindings()]
