"""What questions about a project are answered from: its files, and what waits in the journal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from annotate_space.log import LOG
from annotate_space.study.noted import Noted
from pipeline.core.controls import Controls
from pipeline.core.controls import load as load_controls
from pipeline.core.errors import StoreUnavailable
from pipeline.core.feedback import Parsed, parse
from pipeline.core.projects import load_project, load_seed, read_feedback
from pipeline.core.schema import Project, Seed
from pipeline.core.store import Store
from pipeline.curation.consensus import Consensus, Rules, settle
from pipeline.curation.judgements import Judgements

_log = logging.getLogger(__name__)

Made = TypeVar("Made")

_SELDOM: Final = 4.0
"""Seconds between two readings, at least."""
_SHARE: Final = 10
"""A reading that took so long is not repeated before so many times as long."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A project as it was read once.

    Attributes:
        number: Differs from that of any other reading; what was made of one can be kept under it.
        judgements: Everybody's judgements as they count now.
        consensus: What follows from them by the project's rules.
    """

    number: int
    seed: Seed
    project: Project
    controls: Controls
    judgements: Judgements
    consensus: Consensus


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made of a reading, and from when on it may be made anew."""

    number: int
    next: float
    found: Any


class Material:
    """A project, read again when it changed. Any thread may ask.

    Args:
        store: The project.
        journal: The folder of the server's journal; what waits there for the dataset counts.
        clock: Seconds since any moment.
    """

    def __init__(
        self, store: Store, journal: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self.folder = journal.parent
        """Where working files may be kept."""
        self.noted = Noted(store)
        self._journal = journal
        self._clock = clock
        self._guard = threading.Lock()
        self._reading: Reading | None = None
        self._state: object = None
        self._next = 0.0
        self._making = threading.Lock()
        self._made: dict[str, _Made] = {}

    def reading(self) -> Reading:
        """The project as it is, or as it was a moment ago; while it is away, as it was last.

        Raises:
            SeedbedError: It cannot be read now, and never was.
        """
        with self._guard:
            began = self._clock()
            if self._reading is not None and began < self._next:
                return self._reading
            try:
                self._reading = self._newest(self._reading)
            except StoreUnavailable as error:
                if self._reading is None:
                    raise
                _log.warning("What was read before is used on: %s", error)
            took = self._clock() - began
            self._next = self._clock() + max(_SELDOM, _SHARE * took)
            return self._reading

    def made(self, name: str, make: Callable[[Reading], Made]) -> Made:
        """What ``make`` makes of the project as it is, or was a moment ago.

        However many ask, it is made once for a reading, and no more often than a tenth of the time.

        Raises:
            SeedbedError: The project cannot be read now, and never was.
        """
        reading = self.reading()
        with self._making:
            last = self._made.get(name)
            began = self._clock()
            if last is None or (last.number < reading.number and began >= last.next):
                found = make(reading)
                took = self._clock() - began
                last = _Made(reading.number, began + (1 + _SHARE) * took, found)
                self._made[name] = last
            made: Made = last.found
            return made

    def _newest(self, last: Reading | None) -> Reading:
        # Before reading: what comes meanwhile is read the next time.
        state = (self.store.version(), tuple(self._logs()))
        if last is not None and state == self._state:
            return last
        found = self._read(0 if last is None else last.number)
        self._state = state
        return found

    def _read(self, last: int) -> Reading:
        project = load_project(self.store)
        judgements = Judgements.of(self._events())
        consensus = settle(judgements, Rules.of(project.curation))
        seed = load_seed(self.store).seed
        return Reading(last + 1, seed, project, load_controls(self.store), judgements, consensus)

    def _events(self) -> Iterator[Parsed]:
        # The journal first: what leaves it meanwhile is in the dataset before. Twice is once.
        waiting = [
            item for path, _ in list(self._logs()) for item in parse(_lines(path), path.name)
        ]
        yield from read_feedback(self.store)
        yield from waiting

    def _logs(self) -> Iterator[tuple[Path, int]]:
        for path in sorted(self._journal.glob(f"*{LOG}")):
            try:
                yield path, path.stat().st_size
            except FileNotFoundError:
                continue  # it is in the dataset by now


def _lines(path: Path) -> bytes:
    """The whole lines of a log; the last one may be half written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    return data[: data.rfind(b"\n") + 1]
