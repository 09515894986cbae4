"""Changing one small file that several people may change at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pipeline.core.errors import Conflict, FileMissing, StoreUnavailable
from pipeline.core.store import ABSENT, Store

Kept = TypeVar("Kept")

_ATTEMPTS: Final = 8


def change_file(
    store: Store,
    path: str,
    *,
    read: Callable[[bytes | None], Kept],
    change: Callable[[Kept], Kept],
    write: Callable[[Kept], bytes],
    message: str,
) -> Kept:
    """Change what ``path`` holds, on top of what others change meanwhile, and return it.

    Args:
        store: Where the file is.
        path: The file.
        read: Reads the file; gets None if there is none yet.
        change: Applied to what is there now, each time anew, so that it must not matter if it is
            applied twice: a commit may have been made though its reply was lost.
        write: Makes the file.
        message: Of the commit.

    Raises:
        StoreUnavailable: Others change it faster than we can.
    """
    for _ in range(_ATTEMPTS):
        try:
            content = store.read(path)
        except FileMissing:
            there, etag = read(None), ABSENT
        else:
            there, etag = read(content.data), content.etag
        changed = change(there)
        try:
            store.commit({path: write(changed)}, message=message, expect={path: etag})
        except Conflict:
            continue
        return changed
    raise StoreUnavailable(
        f"{path} in {store.name} is being changed by others too fast.",
        "Nothing was written; try again in a moment.",
    )
