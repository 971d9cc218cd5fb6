"""A service account with exactly the rights that the chart gives to a component, in a namespace of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import chart
from tests.support.cluster import Cluster, Object, User
from tests.support.waiting import eventually


@contextmanager
def account_of(cluster: Cluster, namespace: str, component: str, *flags: str) -> Iterator[User]:
    """The component's service account, bound to the chart's rules under names of this namespace's own.

    ``flags`` are Helm's.
    """
    name = f"lawflow-{component}"
    cluster.kubectl("create", "serviceaccount", name, "-n", namespace)
    own = f"{name}-{namespace}"
    user = cluster.service_account(namespace, name)
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    for document in chart.of_kind(chart.objects(chart.rendered(*flags)), "Role", "ClusterRole"):
        kind = document["kind"]
        if document["metadata"]["name"] != name:
            continue
        where = {"namespace": namespace} if kind == "Role" else {}
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": own, **where},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": own},
            "subjects": [subject],
        }
        cluster.apply({**document, "metadata": {"name": own, **where}}, binding)
        eventually(lambda: _holds(cluster, user, document["rules"][-1], **where), f"the rights of {name} heeded")  # noqa: B023
    yield user
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", own)


def _holds(cluster: Cluster, user: User, rule: Object, namespace: str | None = None) -> bool:
    group, plural, verb = (rule[part][0] for part in ("apiGroups", "resources", "verbs"))
    (name, *_) = rule.get("resourceNames") or [None]
    plural, *subresource = plural.split("/")
    resource = "/".join([f"{plural}.{group}" if group else plural, *subresource])
    return cluster.may(user, verb, resource, namespace, name)
