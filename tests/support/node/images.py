"""Lawflow's images without a container engine: what Containerfile and sidecar/Containerfile say, from Debian packages.

``python -m tests.support.node.images FOLDER`` writes ``operator.tar`` and ``sidecar.tar`` there, in OCI form, and tells
their compressed sizes. Exit 0; 1 where they cannot be built here.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.builds import GO_MODULES, BuildError, digest, kept
from tests.support.node import debian, oci
from tests.support.unavailable import UnavailableError

from lawflow import __version__
from lawflow.mesh.policy import MODULE
from lawflow.model.sidecar import USER_ID
from lawflow.standalone.envoy import EnvoyError, envoy_binary, module_directory

ROOT = GO_MODULES.parent
RECIPE = tuple(Path(path).read_bytes() for path in (__file__, oci.__file__))
"""A change of how images are made makes new ones."""
MODULES_IN_IMAGE = "usr/lib/lawflow"
PROGRAMS_IN_IMAGE = "usr/local/bin"
NETWORK = "lawflow-network"
"""The program that puts the rules of pods' networks, built beside the module."""
NEEDLESS = (
    "bin", "sbin", "etc", "var", "usr/sbin", "usr/share/doc", "usr/share/man", "usr/share/lintian", "usr/share/locale",
    "usr/share/perl5", "usr/share/polkit-1", "usr/share/menu", "usr/lib/*/gconv", "lib/*/gconv", "usr/lib/dpkg",
)  # fmt: skip
"""Of Debian packages, as far as a program of ours is concerned: documentation, tools, other character sets."""
MEGABYTE = 1_000_000


def operator(archive: Path) -> int:
    """Writes the operator's image, a virtual environment of the locked packages and the wheel; returns its size."""
    return operator_of(archive, ROOT, __version__)


def operator_of(archive: Path, source: Path, version: str, *more: oci.Layer) -> int:
    """The same of another source tree, under that version's tag, with more layers on top."""
    base = python_base()
    with tempfile.TemporaryDirectory(prefix="lawflow-image-") as folder:
        _run(sys.executable, "-m", "hatchling", "build", "--target=wheel", f"--directory={folder}", source=source)
        (wheel,) = Path(folder).glob("*.whl")
        root = Path(folder, "root")
        _pip(base, root, "--no-index", str(wheel))
        _virtual_environment(root / "opt" / "lawflow")
        _compile(base, root)
        image = oci.Image(
            f"docker.io/lawflow/operator:{version}",
            [kept_layer(base), kept_layer(_dependencies(base)), oci.layer(root), *more],
            ["/opt/lawflow/bin/lawflow"],
            environment={"PATH": "/opt/lawflow/bin:/usr/bin", "PYTHONUNBUFFERED": "1"},
            labels=_labels("lawflow"),
        )
        return oci.write(image, archive)


def sidecar(archive: Path) -> int:
    """Writes the sidecar's image, Envoy, the module that it loads and the network's program; returns its size.

    Raises UnavailableError where one of them is not at hand; the message says how to get it.
    """
    return sidecar_of(archive, __version__)


def sidecar_of(archive: Path, version: str, *more: oci.Layer, **environment: str) -> int:
    """The same under the tag of another version, with more layers on top and more in its environment."""
    try:
        module = module_directory() / f"lib{MODULE}.so"
        network = network_program()
        envoy = _envoy(envoy_binary())
    except EnvoyError as error:
        raise UnavailableError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="lawflow-image-") as folder:
        place = Path(folder, MODULES_IN_IMAGE)
        place.mkdir(parents=True)
        shutil.copy(module, place)
        programs = Path(folder, PROGRAMS_IN_IMAGE)
        programs.mkdir(parents=True)
        shutil.copy(network, programs)
        image = oci.Image(
            f"docker.io/lawflow/sidecar:{version}",
            [kept_layer(_base("libc6", "libgcc-s1")), kept_layer(envoy), oci.layer(Path(folder)), *more],
            ["envoy"],
            user=f"{USER_ID}:{USER_ID}",
            environment={
                "PATH": "/usr/local/bin",
                "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": f"/{MODULES_IN_IMAGE}",
                **environment,
            },
            labels=_labels("lawflow-sidecar"),
        )
        return oci.write(image, archive)


def network_program() -> Path:
    """The program that puts the rules of pods' networks. Raises UnavailableError; the message says how to get it."""
    found = module_directory() / NETWORK
    if not found.is_file():
        raise UnavailableError(f"{NETWORK} is not in {found.parent}: build it with `make modules`")
    return found


def kept_layer(root: Path) -> oci.Layer:
    """The layer of a folder in the cache, compressed once."""

    def build(into: Path) -> None:
        made = oci.layer(root)
        (into / "layer.tar.gz").write_bytes(made.compressed)
        (into / "content").write_text(made.content_digest)

    found = kept(f"layer-{root.name}", f"compressing {root.name}", build)
    return oci.Layer((found / "layer.tar.gz").read_bytes(), (found / "content").read_text())


def _envoy(binary: Path) -> Path:
    def build(into: Path) -> None:
        (into / "usr" / "local" / "bin").mkdir(parents=True)
        shutil.copy(binary, into / "usr" / "local" / "bin" / "envoy")

    with binary.open("rb") as content:
        key = digest(hashlib.file_digest(content, "sha256").digest())
    return kept(f"envoy-{key}", "keeping Envoy", build)


def python_base() -> Path:
    """A root file system with Debian's Python and nothing that Python does not need."""
    return _base("python3-minimal", "libpython3-stdlib", "libstdc++6")  # the last one is for grpcio


def _base(*packages: str) -> Path:
    files = debian.with_all_dependencies(*packages)

    def build(into: Path) -> None:
        shutil.copytree(files, into, symlinks=True, dirs_exist_ok=True)
        for pattern in NEEDLESS:
            for path in into.glob(pattern):
                shutil.rmtree(path)
        for folder in ("lib", "lib64"):  # releases whose packages hold all below /usr leave these links to another
            if not (into / folder).exists() and (into / "usr" / folder).exists():
                (into / folder).symlink_to(f"usr/{folder}")
        (into / "etc").mkdir()
        (into / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
        (into / "etc" / "passwd").write_text("root:x:0:0:root:/:/nonexistent\n")
        (into / "tmp").mkdir()
        (into / "tmp").chmod(0o1777)
        if (into / "usr" / "bin" / "python3").exists():
            for tool in (into / "usr" / "bin").iterdir():
                if not tool.name.startswith("python3"):
                    tool.unlink()
            _compile(into, into)

    name = f"base-{packages[0]}-{digest(files.name.encode(), *RECIPE)}"
    return kept(name, f"assembling a base image of {', '.join(packages)}", build)


def _dependencies(base: Path) -> Path:
    lock = ROOT / "requirements.runtime.lock"

    def build(into: Path) -> None:
        _pip(base, into, "--require-hashes", f"--requirement={lock}")
        _compile(base, into)

    key = digest(base.name.encode(), lock.read_bytes(), *RECIPE)
    return kept(f"dependencies-{key}", "installing the operator's locked dependencies into a folder", build)


def _pip(base: Path, root: Path, *what: str) -> None:
    """Installs packages for the image's Python, whatever Python this is, where a virtual environment has them."""
    python = _python(base).name
    site = root / "opt" / "lawflow" / "lib" / python / "site-packages"
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *(f"--target={site}", "--no-compile", "--only-binary=:all:"),
        *(f"--python-version={python.removeprefix('python')}", *_platforms(), *what),
    )
    shutil.rmtree(site / "bin", ignore_errors=True)  # scripts that name this machine's Python


def _python(base: Path) -> Path:
    """The folder of the base's standard library."""
    return next(path.parent for path in base.glob("usr/lib/python3.*/os.py"))


def _compile(base: Path, root: Path) -> None:
    """Compiles with the image's own Python; by hash, so that the files do not depend on the time of the build."""
    loader = next(base.glob("lib64/ld-linux-*"), None) or next(base.glob("lib/ld-linux-*"))
    libraries = ":".join(str(path) for path in base.glob("**/*-linux-gnu") if path.is_dir())
    # Sources of other Pythons lie in some packages, as templates: that they do not compile is no fault.
    subprocess.run(
        [str(loader.resolve()), "--library-path", libraries, str(base / "usr" / "bin" / "python3"), "-m", "compileall",
         "-qq", "--invalidation-mode=unchecked-hash", "-s", str(root), "-p", "/", str(root)],
        env={"PYTHONHOME": str(base / "usr")}, check=False, capture_output=True,
    )  # fmt: skip


def _virtual_environment(directory: Path) -> None:
    (directory / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (directory / "bin").mkdir()
    (directory / "bin" / "python").symlink_to("/usr/bin/python3")
    script = directory / "bin" / "lawflow"
    script.write_text("#!/opt/lawflow/bin/python\nimport sys\nfrom lawflow.cli.main import main\n\nsys.exit(main())\n")
    script.chmod(0o755)


def _platforms() -> list[str]:
    kinds = ("linux", "manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")  # our own wheel's, others'
    return [f"--platform={kind}_{platform.machine()}" for kind in kinds]


def _labels(title: str) -> dict[str, str]:
    return {"org.opencontainers.image.title": title, "org.opencontainers.image.licenses": "Apache-2.0"}


def _run(*command: str, source: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command[:4])} … failed: {(done.stderr or done.stdout).strip()}")


def main(arguments: list[str]) -> int:
    """Write the archives and tell their sizes."""
    if len(arguments) != 1:
        print("usage: python -m tests.support.node.images FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, write in (("operator", operator), ("sidecar", sidecar)):
            size = write(folder / f"{name}.tar")
            print(f"{folder / name}.tar: {size / MEGABYTE:.1f} MB compressed")
    except (UnavailableError, BuildError) as reason:
        print(f"images: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
