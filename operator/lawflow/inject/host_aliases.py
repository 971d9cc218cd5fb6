"""Mode explicit: host aliases that lead the names of declared destinations to the sidecar's loopback listeners."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lawflow.inject.result import Refusal
from lawflow.model.loopback import LoopbackDestination
from lawflow.model.workload import Object

_FIX = "or use the annotation lawflow.dev/interception: redirect"


def merged_aliases(spec: Object, destinations: Iterable[LoopbackDestination]) -> list[Any]:
    """The pod's own aliases, and every name of a destination that they do not hold already.

    Addresses stay unique: they are the key of the list, and server-side apply refuses a second entry of one key.
    """
    present = {name for _, name, _ in _aliases(spec)}
    merged = [dict(alias) for alias in spec.get("hostAliases") or ()]
    by_address = {alias.get("ip"): alias for alias in merged}
    for destination in destinations:
        names = [name for name in destination.names if name not in present]
        if not names:
            continue
        if (alias := by_address.get(destination.address)) is None:
            merged.append({"ip": destination.address, "hostnames": names})
        else:
            alias["hostnames"] = [*(alias.get("hostnames") or ()), *names]
    return merged


def alias_conflicts(spec: Object, destinations: Sequence[LoopbackDestination]) -> Iterator[Refusal]:
    """Names that would lead past the sidecar, or to the listener of another destination."""
    wanted: dict[str, LoopbackDestination] = {}
    for destination in destinations:
        for name in destination.names:
            other = wanted.setdefault(name, destination)
            if other is not destination:
                yield Refusal(
                    "destination-ambiguous",
                    ".spec.hostAliases",
                    f"{name} is a name of two declared destinations, {other.host} and {destination.host}",
                    f"declare them in one way, as a Service or as an external host, {_FIX}",
                )
    for path, name, address in _aliases(spec):
        if name in wanted and address != wanted[name].address:
            yield Refusal(
                "host-alias-conflict",
                path,
                f"it leads {name}, which a flow declares as its destination, to {address} past the sidecar",
                f"remove {name} from hostAliases, {_FIX}",
            )


def _aliases(spec: Object) -> Iterator[tuple[str, str, str]]:
    """Path, name in lower case and address of every own alias."""
    for position, alias in enumerate(spec.get("hostAliases") or ()):
        for name in alias.get("hostnames") or ():
            yield f".spec.hostAliases[{position}]", name.lower(), alias.get("ip", "")
