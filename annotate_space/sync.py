"""Moves events from the journal into the dataset, a batch a commit, within the Hub's quota."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from annotate_space.journal import Batch, Journal
from annotate_space.pace import HOUR, QUOTA, Pace
from pipeline.core.errors import Conflict, RateLimited, SeedbedError, StoreUnavailable
from pipeline.core.feedback import FeedbackEvent, now
from pipeline.core.store import ABSENT, Store
from pipeline.core.store_folder import FolderStore

_log = logging.getLogger(__name__)

STOP_SECONDS: Final = 20.0
"""A Space that is told to end is killed half a minute later."""
_GATHER: Final = 5.0
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 300.0


class Syncer:
    """Commits what is pending, at most every ``interval`` seconds, in a thread of its own.

    A batch that failed is tried again unchanged, under the same name, before anything newer: if its
    commit was applied though the reply was lost, the repetition changes nothing.

    Args:
        saved: Called with the events of a batch and the time, ISO 8601, once they are in the
            dataset.

    Attributes:
        saved_at: When the last commit succeeded, ISO 8601, or None.
        trouble: Why nothing gets into the dataset now, or None.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        *,
        interval: float,
        saved: Callable[[Sequence[FeedbackEvent], str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._journal = journal
        self._saved = saved
        self._clock = clock
        self._pace = Pace(interval, None if isinstance(store, FolderStore) else QUOTA)
        self._last: float | None = None
        self._failures = 0
        self._not_before = clock()
        self.saved_at: str | None = None
        self.trouble: str | None = None
        self._stopping = threading.Event()
        self._committing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="feedback-sync", daemon=True)

    @property
    def waiting(self) -> int:
        """How many events are in the journal and not in the dataset."""
        return self._journal.waiting

    @property
    def commits_in_last_hour(self) -> int:
        """Commits to the repository by all writers, as far as known now; for a folder, ours."""
        return self._pace.total(self._clock())

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def flush(self) -> None:
        """Commit all that is pending now, as far as the quota goes.

        Raises:
            SeedbedError: The store refused; what is not committed stays in the journal.
        """
        while self._commit_next():
            pass

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the thread and commit what is left, within so many seconds.

        Raises:
            SeedbedError: It could not be committed; the next start takes it over.
        """
        self.halt()
        failed: list[SeedbedError] = []

        def finish() -> None:
            try:
                self.flush()
            except SeedbedError as error:
                failed.append(error)

        # The Hub may be silent for longer than there is time to wait.
        last = threading.Thread(target=finish, name="feedback-last-sync", daemon=True)
        last.start()
        last.join(seconds)
        if failed:
            raise failed[0]
        if last.is_alive() or self.waiting:
            raise StoreUnavailable(
                f"{self.waiting} answers did not get into {self._store.name} before the end.",
                "They are in the journal; the next start commits them.",
            )

    def halt(self) -> None:
        """Stop the thread, after what it is committing, and leave the rest in the journal."""
        self._stopping.set()
        self._journal.arrived.set()

    def _commit_next(self) -> bool:
        """Commit one batch; tell whether there was one."""
        with self._committing:
            batch = self._journal.pending()
            if batch is None:
                return False
            try:
                self._within_quota()
                self._commit(batch)
            except SeedbedError as error:
                self._note(error)
                raise
            self._failures = 0
            self.saved_at, self.trouble = now(), None
            self._saved(batch.events, self.saved_at)
            return True

    def _commit(self, batch: Batch) -> None:
        try:
            # Absent or the very same: a file of feedback is never written over.
            self._store.commit(
                {batch.path: batch.data}, message=_message(batch), expect={batch.path: ABSENT}
            )
        except Conflict:
            self._journal.rename(batch)
            raise
        self._last = self._clock()
        self._pace.committed(self._last)
        self._journal.mark(batch)

    def _within_quota(self) -> None:
        moment = self._clock()
        if self._pace.stale(moment):
            try:
                self._pace.told(self._store.commits_since(HOUR), moment)
            except SeedbedError as error:
                # Then our own commits are what is known; the Hub refuses when it is too many.
                _log.info("Commits of others cannot be counted: %s", error)
        if self._pace.spent(moment):
            raise RateLimited(
                f"{self._store.name} was committed to {self._pace.total(moment)} times within the "
                "hour, which is nearly what the Hub allows.",
                _LONGEST_PAUSE,
            )

    def _run(self) -> None:
        while True:
            self._journal.arrived.clear()
            if self._stopping.is_set():
                return
            if not self._journal.waiting:
                self._journal.arrived.wait()
                self._gather()
                continue
            pause = self._due() - self._clock()
            if pause > 0:
                self._stopping.wait(pause)
                continue
            try:
                self._commit_next()
            except SeedbedError as error:
                if not self._stopping.is_set():
                    _log.warning("Answers are safe in the journal but not committed: %s", error)
            except Exception as error:  # noqa: BLE001 - a thread that ended would commit no more
                _log.exception("Answers are safe in the journal but not committed")
                self._note(error)

    def _gather(self) -> None:
        """After a quiet time, let a few more events come along with the first."""
        if self._last is None or self._clock() - self._last > self._pace.interval:
            self._stopping.wait(min(_GATHER, self._pace.interval))

    def _due(self) -> float:
        if self._failures or self._last is None:
            return self._not_before
        backlog = self._journal.backlog
        return max(self._not_before, self._last + self._pace.wait(self._clock(), backlog=backlog))

    def _note(self, error: Exception) -> None:
        self.trouble = str(error)
        self._failures += 1
        if isinstance(error, RateLimited):
            self._pace.forget_count()
            pause = max(error.retry_after or _LONGEST_PAUSE, self._pace.interval)
        else:
            longest = _FIRST_PAUSE * 2 ** min(self._failures - 1, 10)
            # Jitter, so that the Spaces that an outage stopped do not come back at one moment.
            pause = min(longest, _LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311
        self._not_before = self._clock() + pause


def _message(batch: Batch) -> str:
    count = len(batch.events)
    return f"Add {count} feedback event{'' if count == 1 else 's'}"
