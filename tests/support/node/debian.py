"""Files of Debian packages, unpacked into the cache: nothing is installed on this machine, apt's state not touched."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.builds import digest, kept
from tests.support.unavailable import UnavailableError


def beside_what_is_installed(*packages: str) -> Path:
    """A folder with these packages and what they need that this machine lacks; what it has is taken from there."""
    return _unpacked(packages, closed=False)


def with_all_dependencies(*packages: str) -> Path:
    """A folder that is a root file system of these packages and everything that they depend on."""
    return _unpacked(packages, closed=True)


def _unpacked(packages: tuple[str, ...], *, closed: bool) -> Path:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise UnavailableError(f"there is no {tool} here to fetch the packages {', '.join(packages)} with")

    def build(into: Path) -> None:
        work = into / "apt"
        for folder in ("lists/partial", "cache/archives/partial"):
            (work / folder).mkdir(parents=True)
        (work / "status").touch()
        options = [f"Dir::State::Lists={work}/lists", f"Dir::Cache={work}/cache", "Debug::NoLocking=true",
                   "APT::Sandbox::User="]  # fmt: skip
        if closed:
            options.append(f"Dir::State::Status={work}/status")
        apt = ["apt-get", "--quiet=2", *(f"--option={option}" for option in options)]
        _run(*apt, "update")
        _run(*apt, "--yes", "--no-install-recommends", "--download-only", "install", *packages)
        for package in sorted((work / "cache" / "archives").glob("*.deb")):
            _run("dpkg-deb", "--extract", str(package), str(into))
        shutil.rmtree(work)

    form = b"closed" if closed else b"beside"
    name = f"debian-{packages[0]}-{digest(form, *(package.encode() for package in packages))}"
    return kept(name, f"fetching the Debian packages {', '.join(packages)}", build)


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(f"{command[0]} failed: {complaint[-1] if complaint else done.returncode}")
