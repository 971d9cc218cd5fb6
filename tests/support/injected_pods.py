"""The sidecar that ``lawflow webhook`` injects by default, for tests that make pods with it themselves."""

from dataclasses import replace
from typing import Any

from lawflow.cli.injection import bootstrap_settings, sidecar_releases
from lawflow.inject import IdentityData, InjectionSettings
from lawflow.inject.genuine import genuine_sidecar
from lawflow.inject.pod import inject_pod
from lawflow.inject.result import Injected
from lawflow.model.sidecar import Interception, RedirectBy

Object = dict[str, Any]

(_RELEASE,) = sidecar_releases(["lawflow/sidecar:0.1.0"], bootstrap_settings("cluster.local", "lawflow-system"))
SETTINGS = InjectionSettings(_RELEASE)

GENUINE: Object = genuine_sidecar(SETTINGS).model_dump(mode="json", by_alias=True)
"""What the index says of it."""


def injected(pod: Object, interception: Interception = "explicit", redirect_by: RedirectBy = "cni") -> Object:
    """The pod with its sidecar."""
    settings = replace(SETTINGS, interception=interception, redirect_by=redirect_by)
    result = inject_pod(pod, settings, IdentityData())
    assert isinstance(result, Injected)
    return result.pod
