"""Mode redirect: what would let a container's connections past the rules. Admission warns of it."""

from collections.abc import Iterator
from typing import Any

from lawflow.inject.containers import app_containers
from lawflow.inject.settings import InjectionSettings
from lawflow.model.workload import Object, visible_user


def escapes(spec: Object, settings: InjectionSettings) -> Iterator[str]:
    """One sentence for each container that might not be captured: field, what is wrong with it, and what to do."""
    inherited = spec.get("securityContext") or {}
    for path, container in app_containers(spec):
        context = {**inherited, **(container.get("securityContext") or {})}
        where = f"{path}.securityContext"
        if context.get("privileged") or _may(context, "NET_ADMIN"):
            yield (
                f"{where}: this container can change the rules that lead its connections to the sidecar "
                "(rules-changeable): run it without privileged and NET_ADMIN"
            )
        elif visible_user(container, spec) is None:
            yield (
                f"{where}.runAsUser: it is not set, and the image's own user cannot be seen here; connections of user "
                f"{settings.user_id} go past the sidecar (user-not-visible): set another user id"
            )
        elif _may_become_another(context):
            yield (
                f"{where}: this container can become user {settings.user_id}, whose connections go past the sidecar "
                "(user-changeable): drop the capability SETUID, or run it as another user than root"
            )


def _may(context: dict[str, Any], capability: str) -> bool:
    added = {str(each).removeprefix("CAP_") for each in (context.get("capabilities") or {}).get("add") or ()}
    return bool(added & {"ALL", capability})


def _may_become_another(context: dict[str, Any]) -> bool:
    dropped = {str(each).removeprefix("CAP_") for each in (context.get("capabilities") or {}).get("drop") or ()}
    # Container runtimes give SETUID to root unless it is dropped.
    by_default = context.get("runAsUser") == 0 and not dropped & {"ALL", "SETUID"}
    return by_default or (_may(context, "SETUID") and context.get("runAsUser") == 0)
