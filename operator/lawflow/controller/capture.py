"""What keeps a pod in mode redirect from being captured whole, as far as the pod itself shows. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from lawflow.inject.containers import app_containers
from lawflow.model.sidecar import CONTAINER, NETWORK_CONTAINER
from lawflow.model.workload import Object, visible_user

MISSING = "NetworkRulesMissing"
SHARED = "SidecarUserShared"
UNSEEN = "UserNotVisible"

_MESSAGES: Mapping[str, str] = {
    MISSING: "the network of {pods} lacks the rules that lead to the sidecar, so the app does not start: see that "
    "lawflow-network runs on every node; pods that a workload owns are made again",
    SHARED: "an app in {pods} runs as the sidecar's user, whose connections go past the sidecar: set another runAsUser",
    UNSEEN: "nobody can see as which user an app in {pods} runs, and the sidecar's user goes past the sidecar: set "
    "runAsUser in its securityContext",
}


def explained(reason: str, pods: str) -> str:
    """What a reason means for ``pods``, and what to do."""
    return _MESSAGES[reason].format(pods=pods)


def weightiest(reasons: Iterator[str]) -> str:
    """The first of MISSING, SHARED and UNSEEN that occurs; empty where none does."""
    found = set(reasons)
    return next((reason for reason in _MESSAGES if reason in found), "")


def shortfall(pod: Object) -> str:
    """Why a pod is not captured whole; empty where it is, or nothing of it runs yet."""
    return weightiest(_shortfalls(pod))


def failure(pod: Object) -> str | None:
    """What the container that sees to the rules said when it failed last; ``None`` where it did not."""
    state = _statuses(pod).get(NETWORK_CONTAINER, {})
    now, before = ((state.get(key) or {}).get("terminated") for key in ("state", "lastState"))
    ended = now or before
    if not ended or ended.get("exitCode") == 0:
        return None
    return str(ended.get("message") or "it gave no reason")


def _shortfalls(pod: Object) -> Iterator[str]:
    if failure(pod) is not None:
        yield MISSING
    spec, statuses = pod["spec"], _statuses(pod)
    own: Object = next((each for each in spec.get("initContainers") or () if each["name"] == CONTAINER), {})
    sidecar = (own.get("securityContext") or {}).get("runAsUser")
    for _, container in app_containers(spec):
        state = statuses.get(container["name"], {})
        # What the runtime saw, where it tells (Kubernetes 1.33 and later); the image's own user is in no spec.
        user = ((state.get("user") or {}).get("linux") or {}).get("uid", visible_user(container, spec))
        if user is None and (state.get("state") or {}).keys() & {"running", "terminated"}:
            yield UNSEEN
        elif user is not None and user == sidecar:
            yield SHARED


def _statuses(pod: Object) -> dict[str, Any]:
    status = pod.get("status") or {}
    lists = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return {each["name"]: each for key in lists for each in status.get(key) or ()}
