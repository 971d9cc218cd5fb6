"""The programs of a node, built once from Go modules: Kubernetes' own, containerd, runc, CNI plugins, CoreDNS.

What is no Go module comes from Debian packages: nft for kube-proxy, a static busybox, and libseccomp's headers for
runc, without which no pod could have the seccomp profile that Pod Security ``restricted`` asks for.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import toolchain
from tests.support.builds import GO_MODULES, digest, kept, run_go
from tests.support.node import debian

NODEPLANE_MODULE = GO_MODULES / "nodeplane"
COMPONENTS = ("kube-scheduler", "kubelet", "kube-proxy")

CONTAINERD = "github.com/containerd/containerd/v2"
CONTAINERD_VERSION = "v2.4.2"
RUNC = "github.com/opencontainers/runc@v1.5.2"
CNI = "github.com/containernetworking/plugins/plugins"
CNI_VERSION = "v1.9.1"
COREDNS = "github.com/coredns/coredns@v1.15.0"

SYSTEM_HEADERS = Path("/usr/include/seccomp.h")


@dataclass(frozen=True)
class Programs:
    """Where the programs are. Folders hold what is found by its name."""

    control_plane: toolchain.Components
    node: Path
    """kube-scheduler, kubelet and kube-proxy."""
    containerd: Path
    """containerd, its shim and ctr."""
    runc: Path
    plugins: Path
    """CNI plugins."""
    coredns: Path
    nft: Path
    busybox: Path


def programs() -> Programs:
    """Every program of a node, building what is not there yet.

    Raises UnavailableError where Go or a package cannot be had, BuildError where Go fails.
    """
    return Programs(
        control_plane=toolchain.control_plane(),
        node=_nodeplane(),
        containerd=containerd(),
        runc=_runc() / "runc",
        plugins=_modules(
            "cni-plugins", [f"{CNI}/{name}@{CNI_VERSION}" for name in ("main/ptp", "ipam/host-local")], "a minute"
        ),
        coredns=_modules("coredns", [COREDNS], "four minutes") / "coredns",
        nft=nft(),
        busybox=busybox(),
    )


def containerd() -> Path:
    """The folder of containerd, its shim and ctr."""
    commands = ("containerd", "containerd-shim-runc-v2", "ctr")
    packages = [f"{CONTAINERD}/cmd/{name}@{CONTAINERD_VERSION}" for name in commands]
    return _modules("containerd", packages, "three minutes", "-tags=no_btrfs,no_zfs,no_devmapper")


def busybox() -> Path:
    """A busybox that needs no library, to make small images of."""
    found = list(debian.beside_what_is_installed("busybox-static").glob("**/bin/busybox"))
    return found[0] if found else Path("/bin/busybox")


def _nodeplane() -> Path:
    sources = [NODEPLANE_MODULE / name for name in ("go.mod", "go.sum", "main.go")]
    flags = toolchain.CONTROLPLANE_FLAGS

    def build(into: Path) -> None:
        program = into / "nodeplane"
        run_go("build", *flags, "-o", str(program), ".", cwd=NODEPLANE_MODULE)
        for name in COMPONENTS:
            (into / name).symlink_to(program.name)

    key = digest(*(path.read_bytes() for path in sources), *(flag.encode() for flag in flags))
    return kept(f"nodeplane-{key}", "building kubelet, kube-proxy and kube-scheduler 1.37 (about five minutes)", build)


def _runc() -> Path:
    headers = None if SYSTEM_HEADERS.is_file() else debian.beside_what_is_installed("libseccomp-dev")
    variables = {"CGO_ENABLED": "1"}
    if headers is not None:
        libraries = next(headers.glob("usr/lib/*/libseccomp.a")).parent
        # The static library is what the package brings along; the machine may lack the shared one.
        variables |= {
            "CGO_CFLAGS": f"-I{headers}/usr/include",
            "CGO_LDFLAGS": f"-L{libraries}",
            "PKG_CONFIG_PATH": str(libraries / "pkgconfig"),
        }
    return _modules("runc", [RUNC], "a minute", "-tags=seccomp", **variables)


def _modules(name: str, packages: Sequence[str], duration: str, *flags: str, **variables: str) -> Path:
    """Installs commands of one project at one version into one folder."""

    def build(into: Path) -> None:
        run_go("install", "-trimpath", *flags, *packages, cwd=into, GOBIN=str(into), **variables)

    version = packages[0].rpartition("@")[2]
    key = digest(*(part.encode() for part in (*packages, *flags)))
    return kept(f"{name}-{version}-{key}", f"building {name} {version} (about {duration} on two cores)", build)


def nft() -> Path:
    """nft, from the machine or from its Debian package."""
    if on_path := shutil.which("nft"):
        return Path(on_path)
    files = debian.beside_what_is_installed("nftables")
    libraries = next(files.glob("usr/lib/*/libnftables.so.1")).parent

    def build(into: Path) -> None:
        wrapper = into / "nft"
        wrapper.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {files}/usr/sbin/nft "$@"\n')
        wrapper.chmod(0o755)

    return kept(f"nft-{digest(str(files).encode())}", "making nft usable without installing it", build) / "nft"
