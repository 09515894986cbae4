"""Where a project lives: a dataset repository on the Hub, or a folder with the same files.

Both behave the same: a commit writes all of its files or none, and a file can be guarded against
somebody else's change. The folder store needs no network; the Hub store is in ``store_hub``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

Data: TypeAlias = bytes | Path
"""What a file shall hold: bytes, or a file on this machine, which may be too large for memory."""

_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a project.

    Attributes:
        path: Relative, with forward slashes.
        size: Bytes.
        etag: Changes with the content; compare, do not interpret.
    """

    path: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held when it was read, with the etag to guard a later write."""

    data: bytes
    etag: str


ABSENT: None = None
"""Expected etag of a file that must not exist yet."""


class Store(Protocol):
    """A project's files."""

    @property
    def name(self) -> str:
        """The project as a person would name it."""

    def exists(self) -> bool:
        """Tell whether there is a project here that these credentials may read."""

    def create(self, *, private: bool = True) -> None:
        """Make the repository or the folder; leave an existing one alone."""

    def can_write(self) -> bool:
        """Tell whether these credentials may write, without writing."""

    def files(self, prefix: str = "") -> list[StoredFile]:
        """The files under the folder ``prefix``, sorted by path; none if there is no such folder.

        Raises:
            ProjectNotFound: There is no project.
        """

    def paths(self, prefix: str = "") -> list[str]:
        """The paths of ``files(prefix)``, without looking into any file."""

    def version(self) -> str:
        """Changes whenever anything in the project does; compare, do not interpret.

        Costs one small request, or a look at the folder without opening a file.

        Raises:
            ProjectNotFound: There is no project.
        """

    def commits_since(self, seconds: float) -> int:
        """How many commits all writers together made in the last ``seconds``.

        Only the Hub counts them, because only there is a limit: a folder tells 0.
        """

    def read(self, path: str) -> Content:
        """The newest content of one file.

        Raises:
            FileMissing: The project has no such file.
        """

    def size(self, path: str) -> int:
        """The bytes of one file now, without fetching it.

        Raises:
            FileMissing: The project has no such file.
        """

    def checkout(self, prefix: str) -> Path:
        """A local folder, to be read only, that holds the newest files under ``prefix``.

        Paths below it are the paths in the project.
        """

    def commit(
        self,
        files: Mapping[str, Data],
        *,
        message: str,
        expect: Mapping[str, str | None] | None = None,
        remove: Collection[str] = (),
    ) -> None:
        """Write all of ``files`` or none, and remove those in ``remove`` that are there.

        ``expect`` guards paths: each must still have the etag given (``ABSENT``: not exist).
        Writing what is already there changes nothing and makes no commit, so that repeating a
        commit whose reply was lost is harmless.

        Raises:
            Conflict: A guarded path has changed.
            NotAllowed: These credentials may not write.
        """


def git_oid(data: Data) -> str:
    """The git blob id of ``data``, which the Hub uses as etag of a regular file."""
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    for piece in _pieces(data):
        digest.update(piece)
    return digest.hexdigest()


def lfs_oid(data: Data) -> str:
    """The SHA-256 of ``data``, which the Hub uses as etag of a large file."""
    digest = hashlib.sha256()
    for piece in _pieces(data):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(data: Data) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
