"""Which workloads of a namespace may read its Secrets: a certificate that is delivered by Secret would be theirs, too.

People cannot be listed like this, since RBAC knows no list of users; the condition tells of them in words.
"""

from collections.abc import Iterable

from lawflow.model.kinds import SUBJECT_ACCESS_REVIEW
from lawflow.store.protocol import Object, Store

MAXIMUM_ACCOUNTS = 50
"""Service accounts that are asked about; one that may read is enough to refuse."""


async def secret_readers(store: Store, namespace: str, accounts: Iterable[str], secret: str) -> list[str]:
    """Those of the service accounts that may get the Secret or list all, be it through a group that they belong to.

    Raises StoreError where the API server does not answer.
    """
    return [
        account
        for account in sorted(set(accounts))[:MAXIMUM_ACCOUNTS]
        if await _may(store, namespace, account, "get", secret) or await _may(store, namespace, account, "list", "")
    ]


async def _may(store: Store, namespace: str, account: str, verb: str, name: str) -> bool:
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    question: Object = {
        "apiVersion": SUBJECT_ACCESS_REVIEW.api_version,
        "kind": SUBJECT_ACCESS_REVIEW.name,
        "metadata": {},
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{account}",
            "groups": groups,
            "resourceAttributes": {"resource": "secrets", "verb": verb, "namespace": namespace, "name": name},
        },
    }
    answer = await store.create(SUBJECT_ACCESS_REVIEW, question)
    return answer["status"].get("allowed") is True
