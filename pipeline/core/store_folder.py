"""A project in a folder, with the Hub's guarantees: atomic commits, guarded writes, one writer.

A commit stages its files, makes a manifest appear by one rename (the moment of commit) and then
moves the files into place. Whoever opens the folder after a crash finishes a commit whose manifest
is there and forgets one whose manifest is not.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from pipeline.core import layout
from pipeline.core.disk import copy_durably, sync_folder, write_durably
from pipeline.core.errors import (
    Conflict,
    FileMissing,
    NotAllowed,
    ProjectNotFound,
    StoreUnavailable,
)
from pipeline.core.store import Content, Data, StoredFile, git_oid

_LOCK_SECONDS: Final = 30
_GONE: Final = "gone/"
"""Begins a line of a manifest that removes a file."""


class FolderStore:
    """A project in the folder ``path``; see ``pipeline.core.store.Store`` for each method."""

    def __init__(self, path: str | Path) -> None:
        self._name = str(path)
        self._root = Path(path).expanduser().absolute()
        self._work = self._root / layout.PRIVATE
        self._manifest = self._work / "commit.json"

    @property
    def name(self) -> str:
        """The folder as it was given."""
        return self._name

    @property
    def work_folder(self) -> Path:
        """Where working files of this project go; never part of the dataset."""
        return self._work

    def exists(self) -> bool:
        """Tell whether the folder holds a project: a seed or settings."""
        with _unreadable(self._name):
            return any((self._root / path).is_file() for path in (layout.SEED, layout.PROJECT))

    def create(self, *, private: bool = True) -> None:
        """Make the folder; who may see it is the machine's affair.

        Raises:
            NotAllowed: The place cannot be written, or a file is in the way.
        """
        del private
        with _disk_errors(self._name):
            self._root.mkdir(parents=True, exist_ok=True)

    def can_write(self) -> bool:
        """Tell whether the folder can be written."""
        return os.access(self._root, os.W_OK)

    def files(self, prefix: str = "") -> list[StoredFile]:
        """The files under ``prefix``, without working files."""
        found = []
        with _unreadable(self._name):
            for name, path in self._paths(prefix):
                data = path.read_bytes()
                found.append(StoredFile(name, len(data), git_oid(data)))
        return found

    def paths(self, prefix: str = "") -> list[str]:
        """The paths under ``prefix``, without working files."""
        return [name for name, _ in self._paths(prefix)]

    def version(self) -> str:
        """A digest of the names, sizes and times of all files."""
        digest = hashlib.sha256()
        with _unreadable(self._name):
            for name, path in self._paths(""):
                try:
                    told = path.stat()
                except FileNotFoundError:
                    continue  # gone since it was listed
                line = f"{name}\0{told.st_size}\0{told.st_mtime_ns}\0{told.st_ino}\n"
                digest.update(line.encode(errors="surrogateescape"))
        return digest.hexdigest()

    def commits_since(self, seconds: float) -> int:
        """Nobody counts a folder's commits."""
        return 0

    def read(self, path: str) -> Content:
        """The content of one file."""
        self._ready()
        try:
            data = (self._root / layout.checked(path)).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise FileMissing(
                f"{self._name} has no file {path}.", "Check the name of the file."
            ) from error
        except OSError as error:
            raise NotAllowed(
                f"{path} in {self._name} cannot be read: {error.strerror}.",
                "Change its permissions, or check the disk.",
            ) from error
        return Content(data, git_oid(data))

    def size(self, path: str) -> int:
        """The bytes of one file."""
        self._ready()
        with _unreadable(self._name):
            target = self._root / layout.checked(path)
            if not target.is_file():
                raise FileMissing(f"{self._name} has no file {path}.", "Check the file's name.")
            return target.stat().st_size

    def checkout(self, prefix: str) -> Path:
        """The folder itself, once it is known that all under ``prefix`` can be read.

        Whoever searches a folder does not notice what it may not open, and would go on without.
        """
        top = self._root / layout.checked(prefix)
        self._ready()
        with _unreadable(self._name):
            for path in _walk(top):
                if path.is_file() or path.is_symlink():
                    path.open("rb").close()
        return self._root

    def commit(
        self,
        files: Mapping[str, Data],
        *,
        message: str,
        expect: Mapping[str, str | None] | None = None,
        remove: Collection[str] = (),
    ) -> None:
        """Write all of ``files`` and remove what is in ``remove``, or nothing; one at a time."""
        for path in (*files, *remove):
            layout.checked(path)
        self._require_folder()
        with _disk_errors(self._name), self._locked():
            self._recover()
            for path, etag in (expect or {}).items():
                if self._etag(path) != etag and self._etag(path) != _own(files, path):
                    raise Conflict(path)
            changed = {p: data for p, data in files.items() if self._etag(p) != git_oid(data)}
            gone = [path for path in remove if (self._root / path).is_file()]
            if changed or gone:
                self._make_room(changed)
                self._stage(changed, gone)
                self._recover()

    def _paths(self, prefix: str) -> list[tuple[str, Path]]:
        """Path in the project and on the disk of each file under ``prefix``, sorted."""
        self._ready()
        top = self._root / layout.checked(prefix) if prefix else self._root
        found = []
        with _unreadable(self._name):
            for path in _walk(top, without=self._work):
                if path.is_file():
                    found.append((path.relative_to(self._root).as_posix(), path))
        return sorted(found)

    def _ready(self) -> None:
        self._require_folder()
        with _unreadable(self._name):
            unfinished = self._manifest.exists()
        if unfinished:
            with _disk_errors(self._name), self._locked():
                self._recover()

    def _require_folder(self) -> None:
        with _unreadable(self._name):
            there = self._root.is_dir()
        if not there:
            raise ProjectNotFound(
                f"There is no folder {self._name}.",
                f"Make it with: python -m pipeline init {self._name}",
            )

    def _etag(self, path: str) -> str | None:
        try:
            return git_oid(self._root / path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _make_room(self, files: Mapping[str, Data]) -> None:
        """Fail before the moment of commit if a file cannot be moved into its place after it."""
        for path in files:
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            if not os.access(target.parent, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    def _stage(self, files: Mapping[str, Data], gone: Collection[str]) -> None:
        staging = self._work / uuid.uuid4().hex
        staging.mkdir(parents=True)
        moves = {}
        for number, (path, data) in enumerate(files.items()):
            if isinstance(data, Path):
                copy_durably(data, staging / str(number))
            else:
                write_durably(staging / str(number), data)
            moves[f"{staging.name}/{number}"] = path
        moves |= {f"{_GONE}{number}": path for number, path in enumerate(gone)}
        draft = staging / "commit.json"
        write_durably(draft, json.dumps(moves).encode())
        sync_folder(staging)
        draft.replace(self._manifest)
        sync_folder(self._work)

    def _recover(self) -> None:
        """Finish the commit whose manifest is there; drop what never got one."""
        if self._manifest.exists():
            for source, path in json.loads(self._manifest.read_bytes()).items():
                staged, target = self._work / source, self._root / layout.checked(path)
                if source.startswith(_GONE):
                    target.unlink(missing_ok=True)
                elif staged.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    staged.replace(target)
                    sync_folder(target.parent)
            self._manifest.unlink()
        for left in self._work.iterdir():
            if left.is_dir() and len(left.name) == 32:
                shutil.rmtree(left)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._work.mkdir(exist_ok=True)
        try:
            with FileLock(self._work / "lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise StoreUnavailable(
                f"Another program has been writing to {self._name} for {_LOCK_SECONDS} seconds.",
                "Wait for it or stop it, then try again.",
            ) from error


def _own(files: Mapping[str, Data], path: str) -> str | None:
    return git_oid(files[path]) if path in files else None


def _walk(top: Path, without: Path | None = None) -> Iterator[Path]:
    """Every file under ``top`` but not in ``without``; none if there is no such folder.

    Raises:
        OSError: A folder cannot be searched.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise error

    for folder, folders, names in os.walk(top, onerror=refuse):
        if without is not None:
            folders[:] = [name for name in folders if Path(folder, name) != without]
        yield from (Path(folder, name) for name in names)


@contextmanager
def _unreadable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise NotAllowed(
            f"{name} cannot be read: {error.strerror}{where}.",
            "Change its permissions, or check the disk.",
        ) from error


@contextmanager
def _disk_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        where = f" ({error.filename})" if error.filename else ""
        raise NotAllowed(
            f"{name} cannot be written: {error.strerror}{where}.",
            "Choose a folder of your own, or change its permissions.",
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"The disk refused to write to {name}: {error.strerror}.",
            "Free some space or check the disk, then run the same again.",
        ) from error
