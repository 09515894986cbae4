"""Moves events from the journal into the dataset, a batch a commit, within the Hub's quota."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from annotate_space.journal import Batch, Journal
from pipeline.core import layout
from pipeline.core.errors import RateLimited, SeedbedError
from pipeline.core.feedback import FeedbackEvent, now
from pipeline.core.store import Store

_log = logging.getLogger(__name__)

HUB_INTERVAL: Final = 60.0
"""Seconds between commits: at most 60 an hour of the 128 that all writers share."""
FOLDER_INTERVAL: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_QUOTA_PAUSE: Final = 600.0


class Syncer:
    """Commits what is pending every ``interval`` seconds, in a thread of its own.

    Args:
        saved: Called with the events of a batch after they are in the dataset.

    Attributes:
        saved_at: When the last commit succeeded, ISO 8601, or None.
        trouble: Why the last attempt failed, or None.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        *,
        interval: float,
        saved: Callable[[tuple[FeedbackEvent, ...]], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._interval = interval
        self._saved = saved
        self._sequence = 0
        self._underway: tuple[str, Batch] | None = None
        self._failures = 0
        self.saved_at: str | None = None
        self.trouble: str | None = None
        self._stop = threading.Event()
        self._commit = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="feedback-sync", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def flush(self) -> None:
        """Commit what is pending now.

        A batch that failed is tried again unchanged, under the same name, before anything newer:
        if its commit was applied though the reply was lost, the repetition changes nothing.

        Raises:
            SeedbedError: The store refused; everything stays in the journal.
        """
        with self._commit:
            while work := self._underway or self._next():
                self._underway = work
                path, batch = work
                try:
                    self._store.commit({path: batch.data}, message=_message(batch))
                except SeedbedError as error:
                    self.trouble = str(error)
                    raise
                self._journal.mark(batch.end)
                self._underway = None
                self.saved_at, self.trouble = now(), None
                self._saved(batch.events)

    def stop(self) -> None:
        """Stop the thread and commit what is left.

        Raises:
            SeedbedError: It could not be committed; the next start takes it over.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def _next(self) -> tuple[str, Batch] | None:
        batch = self._journal.pending()
        if batch is None:
            return None
        self._sequence += 1
        day = datetime.now(UTC)
        return layout.feedback_file(day, self._journal.instance, self._sequence), batch

    def _run(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - a thread that ended would commit no more
                _log.warning("Feedback is safe in the journal but not committed: %s", error)
                self.trouble = str(error)
                self._failures += 1
                pause = self._pause_after(error)
            else:
                self._failures = 0
                pause = self._interval

    def _pause_after(self, error: Exception) -> float:
        if isinstance(error, RateLimited):
            return max(error.retry_after or _QUOTA_PAUSE, self._interval)
        return float(min(self._interval * 2**self._failures, _LONGEST_PAUSE))


def _message(batch: Batch) -> str:
    count = len(batch.events)
    return f"Add {count} feedback event{'' if count == 1 else 's'}"
