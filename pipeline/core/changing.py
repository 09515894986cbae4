"""Reading small files, and changing one that several people may change at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from pipeline.core.errors import Conflict, FileMissing, InvalidInput, StoreUnavailable
from pipeline.core.schema import Stored
from pipeline.core.store import ABSENT, Store

Kept = TypeVar("Kept", bound=Stored)

_ATTEMPTS: Final = 8


def read_file(store: Store, kind: type[Kept], path: str) -> tuple[Kept, str | None]:
    """What ``path`` holds, with the etag that guards a change; an empty one if there is none yet.

    Raises:
        InvalidInput: The file is no such one.
    """
    try:
        content = store.read(path)
    except FileMissing:
        return kind(), ABSENT
    return kind.from_json(content.data), content.etag


def load_file(store: Store, kind: type[Kept], path: str) -> Kept:
    """What ``path`` holds; an empty one if there is none yet.

    Raises:
        InvalidInput: The file is no such one.
    """
    return read_file(store, kind, path)[0]


def read_folder(store: Store, kind: type[Kept], folder: str) -> Iterator[Kept | InvalidInput]:
    """What each file in ``folder`` holds, by name; an unreadable one is told and not fatal."""
    for path in sorted((store.checkout(folder) / folder).glob("*.json")):
        try:
            yield kind.from_json(path.read_bytes(), path.name)
        except InvalidInput as error:
            yield error


def change_file(
    store: Store,
    kind: type[Kept],
    path: str,
    change: Callable[[Kept], Kept],
    message: str,
) -> Kept:
    """Change what ``path`` holds, on top of what others change meanwhile, and return it.

    Args:
        store: Where the file is.
        kind: What it holds.
        path: The file.
        change: Applied to what is there now, each time anew, so that it must not matter if it is
            applied twice: a commit may have been made though its reply was lost.
        message: Of the commit.

    Raises:
        InvalidInput: The file is no such one.
        StoreUnavailable: Others change it faster than we can.
    """
    for _ in range(_ATTEMPTS):
        there, etag = read_file(store, kind, path)
        changed = change(there)
        try:
            store.commit({path: changed.to_json()}, message=message, expect={path: etag})
        except Conflict:
            continue
        return changed
    raise StoreUnavailable(
        f"{path} in {store.name} is being changed by others too fast.",
        "Nothing was written; try again in a moment.",
    )
