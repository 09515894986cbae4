"""One log file of the journal: its lock, what is on the disk, and how far it is in the dataset."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from filelock import FileLock

from pipeline.core.disk import replace_durably, sync_folder

LOG: Final = ".jsonl"
STATE: Final = ".synced"
LOCK: Final = ".lock"
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class State:
    """How far a log is in the dataset.

    Attributes:
        label: What its files in the dataset are called.
        done: Everything before this position is in the dataset.
        sequence: How many files were made of it.
        path: The file that is being committed, if any; its content ends at ``until``.
        until: Position in the log.
    """

    label: str
    done: int = 0
    sequence: int = 0
    path: str | None = None
    until: int | None = None


class Log:
    """A log that this process has locked; make one with ``new`` or ``of_dead``.

    One thread may write while another reads, claims and marks.

    Attributes:
        name: Of its files, without suffix.
        end: Position after the last event that is on the disk.
        waiting: Events that are not in the dataset yet.
    """

    def __init__(self, folder: Path, name: str, lock: FileLock, handle: int) -> None:
        self.name = name
        self.end = os.fstat(handle).st_size
        self.waiting = 0
        self.state = _read_state(folder / f"{name}{STATE}", name, self.end)
        self._folder = folder
        self._lock = lock
        self._handle = handle
        self._torn = False
        self._use = threading.RLock()  # of the open file, which may be replaced, and the counts

    @classmethod
    def new(cls, folder: Path, name: str) -> Self:
        """An empty log."""
        lock = _lock(folder, name, patience=10)
        handle = os.open(_of(folder, name, LOG), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        sync_folder(folder)
        return cls(folder, name, lock, handle)

    @classmethod
    def of_dead(cls, folder: Path, name: str) -> Self | None:
        """The log of a process that has ended, or None if somebody else has finished it.

        Raises:
            filelock.Timeout: Its process is alive.
        """
        lock = _lock(folder, name, patience=0)
        try:
            handle = os.open(_of(folder, name, LOG), os.O_RDWR)
        except FileNotFoundError:
            _of(folder, name, LOCK).unlink(missing_ok=True)
            lock.release()
            return None
        return cls(folder, name, lock, handle)

    def write(self, data: bytes, events: int) -> None:
        """Add lines, all of them or none, and return when they are on the disk.

        Raises:
            OSError: The disk refused.
        """
        with self._use:
            self._be_there()
            if self._torn:
                os.ftruncate(self._handle, self.end)
            self._torn = True
            try:
                _write_all(self._handle, data, self.end)
                os.fsync(self._handle)
            except OSError:
                os.ftruncate(self._handle, self.end)
                self._torn = False
                raise
            self._torn = False
            self.end += len(data)
            self.waiting += events

    def count(self, events: int) -> None:
        """Tell how many events are in what was taken over."""
        with self._use:
            self.waiting = events

    def read(self, until: int) -> bytes:
        """What is not in the dataset yet, up to a position."""
        with self._use:
            return _read_all(self._handle, self.state.done, until)

    def read_lines(self, at_most: int, lines: int) -> bytes:
        """The next whole lines: one, and then as many as keep within both limits."""
        end = self.end
        data = self.read(min(end, self.state.done + at_most))
        if self.state.done + len(data) < end:
            whole = data.rfind(b"\n") + 1
            data = data[:whole] if whole else self.read(end)
        cut = -1
        for _ in range(lines):
            cut = data.find(b"\n", cut + 1)
            if cut < 0:
                return data
        return data[: cut + 1]

    def claim(self, path: str, until: int) -> None:
        """Remember, before it is committed, which file gets what is not in the dataset."""
        state = self.state
        self._keep(State(state.label, state.done, state.sequence + 1, path, until))

    def release_claim(self) -> None:
        """Forget the name that was chosen, and choose others than that from now on."""
        state = self.state
        self._keep(State(uuid.uuid4().hex[:12], state.done, state.sequence))

    def mark(self, events: int) -> None:
        """Remember that what was claimed, so many events, is in the dataset."""
        state = self.state
        if state.until is not None:
            self._keep(State(state.label, state.until, state.sequence))
            with self._use:
                self.waiting -= events

    def keep_copy(self, suffix: str) -> None:
        """Keep the whole log, beside itself, whatever becomes of it."""
        copy = _of(self._folder, self.name, suffix)
        shutil.copyfile(_of(self._folder, self.name, LOG), copy)
        with copy.open("rb") as file:
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Delete the log; another process that waits for its lock finds nothing."""
        for suffix in (LOG, STATE, LOCK):
            _of(self._folder, self.name, suffix).unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Release it; what is in it stays for whoever locks it next."""
        with self._use:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1
                self._lock.release()

    def _keep(self, state: State) -> None:
        with self._use:
            self._be_there()
            path = _of(self._folder, self.name, STATE)
            replace_durably(path, json.dumps(asdict(state)).encode())
            self.state = state

    def _be_there(self) -> None:
        """Make the file again if somebody emptied the folder, from what is still open."""
        if os.fstat(self._handle).st_nlink:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(self._folder, self.name, patience=10)
        path = _of(self._folder, self.name, LOG)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # At the same positions: the room before them is a hole and takes none on the disk.
        for start in range(self.state.done, self.end, _PIECE):
            piece = _read_all(self._handle, start, min(start + _PIECE, self.end))
            _write_all(handle, piece, start)
        os.fsync(handle)
        sync_folder(self._folder)
        os.close(self._handle)
        self._lock.release()
        self._handle, self._lock = handle, lock
        self._keep(self.state)


def _read_state(path: Path, name: str, end: int) -> State:
    """A log's state; without a readable one everything is committed again, under other names.

    The same event twice is one event, but a file of the dataset is never written twice.
    """
    if not path.exists():
        return State(name)
    try:
        told = json.loads(path.read_text())
        if isinstance(told, int):  # as earlier versions kept it
            return State(uuid.uuid4().hex[:12], min(told, end))
        state = State(**told)
    except (ValueError, TypeError):
        return State(uuid.uuid4().hex[:12])
    return (
        state if state.done <= end and (state.until or 0) <= end else State(uuid.uuid4().hex[:12])
    )


def _lock(folder: Path, name: str, *, patience: float) -> FileLock:
    # Whichever thread closes the journal must be able to release it.
    lock = FileLock(_of(folder, name, LOCK), thread_local=False)
    lock.acquire(timeout=patience)
    return lock


def _of(folder: Path, name: str, suffix: str) -> Path:
    return folder / f"{name}{suffix}"


def _write_all(handle: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, position)
        view, position = view[written:], position + written


def _read_all(handle: int, start: int, end: int) -> bytes:
    pieces = []
    while start < end:
        piece = os.pread(handle, end - start, start)
        if not piece:
            break
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)
