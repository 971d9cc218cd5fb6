"""What tests do with a Kubernetes API server, whether they started it themselves or a user lent it to them."""

import json
import os
import re
import subprocess
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tests.support import environment, toolchain
from tests.support.waiting import eventually

FLATTENED = ("--raw", "--flatten", "--minify", "--output=json")

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""


@dataclass(frozen=True)
class User:
    """Someone the API server knows: a kubeconfig that authenticates as that name and those groups."""

    name: str
    groups: tuple[str, ...]
    kubeconfig: Path


class Cluster(ABC):
    """An API server, its users, and kubectl.

    ``host`` is the address at which the API server reaches this host.

    No kubeconfig is ever looked up: every call names its own, and kubectl sees no KUBECONFIG. Every call blocks; a
    test with an event loop that has to go on meanwhile makes it by ``asyncio.to_thread``.
    """

    host = "127.0.0.1"

    def __init__(self, directory: Path, connection: Object, admin: Object) -> None:
        """Keeps files in ``directory``; ``connection`` and ``admin`` are a kubeconfig's cluster and user entries."""
        self._directory = directory
        self._connection = connection
        self._kubectl = str(toolchain.kubectl())
        self._environment = _environment_of_kubectl(directory)
        self._granted: list[tuple[str, ...]] = []
        self.server: str = connection["server"]
        self.admin = self._enrol("admin", (), admin)

    def kubectl(
        self,
        *arguments: str,
        input: str | Object | Sequence[Object] | None = None,
        user: User | None = None,
        check: bool = True,
        seconds: float = 90.0,
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as ``user`` (the administrator if None); ``input`` is text, an object or several objects.

        Raises AssertionError with what kubectl complained about, unless ``check`` is False; TimeoutExpired after
        ``seconds``.
        """
        kubeconfig = (user or self.admin).kubeconfig
        done = subprocess.run(
            [self._kubectl, f"--kubeconfig={kubeconfig}", *arguments],
            input=input if isinstance(input, str) else "" if input is None else json.dumps(_as_one(input)),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    @contextmanager
    def kubectl_running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """kubectl as the administrator while the block runs, for a command that goes on until it is ended."""
        command = [self._kubectl, f"--kubeconfig={self.admin.kubeconfig}", *arguments]
        with subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True) as running:
            try:
                yield running
            finally:
                running.kill()

    def get(self, *arguments: str, user: User | None = None) -> Object:
        """What ``kubectl get`` with these arguments finds: an object, or a list of objects with ``items``."""
        found: Object = json.loads(self.kubectl("get", *arguments, "--output=json", user=user).stdout)
        return found

    def find(self, *arguments: str) -> Object | None:
        """What ``get`` finds, or None where there is no such object."""
        found = self.kubectl("get", *arguments, "--output=json", "--ignore-not-found").stdout
        return json.loads(found) if found else None

    def await_namespace(self, name: str) -> None:
        """Waits until a new namespace has what controllers put there, without which it takes no pod."""
        wanted = ("serviceaccount/default", "configmap/kube-root-ca.crt")
        asked = ("get", *wanted, f"--namespace={name}", "--ignore-not-found", "--output=name")
        eventually(lambda: set(self.kubectl(*asked).stdout.split()) == {*wanted}, f"{wanted} in the namespace {name}")

    def apply(self, *objects: Object, user: User | None = None) -> None:
        """Applies objects on the server's side."""
        self.kubectl("apply", "--server-side", "--filename=-", input=objects, user=user)

    def create(self, created: Object, user: User | None = None) -> Object:
        """Creates an object and returns it as the server stored it."""
        answer = self.kubectl("create", "--filename=-", "--output=json", input=created, user=user)
        stored: Object = json.loads(answer.stdout)
        return stored

    def patch(self, kind: str, name: str, change: Object, *flags: str, user: User | None = None) -> Object:
        """Merges a change into an object (RFC 7396) and returns the object as it is then."""
        answer = self.kubectl(
            *("patch", kind, name, "--type=merge", f"--patch={json.dumps(change)}", "--output=json", *flags), user=user
        )
        patched: Object = json.loads(answer.stdout)
        return patched

    def replace_status(self, plural: str, changed: Object, user: User | None = None) -> Object:
        """Writes the status of a namespaced object, as read and changed, and returns what the server stored.

        This is one PUT: users who may write a status and not read the object can do it, whereas ``kubectl patch``
        reads first.
        """
        metadata, version = changed["metadata"], changed["apiVersion"]
        api = f"/apis/{version}" if "/" in version else f"/api/{version}"
        path = f"{api}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}/status"
        stored: Object = json.loads(
            self.kubectl("replace", "--raw", path, "--filename=-", input=changed, user=user).stdout
        )
        return stored

    def user(self, name: str, *groups: str) -> User:
        """A user of that name and those groups, who may do no more than RBAC grants them: at first nothing."""
        return self._enrol(name, groups, self._credentials(name, groups))

    def service_account(self, namespace: str, name: str) -> User:
        """An existing service account as a user, by a token of one hour."""
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        entry = {"token": self.token(namespace, name)}
        return self._enrol(f"system:serviceaccount:{namespace}:{name}", groups, entry)

    def token(self, namespace: str, service_account: str, *flags: str) -> str:
        """A token of an existing service account; flags as of ``kubectl create token``."""
        return self.kubectl("create", "token", service_account, f"--namespace={namespace}", *flags).stdout.strip()

    def allow(
        self, user: User, verbs: Sequence[str], *resources: str, namespace: str | None = None, name: str | None = None
    ) -> None:
        """Grants verbs on resources by RBAC, and returns when the API server heeds it.

        A resource is written ``pods``, ``pods/status`` or ``dataflows.lawflow.dev``, and need not exist. Without a
        namespace the grant holds in all of them; with a name, for objects of that name alone.
        """
        scope = "" if namespace else "Cluster"
        called = f"test-{uuid.uuid4().hex[:8]}"
        metadata = {"name": called} | ({"namespace": namespace} if namespace else {})
        api = "rbac.authorization.k8s.io"
        self.apply(
            {
                "apiVersion": f"{api}/v1",
                "kind": f"{scope}Role",
                "metadata": metadata,
                "rules": [_rule(verbs, resource, name) for resource in resources],
            },
            {
                "apiVersion": f"{api}/v1",
                "kind": f"{scope}RoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": api, "kind": f"{scope}Role", "name": called},
                "subjects": [{"apiGroup": api, "kind": "User", "name": user.name}],
            },
        )
        if not namespace:
            self._granted += [("clusterrole", called), ("clusterrolebinding", called)]
        eventually(lambda: self.may(user, verbs[0], resources[0], namespace, name), f"{user.name} may {verbs[0]}")

    def may(self, user: User, verb: str, resource: str, namespace: str | None = None, name: str | None = None) -> bool:
        """Whether RBAC lets the user do that; a resource is written as for ``allow``."""
        (plural, group), _, subresource = _split(resource)
        asked = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
        where = {"namespace": namespace or "", "name": name or ""}
        api = "authorization.k8s.io/v1"
        review = {"apiVersion": api, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": asked | where}}
        path = f"/apis/{api}/selfsubjectaccessreviews"
        answer = self.kubectl("create", "--raw", path, "--filename=-", input=review, user=user)
        return bool(json.loads(answer.stdout)["status"]["allowed"])

    @abstractmethod
    def start(self, component: str) -> None:
        """Starts etcd, kube-apiserver or kube-controller-manager; returns when it is ready."""

    @abstractmethod
    def stop(self, component: str) -> None:
        """Asks a component to end (SIGTERM); returns when it has."""

    @abstractmethod
    def kill(self, component: str) -> None:
        """Ends a component as a power failure would (SIGKILL)."""

    @abstractmethod
    def mend(self) -> None:
        """Starts what a test left dead, so that one failure does not bring on the next."""

    @abstractmethod
    def close(self) -> None:
        """Leaves nothing behind."""

    @abstractmethod
    def _credentials(self, name: str, groups: Sequence[str]) -> Object:
        """A kubeconfig's user entry for that user."""

    def _enrol(self, name: str, groups: Sequence[str], entry: Object) -> User:
        path = self._directory / f"{re.sub('[^a-z0-9-]+', '_', name.lower())}-{uuid.uuid4().hex[:8]}.kubeconfig"
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": self._connection}],
            "users": [{"name": name, "user": entry}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(kubeconfig, indent=1), encoding="utf-8")
        path.chmod(0o600)
        return User(name, tuple(groups), path)


class BorrowedCluster(Cluster):
    """A cluster that a user named in LAWFLOW_TEST_KUBECONFIG. Its processes are not ours to start or kill.

    LAWFLOW_TEST_HOST names this host's address as that cluster reaches it, if it is not on this host itself.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self.host = os.environ.get("LAWFLOW_TEST_HOST", self.host)
        self._temporary = tempfile.TemporaryDirectory(prefix="lawflow-borrowed-cluster-")
        directory = Path(self._temporary.name)
        read = subprocess.run(
            [str(toolchain.kubectl()), f"--kubeconfig={kubeconfig}", "config", "view", *FLATTENED],
            env=_environment_of_kubectl(directory),
            capture_output=True,
            text=True,
            check=False,
        )
        if read.returncode:
            raise AssertionError(f"LAWFLOW_TEST_KUBECONFIG={kubeconfig} cannot be used: {read.stderr.strip()}")
        view = json.loads(read.stdout)
        self._admin_entry: Object = view["users"][0]["user"]
        super().__init__(directory, view["clusters"][0]["cluster"], self._admin_entry)

    def start(self, component: str) -> None:
        _not_ours(component)

    def stop(self, component: str) -> None:
        _not_ours(component)

    def kill(self, component: str) -> None:
        _not_ours(component)

    def mend(self) -> None:
        pass

    def close(self) -> None:
        for kind, name in self._granted:
            self.kubectl("delete", kind, name, "--ignore-not-found")
        self._temporary.cleanup()

    def _credentials(self, name: str, groups: Sequence[str]) -> Object:
        return self._admin_entry | {"as": name, "as-groups": list(groups)}


def _not_ours(component: str) -> NoReturn:
    pytest.skip(f"LAWFLOW_TEST_KUBECONFIG names a cluster of yours, whose {component} is not for a test to touch")


def _environment_of_kubectl(directory: Path) -> Mapping[str, str]:
    """This process's environment (credential plugins need it) without all that would steer kubectl elsewhere.

    A command ends before collecting garbage pays: it takes a third of the time of each, and there are thousands.
    """
    ours = {"KUBECACHEDIR": str(directory / "kubectl-cache"), "KUBERC": "off", "GOGC": "off"}
    return environment.without("KUBE") | ours


def _as_one(objects: Object | Sequence[Object]) -> Object:
    return objects if isinstance(objects, dict) else {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def _rule(verbs: Sequence[str], resource: str, name: str | None) -> Object:
    (plural, group), slash, subresource = _split(resource)
    rule: Object = {"apiGroups": [group], "resources": [plural + slash + subresource], "verbs": list(verbs)}
    return rule | ({"resourceNames": [name]} if name else {})


def _split(resource: str) -> tuple[tuple[str, str], str, str]:
    """``plural.group/subresource`` in its parts: ((plural, group), slash, subresource)."""
    group_resource, slash, subresource = resource.partition("/")
    plural, _, group = group_resource.partition(".")
    return (plural, group), slash, subresource
