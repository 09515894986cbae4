"""Files that are there after the power fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

_USUAL: Final = 0o666
"""Less what the process masks."""


def write_durably(path: Path, data: bytes, mode: int = _USUAL) -> None:
    """Write a file and return when its content is on the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy_durably(source: Path, path: Path) -> None:
    """Copy a file of any size and return when its content is on the disk."""
    with source.open("rb") as given, path.open("wb") as file:
        shutil.copyfileobj(given, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, data: bytes, mode: int = _USUAL) -> None:
    """Write a file that appears whole, in the place of another, or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    write_durably(draft, data, mode)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Return when the names of what is in a folder are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
