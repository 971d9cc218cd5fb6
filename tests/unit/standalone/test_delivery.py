"""Certificates reach a directory as kubelet would bring them: whole, at once, and for their owner's eyes alone."""

from pathlib import Path

import pytest

from lawflow.standalone.delivery import deliver

pytestmark = pytest.mark.unit


def test_all_files_change_together_by_one_link(tmp_path: Path) -> None:
    deliver(tmp_path, {"tls.crt": "one", "tls.key": "one"})
    before = (tmp_path / "..data").readlink()
    deliver(tmp_path, {"tls.crt": "two", "tls.key": "two"})
    assert (tmp_path / "..data").readlink() != before
    assert [(tmp_path / name).read_text() for name in ("tls.crt", "tls.key")] == ["two", "two"]
    assert (tmp_path / "tls.key").readlink() == Path("..data/tls.key")


def test_nobody_else_can_read_a_key(tmp_path: Path) -> None:
    deliver(tmp_path / "certificate", {"tls.key": "secret"})
    assert (tmp_path / "certificate" / "tls.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "certificate").stat().st_mode & 0o777 == 0o700


def test_old_files_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(5):
        deliver(tmp_path, {"tls.key": str(number)})
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["tls.key"]
    assert len([path for path in tmp_path.iterdir() if path.is_dir() and not path.is_symlink()]) == 1
