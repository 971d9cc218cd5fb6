"""The static manifest: what it holds, and that one ``kubectl apply`` installs it."""

from collections.abc import Iterator

import pytest
from tests.support import chart, toolchain
from tests.support.cluster import Cluster
from tests.support.control_plane import ControlPlane

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Cluster]:
    """A control plane of this module's own: what is installed is for the whole of a cluster."""
    cluster = ControlPlane(toolchain.control_plane())
    yield cluster
    cluster.close()


def test_it_is_what_the_chart_makes_now() -> None:
    assert chart.MANIFEST.read_text(encoding="utf-8") == chart.static_manifest(), "run `make manifest`"


def test_one_apply_installs_every_object_of_the_chart(control_plane: Cluster) -> None:
    applied = control_plane.kubectl("apply", f"--filename={chart.MANIFEST}")
    assert applied.stderr == ""
    for each in chart.objects(chart.rendered("--no-hooks")):
        where = ("-n", each["metadata"]["namespace"]) if "namespace" in each["metadata"] else ()
        stored = control_plane.get(each["kind"], each["metadata"]["name"], *where)
        assert stored["metadata"]["labels"].items() >= each["metadata"].get("labels", {}).items()
    namespace = control_plane.get("namespace", chart.NAMESPACE)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
