"""``lawflow xds`` over a real API server: a change reaches a real Envoy, and its acknowledgement reaches the pod."""

import asyncio
import contextlib
import datetime as dt
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.ports import ReservedPort

from lawflow.identity.authority import CertificateAuthority, create_intermediate, create_root
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import issue_credential
from lawflow.identity.pem import new_private_key
from lawflow.identity.spiffe import SpiffeId
from lawflow.mesh.bootstrap import Server
from lawflow.mesh.sidecar import Identity
from lawflow.model import labels
from lawflow.model.kinds import CONFIG_MAP, DATA_FLOW, ENDPOINT_SLICE, POD, SERVICE
from lawflow.model.trust_bundle import BUNDLE_KEY, CONFIG_MAP_NAME, VERSION_KEY, XDS_SERVICE_ACCOUNT
from lawflow.standalone.sidecars import RunningSidecar, Sidecars
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Object

pytestmark = [pytest.mark.cluster, pytest.mark.envoy, pytest.mark.usefixtures("crds")]

TRUST_DOMAIN = "example.org"
SECONDS = 60.0
POD_NAME = "orders-1"


@dataclass
class Site:
    """A namespace with an xDS server of its own, and one sidecar that asks it."""

    store: KubernetesStore
    namespace: str
    sidecar: RunningSidecar
    bundle: TrustBundle
    health_port: int

    async def configuration(self, wanted: str, *, present: bool = True) -> None:
        """Return once the sidecar's configuration holds ``wanted``, or no longer does."""
        async with asyncio.timeout(SECONDS):
            while True:
                with contextlib.suppress(OSError):
                    _, dump = await self.sidecar.process.admin("/config_dump?include_eds")
                    if (wanted in dump) is present:
                        return
                await asyncio.sleep(0.05)

    async def acknowledged(self, version: str) -> None:
        """Return once the pod says that its sidecar has taken the trust bundle."""
        await self.noted(labels.TRUST_BUNDLE, lambda text: text == version)

    async def noted(self, annotation: str, expected: Callable[[str | None], bool]) -> None:
        """Return once an annotation of the pod is as expected."""
        async with asyncio.timeout(SECONDS):
            while True:
                pod = await self.store.get(POD, self.namespace, POD_NAME)
                if expected((pod or {})["metadata"].get("annotations", {}).get(annotation)):
                    return
                await asyncio.sleep(0.05)


def files(authority: CertificateAuthority, bundle: TrustBundle, namespace: str, account: str) -> dict[str, str]:
    credential = issue_credential(
        authority,
        SpiffeId(TRUST_DOMAIN, namespace, account),
        key=new_private_key(),
        now=dt.datetime.now(dt.UTC),
        random=secrets.token_bytes,
    )
    return credential.to_files(bundle)


def trust_bundle(namespace: str, bundle: TrustBundle) -> Object:
    data = {BUNDLE_KEY: bundle.to_pem(), VERSION_KEY: bundle.version}
    return {"metadata": {"namespace": namespace, "name": CONFIG_MAP_NAME}, "data": data}


def flow(path: str) -> Object:
    return {
        "metadata": {"name": "orders-to-billing"},
        "spec": {
            "source": {"serviceAccountName": "orders"},
            "destination": {"service": {"name": "billing", "port": 8080}, "role": "sameController"},
            "operations": [{"name": "read", "methods": ["GET"], "path": path}],
        },
    }


async def declare(store: KubernetesStore, namespace: str, path: str) -> None:
    """Apply the flow and judge it lawful, as the controller would."""
    wanted = flow(path)
    wanted["metadata"]["namespace"] = namespace
    wanted |= {"apiVersion": DATA_FLOW.api_version, "kind": DATA_FLOW.name}
    applied = await store.apply(DATA_FLOW, wanted)
    generation = applied["metadata"]["generation"]
    condition: dict[str, Any] = {"type": "Lawful", "status": "True", "reason": "Lawful"}
    condition |= {"observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"observedGeneration": generation, "conditions": [condition]}
    await store.patch_status(DATA_FLOW, namespace, "orders-to-billing", status)


@pytest.fixture
async def site(control_plane: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Site]:
    now = dt.datetime.now(dt.UTC)
    root = create_root(TRUST_DOMAIN, key=new_private_key(), now=now, random=secrets.token_bytes)
    issuer = create_intermediate(root, key=new_private_key(), now=now, random=secrets.token_bytes)
    bundle = TrustBundle(TRUST_DOMAIN, (root.certificate,))
    for name, text in files(issuer, bundle, namespace, XDS_SERVICE_ACCOUNT).items():
        (tmp_path / name).write_text(text)
    port, health = ReservedPort(), ReservedPort()
    kubeconfig = control_plane.admin.kubeconfig
    async with await KubernetesStore.connect(kubeconfig) as store:
        await store.create(CONFIG_MAP, trust_bundle(namespace, bundle))
        container = {"name": "app", "image": "app.example/app"}
        account = {"serviceAccountName": "orders", "automountServiceAccountToken": False, "containers": [container]}
        control_plane.kubectl("create", "serviceaccount", "orders", "-n", namespace)
        await store.create(POD, {"metadata": {"namespace": namespace, "name": POD_NAME}, "spec": account})
        (tmp_path / "sockets").mkdir()
        sidecars = Sidecars(tmp_path / "sidecars", tmp_path / "sockets")
        process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [
                sys.executable, "-m", "lawflow", "xds", "--certificate", str(tmp_path / "tls.crt"),
                "--key", str(tmp_path / "tls.key"), "--kubeconfig", str(kubeconfig), "--namespace", namespace,
                "--trust-domain", TRUST_DOMAIN, "--host", "127.0.0.1", "--port", str(port.number),
                "--health-port", str(health.number), "--sidecar-certificate-directory",
                str(sidecars.certificate_directory(Identity(namespace, "orders"))),
            ],
        )  # fmt: skip
        try:
            server = f"spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/{XDS_SERVICE_ACCOUNT}"
            sidecar = await sidecars.start(
                Identity(namespace, "orders"),
                f"{namespace}/{POD_NAME}",
                "127.212.7.9",
                files(issuer, bundle, namespace, "orders"),
                Server("127.0.0.1", port.number, server),
            )
            yield Site(store, namespace, sidecar, bundle, health.number)
        finally:
            await sidecars.close()
            process.terminate()
            assert await asyncio.to_thread(process.wait, 30) == 0
            port.release()
            health.release()


async def test_an_applied_flow_and_its_endpoints_reach_envoy(site: Site) -> None:
    service = {"metadata": {"namespace": site.namespace, "name": "billing"}, "spec": {"ports": [{"port": 8080}]}}
    await site.store.create(SERVICE, service)
    await declare(site.store, site.namespace, "/invoices")
    await site.configuration("/invoices")
    metadata = {
        "namespace": site.namespace,
        "name": "billing-1",
        "labels": {"kubernetes.io/service-name": "billing"},
    }
    slice_ = {"metadata": metadata, "addressType": "IPv4", "ports": [], "endpoints": [{"addresses": ["10.9.8.7"]}]}
    await site.store.create(ENDPOINT_SLICE, slice_)
    await site.configuration("10.9.8.7")
    await declare(site.store, site.namespace, "/receipts")
    await site.configuration("/receipts")
    await site.store.delete(DATA_FLOW, site.namespace, "orders-to-billing")
    await site.configuration(f"outbound/{site.namespace}/billing:8080", present=False)


async def test_a_flow_without_a_verdict_opens_nothing(site: Site) -> None:
    wanted = {"apiVersion": DATA_FLOW.api_version, "kind": DATA_FLOW.name, **flow("/unjudged")}
    wanted["metadata"]["namespace"] = site.namespace
    await site.store.create(DATA_FLOW, wanted)
    await site.configuration("has not been evaluated")
    _, dump = await site.sidecar.process.admin("/config_dump")
    assert "/unjudged" not in json.dumps(json.loads(dump))


async def test_the_pod_tells_which_trust_bundle_its_sidecar_took(site: Site) -> None:
    await declare(site.store, site.namespace, "/invoices")
    await site.acknowledged(site.bundle.version)
    now = dt.datetime.now(dt.UTC)
    coming = create_root(TRUST_DOMAIN, key=new_private_key(), now=now, random=secrets.token_bytes)
    both = TrustBundle(TRUST_DOMAIN, (*site.bundle.roots, coming.certificate))
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", **trust_bundle(site.namespace, both)}
    await site.store.apply(CONFIG_MAP, wanted, "test")
    await site.acknowledged(both.version)


async def test_the_pod_tells_what_its_sidecar_rejects_for_as_long_as_it_does(site: Site) -> None:
    await declare(site.store, site.namespace, "/invoices")
    await site.acknowledged(site.bundle.version)
    right = {"apiVersion": "v1", "kind": "ConfigMap", **trust_bundle(site.namespace, site.bundle)}
    no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    await site.store.apply(CONFIG_MAP, {**right, "data": {**right["data"], BUNDLE_KEY: no_certificate}}, "test")
    await site.noted(labels.POLICY_REJECTED, lambda text: "certificate" in (text or "").lower())
    await site.store.apply(CONFIG_MAP, right, "test")
    await site.noted(labels.POLICY_REJECTED, lambda text: text is None)


async def test_health_and_metrics_tell_of_connected_sidecars(site: Site) -> None:
    await declare(site.store, site.namespace, "/invoices")
    await site.acknowledged(site.bundle.version)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.health_port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    said = (await reader.read()).decode()
    writer.close()
    assert f'lawflow_xds_sidecars{{namespace="{site.namespace}"}} 1.0' in said
    assert f'lawflow_xds_rejecting_sidecars{{namespace="{site.namespace}"}} 0.0' in said
