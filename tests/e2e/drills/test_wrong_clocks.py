"""A clock that is wrong closes more than it should, never less, and harms nobody whose clock is right."""

from pathlib import Path

import pytest
from tests.e2e.drills.conftest import Drilled
from tests.support import chart, wrong_clocks
from tests.support.drill_shop import NAMESPACE, SECONDS, injected_version
from tests.support.waiting import eventually

from lawflow import __version__

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1800)]

ONE_CALL = """
import http.client, json
connection = http.client.HTTPConnection("billing.shop.svc", 8080, timeout=10)
try:
    connection.request("POST", "/charges/c-17", json.dumps({"amount": 12}), {"content-type": "application/json"})
    print(connection.getresponse().status)
except OSError as error:
    print(type(error).__name__)
"""


def test_a_signers_clock_that_is_ahead_harms_no_running_flow(drilled: Drilled, tmp_path: Path) -> None:
    """The API server takes no certificate that begins in ten minutes: new pods wait until the clock is right."""
    shop, cluster = drilled.shop, drilled.cluster
    wrong_clocks.operator(tmp_path / "operator.tar")
    cluster.load(tmp_path / "operator.tar")
    controller = "deployment/lawflow-controller"
    wrong = [f"{name}={value}" for name, value in wrong_clocks.environment(600).items()]
    with drilled.unharmed():
        drilled.lawflow("set", "image", controller, f"controller=lawflow/operator:{wrong_clocks.OPERATOR}")
        drilled.lawflow("set", "env", controller, *wrong)
        drilled.lawflow("rollout", "status", controller, f"--timeout={SECONDS:.0f}s")
        shop.start("late")
        eventually(lambda: shop.pods("late"), "a pod, admitted", SECONDS)
        eventually(
            lambda: "not_before" in _complaints(drilled) or "notBefore" in _complaints(drilled), "a refusal", SECONDS
        )
        assert not shop.running("late")
        with drilled.healing("the signer's clock was set right"):
            drilled.lawflow("set", "env", controller, *(f"{part.partition('=')[0]}-" for part in wrong))
            drilled.lawflow("set", "image", controller, f"controller=lawflow/operator:{__version__}")
            eventually(lambda: shop.running("late"), "the pod that waited, Ready", SECONDS)
    shop.end("late")


@pytest.mark.parametrize(("tag", "seconds"), [("two-hours-ahead", 7200), ("two-hours-behind", -7200)])
def test_a_sidecar_whose_clock_is_wrong_passes_nothing(
    drilled: Drilled, tag: str, seconds: int, tmp_path: Path
) -> None:
    """Its peers' certificates, of an hour, are not valid by its clock."""
    shop, cluster = drilled.shop, drilled.cluster
    wrong_clocks.sidecar(tmp_path / "sidecar.tar", tag, seconds)
    cluster.load(tmp_path / "sidecar.tar")
    with drilled.unharmed():
        _inject(drilled, tag, __version__)
        try:
            shop.start("off")
            eventually(lambda: shop.running("off"), "a pod whose sidecar has a wrong clock", SECONDS)
            assert {injected_version(pod) for pod in shop.pods("off")} == {tag}
            assert _call(drilled) in ("403", "502", "503", "ConnectionRefusedError", "RemoteDisconnected")
        finally:
            _inject(drilled, __version__)
        with drilled.healing(f"the clock of a pod, {tag}, was set right"):
            cluster.kubectl("rollout", "restart", "deployment/off", f"--namespace={NAMESPACE}")
            shop.available("off")
            eventually(lambda: _call(drilled) == "200", "calls of the pod", SECONDS)
    shop.end("off")


def _inject(drilled: Drilled, *tags: str) -> None:
    """The first of these sidecars is injected, the others are genuine, too."""
    images = ",".join(f"lawflow/sidecar:{tag}" for tag in tags)
    chart.helm(
        *("upgrade", "lawflow", str(chart.CHART), f"--namespace={chart.NAMESPACE}", "--wait", "--force-conflicts"),
        *(f"--set=sidecar.images={{{images}}}", f"--kubeconfig={drilled.cluster.admin.kubeconfig}"),
        f"--timeout={SECONDS:.0f}s",
        seconds=2 * SECONDS,
    )


def _call(drilled: Drilled) -> str:
    where = ("exec", f"--namespace={NAMESPACE}", "deploy/off", "--container=app")
    return drilled.cluster.kubectl(*where, "--", "/usr/bin/python3", "-c", ONE_CALL).stdout.strip()


def _complaints(drilled: Drilled) -> str:
    selector = "--selector=app.kubernetes.io/component=controller"
    return drilled.lawflow("logs", selector, "--tail=-1", "--prefix")
