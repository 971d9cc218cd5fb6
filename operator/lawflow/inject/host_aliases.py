"""Mode explicit: host aliases that lead the names of declared destinations to the sidecar's loopback listeners."""

from collections.abc import Iterable
from typing import Any

from lawflow.inject.result import Refusal
from lawflow.model.loopback import LoopbackDestination
from lawflow.model.workload import Object


def merged_aliases(spec: Object, destinations: Iterable[LoopbackDestination]) -> list[Any]:
    """The pod's own aliases, then one for each destination that they do not hold already."""
    own = list(spec.get("hostAliases") or ())
    present = _addresses(spec)
    for destination in destinations:
        names = [name for name in destination.names if present.get(name) is None]
        if names:
            own.append({"ip": destination.address, "hostnames": names})
    return own


def alias_conflicts(spec: Object, destinations: Iterable[LoopbackDestination]) -> list[Refusal]:
    """Own aliases that lead a declared destination past the sidecar."""
    wanted = {name: each.address for each in destinations for name in each.names}
    return [
        Refusal(
            "host-alias-conflict",
            f".spec.hostAliases[{position}]",
            f"it leads {name}, which a flow declares as its destination, to {alias.get('ip')} past the sidecar",
            f"remove {name} from hostAliases, or use the annotation lawflow.dev/interception: redirect",
        )
        for position, alias in enumerate(spec.get("hostAliases") or ())
        for name in alias.get("hostnames") or ()
        if wanted.get(name.lower(), alias.get("ip")) != alias.get("ip")
    ]


def _addresses(spec: Object) -> dict[str, str]:
    return {
        name.lower(): alias.get("ip", "")
        for alias in spec.get("hostAliases") or ()
        for name in alias.get("hostnames") or ()
    }
