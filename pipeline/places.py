"""Where exports are written before they are in their place, and how they get to a folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from pipeline.core import layout
from pipeline.core.errors import InvalidInput, StoreUnavailable

_PART: Final = re.compile(r"(train|test)(-\d{5}-of-\d{5})?\.parquet")
_LOCK_SECONDS: Final = 30


@contextmanager
def export_place(work: Path, to: Path | None) -> Iterator[Path]:
    """An empty folder on the disk on which the exports shall be; it is removed afterwards."""
    base = work if to is None else to
    try:
        base.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=base, prefix=".export-")
    except OSError as error:
        raise _refused(base, error) from error
    with made as folder:
        yield Path(folder)


def move_exports(files: Mapping[str, Path], to: Path, names: Iterable[str]) -> None:
    """Put files into ``to``, in the place of earlier exports of these names.

    Of two at the same moment one comes after the other, and nothing of the first stays.
    """
    try:
        with FileLock(to / ".export.lock", timeout=_LOCK_SECONDS):
            new = {to / Path(path).relative_to(layout.DATA): made for path, made in files.items()}
            for target, made in new.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                made.replace(target)
            for name in names:
                for path in (to / name).glob("*.parquet"):
                    if path not in new and _PART.fullmatch(path.name):
                        path.unlink()
    except Timeout as error:
        raise StoreUnavailable(
            f"Another export has been writing to {to} for {_LOCK_SECONDS} seconds.",
            "Wait for it or stop it, then try again.",
        ) from error
    except OSError as error:
        raise _refused(to, error) from error


def _refused(folder: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"{folder} cannot be written: {error.strerror}.", "Choose another folder with --to."
    )
