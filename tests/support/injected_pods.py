"""The sidecar that ``lawflow webhook`` injects by default, for tests that make pods with it themselves."""

from typing import Any

from lawflow.cli.injection import bootstrap_settings, sidecar_releases
from lawflow.inject import IdentityData, InjectionSettings
from lawflow.inject.genuine import genuine_sidecar
from lawflow.inject.pod import inject_pod
from lawflow.inject.result import Injected

Object = dict[str, Any]

_ADDRESS = "lawflow-xds.lawflow-system.svc:18000"
(_RELEASE,) = sidecar_releases(
    ["lawflow/sidecar:0.1.0"], bootstrap_settings(_ADDRESS, "cluster.local", "lawflow-system")
)
SETTINGS = InjectionSettings(_RELEASE)

GENUINE: Object = genuine_sidecar(SETTINGS).model_dump(mode="json", by_alias=True)
"""What the index says of it."""


def injected(pod: Object) -> Object:
    """The pod with its sidecar."""
    result = inject_pod(pod, SETTINGS, IdentityData())
    assert isinstance(result, Injected)
    return result.pod
