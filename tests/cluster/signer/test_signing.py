"""Pod certificates on a real API server, signed while no controller runs."""

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from tests.support import kubelet
from tests.support.cluster import Cluster
from tests.support.controlling import until
from tests.support.kubelet import Node
from tests.support.signing import INJECTION, answer, injected_pod, publish_issuer, requested, signing, stored

from lawflow.identity.lifecycle import AuthorityState
from lawflow.identity.pem import certificates_from_pem
from lawflow.identity.x509_svid import verify_x509_svid
from lawflow.inject.gateway import gateway_pod
from lawflow.inject.settings import InjectionSettings, SidecarRelease
from lawflow.model.kinds import Kind
from lawflow.signer.requests import Signer
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Object, Store

pytestmark = pytest.mark.cluster

NEWER = InjectionSettings(SidecarRelease("0.2.0", "lawflow/sidecar:0.2.0", "{}"))


@pytest.fixture
async def authority(store: Store, namespace: str) -> AuthorityState:
    """Whose issuer is published."""
    return await publish_issuer(store, namespace)


@pytest.fixture
async def signer(store: Store, namespace: str) -> AsyncIterator[Signer]:
    """A running signer."""
    async with signing(store, namespace) as started:
        yield started


def counted(signer: Signer, outcome: str) -> float:
    """How many requests a signer has answered so."""
    labels = {"delivery": "podCertificate", "outcome": outcome}
    return signer.metrics.registry.get_sample_value("lawflow_certificates_total", labels) or 0.0


async def counts(signer: Signer, **expected: float) -> None:
    """Waits until it has counted so many: an answer can be read before the one who wrote it counts it."""

    async def look() -> bool:
        return {outcome: counted(signer, outcome) for outcome in expected} == expected

    await until(look, f"answers counted: {expected}")


@pytest.mark.usefixtures("service_account")
async def test_the_genuine_sidecar_of_a_live_pod_gets_a_certificate_while_no_controller_runs(
    store: Store, namespace: str, node: Node, control_plane: Cluster, authority: AuthorityState, signer: Signer
) -> None:
    made = requested(control_plane, node, injected_pod(namespace))
    status = await answer(store, made)
    assert [each["type"] for each in status["conditions"]] == ["Issued"]
    chain = certificates_from_pem(status["certificateChain"])
    identity = verify_x509_svid(chain, authority.bundle, dt.datetime.now(dt.UTC))
    assert str(identity) == f"spiffe://cluster.local/ns/{namespace}/sa/orders"
    assert chain[0].public_key() == made.key.public_key()
    await counts(signer, issued=1.0)
    expiry = signer.metrics.registry.get_sample_value(
        "lawflow_certificate_expiry_timestamp_seconds", {"subject": "issuer"}
    )
    assert expiry == authority.issuer.certificate.not_valid_after_utc.timestamp()


@pytest.mark.usefixtures("service_account", "authority", "signer")
async def test_a_pod_certificate_is_renewed_by_a_second_request(
    store: Store, namespace: str, node: Node, control_plane: Cluster
) -> None:
    first = await answer(store, requested(control_plane, node, injected_pod(namespace)))
    assert first["notBefore"] < first["beginRefreshAt"] < first["notAfter"]
    pod = control_plane.get("pod", "orders", "-n", namespace)
    second = await answer(store, kubelet.request_pod_certificate(control_plane, node, pod))
    (before, *_), (after, *_) = (certificates_from_pem(each["certificateChain"]) for each in (first, second))
    assert before.serial_number != after.serial_number
    assert before.public_key() != after.public_key()


@pytest.mark.usefixtures("service_account")
async def test_a_pod_whose_sidecar_was_changed_is_denied(
    store: Store, namespace: str, node: Node, control_plane: Cluster, signer: Signer
) -> None:
    pod = injected_pod(namespace)
    pod["spec"]["initContainers"][0]["image"] = "somebody/else:1"
    status = await answer(store, requested(control_plane, node, pod))
    (denied,) = status["conditions"]
    assert (denied["type"], denied["reason"]) == ("Denied", "SidecarNotGenuine")
    await counts(signer, issued=0.0, denied=1.0)


@pytest.mark.usefixtures("service_account", "signer")
async def test_a_pod_whose_app_mounts_the_certificate_is_denied(
    store: Store, namespace: str, node: Node, control_plane: Cluster
) -> None:
    pod = injected_pod(namespace)
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "lawflow-certificate", "mountPath": "/stolen"}]
    status = await answer(store, requested(control_plane, node, pod))
    (denied,) = status["conditions"]
    assert (denied["type"], denied["reason"]) == ("Denied", "VolumeExposed")


@pytest.mark.usefixtures("service_account", "authority")
async def test_a_sidecar_of_the_next_release_waits_for_the_signer_that_knows_it(
    store: Store, namespace: str, node: Node, control_plane: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with signing(store, namespace):
        early = requested(control_plane, node, injected_pod(namespace, "early", NEWER))
        await told(caplog, "sidecar of early is of a release that this signer does not know")
        assert not (await stored(store, early)).get("status", {}).get("conditions")
    async with signing(store, namespace, NEWER):
        assert (await answer(store, early))["conditions"][0]["type"] == "Issued"


@pytest.mark.usefixtures("authority")
async def test_a_gateway_of_the_next_release_waits_for_the_signer_that_knows_it(
    store: Store, namespace: str, node: Node, control_plane: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    control_plane.kubectl("create", "serviceaccount", "lawflow-egress", "-n", namespace)

    def gateway(name: str, injection: InjectionSettings) -> Object:
        pod = gateway_pod(injection, injection.release)
        pod["metadata"] |= {"namespace": namespace, "name": name}
        return {"apiVersion": "v1", "kind": "Pod", **pod}

    async with signing(store, namespace):
        early = requested(control_plane, node, gateway("early", NEWER))
        known = requested(control_plane, node, gateway("known", INJECTION))
        assert (await answer(store, known))["conditions"][0]["type"] == "Issued"
        await told(caplog, "gateway early is of a release that this signer does not know")
        assert not (await stored(store, early)).get("status", {}).get("conditions")
    async with signing(store, namespace, NEWER):
        assert (await answer(store, early))["conditions"][0]["type"] == "Issued"


async def told(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Wait until that is logged."""

    async def look() -> bool:
        return words in caplog.text

    await until(look, f"a log of {words!r}")


@pytest.mark.usefixtures("service_account", "signer")
async def test_a_request_from_before_there_is_an_issuer_is_answered_once_there_is_one(
    store: Store, namespace: str, node: Node, control_plane: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    early = requested(control_plane, node, injected_pod(namespace))
    await told(caplog, f"there is no Secret {namespace}/lawflow-issuer yet")
    assert not (await stored(store, early)).get("status", {}).get("conditions")
    authority = await publish_issuer(store, namespace)
    status = await answer(store, early)
    verify_x509_svid(certificates_from_pem(status["certificateChain"]), authority.bundle, dt.datetime.now(dt.UTC))


@pytest.mark.usefixtures("service_account", "signer")
async def test_a_switch_of_issuers_counts_for_the_next_request(
    store: Store, namespace: str, node: Node, control_plane: Cluster
) -> None:
    for name in ("before", "after"):
        authority = await publish_issuer(store, namespace)
        status = await answer(store, requested(control_plane, node, injected_pod(namespace, name)))
        verify_x509_svid(certificates_from_pem(status["certificateChain"]), authority.bundle, dt.datetime.now(dt.UTC))


class TogetherStore(KubernetesStore):
    """Writes a status once another store of its kind is about to write one, too: both have judged by then."""

    barrier: asyncio.Barrier

    async def patch_status(
        self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any], version: str = ""
    ) -> Object:
        await self.barrier.wait()
        return await super().patch_status(kind, namespace, name, status, version)


@pytest.mark.usefixtures("service_account", "authority")
async def test_two_signers_that_answer_at_once_answer_once_and_neither_errs(
    store: Store, namespace: str, node: Node, control_plane: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    kubeconfig, both = control_plane.admin.kubeconfig, asyncio.Barrier(2)
    async with await TogetherStore.connect(kubeconfig) as one, await TogetherStore.connect(kubeconfig) as other:
        one.barrier = other.barrier = both
        async with signing(one, namespace) as first, signing(other, namespace) as second:
            for name in ("one", "two", "three"):
                made = requested(control_plane, node, injected_pod(namespace, name))
                status = await answer(store, made)
                assert [each["type"] for each in status["conditions"]] == ["Issued"]

            async def all_counted() -> bool:
                return counted(first, "issued") + counted(second, "issued") == 3.0

            await until(all_counted, "three certificates")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
