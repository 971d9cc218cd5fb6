"""The long run: a minute of rotations, one every few seconds, under constant load."""

import json

import pytest
from bench.rotation import SECONDS, rotation

pytestmark = [pytest.mark.envoy, pytest.mark.soak]


async def test_a_minute_of_rotations_fails_no_request(capsys: pytest.CaptureFixture[str]) -> None:
    seen = await rotation(SECONDS)
    with capsys.disabled():
        print(f"\n{json.dumps({'soak': 'rotation', **seen})}")
    assert seen["failed"] == 0, seen["failures"]
    assert seen["rotations"] >= 2 * SECONDS / 6
