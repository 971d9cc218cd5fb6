"""The images that are built without a container engine say what the Containerfiles say, and are small."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.support.builds import GO_MODULES
from tests.support.node import images

pytestmark = pytest.mark.e2e

ROOT = GO_MODULES.parent
BUILT = {
    "operator": (images.operator, ROOT / "Containerfile", 120),
    "sidecar": (images.sidecar, ROOT / "sidecar" / "Containerfile", 60),
}


def config(archive: Path) -> Any:
    def blob(tar: tarfile.TarFile, digest: str) -> Any:
        member = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
        assert member is not None
        return json.load(member)

    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        manifest = blob(tar, json.load(index)["manifests"][0]["digest"])
        return blob(tar, manifest["config"]["digest"])["config"]


@pytest.mark.parametrize("name", BUILT)
def test_an_image_is_small(name: str, tmp_path: Path) -> None:
    write, _, limit = BUILT[name]
    size = write(tmp_path / "image.tar") / images.MEGABYTE
    print(f"{name}: {size:.1f} MB compressed")
    assert size < limit


@pytest.mark.parametrize("name", BUILT)
def test_an_image_says_what_its_containerfile_says(name: str, tmp_path: Path) -> None:
    write, containerfile, _ = BUILT[name]
    write(tmp_path / "image.tar")
    last_stage = containerfile.read_text().rpartition("\nFROM ")[2]
    found = config(tmp_path / "image.tar")
    assert re.findall(r"^USER (.+)$", last_stage, re.MULTILINE) == [found["User"]]
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.+)$", last_stage, re.MULTILINE)
    assert json.loads(entrypoint) == found["Entrypoint"]
    (variables,) = re.findall(r"^ENV (.+)$", last_stage, re.MULTILINE)
    assert set(variables.split()) <= set(found["Env"])
    (labels,) = re.findall(r"^LABEL (.+)$", last_stage, re.MULTILINE)
    assert dict(re.findall(r'(\S+)="([^"]*)"', labels)) == found["Labels"]
