"""Fixtures for tests against real Envoys."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.shop import Shop, running_shop


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """The demonstration's shop, running, with certificates that outlive the test."""
    async with running_shop(tmp_path / "shop") as running:
        yield running
