"""The signer inside the test's own event loop, and an issuer as the controller publishes it."""

import base64
import datetime as dt
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support import kubelet
from tests.support.cluster import Cluster
from tests.support.controlling import beside, until
from tests.support.kubelet import Node

from lawflow.identity.lifecycle import AuthoritySettings, AuthorityState, Sources, establish
from lawflow.identity.pem import new_private_key
from lawflow.identity.pod_certificate import SignerSettings
from lawflow.inject.pod import inject_pod
from lawflow.inject.result import Injected
from lawflow.inject.settings import IdentityData, InjectionSettings, SidecarRelease
from lawflow.model.kinds import POD_CERTIFICATE_REQUEST, SECRET
from lawflow.model.trust_bundle import ISSUER_NAME
from lawflow.signer.process import OpenRequests
from lawflow.signer.requests import Signer
from lawflow.store.protocol import Object, Store

INJECTION = InjectionSettings(SidecarRelease("0.1.0", "lawflow/sidecar:0.1.0", "{}"))


@asynccontextmanager
async def signing(store: Store, namespace: str, injection: InjectionSettings = INJECTION) -> AsyncIterator[Signer]:
    """A signer that follows the store until the block ends, on the wall clock that the API server checks against."""
    settings = SignerSettings("cluster.local", gateway=(namespace, "lawflow-egress"))
    signer = Signer(store, namespace, settings, injection)
    requests = OpenRequests(signer)
    async with beside(requests.follow(), requests.work()):
        yield signer


async def publish_issuer(store: Store, namespace: str) -> AuthorityState:
    """Make an authority and publish its issuer; what it is made of stays here."""
    made = establish(
        "cluster.local", dt.datetime.now(dt.UTC), Sources(secrets.token_bytes, new_private_key), AuthoritySettings()
    )
    data = {name: base64.b64encode(text.encode()).decode() for name, text in made.issuer.to_pem().items()}
    metadata = {"namespace": namespace, "name": ISSUER_NAME}
    await store.apply(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    return made


def injected_pod(namespace: str, name: str = "orders", injection: InjectionSettings = INJECTION) -> Object:
    """A pod of the service account ``orders`` with its sidecar."""
    spec = {"serviceAccountName": "orders", "containers": [{"name": "app", "image": "app"}]}
    metadata = {"namespace": namespace, "name": name}
    injected = inject_pod(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, injection, IdentityData()
    )
    assert isinstance(injected, Injected)
    return dict(injected.pod)


def requested(control_plane: Cluster, node: Node, pod: Object) -> kubelet.PodCertificate:
    """Create a pod, and have its kubelet ask for the certificate of its volume."""
    bound = kubelet.bind(control_plane, node, control_plane.create(pod))
    return kubelet.request_pod_certificate(control_plane, node, bound)


async def stored(store: Store, made: kubelet.PodCertificate) -> Object:
    """A request as it is now."""
    metadata = made.request["metadata"]
    found = await store.get(POD_CERTIFICATE_REQUEST, metadata["namespace"], metadata["name"])
    assert found
    return found


async def answer(store: Store, made: kubelet.PodCertificate) -> Object:
    """The status of a request, once it has been answered."""

    async def look() -> Object | None:
        status: Object = (await stored(store, made)).get("status") or {}
        return status if status.get("conditions") else None

    return await until(look, "an answer")
