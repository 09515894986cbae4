"""What others add to a project while this server runs: their feedback, and changes of any kind."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.core import layout
from pipeline.core.errors import SeedbedError
from pipeline.core.feedback import Parsed, parse
from pipeline.core.projects import feedback_files
from pipeline.core.store import Store

_log = logging.getLogger(__name__)

_TOGETHER: Final = 1_000
_AT_MOST_EVERY: Final = 3.0
_LONGEST_PAUSE: Final = 300.0
_PATIENCE: Final = 1.0
"""Seconds that somebody waits for a look that is under way; an outage can make it very long."""


class Inbox:
    """The feedback of a project, each file once.

    Attributes:
        instance: Files that begin with this name are our own and need not be read; blank: none.
    """

    def __init__(self, store: Store, instance: str = "") -> None:
        self.instance = instance
        self._store = store
        self._read: set[str] = set()
        self._started = False

    def read_new(self) -> Iterator[Parsed]:
        """All feedback the first time, and then what is in files that were not read before.

        One file is in memory at a time. What the consumer did not come to, or what failed, is new
        the next time.

        Raises:
            SeedbedError: The project cannot be read now.
        """
        if not self._started:
            yield from self._all()
            self._started = True
            return
        for path in self._store.paths(layout.FEEDBACK):
            if path in self._read or not path.endswith(".jsonl"):
                continue
            if not (self.instance and path.rpartition("/")[2].startswith(self.instance)):
                yield from parse(self._store.read(path).data, path)
            self._read.add(path)

    def _all(self) -> Iterator[Parsed]:
        for path, file in feedback_files(self._store):
            if path not in self._read:
                yield from parse(file.read_bytes(), path)
                self._read.add(path)


class Watcher:
    """Looks, every ``interval`` seconds in a thread of its own, whether the project changed.

    Args:
        arrived: Called with feedback of others, a few events at a time.
        changed: Called after that, when anything in the project is new; if it raises, it is called
            again at the next look.

    Attributes:
        trouble: Why the last look failed, or None.
    """

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        *,
        interval: float,
        arrived: Callable[[list[Parsed]], None],
        changed: Callable[[], None],
    ) -> None:
        self.trouble: str | None = None
        self._store = store
        self._inbox = inbox
        self._interval = interval
        self._arrived = arrived
        self._changed = changed
        self._version: str | None = None
        self._handing: list[Parsed] = []
        self._looked = -_AT_MOST_EVERY
        self._failures = 0
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="project-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look(self) -> None:
        """Look now, unless somebody did a few seconds ago or is still at it after a moment.

        Raises:
            SeedbedError: The project cannot be read now.
        """
        if not self._looking.acquire(timeout=_PATIENCE):
            return  # else an outage would hold every thread that serves a request
        try:
            if time.monotonic() - self._looked < _AT_MOST_EVERY:
                return
            self._looked = time.monotonic()
            try:
                self._take_in()
            except SeedbedError as error:
                self.trouble = str(error)
                raise
            self.trouble = None
        finally:
            self._looking.release()

    def stop(self) -> None:
        """Look no more; a look that is under way ends by itself."""
        self._stopping.set()

    def _take_in(self) -> None:
        version = self._store.version()
        if version == self._version:
            return
        self._hand_over()  # what was read before and did not get further: it is not read again
        for item in self._inbox.read_new():
            self._handing.append(item)
            if len(self._handing) >= _TOGETHER:
                self._hand_over()
        self._hand_over()
        self._changed()
        # Only now: what failed on the way is looked for again.
        self._version = version

    def _hand_over(self) -> None:
        if self._handing:
            self._arrived(self._handing)
            self._handing = []

    def _run(self) -> None:
        while not self._stopping.wait(self._pause()):
            try:
                self.look()
            except SeedbedError as error:
                self._failures += 1
                _log.info("What others added cannot be looked for: %s", error)
            except Exception:  # noqa: BLE001 - a thread that ended would never look again
                self._failures += 1
                _log.exception("What others added could not be taken in")
            else:
                self._failures = 0

    def _pause(self) -> float:
        return float(min(self._interval * 2 ** min(self._failures, 10), _LONGEST_PAUSE))
