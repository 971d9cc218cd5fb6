"""The kinds of the group ``lawflow.dev``: one table that CRDs, stores and docs are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lawflow.model.base import GROUP, VERSION, CustomResource
from lawflow.model.consent_policy import ConsentPolicy
from lawflow.model.data_controller import DataController
from lawflow.model.dataflow import DataFlow
from lawflow.model.dataset import Dataset
from lawflow.model.flow_index import FlowIndex


@dataclass(frozen=True)
class Kind:
    """Where a kind of object lives in the Kubernetes API."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``group/version``, or the bare version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The REST path of the collection, of one namespace's part of it, or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return "/".join(part for part in (f"{root}{scope}/{self.plural}", name, subresource) if part)


@dataclass(frozen=True)
class CustomKind(Kind):
    """A kind that Lawflow defines, with what its CustomResourceDefinition says beyond the schema."""

    model: type[CustomResource] = CustomResource
    singular: str = ""
    short_names: tuple[str, ...] = ()
    printer_columns: tuple[Mapping[str, str], ...] = field(default=(), hash=False)
    status: bool = True


def _column(name: str, path: str, type_: str = "string", **more: str) -> Mapping[str, str]:
    return MappingProxyType({"name": name, "type": type_, "jsonPath": path, **more})


def _condition(name: str) -> Mapping[str, str]:
    return _column(name, f".status.conditions[?(@.type=='{name}')].status")


_AGE = _column("Age", ".metadata.creationTimestamp", "date")

DATA_FLOW = CustomKind(
    GROUP, VERSION, "DataFlow", "dataflows", True, DataFlow, "dataflow", ("df",),
    (_column("Basis", ".status.basis"), _condition("Lawful"), _condition("Enforced"), _condition("Ready"),
     _column("Peers", ".status.peers"), _AGE),
)  # fmt: skip
CONSENT_POLICY = CustomKind(
    GROUP, VERSION, "ConsentPolicy", "consentpolicies", True, ConsentPolicy, "consentpolicy", ("cpol",),
    (_column("Explicit", ".spec.explicit", "boolean"), _column("Notice", ".spec.notice.version"), _condition("Ready"),
     _AGE),
)  # fmt: skip
DATASET = CustomKind(
    GROUP, VERSION, "Dataset", "datasets", True, Dataset, "dataset", ("dset",),
    (_column("Retention", ".spec.retention.period"), _column("Encrypted", ".spec.encryptionAtRest", "boolean"),
     _condition("Ready"), _AGE),
)  # fmt: skip
DATA_CONTROLLER = CustomKind(
    GROUP, VERSION, "DataController", "datacontrollers", False, DataController, "datacontroller", ("dctl",),
    (_column("Controller", ".spec.name"), _column("Country", ".spec.establishment"), _condition("Ready"), _AGE),
)  # fmt: skip
FLOW_INDEX = CustomKind(
    GROUP, VERSION, "FlowIndex", "flowindexes", True, FlowIndex, "flowindex", (), (_AGE,), status=False
)

CUSTOM_KINDS: tuple[CustomKind, ...] = (DATA_FLOW, CONSENT_POLICY, DATASET, DATA_CONTROLLER, FLOW_INDEX)

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", False)
POD = Kind("", "v1", "Pod", "pods")
SERVICE = Kind("", "v1", "Service", "services")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
SECRET = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
EVENT = Kind("", "v1", "Event", "events")
REPLICATION_CONTROLLER = Kind("", "v1", "ReplicationController", "replicationcontrollers")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
JOB = Kind("batch", "v1", "Job", "jobs")
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
SUBJECT_ACCESS_REVIEW = Kind("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", False)
POD_CERTIFICATE_REQUEST = Kind("certificates.k8s.io", "v1", "PodCertificateRequest", "podcertificaterequests")
MUTATING_WEBHOOK_CONFIGURATION = Kind(
    "admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False
)
VALIDATING_WEBHOOK_CONFIGURATION = Kind(
    "admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False
)
ADMISSION_POLICY_BINDING = Kind(
    "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", False
)
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")

WORKLOAD_KINDS: tuple[Kind, ...] = (
    DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET, REPLICATION_CONTROLLER, JOB, CRON_JOB, POD,
)  # fmt: skip
"""Every built-in kind that makes pods, or is one."""

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            *CUSTOM_KINDS, *WORKLOAD_KINDS, NAMESPACE, SERVICE, SERVICE_ACCOUNT, SECRET, CONFIG_MAP, EVENT,
            NETWORK_POLICY, ENDPOINT_SLICE, POD_CERTIFICATE_REQUEST, LEASE,
        )
    }
)  # fmt: skip
"""Kinds by name, as far as Lawflow reads or writes them."""
