"""Files that are there after the power fails."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pipeline.core.disk import replace_durably, write_durably


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    replace_durably(path, b"one")
    assert path.read_bytes() == b"one"

    def refuse(handle: int) -> None:
        raise OSError("The disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="full"):
            replace_durably(path, b"two")
    assert path.read_bytes() == b"one"
    replace_durably(path, b"3")
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
    assert path.read_bytes() == b"3"


def test_a_file_can_be_for_its_owner_only(tmp_path: Path) -> None:
    replace_durably(tmp_path / "secret", b"x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    write_durably(tmp_path / "any", b"longer")
    write_durably(tmp_path / "any", b"x")
    assert (tmp_path / "any").read_bytes() == b"x"
