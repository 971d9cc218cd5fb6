"""Images as archives: valid layouts that do not depend on when and by whom they were written."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.support.node.oci import Image, layer, write

pytestmark = pytest.mark.unit


def image(folder: Path) -> Image:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "app").write_text("#!/bin/sh\n")
    (folder / "bin" / "app").chmod(0o755)
    (folder / "bin" / "again").symlink_to("app")
    return Image("docker.io/shop/app:1", [layer(folder)], ["/bin/app"], user="1:1", environment={"A": "b"})


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        found = {member.name: tar.extractfile(member) for member in tar}
        return {name: member.read() for name, member in found.items() if member}


def pointed_at(members: dict[str, bytes], descriptor: Any) -> bytes:
    content = members[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    assert len(content) == descriptor["size"]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    return content


def test_every_part_is_found_by_its_digest(tmp_path: Path) -> None:
    size = write(image(tmp_path / "root"), tmp_path / "app.tar")
    members = read(tmp_path / "app.tar")
    (entry,) = json.loads(members["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "docker.io/shop/app:1"
    manifest = json.loads(pointed_at(members, entry))
    config = json.loads(pointed_at(members, manifest["config"]))
    (compressed,) = [pointed_at(members, each) for each in manifest["layers"]]
    assert len(compressed) == size
    content = gzip.decompress(compressed)
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    assert config["config"]["User"] == "1:1"
    assert config["config"]["Env"] == ["A=b"]
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == ["bin", "bin/again", "bin/app"]
        assert tar.getmember("bin/again").issym()
        assert tar.getmember("bin/app").mode == 0o755


def test_time_and_owner_leave_no_trace(tmp_path: Path) -> None:
    for folder, moment in (("one", 1_000_000_000), ("two", 1_500_000_000)):
        made = image(tmp_path / folder / "root")
        for path in (tmp_path / folder / "root").rglob("*"):
            os.utime(path, (moment, moment), follow_symlinks=False)
        write(made, tmp_path / folder / "app.tar")
    assert (tmp_path / "one" / "app.tar").read_bytes() == (tmp_path / "two" / "app.tar").read_bytes()
