"""Whether there is a way to hosts outside: the state of the egress gateway, through which all of them are called."""

from collections.abc import Iterator

from lawflow.controller.settings import Environment
from lawflow.daemon.queue import Key
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.store.protocol import Object


def no_way_out(environment: Environment, flow: DataFlow) -> tuple[str, str]:
    """Reason and message of why the host outside that a flow leads to is not reached; empty where it is."""
    external = flow.spec.destination.external
    if external and external.tls == "terminate" and not environment.settings.terminates:
        return "TlsTerminateOff", (
            "tls: terminate is not served here; set egress.terminate=true in the chart, or declare tls: originate"
        )
    egress = environment.settings.egress
    if egress is None:
        return "", ""
    namespace, account = egress
    pods = [pod for pod in environment.world.live_pods(namespace) if _account(pod) == account]
    if not pods:
        return (
            "NoEgress",
            f"no pod of the egress gateway {namespace}/{account} runs; install the chart with egress.enabled=true",
        )
    rejections = [reason for pod in pods if (reason := _rejection(pod))]
    if rejections:
        return "PolicyRejected", (
            f"the egress gateway keeps its last configuration and rejects the new one: {rejections[0]}"
        )
    if not any(_is_ready(pod) for pod in pods):
        return "EgressNotReady", (
            f"none of the {len(pods)} pods of the egress gateway {namespace}/{account} is ready; see: "
            f"kubectl get pods -n {namespace}"
        )
    return "", ""


def concerned(environment: Environment, pod: Object, before: Object | None, *, deleted: bool) -> Iterator[Key]:
    """The flows to hosts outside, where a change of a pod is one of the gateway's state."""
    egress = environment.settings.egress
    if (pod["metadata"].get("namespace"), _account(pod)) != egress:
        return
    if before is None or deleted or _facts(before) != _facts(pod):
        for flow in environment.world.references.flows():
            if flow.spec.destination.external:
                yield flow.key


def _facts(pod: Object) -> tuple[bool, str, bool]:
    return _is_ready(pod), _rejection(pod), "deletionTimestamp" in pod["metadata"]


def _account(pod: Object) -> str:
    found: str = (pod.get("spec") or {}).get("serviceAccountName", "")
    return found


def _rejection(pod: Object) -> str:
    found: str = (pod["metadata"].get("annotations") or {}).get(labels.POLICY_REJECTED, "")
    return found


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
