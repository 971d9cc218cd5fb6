"""Injection and the mesh do not know each other; what one lays out is what the other reads."""

import json
from dataclasses import replace

import pytest
from tests.support.pods import IDENTITY_DATA, SETTINGS, pod

from lawflow.inject import Delivery, Injected, inject_pod
from lawflow.inject.secret_discovery import ANNOTATIONS, FILES
from lawflow.mesh import tls
from lawflow.model import sidecar as contract

pytestmark = pytest.mark.unit


def test_the_projected_secret_discovery_answers_are_those_that_the_mesh_writes() -> None:
    projected = {FILES[annotation]: json.loads(text) for annotation, text in ANNOTATIONS.items()}
    directory = contract.CERTIFICATE_DIRECTORY
    assert projected == {
        contract.CERTIFICATE_SECRET_FILE: tls.certificate_secret_file(directory),
        contract.TRUST_SECRET_FILE: tls.trust_secret_file(directory),
    }


@pytest.mark.parametrize("delivery", ["podCertificate", "secret"])
def test_every_file_that_envoy_opens_is_in_the_certificate_volume(delivery: Delivery) -> None:
    result = inject_pod(pod(), replace(SETTINGS, delivery=delivery), IDENTITY_DATA)
    assert isinstance(result, Injected)
    volume = next(each for each in result.pod["spec"]["volumes"] if each["name"] == contract.CERTIFICATE_VOLUME)
    text = json.dumps(volume["projected"]["sources"])
    files = (
        contract.CERTIFICATE_FILE,
        contract.KEY_FILE,
        contract.TRUST_FILE,
        contract.CERTIFICATE_SECRET_FILE,
        contract.TRUST_SECRET_FILE,
    )
    assert [file for file in files if f'"{file}"' not in text] == []
