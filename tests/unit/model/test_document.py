"""The API reference."""

import pytest

from lawflow.model.document import api_reference
from lawflow.model.kinds import CUSTOM_KINDS

pytestmark = pytest.mark.unit


def test_the_reference_shows_every_kind_and_its_nested_fields() -> None:
    text = api_reference()
    for kind in CUSTOM_KINDS:
        assert f"## {kind.name}" in text
    assert "### `.spec.purposes[].lawfulBasis.legitimateInterest.balancingTest`" in text
    assert "| **`serviceAccountName`** |" in text


def test_constraints_are_part_of_the_reference() -> None:
    assert "Refused: exactly one of service and external must be set" in api_reference()
