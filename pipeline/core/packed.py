"""Office files are packed XML: here one is looked into before anything else opens it."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_MOST_PARTS: Final = 5_000
_XML: Final = (".xml", ".rels")
_READ_AT_ONCE: Final = 1_000_000


class Damaged(ValueError):
    """It cannot be unpacked."""


class Swollen(ValueError):
    """It unpacks to more than is allowed, or to more parts."""


class Hostile(ValueError):
    """Its XML defines entities, by which small XML becomes huge; no office program writes them."""


def names(data: bytes) -> frozenset[str]:
    """What the parts of a packed file are called.

    Raises:
        Damaged: There is no telling.
    """
    with _opened(data) as packed:
        return frozenset(packed.namelist())


def check(data: bytes, *, most: int, xml: int) -> None:
    """Refuse what would become far larger than it is, before anything is parsed.

    The sizes that a packed file tells may be false, so parts are unpacked and counted.

    Args:
        data: The file.
        most: Bytes that all parts may have.
        xml: Bytes that one part of XML may have, since that is parsed.

    Raises:
        Damaged: A part cannot be unpacked.
        Swollen: It passes a limit.
        Hostile: It is made to harm.
    """
    with _opened(data) as packed:
        parts = packed.infolist()
        if len(parts) > _MOST_PARTS:
            raise Swollen
        for part in parts:
            most -= _size(packed, part, most, xml)


@contextmanager
def _opened(data: bytes) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            yield packed
    except (Swollen, Hostile):
        raise
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
            RuntimeError) as error:  # fmt: skip
        raise Damaged from error


def _size(packed: zipfile.ZipFile, part: zipfile.ZipInfo, most: int, xml: int) -> int:
    """Bytes of one part."""
    parsed = part.filename.endswith(_XML)
    limit = min(most, xml) if parsed else most
    size, tail = 0, b""
    with packed.open(part) as content:
        while piece := content.read(_READ_AT_ONCE):
            size += len(piece)
            if size > limit:
                raise Swollen
            if parsed and b"<!DOCTYPE" in (tail + piece).replace(b"\0", b""):
                raise Hostile
            tail = piece[-20:]
    return size
