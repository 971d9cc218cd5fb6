"""Sidecars of the releases before keep the bootstraps that they were started with."""

import json
from pathlib import Path

import pytest
import yaml
from tests.support.chart import CHART

from lawflow import __version__
from lawflow.cli.injection import DEFAULT_IMAGES, bootstrap_settings, sidecar_releases
from lawflow.mesh.bootstrap import BootstrapSettings, bootstrap
from lawflow.mesh.releases import KEPT, bootstrap_of, counted_versions, template, template_name

pytestmark = pytest.mark.unit

BY_NAME = bootstrap_settings("cluster.local", "lawflow-system")
BY_ADDRESS = bootstrap_settings("example.org", "lawflow", "10.0.0.7:18001", "10.0.0.8:18002")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """What four releases before this one kept, one of them under a number that sorts last as text."""
    for version in ("0.0.2", "0.0.8", "0.0.9", "0.0.10"):
        marked = json.loads(template())
        marked["node"]["id"] = version
        (tmp_path / f"{version}.json").write_text(json.dumps(marked))
    return tmp_path


def marks(images: list[str], kept: Path) -> list[tuple[str, str]]:
    found = sidecar_releases(images, BY_NAME, kept)
    return [(release.version, json.loads(release.bootstrap)["node"]["id"]) for release in found]


def test_this_release_keeps_its_bootstrap() -> None:
    assert (KEPT / f"{__version__}.json").read_text(encoding="utf-8") == template(), "run `make generate`"
    assert template_name() == f"bootstraps/{__version__}.json"


@pytest.mark.parametrize("settings", [BY_NAME, BY_ADDRESS])
def test_what_is_kept_fills_in_to_the_letter_what_was_running(kept: Path, settings: BootstrapSettings) -> None:
    (kept / "0.0.9.json").write_text(template())
    assert bootstrap_of("0.0.9", settings, kept) == bootstrap(settings)


def test_the_two_releases_before_count(kept: Path) -> None:
    assert counted_versions(kept) == (__version__, "0.0.10", "0.0.9")


def test_an_image_has_the_bootstrap_of_the_release_that_its_tag_names(kept: Path) -> None:
    images = [
        f"lawflow/sidecar:{__version__}",
        "registry.example:5000/sidecar:0.0.10",
        "sidecar:0.0.9@sha256:" + "a" * 64,
    ]
    assert marks(images, kept) == [(__version__, "sidecar"), ("0.0.10", "0.0.10"), ("0.0.9", "0.0.9")]


def test_a_release_before_can_still_be_injected(kept: Path) -> None:
    assert marks(["lawflow/sidecar:0.0.10"], kept) == [("0.0.10", "0.0.10")]


def test_an_image_that_names_no_release_is_the_present_one_or_any_of_the_others(kept: Path) -> None:
    digest = "sidecar@sha256:" + "a" * 64
    (first, *others) = marks([digest, "sidecar:ours"], kept)
    assert first == ("a" * 12, "sidecar")
    assert others == [("ours", "sidecar"), ("ours", "0.0.10"), ("ours", "0.0.9")]


def test_the_chart_and_the_command_count_the_same_releases() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert tuple(values["sidecar"]["images"]) == DEFAULT_IMAGES, "list the images of `counted_versions()` in the chart"
