"""A clock that is wrong closes more than it should, never less, and harms nobody whose clock is right."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.drills.conftest import Drilled
from tests.support import chart, wrong_clocks
from tests.support.drill_shop import NAMESPACE, SECONDS, injected_version
from tests.support.waiting import eventually

from lawflow import __version__
from lawflow.model.sidecar import CONTAINER

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1800)]

ONE_CALL = f"""
import http.client, json
connection = http.client.HTTPConnection("billing.{NAMESPACE}.svc", 8080, timeout=10)
try:
    connection.request("POST", "/charges/c-17", json.dumps({{"amount": 12}}), {{"content-type": "application/json"}})
    print(connection.getresponse().status)
except OSError as error:
    print(type(error).__name__)
"""


def test_a_signers_clock_that_is_ahead_harms_no_running_flow(drilled: Drilled, tmp_path: Path) -> None:
    """The API server takes no certificate that begins in ten minutes: new pods wait until the clock is right."""
    shop = drilled.shop
    wrong_clocks.operator(tmp_path / "operator.tar")
    drilled.cluster.load(tmp_path / "operator.tar")
    with drilled.unharmed():
        try:
            _run_signer(drilled, wrong_clocks.OPERATOR, wrong_clocks.environment(600))
            shop.start("late")
            eventually(lambda: shop.pods("late"), "a pod, admitted", SECONDS)
            eventually(lambda: "notBefore" in _complaints(drilled), "the API server's refusal", SECONDS)
            assert not shop.running("late")
        finally:
            with drilled.healing("the signer's clock was set right"):
                _run_signer(drilled, __version__)
                eventually(lambda: shop.running("late"), "the pod that waited, Ready", SECONDS)
    shop.end("late")


def _run_signer(drilled: Drilled, tag: str, environment: Mapping[str, str] | None = None) -> None:
    """Exchanges the signers in one step; returns when the pods before are gone, which may answer until then."""
    before = drilled.lawflow("get", "pods", chart.selector("signer"), "--output=name").split()
    env = environment and [{"name": name, "value": value} for name, value in environment.items()]
    container = {"name": "signer", "image": f"lawflow/operator:{tag}", "env": env}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    signer, patience = "deployment/lawflow-signer", f"--timeout={SECONDS:.0f}s"
    drilled.lawflow("patch", signer, f"--patch={json.dumps(patch)}")
    drilled.lawflow("rollout", "status", signer, patience)
    drilled.lawflow("wait", "--for=delete", *before, patience)


def test_a_sidecar_whose_clock_is_ahead_passes_nothing(drilled: Drilled, tmp_path: Path) -> None:
    """By its clock the certificates of its peers, of an hour, have expired, and so have its policies."""
    with _sidecar_with_wrong_clock(drilled, "two-hours-ahead", 7200, tmp_path):
        eventually(lambda: drilled.shop.running("off"), "a pod whose sidecar has a wrong clock", SECONDS)
        assert _call(drilled) in ("403", "502", "503", "ConnectionRefusedError", "RemoteDisconnected")


def test_a_sidecar_whose_clock_is_behind_never_starts(drilled: Drilled, tmp_path: Path) -> None:
    """By its clock the certificate of the server that would tell it its policies does not hold yet."""
    with _sidecar_with_wrong_clock(drilled, "two-hours-behind", -7200, tmp_path):
        eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in _said_by_sidecar(drilled), "a server, not trusted", SECONDS)
        assert not drilled.shop.running("off")


@contextmanager
def _sidecar_with_wrong_clock(drilled: Drilled, tag: str, seconds: int, folder: Path) -> Iterator[None]:
    """A pod of such a sidecar; harms no other, and works at the end with the sidecar of everybody."""
    shop, cluster = drilled.shop, drilled.cluster
    wrong_clocks.sidecar(folder / "sidecar.tar", tag, seconds)
    cluster.load(folder / "sidecar.tar")
    with drilled.unharmed():
        _inject(drilled, tag, __version__)
        try:
            shop.start("off")
            eventually(lambda: shop.pods("off"), "a pod, admitted", SECONDS)
            assert {injected_version(pod) for pod in shop.pods("off")} == {tag}
            yield
        finally:
            _inject(drilled, __version__)
        with drilled.healing(f"the clock of a pod, {tag}, was set right"):
            cluster.kubectl("rollout", "restart", "deployment/off", f"--namespace={NAMESPACE}")
            shop.available("off")
            eventually(lambda: _call(drilled) == "200", "calls of the pod", SECONDS)
    shop.end("off")


def _inject(drilled: Drilled, *tags: str) -> None:
    """The first of these sidecars is injected, the others are genuine, too."""
    before = drilled.lawflow("get", "pods", chart.selector("webhook"), "--output=name").split()
    images = ",".join(f"lawflow/sidecar:{tag}" for tag in tags)
    chart.helm(
        *("upgrade", "lawflow", str(chart.CHART), f"--namespace={chart.NAMESPACE}", "--wait", "--force-conflicts"),
        *(f"--set=sidecar.images={{{images}}}", f"--kubeconfig={drilled.cluster.admin.kubeconfig}"),
        f"--timeout={SECONDS:.0f}s",
        seconds=2 * SECONDS,
    )
    # Those before inject what they did until they are gone.
    drilled.lawflow("wait", "--for=delete", *before, f"--timeout={SECONDS:.0f}s")


def _call(drilled: Drilled) -> str:
    where = ("exec", f"--namespace={NAMESPACE}", "deploy/off", "--container=app")
    return drilled.cluster.kubectl(*where, "--", "/usr/bin/python3", "-c", ONE_CALL).stdout.strip()


def _said_by_sidecar(drilled: Drilled) -> str:
    where = ("logs", f"--namespace={NAMESPACE}", "deploy/off", f"--container={CONTAINER}")
    return drilled.cluster.kubectl(*where, check=False).stdout


def _complaints(drilled: Drilled) -> str:
    return drilled.lawflow("logs", chart.selector("signer"), "--tail=-1", "--prefix")
