"""A durable local log of events between their arrival and their place in the dataset.

Each process appends to a file of its own. What a dead process left behind is taken over by the
next one: its file is free to lock, so its events move into the new log before it is deleted.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from pipeline.core.errors import StoreUnavailable
from pipeline.core.feedback import BadLine, FeedbackEvent, parse

_LOG: Final = ".jsonl"
_MARK: Final = ".synced"
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that are not in the dataset yet.

    Attributes:
        data: The events as JSON lines.
        end: Position in the log after them; give it to ``mark`` once they are in the dataset.
        events: The same events, parsed.
    """

    data: bytes
    end: int
    events: tuple[FeedbackEvent, ...]


class Journal:
    """This process's log in ``folder``.

    Attributes:
        instance: Random name of this process, part of every feedback file it writes.
        unreadable: Lines of taken-over logs that could not be read; their files are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.instance = uuid.uuid4().hex[:12]
        self.unreadable: list[BadLine] = []
        self._folder = folder
        self._guard = threading.RLock()
        self._closed = False
        self._marked = 0
        with _disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / f"{self.instance}{_LOCK}")
            self._lock.acquire(timeout=10)
            self._log = (folder / f"{self.instance}{_LOG}").open("a+b")

    def append(self, events: Sequence[FeedbackEvent]) -> None:
        """Write events and return only when they are on the disk.

        Raises:
            StoreUnavailable: The disk refused; none of the events may be acknowledged.
        """
        data = "".join(event.to_line() + "\n" for event in events).encode()
        with self._guard, _disk(self._folder):
            if self._closed:
                raise StoreUnavailable(
                    "The server is stopping.", "The answers stay in the browser and are sent again."
                )
            end = self._log.seek(0, os.SEEK_END)
            try:
                self._log.write(data)
                self._log.flush()
                os.fsync(self._log.fileno())
            except OSError:
                self._log.truncate(end)
                raise

    def pending(self) -> Batch | None:
        """What is not in the dataset yet, or None."""
        with self._guard, _disk(self._folder):
            self._log.seek(self._marked)
            data = self._log.read()
        if not data:
            return None
        events = tuple(e for e in parse(data, self.instance) if isinstance(e, FeedbackEvent))
        return Batch(data, self._marked + len(data), events)

    def mark(self, end: int) -> None:
        """Remember that everything before ``end`` is in the dataset."""
        mark = self._path(self.instance, _MARK)
        with self._guard, _disk(self._folder):
            draft = mark.with_suffix(".draft")
            draft.write_text(str(end))
            draft.replace(mark)
            self._marked = end

    def take_over(self) -> list[FeedbackEvent]:
        """Move what dead processes left into this log, and return it."""
        taken: list[FeedbackEvent] = []
        with _disk(self._folder):
            for log in sorted(self._folder.glob(f"*{_LOG}")):
                if log.stem == self.instance:
                    continue
                lock = FileLock(self._path(log.stem, _LOCK))
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue  # its process is alive and keeps its own events
                try:
                    if log.exists():  # else another heir was faster
                        taken += self._adopt(log)
                finally:
                    lock.release()
                self._path(log.stem, _LOCK).unlink(missing_ok=True)
        return taken

    def close(self) -> None:
        """Release the log; remove it if everything in it is in the dataset."""
        with self._guard:
            finished = self.pending() is None
            self.abandon()
            if finished:
                self._remove(self.instance)
                self._path(self.instance, _LOCK).unlink(missing_ok=True)

    def abandon(self) -> None:
        """Release the log as the end of the process would, and leave it to the next one."""
        with self._guard:
            self._closed = True
            self._log.close()
            self._lock.release()

    def _adopt(self, log: Path) -> list[FeedbackEvent]:
        mark = self._path(log.stem, _MARK)
        marked = mark.read_text() if mark.exists() else ""
        # Without a readable mark everything is committed again: the same event twice is one event.
        start = int(marked) if marked.isdigit() else 0
        events: list[FeedbackEvent] = []
        bad: list[BadLine] = []
        for item in parse(log.read_bytes()[start:], log.name):
            if isinstance(item, BadLine):
                bad.append(item)
            else:
                events.append(item)
        if events:
            self.append(events)
        if bad:
            # A line torn by a crash was never acknowledged; it is kept for a person to look at.
            self.unreadable += bad
            log.rename(log.with_suffix(".damaged"))
        self._remove(log.stem)
        return events

    def _remove(self, instance: str) -> None:
        self._path(instance, _LOG).unlink(missing_ok=True)
        self._path(instance, _MARK).unlink(missing_ok=True)

    def _path(self, instance: str, suffix: str) -> Path:
        return self._folder / f"{instance}{suffix}"


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"The journal in {folder} cannot be used: {error.strerror or error}.",
            "Free some space, or point SEEDBED_WORK_DIR to a folder that can be written.",
        ) from error
