"""Rules about workloads, Lawflow's own: identity is the service account, so one account is one set of flows."""

from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.workload_facts import WORKLOAD, WorkloadFacts
from lawflow.model.labels import FLOWS, INTERCEPTION
from lawflow.model.sidecar import OWN_CONTAINERS
from lawflow.model.workload import visible_user

_ACCOUNT = "Deployment.spec.template.spec.serviceAccountName"
_ANNOTATIONS = "Deployment.spec.template.metadata.annotations"


@rule(
    "HOUSE-workload-flow-not-found",
    article="house",
    severity=WARN,
    per=WORKLOAD,
    path=f".metadata.annotations.{FLOWS}",
    repairable=True,
    message="the workload declares {flow}, which does not exist",
    fix="apply the DataFlow, or take its name out of the annotation; until then pods are refused",
    failing={_ANNOTATIONS: {FLOWS: "orders-to-psp,orders-to-crm"}},
)
def flow_not_found(workload: WorkloadFacts) -> Outcome:
    """A declared flow must hold; one that does not exist holds nothing."""
    return fault(flow=", ".join(workload.missing)) if workload.missing else False


@rule(
    "HOUSE-service-account-default",
    article="house",
    severity=WARN,
    per=WORKLOAD,
    path=".spec.serviceAccountName",
    message="the workload has flows, but runs as the service account {account}",
    fix="give it a service account of its own, and name that in spec.source.serviceAccountName of its flows",
    failing={_ACCOUNT: None},
)
def default_account(workload: WorkloadFacts) -> Outcome:
    """Every pod of the namespace that names no account runs as this one; a receiver could not tell them apart."""
    return bool(workload.flows) and workload.template.service_account == "default"


@rule(
    "HOUSE-service-account-shared",
    article="house",
    severity=WARN,
    per=WORKLOAD,
    path=".spec.serviceAccountName",
    message="the service account {account} is shared with {other}, which has other flows",
    fix="give each workload a service account of its own",
    failing={"source.serviceAccountName": "psp-client", "Job.spec.template.spec.serviceAccountName": "orders"},
)
def shared_account(workload: WorkloadFacts) -> Outcome:
    """Flows attach to the service account; a receiver could not tell the workloads apart."""
    own = frozenset(workload.flows)
    for (kind, name), flows in workload.sharing:
        if flows != own:
            return fault(other=f"{kind} {name}")
    return False


@rule(
    "HOUSE-workload-user-not-visible",
    article="house",
    severity=WARN,
    per=WORKLOAD,
    path=".spec.containers",
    message="the workload redirects to its sidecar, and its container {container} does not say as which user it runs",
    fix="set securityContext.runAsUser to a user id of the app's own; connections of the sidecar's user are not "
    "redirected, and an image's own user is not to be seen",
    failing={_ANNOTATIONS: {INTERCEPTION: "redirect"}},
)
def user_not_visible(workload: WorkloadFacts) -> Outcome:
    """The rules tell the sidecar by its user; an app that ran as it would go past the sidecar."""
    template = workload.template
    if not workload.flows or (template.metadata.get("annotations") or {}).get(INTERCEPTION) != "redirect":
        return False
    for container in (*(template.spec.get("initContainers") or ()), *(template.spec.get("containers") or ())):
        if container.get("name") not in OWN_CONTAINERS and visible_user(container, template.spec) is None:
            return fault(container=container.get("name"))
    return False


RULES = (flow_not_found, default_account, shared_account, user_not_visible)
