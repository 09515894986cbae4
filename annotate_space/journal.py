"""A durable local log of events between their arrival and their place in the dataset.

Each process appends to a log of its own; what many callers bring at once goes to the disk in one
write. What a dead process left behind is taken over by the next one, because its log is free to
lock: it is then committed from where it lies, under the names its dead process had chosen, so that
a commit that was under way at its death is repeated and not added a second time.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import Timeout

from annotate_space.log import LOG, Log
from pipeline.core import layout
from pipeline.core.errors import StoreUnavailable
from pipeline.core.feedback import BadLine, FeedbackEvent, parse

BATCH_BYTES: Final = 5_000_000
"""What one commit may hold: well under what the Hub would store as a large file."""
BATCH_EVENTS: Final = 20_000
LOG_BYTES: Final = 64_000_000
"""A log that has grown so far is followed by another, and removed once it is in the dataset."""
DAMAGED: Final = ".damaged"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that are not in the dataset yet.

    Attributes:
        path: The file of the dataset they go into; the same until they are marked, whatever
            happens to the process.
        data: The events as JSON lines.
        events: The same events, parsed.
        log: The log they are in.
        end: Position in that log after them.
    """

    path: str
    data: bytes
    events: tuple[FeedbackEvent, ...]
    log: str
    end: int


@dataclass(slots=True)
class _Write:
    """What one caller wants on the disk, and what became of it."""

    data: bytes
    events: int
    done: bool = False
    durable: bool = False
    error: OSError | None = None


class Journal:
    """This process's logs in ``folder``.

    Attributes:
        instance: Random name of this process; feedback files it writes start with it.
        unreadable: Lines of taken-over logs that could not be read; their files are kept.
        arrived: Set whenever there is something new to commit; whoever waits for it clears it.
    """

    def __init__(self, folder: Path) -> None:
        self.instance = uuid.uuid4().hex[:12]
        self.unreadable: list[BadLine] = []
        self.arrived = threading.Event()
        self._folder = folder
        self._closed = False
        self._queue: list[_Write] = []
        self._queueing = threading.Lock()
        self._writing = threading.Lock()
        self._draining = threading.RLock()
        self._guard = threading.Lock()  # of the list of logs; never held while the disk works
        with _disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._current = Log.new(folder, self.instance)
        self._logs = [self._current]
        self._made = 1

    @property
    def waiting(self) -> int:
        """How many events are not in the dataset yet."""
        with self._guard:
            return sum(log.waiting for log in self._logs)

    @property
    def backlog(self) -> bool:
        """Tell whether more waits than one commit takes."""
        with self._guard:
            left = sum(log.end - log.state.done for log in self._logs)
        return left > BATCH_BYTES

    def append(self, events: Sequence[FeedbackEvent]) -> None:
        """Write events and return only when they are on the disk.

        Callers that come while the disk is busy are written together, next.

        Raises:
            StoreUnavailable: The disk refused; none of the events may be acknowledged.
        """
        if not events:
            return
        data = "".join(event.to_line() + "\n" for event in events).encode()
        write = _Write(data, len(events))
        with self._queueing:
            self._queue.append(write)
        with self._writing:
            if not write.done:  # else whoever wrote before took it along
                self._write_together()
        if not write.durable:
            with _disk(self._folder):
                self._require_open()
                raise write.error or OSError("it was not written")
        self.arrived.set()

    def pending(self) -> Batch | None:
        """The next batch to commit, or None: the same one until it is marked."""
        with self._draining, _disk(self._folder):
            self._require_open()
            for log in self._snapshot():
                # Before looking: the current log may get its last events at any moment.
                finished = log is not self._current
                while log.state.done < log.end:
                    if batch := self._batch(log):
                        return batch
                    log.mark(0)  # nothing readable in it; its file was kept when it was taken over
                if finished:
                    self._drop(log)
        return None

    def rename(self, batch: Batch) -> None:
        """Give the batch another name, because there is another file of that name."""
        with self._draining, _disk(self._folder):
            self._require_open()
            for log in self._snapshot():
                if log.name == batch.log:
                    log.release_claim()

    def mark(self, batch: Batch) -> None:
        """Remember that ``batch`` is in the dataset."""
        with self._draining, _disk(self._folder):
            self._require_open()
            for log in self._snapshot():
                if log.name == batch.log and log.state.until == batch.end:
                    log.mark(len(batch.events))
                    if log is not self._current and log.state.done == log.end:
                        self._drop(log)

    def take_over(self) -> list[FeedbackEvent]:
        """Make what dead processes left this journal's own to commit, and return it."""
        taken: list[FeedbackEvent] = []
        with self._draining, _disk(self._folder):
            own = {log.name for log in self._snapshot()}
            for path in sorted(self._folder.glob(f"*{LOG}")):
                if path.stem in own:
                    continue
                try:
                    log = Log.of_dead(self._folder, path.stem)
                except Timeout:
                    continue  # its process is alive and keeps its own events
                if log is not None:  # else another heir was faster
                    taken += self._inherit(log)
        if taken:
            self.arrived.set()
        return taken

    def close(self) -> None:
        """Release the logs; remove what is in the dataset entirely."""
        with self._writing, self._draining:
            if self._closed:
                return
            with _disk(self._folder):
                for log in self._snapshot():
                    if log.state.done == log.end:
                        log.remove()
            self._abandon()

    def abandon(self) -> None:
        """Release the logs as the end of the process would, and leave them to the next one."""
        with self._writing, self._draining:
            self._abandon()

    def _abandon(self) -> None:
        self._closed = True
        for log in self._snapshot():
            log.close()

    def _write_together(self) -> None:
        with self._queueing:
            group, self._queue = self._queue, []
        try:
            if not self._closed:
                if self._current.end > LOG_BYTES:
                    self._follow()
                events = sum(write.events for write in group)
                self._current.write(b"".join(write.data for write in group), events)
                for write in group:
                    write.durable = True
        except OSError as error:
            for write in group:
                write.error = error
        finally:
            for write in group:
                write.done = True

    def _follow(self) -> None:
        """Go on in a new log."""
        following = Log.new(self._folder, f"{self.instance}.{self._made}")
        with self._guard:
            self._logs.append(following)
            self._current = following
            self._made += 1

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(
                "The server is stopping.", "The answers stay in the browser and are sent again."
            )

    def _snapshot(self) -> list[Log]:
        with self._guard:
            return list(self._logs)

    def _batch(self, log: Log) -> Batch | None:
        until = log.state.until
        data = log.read_lines(BATCH_BYTES, BATCH_EVENTS) if until is None else log.read(until)
        end = log.state.done + len(data)
        lines: list[bytes] = []
        events: list[FeedbackEvent] = []
        for line in data.split(b"\n"):
            for item in parse(line, log.name):
                if isinstance(item, FeedbackEvent):
                    lines.append(line)
                    events.append(item)
        path = log.state.path
        if path is None:
            path = layout.feedback_file(datetime.now(UTC), log.state.label, log.state.sequence + 1)
            log.claim(path, end)
        if not events:
            return None
        return Batch(path, b"".join(line + b"\n" for line in lines), tuple(events), log.name, end)

    def _inherit(self, log: Log) -> list[FeedbackEvent]:
        events: list[FeedbackEvent] = []
        bad: list[BadLine] = []
        for item in parse(log.read(log.end), f"{log.name}{LOG}"):
            if isinstance(item, BadLine):
                bad.append(item)
            else:
                events.append(item)
        if bad:
            # A line torn by a crash was never acknowledged; it is kept for a person to look at.
            self.unreadable += bad
            log.keep_copy(DAMAGED)
        log.count(len(events))
        if not events:
            log.remove()
            return []
        with self._guard:
            self._logs.insert(0, log)
        return events

    def _drop(self, log: Log) -> None:
        with self._guard:
            self._logs.remove(log)
        log.remove()


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"The journal in {folder} cannot be used: {error.strerror or error}.",
            "Free some space, or point SEEDBED_WORK_DIR to a folder that can be written.",
        ) from error
