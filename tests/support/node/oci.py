"""Writes container images without a container engine: an OCI image layout (v1.1) in a tar archive.

The same files give the same bytes: members are sorted, belong to root and bear no time.
"""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
COMPRESSION = 6


@dataclass(frozen=True)
class Layer:
    """A root file system as images hold it."""

    compressed: bytes
    content_digest: str
    """Of what it holds before compression (the specification's DiffID)."""


@dataclass(frozen=True)
class Image:
    """What an image is made of."""

    name: str
    """With registry and tag, as a node knows it: ``docker.io/lawflow/operator:0.1.0``."""
    layers: Sequence[Layer]
    """One over the other."""
    entrypoint: Sequence[str]
    user: str = "65532:65532"
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def write(image: Image, archive: Path) -> int:
    """Writes the archive; returns the size of the compressed layers in bytes, which is what a node pulls."""
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "User": image.user,
            "Entrypoint": list(image.entrypoint),
            "Env": [f"{name}={value}" for name, value in image.environment.items()],
            "Labels": dict(image.labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.content_digest for layer in image.layers]},
    }
    blobs: list[bytes] = []

    def stored(media_type: str, content: bytes) -> dict[str, Any]:
        blobs.append(content)
        return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}

    layers = [stored(LAYER, layer.compressed) for layer in image.layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": stored(CONFIG, _json(config)),
        "layers": layers,
    }
    # containerd takes the name from the first annotation, other tools the tag from the second.
    named = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name.rpartition(":")[2]}
    entry = {**stored(MANIFEST, _json(manifest)), "annotations": named}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(index))
        for blob in dict.fromkeys(blobs):
            _add(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
    return sum(len(layer.compressed) for layer in image.layers)


def layer(root: Path) -> Layer:
    """The folder's files; names, modes and contents matter, owners and times do not."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", compresslevel=COMPRESSION, mtime=0) as compressing,
        tarfile.open(fileobj=compressing, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in _below(root):
            tar.add(path, str(path.relative_to(root)), recursive=False, filter=_without_origin)
    compressed = content.getvalue()
    return Layer(compressed, _digest(gzip.decompress(compressed)))


def _below(root: Path) -> Iterator[Path]:
    """Everything below a folder, folders before what is in them; links are not followed."""
    for path in sorted(root.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _without_origin(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
