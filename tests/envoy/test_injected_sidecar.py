"""The injected container's own command line in a real Envoy, with its volumes laid out as a kubelet does it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.support.authority import Authority, KeyPair
from tests.support.pods import IDENTITY_DATA, SETTINGS, Object, pod
from tests.support.ports import ReservedPort

from lawflow.inject import Injected, SidecarRelease, inject_pod
from lawflow.inject.secret_discovery import FILES
from lawflow.mesh.bootstrap import BootstrapSettings, Server, bootstrap
from lawflow.model import sidecar as contract
from lawflow.standalone.envoy import EnvoyProcess, die_with_parent, envoy_binary

pytestmark = pytest.mark.envoy

ENVIRONMENT = {
    "POD_NAMESPACE": "shop",
    "POD_NAME": "orders-0",
    "SERVICE_ACCOUNT": "orders",
    "POD_ADDRESS": "127.0.0.1",
    "POD_ADDRESSES": "127.0.0.1,::1",
    "INTERCEPTION": "redirect",
}


def expanded(argument: str) -> str:
    """An argument as the kubelet expands it: $(NAME) is a variable, $$ a dollar sign."""
    return re.sub(r"\$(\$|\(([A-Z_]+)\))", lambda found: "$" if found[1] == "$" else ENVIRONMENT[found[2]], argument)


class CertificateVolume:
    """A projected volume: its files are links through ``..data``, which a renewal swaps at once."""

    def __init__(self, directory: Path, annotations: Object) -> None:
        self.directory = directory
        directory.mkdir()
        self._version = 0
        texts = {file: annotations[name] for name, file in FILES.items()}
        # The pod's paths are absolute; the volume of this test lies elsewhere.
        self._fixed = {
            file: text.replace(contract.CERTIFICATE_DIRECTORY, str(directory)) for file, text in texts.items()
        }

    def put(self, pair: KeyPair, authority: Authority) -> str:
        """Renew the certificate; returns its serial number as Envoy shows it."""
        self._version += 1
        version = self.directory / f"..{self._version}"
        version.mkdir()
        files = {
            contract.CERTIFICATE_FILE: pair.certificate.read_text(),
            contract.KEY_FILE: pair.key.read_text(),
            contract.TRUST_FILE: authority.certificate.read_text(),
            **self._fixed,
        }
        for name, text in files.items():
            (version / name).write_text(text)
            link = self.directory / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        (self.directory / "..data_tmp").symlink_to(version.name)
        (self.directory / "..data_tmp").rename(self.directory / "..data")
        digits = f"{x509.load_pem_x509_certificate(pair.certificate.read_bytes()).serial_number:x}"
        return digits.zfill(len(digits) + len(digits) % 2)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "test")


@pytest.fixture
async def sidecar(tmp_path: Path, authority: Authority) -> AsyncIterator[tuple[EnvoyProcess, CertificateVolume, str]]:
    """A sidecar that was injected, with its first certificate's serial number; nobody answers as its xDS server."""
    xds, health = ReservedPort(), ReservedPort()
    directory, socket = tmp_path / "certificate", tmp_path / "admin.sock"
    text = json.dumps(
        bootstrap(
            BootstrapSettings(
                (Server("127.0.0.1", xds.number, "spiffe://example.org/ns/lawflow-system/sa/lawflow-xds"),),
                certificate_directory=str(directory),
                admin_socket=str(socket),
                health_port=health.number,
            )
        )
    )
    settings = replace(SETTINGS, release=SidecarRelease("1", "envoy", text), previous=())
    result = inject_pod(pod(), settings, IDENTITY_DATA)
    assert isinstance(result, Injected)
    container = result.pod["spec"]["initContainers"][0]
    volume = CertificateVolume(directory, result.pod["metadata"]["annotations"])
    serial = volume.put(authority.client("first"), authority)
    process = await asyncio.create_subprocess_exec(
        envoy_binary(),
        *map(expanded, container["args"]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=die_with_parent(),
    )
    envoy = EnvoyProcess(process, tmp_path, socket)
    yield envoy, volume, serial
    await envoy.stop()
    xds.release()
    health.release()


async def answer(envoy: EnvoyProcess, path: str) -> Any:
    _, body = await envoy.admin(path)
    return json.loads(body)


async def serials(envoy: EnvoyProcess) -> list[str]:
    try:
        found = await answer(envoy, "/certs")
    except (OSError, ValueError):
        return []
    return [leaf["serial_number"] for each in found.get("certificates", []) for leaf in each.get("cert_chain", [])]


async def shows(envoy: EnvoyProcess, serial: str) -> None:
    async with asyncio.timeout(30):
        while serial not in await serials(envoy):  # noqa: ASYNC110 - another process says no more than this
            await asyncio.sleep(0.05)


async def test_envoy_takes_the_injected_arguments_and_knows_its_pod(
    sidecar: tuple[EnvoyProcess, CertificateVolume, str],
) -> None:
    envoy, _, serial = sidecar
    await shows(envoy, serial)
    options = (await answer(envoy, "/server_info"))["command_line_options"]
    assert options["service_node"] == "shop/orders-0"
    assert options["service_cluster"] == "shop/orders"
    assert options["disable_hot_restart"] is True


async def test_a_renewed_certificate_in_the_volume_is_taken_without_a_restart(
    sidecar: tuple[EnvoyProcess, CertificateVolume, str], authority: Authority
) -> None:
    envoy, volume, first = sidecar
    await shows(envoy, first)
    second = volume.put(authority.client("second"), authority)
    await shows(envoy, second)
    assert first not in await serials(envoy)
