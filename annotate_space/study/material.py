"""What questions about a project are answered from: its files, and what waits in the journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from annotate_space.log import LOG
from pipeline.core.controls import Controls
from pipeline.core.controls import load as load_controls
from pipeline.core.feedback import Parsed, parse
from pipeline.core.projects import load_project, load_seed, read_feedback
from pipeline.core.schema import Project, Seed
from pipeline.core.store import Store
from pipeline.curation.consensus import Consensus, Rules, settle
from pipeline.curation.judgements import Judgements

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


class Material:
    """A project, read again when it changed. Any thread may ask.

    Args:
        store: The project.
        journal: The folder of the server's journal; what waits there for the dataset counts.
    """

    def __init__(self, store: Store, journal: Path) -> None:
        self.store = store
        self.folder = journal.parent
        """Where working files may be kept."""
        self._journal = journal
        self._guard = threading.Lock()
        self._reading: Reading | None = None
        self._state: object = None
        self._next = 0.0

    def reading(self) -> Reading:
        """The project as it is, or as it was a moment ago.

        Raises:
            SeedbedError: It cannot be read now.
        """
        with self._guard:
            began = time.monotonic()
            if self._reading is not None and began < self._next:
                return self._reading
            # Before reading: what comes meanwhile is read the next time.
            state = (self.store.version(), tuple(self._logs()))
            if self._reading is None or state != self._state:
                self._reading = self._read(0 if self._reading is None else self._reading.number)
                self._state = state
            took = time.monotonic() - began
            self._next = time.monotonic() + max(_SELDOM, _SHARE * took)
            return self._reading

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
