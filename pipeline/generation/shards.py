"""Writes samples into a project while they are made: early, whole, and within the Hub's quota."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.core import layout
from pipeline.core.errors import RateLimited, StoreUnavailable
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Sample
from pipeline.core.store import ABSENT, Store

_log = logging.getLogger(__name__)

FIRST_ROWS: Final = 16
"""Samples in the first commit, so that annotators can begin."""
EVERY: Final = 60.0
"""Seconds between later commits: less than half of the 128 an hour that all writers share."""
MOST_HELD: Final = 5_000
"""Samples in memory that are committed without waiting for the time."""

_LAST_WAITS: Final = (1.0, 5.0, 20.0)
_LONGEST_WAIT: Final = 120.0


class ShardWriter:
    """Collects samples and commits them as shards of at most ``shard_size`` rows.

    ``add``, ``due`` and ``take`` belong to one thread; ``commit`` may run in another, once at a
    time, after ``take``. A
    commit that failed is repeated with the same bytes under the same name, so that one whose reply
    was lost does no harm. ``record`` gives the run's record, which goes along with each commit.
    """

    def __init__(
        self, store: Store, run_id: str, shard_size: int, record: Callable[[], bytes]
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._shard_size = shard_size
        self._record = record
        self._waiting: list[Sample] = []
        self._taken: list[Sample] = []
        self._taken_record = b""
        self._underway: dict[str, bytes] = {}
        self._guarded: dict[str, str | None] = {}
        self._next = _first_free(store, run_id)
        self._tried_at: float | None = None

    @property
    def held(self) -> int:
        """Samples that no commit has taken up yet."""
        return len(self._waiting)

    def add(self, sample: Sample) -> None:
        """Take one more sample."""
        self._waiting.append(sample)

    def due(self) -> bool:
        """Tell whether it is time to commit."""
        if not self._waiting and not self._taken and not self._underway:
            return False
        if self._tried_at is None:
            return self.held >= FIRST_ROWS
        if self._underway and time.monotonic() - self._tried_at < EVERY:
            return False  # the last commit failed
        return time.monotonic() - self._tried_at >= EVERY or self.held >= MOST_HELD

    def take(self) -> None:
        """Settle what the next commit holds, unless one that failed is to be repeated."""
        self._tried_at = time.monotonic()
        if not self._underway and not self._taken:
            self._taken, self._waiting = self._waiting, []
            self._taken_record = self._record()

    def commit(self) -> None:
        """Put everything taken so far into the project, in one commit.

        Raises:
            StoreUnavailable: The store cannot be reached; what was taken is kept for the next try.
            NotAllowed: These credentials may not write.
        """
        if not self._underway:
            self._underway = self._files(self._taken)
            self._guarded = dict.fromkeys(self._underway, ABSENT)
            self._underway[layout.run_record(self._run_id)] = self._taken_record
            self._taken = []
        self._store.commit(
            self._underway,
            message=f"Add samples of run {self._run_id}",
            expect=self._guarded,
        )
        self._underway = {}

    def finish(self) -> None:
        """Commit what is left and the last record, trying again for a while if the store is away.

        Raises:
            StoreUnavailable: The store stayed away.
        """
        waits = iter(_LAST_WAITS)
        while True:
            # What an earlier commit left under way goes first, and holds an older record.
            last = not self._underway and not self._taken
            self.take()
            try:
                self.commit()
            except StoreUnavailable as error:
                asked = error.retry_after if isinstance(error, RateLimited) else None
                pause = max(next(waits, _LONGEST_WAIT + 1), asked or 0)
                if pause > _LONGEST_WAIT:
                    raise StoreUnavailable(
                        f"The last samples could not be saved to {self._store.name}: "
                        f"{error.problem}",
                        "Run the same command again: answers that were paid for are kept on this "
                        "machine and are not paid for again.",
                    ) from error
                _log.warning("%s Trying again in %.0f s.", error.problem, pause)
                time.sleep(pause)
                continue
            if last:
                return

    def _files(self, samples: Sequence[Sample]) -> dict[str, bytes]:
        files = {}
        for start in range(0, len(samples), self._shard_size):
            path = layout.sample_shard(self._run_id, self._next)
            files[path] = to_parquet(samples[start : start + self._shard_size])
            self._next += 1
        return files


def _first_free(store: Store, run_id: str) -> int:
    folder = f"{layout.SAMPLES}/{run_id}"
    stems = [path.rpartition("/")[2].partition(".")[0] for path in store.paths(folder)]
    return max((int(stem) + 1 for stem in stems if stem.isdecimal()), default=0)
