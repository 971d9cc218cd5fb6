"""Refuses a container that has a name of Lawflow's and is not Lawflow's: the sidecar, and what sees to a pod's rules.

Peers trust the sidecar's certificate, so nothing else may run where it is mounted: not another image, not another
command or bootstrap, no variable such as LD_PRELOAD, no file mounted over its own. The FlowIndex in Lawflow's own
namespace says what is genuine, for the current release and the two before it.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, index_ready, none_of, opted_in, rule
from lawflow.gate.settings import GateSettings
from lawflow.model import labels
from lawflow.model import sidecar as contract

_NAMED = f"object.spec.?initContainers.orValue([]).filter(container, container.name == {cel.text(contract.CONTAINER)})"
_NAMED_BEFORE = _NAMED.replace("object.", "oldObject.", 1)
_GENUINE = "params.spec.?sidecar"
# A pod outlives the releases that count; its labels and annotations can still be edited.
_SAME_CONTAINER = f'request.operation == "UPDATE" && {_NAMED} == {_NAMED_BEFORE}'
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path

_RUNS_AS_RELEASED = f"""
  {_NAMED}.all(container,
    container.image in {_GENUINE}.?images.orValue([])
    && container.?command.orValue([]) == {_GENUINE}.?command.orValue([])
    && container.?args.orValue([]) in {_GENUINE}.?arguments.orValue([])
    && container.?env.orValue([]).all(variable, variable.name in {_GENUINE}.?environment.orValue([]))
    && !has(container.envFrom) && !has(container.workingDir) && !has(container.lifecycle)
    && !has(container.livenessProbe) && !has(container.volumeDevices)
    && !has(container.?startupProbe.exec) && !has(container.?readinessProbe.exec))
"""

_CONFINED = f"""
  {_NAMED}.all(container,
    container.?restartPolicy.orValue("") == "Always"
    && container.?securityContext.?runAsUser.orValue(0) == {_GENUINE}.?uid.orValue(-1)
    && !container.?securityContext.?privileged.orValue(false)
    && !container.?securityContext.?allowPrivilegeEscalation.orValue(true)
    && size(container.?securityContext.?capabilities.?add.orValue([])) == 0)
"""

_MOUNTS = f"""
  {_NAMED}.all(container, container.?volumeMounts.orValue([]).all(mount,
    mount.mountPath == {cel.text(_TOKEN)}
    || mount.name == {cel.text(contract.CERTIFICATE_VOLUME)} && mount.mountPath == {cel.text(contract.CERTIFICATE_DIRECTORY)}
    || mount.name == {cel.text(contract.ADMIN_VOLUME)} && mount.mountPath == {cel.text(contract.ADMIN_DIRECTORY)}))
  && object.spec.?volumes.orValue([]).all(volume,
    (volume.name != {cel.text(contract.CERTIFICATE_VOLUME)} || has(volume.projected))
    && (volume.name != {cel.text(contract.ADMIN_VOLUME)} || has(volume.emptyDir)))
"""  # noqa: E501 - one condition a line reads best

_INITS = "object.spec.?initContainers.orValue([])"
_NETWORKS = f"{_INITS}.filter(container, container.name == {cel.text(contract.NETWORK_CONTAINER)})"
_NETWORKS_BEFORE = _NETWORKS.replace("object.", "oldObject.", 1)
_MODE = cel.annotation("object.metadata", labels.INTERCEPTION)
_SAME_NETWORK = (
    f'request.operation == "UPDATE" && {_NETWORKS} == {_NETWORKS_BEFORE}'
    f" && {_MODE} == {cel.annotation('oldObject.metadata', labels.INTERCEPTION)}"
)

# One expression for both forms: they differ in arguments, user and capability.
_SEES_TO_THE_RULES = f"""
  object.spec.containers.all(container, container.name != {cel.text(contract.NETWORK_CONTAINER)})
  && (size({_NETWORKS}) > 0) == ({_MODE} == "redirect")
  && {_NETWORKS}.all(container,
    {_INITS}[0].name == container.name
    && container.image in {_GENUINE}.?images.orValue([])
    && container.?command.orValue([]) == {cel.text(list(contract.NETWORK_COMMAND))}
    && container.?args.orValue([]) in {_GENUINE}.?networkArguments.orValue([])
    && container.?env.orValue([]).all(variable, variable.name in {cel.text(list(contract.NETWORK_ENVIRONMENT))}
      && has(variable.valueFrom) && has(variable.valueFrom.fieldRef))
    && !has(container.envFrom) && !has(container.workingDir) && !has(container.lifecycle)
    && !has(container.restartPolicy) && !has(container.volumeDevices)
    && container.?volumeMounts.orValue([]).all(mount, mount.mountPath == {cel.text(_TOKEN)})
    && !container.?securityContext.?privileged.orValue(false)
    && !container.?securityContext.?allowPrivilegeEscalation.orValue(true)
    && (container.args[0] == "check"
      ? container.?securityContext.?runAsUser.orValue(0) == {contract.NETWORK_USER_ID}
        && size(container.?securityContext.?capabilities.?add.orValue([])) == 0
      : container.?securityContext.?capabilities.?add.orValue([]) == ["NET_ADMIN"]))
"""

_ANNOTATED = f"""
  {_GENUINE}.?annotations.orValue({{}}).all(name,
    object.metadata.?annotations[?name].orValue("") == params.spec.sidecar.annotations[name])
"""


def policy(settings: GateSettings) -> Policy:
    """The policy over the FlowIndex's ``sidecar``."""
    fix = "; remove the container, its volumes and annotations, and let Lawflow inject its own"
    return Policy(
        "lawflow-sidecar-genuine",
        rules=[rule("", ["pods"], "CREATE", "UPDATE")],
        namespaces=[opted_in(), index_ready(), none_of(settings.untouched)],
        reads_index=True,
        index_namespace=settings.namespace,
        screened=True,
        conditions={
            "not-being-deleted": cel.NOT_BEING_DELETED,
            "has-a-sidecar": f"size({_NAMED}) > 0",
            "is-new-or-changed": f'request.operation == "CREATE" || {_NAMED} != {_NAMED_BEFORE}'
            f" || {_NETWORKS} != {_NETWORKS_BEFORE}"
            " || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})",
        },
        validations=[
            Validation(
                f"{_SAME_CONTAINER} || ({_RUNS_AS_RELEASED.strip()})",
                cel.text(
                    "the sidecar's image, command, arguments, environment or probes are of no current release" + fix
                ),
            ),
            Validation(
                f"{_SAME_CONTAINER} || ({_CONFINED.strip()})",
                cel.text("the sidecar must run as its own user, without privileges" + fix),
            ),
            Validation(
                f"{_SAME_CONTAINER} || ({_MOUNTS.strip()})",
                cel.text("the sidecar may mount only its own volumes, in their places" + fix),
            ),
            Validation(
                # Long after it has ended its image may be of no current release.
                f"{_SAME_NETWORK} || ({_SEES_TO_THE_RULES.strip()})",
                cel.text(
                    f"a pod in interception redirect begins with the init container {contract.NETWORK_CONTAINER} of a "
                    "current release, and no other pod has one" + fix
                ),
            ),
            Validation(
                _ANNOTATED.strip(),
                cel.text("annotations that the sidecar reads may not be changed" + fix),
            ),
        ],
    )
