"""Refuses a container that has the sidecar's name and is not the sidecar.

Peers trust the sidecar's certificate, so nothing else may run where it is mounted: not another image, not another
command or bootstrap, no variable such as LD_PRELOAD, no file mounted over its own. The FlowIndex says what is genuine,
for the current release and the two before it.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, index_ready, none_of, opted_in, rule
from lawflow.gate.settings import GateSettings
from lawflow.model import sidecar as contract

_NAMED = f"object.spec.?initContainers.orValue([]).filter(container, container.name == {cel.text(contract.CONTAINER)})"
_NAMED_BEFORE = _NAMED.replace("object.", "oldObject.", 1)
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path

_RUNS_AS_RELEASED = """
  variables.sidecars.all(container,
    container.image in variables.genuine.?images.orValue([])
    && container.?command.orValue([]) == variables.genuine.?command.orValue([])
    && container.?args.orValue([]) in variables.genuine.?arguments.orValue([])
    && container.?env.orValue([]).all(variable, variable.name in variables.genuine.?environment.orValue([]))
    && !has(container.envFrom) && !has(container.workingDir) && !has(container.lifecycle)
    && !has(container.livenessProbe) && !has(container.volumeDevices)
    && !has(container.?startupProbe.exec) && !has(container.?readinessProbe.exec))
"""

_CONFINED = """
  variables.sidecars.all(container,
    container.?restartPolicy.orValue("") == "Always"
    && container.?securityContext.?runAsUser.orValue(0) == variables.genuine.uid
    && !container.?securityContext.?privileged.orValue(false)
    && !container.?securityContext.?allowPrivilegeEscalation.orValue(true)
    && size(container.?securityContext.?capabilities.?add.orValue([])) == 0)
"""

_MOUNTS = f"""
  variables.sidecars.all(container, container.?volumeMounts.orValue([]).all(mount,
    mount.mountPath == {cel.text(_TOKEN)}
    || mount.name == {cel.text(contract.CERTIFICATE_VOLUME)} && mount.mountPath == {cel.text(contract.CERTIFICATE_DIRECTORY)}
    || mount.name == {cel.text(contract.ADMIN_VOLUME)} && mount.mountPath == {cel.text(contract.ADMIN_DIRECTORY)}))
  && object.spec.?volumes.orValue([]).all(volume,
    (volume.name != {cel.text(contract.CERTIFICATE_VOLUME)} || has(volume.projected))
    && (volume.name != {cel.text(contract.ADMIN_VOLUME)} || has(volume.emptyDir)))
"""  # noqa: E501 - one condition a line reads best

_ANNOTATED = """
  variables.genuine.?annotations.orValue({}).all(name,
    object.metadata.?annotations[?name].orValue("") == variables.genuine.annotations[name])
"""


def policy(settings: GateSettings) -> Policy:
    """The policy over the FlowIndex's ``sidecar``."""
    fix = "; remove the container, its volumes and annotations, and let Lawflow inject its own"
    return Policy(
        "lawflow-sidecar-genuine",
        rules=[rule("", ["pods"], "CREATE", "UPDATE")],
        namespaces=[opted_in(), index_ready(), none_of(settings.untouched)],
        reads_index=True,
        conditions={
            "not-being-deleted": cel.NOT_BEING_DELETED,
            "has-a-sidecar": f"size({_NAMED}) > 0",
            "is-new-or-changed": f'request.operation == "CREATE" || {_NAMED} != {_NAMED_BEFORE}'
            " || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})",
        },
        variables={
            "sidecars": _NAMED,
            "genuine": "params.spec.?sidecar.orValue({})",
            "unknown": "!has(params.spec.sidecar)",
            # A pod outlives the releases that count; its labels and annotations can still be edited.
            "sameContainer": f'request.operation == "UPDATE" && {_NAMED} == ({_NAMED_BEFORE})',
        },
        validations=[
            Validation(
                f"variables.unknown || variables.sameContainer || ({_RUNS_AS_RELEASED.strip()})",
                cel.text(
                    "the sidecar's image, command, arguments, environment or probes are of no current release" + fix
                ),
            ),
            Validation(
                f"variables.unknown || variables.sameContainer || ({_CONFINED.strip()})",
                cel.text("the sidecar must run as its own user, without privileges" + fix),
            ),
            Validation(
                f"variables.unknown || variables.sameContainer || ({_MOUNTS.strip()})",
                cel.text("the sidecar may mount only its own volumes, in their places" + fix),
            ),
            Validation(
                f"variables.unknown || ({_ANNOTATED.strip()})",
                cel.text("annotations that the sidecar reads may not be changed" + fix),
            ),
        ],
    )
