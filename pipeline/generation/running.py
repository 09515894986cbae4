"""What every run has in common, whatever it grows: its account, its record, its last commit."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from filelock import FileLock, Timeout

from pipeline.core.errors import (
    BudgetSpent,
    InvalidInput,
    NotAllowed,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.feedback import now
from pipeline.core.flags import Flag
from pipeline.core.runs import FailureCount, RunRecord
from pipeline.core.schema import Sample
from pipeline.core.store import Store
from pipeline.generation.ledger import Spent
from pipeline.generation.shards import MOST_HELD, ShardWriter
from pipeline.generation.traffic import Traffic

_log = logging.getLogger(__name__)

_OTHER_FILES: Final = 256
"""Open files besides one connection for each call."""
_SHOWN_EVERY: Final = 0.2
"""Seconds between two reports of progress."""
_LOCKS: Final = {"samples": "generate.lock", "questions": "exam.lock"}


class Failed(Protocol):
    """Something that did not become data, and why."""

    @property
    def stage(self) -> str:
        """In which step."""

    @property
    def kind(self) -> str:
        """What went wrong, as failures are counted; at stage ``quality`` the flag's name."""

    @property
    def reason(self) -> str:
        """One sentence for a person."""

    @property
    def rows(self) -> int:
        """Samples that are missing because of it."""


Take = Callable[[Sample | Failed], Awaitable[None]]
"""Takes one outcome of a run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands now.

    Attributes:
        record: What it has done.
        in_flight: Calls under way.
        limit: Calls that may be under way, which falls when an endpoint asks for fewer.
        held: Seconds for which an endpoint asked to be left alone.
        left: Seconds until the end at the pace so far; None before the first row.
    """

    record: RunRecord
    in_flight: int
    limit: int
    held: float
    left: float | None


def new_run_id() -> str:
    """A name that sorts by time and that no other process chooses."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def carry_out(
    grow: Callable[[Traffic, Take], Coroutine[Any, Any, None]],
    store: Store,
    tally: Tally,
    *,
    width: int,
    shard_size: int,
    on_progress: Callable[[Progress], None] | None,
) -> RunRecord:
    """Let ``grow`` work, and leave samples and record in the project however that ends.

    Args:
        grow: Hands over each outcome as soon as it is there; not called if nothing is wanted.
        store: The project.
        tally: Of this run.
        width: Calls that may be under way at once.
        shard_size: Rows in one file at most.
        on_progress: Called a few times a second.

    Raises:
        NotAllowed: These credentials may not write.
        SeedbedError: What ``grow`` raises; a spent budget is no error.
    """
    if not tally.wanted:
        tally.end("finished")
        return tally.record()
    _require_writable(store)
    writer = ShardWriter(store, tally.run_id, shard_size, lambda: tally.record().to_json())
    try:
        asyncio.run(_grow(grow, writer, tally, width, on_progress))
        tally.end("finished")
    except BudgetSpent as limit:
        tally.end("stopped", limit.problem)
    except SeedbedError as error:
        tally.end("failed", error.problem)
        raise
    except KeyboardInterrupt:
        tally.end("stopped", "Somebody stopped it.")
        raise
    except BaseException as error:
        tally.end("failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        if tally.did_anything():
            writer.finish()
    return tally.record()


async def _grow(
    grow: Callable[[Traffic, Take], Coroutine[Any, Any, None]],
    writer: ShardWriter,
    tally: Tally,
    width: int,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    saver = _Saver(writer)

    async def take(outcome: Sample | Failed) -> None:
        tally.add(outcome)
        if isinstance(outcome, Sample):
            writer.add(outcome)
        await saver.nudge()

    traffic = Traffic(width)
    async with _shown(tally, traffic, on_progress):
        await grow(traffic, take)


def allow_connections(most: int) -> None:
    """Raise this process's own limit of open files, as far as it may, to one for each call."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


@contextmanager
def told(work: Path) -> Iterator[None]:
    """Say what it means that a working file cannot be used.

    Raises:
        StoreUnavailable: One of SQLite's files or the machine itself is in trouble.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"The working files in {work} cannot be used: {error}.",
            "Make room on the disk, or remove instructions.sqlite and questions.sqlite there, "
            "which are made anew.",
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"This machine cannot go on: {error.strerror or error}.",
            "Make room, or lower the concurrency; the same command goes on from there.",
        ) from error


@contextmanager
def alone(work: Path, project: str, what: Literal["samples", "questions"]) -> Iterator[None]:
    """Keep a second run of the same kind away: both would pay for the same rows.

    Raises:
        InvalidInput: One is under way on this machine.
        StoreUnavailable: The folder cannot be written.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / _LOCKS[what], timeout=0)
        lock.acquire()
    except Timeout as error:
        raise InvalidInput(
            f"{what.capitalize()} are being generated for {project} on this machine already.",
            "Wait until that run ends, or stop it; this one would pay for the same rows.",
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"{work} cannot be written: {error.strerror}.",
            "Make room or set SEEDBED_WORK_DIR to another folder.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _require_writable(store: Store) -> None:
    """Refuse to pay for what could not be kept.

    Raises:
        NotAllowed: These credentials may not write.
    """
    if not store.can_write():
        raise NotAllowed(
            f"These credentials may not write to {store.name}.",
            "Nothing was generated; use a token that may write, or another project.",
        )


@asynccontextmanager
async def _shown(
    tally: Tally, traffic: Traffic, show: Callable[[Progress], None] | None
) -> AsyncIterator[None]:
    """Report progress now and then, and once more at the end."""

    def report() -> None:
        if show is not None:
            show(
                Progress(
                    record=tally.record(),
                    in_flight=traffic.in_flight,
                    limit=traffic.limit,
                    held=traffic.held_for(),
                    left=tally.seconds_left(),
                )
            )

    async def keep_reporting() -> None:
        while True:
            report()
            await asyncio.sleep(_SHOWN_EVERY)

    reporting = asyncio.create_task(keep_reporting())
    try:
        yield
    finally:
        reporting.cancel()
        with suppress(asyncio.CancelledError):
            await reporting
        report()


class _Saver:
    """Commits in a thread while generation goes on, one commit at a time."""

    def __init__(self, writer: ShardWriter) -> None:
        self._writer = writer
        self._running: asyncio.Task[None] | None = None

    async def nudge(self) -> None:
        """Commit if it is time, and wait only if too much is held.

        Raises:
            NotAllowed: The project may no longer be written; more calls would be wasted.
        """
        if self._running is not None and self._writer.held >= 2 * MOST_HELD:
            await asyncio.wait({self._running})
        # Whoever comes first here takes the result; nothing is awaited until the next has begun.
        if self._running is not None and self._running.done():
            over, self._running = self._running, None
            try:
                over.result()
            except StoreUnavailable as error:
                _log.warning("%s It is tried again; generation goes on.", error.problem)
        if self._running is None and self._writer.due():
            self._writer.take()
            self._running = asyncio.create_task(asyncio.to_thread(self._writer.commit))
            # Should the run end before this is awaited, ``finish`` meets the same trouble.
            self._running.add_done_callback(lambda task: task.cancelled() or task.exception())


@dataclass(slots=True)
class Tally:
    """What a run has done so far.

    Attributes:
        run_id: Its name.
        fingerprint: Of its rows.
        settings: For its record.
        wanted: Rows to make.
        other: Rows of the project that do not count.
        calls_per_row: Calls that a row takes if none fails.
        kind: What the rows are.
        round: Of the flywheel, if any.
        is_incomplete: Tells whether a row lacks something that was asked for.
        spent: What the calls cost so far.
    """

    run_id: str
    fingerprint: str
    settings: Mapping[str, Any]
    wanted: int
    other: int
    calls_per_row: float
    kind: Literal["instruction", "exam"] = "instruction"
    round: int | None = None
    is_incomplete: Callable[[Sample], bool] = lambda _: False
    spent: Callable[[], Spent] = Spent
    warnings: tuple[str, ...] = ()
    started_at: str = field(default_factory=now)
    state: Literal["running", "finished", "stopped", "failed"] = "running"
    why: str = ""
    samples: int = 0
    missing: int = 0
    incomplete: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def add(self, outcome: Sample | Failed) -> None:
        """Count a sample or a failure."""
        if isinstance(outcome, Sample):
            self.samples += 1
            self.incomplete += self.is_incomplete(outcome)
            self.flags.update({Flag.parse(text).name for text in outcome.flags})
            return
        self.missing += outcome.rows
        if outcome.stage == "quality":
            self.dropped[outcome.kind] += 1
            return
        self.counts[outcome.stage, outcome.kind] += 1
        self.examples.setdefault((outcome.stage, outcome.kind), outcome.reason)

    def end(self, state: Literal["finished", "stopped", "failed"], why: str = "") -> None:
        """Note how the run ended."""
        self.state, self.why = state, why

    def did_anything(self) -> bool:
        """Tell whether there is anything to record; a run that could not begin did nothing."""
        spent = self.spent()
        return bool(self.samples or self.missing or self.counts or spent.calls or spent.cached)

    def seconds_left(self) -> float | None:
        """Seconds until the end, judged by calls, since the first rows come late."""
        calls, done = self.spent().calls, self.samples + self.missing
        passed = time.monotonic() - self._began
        if calls:
            total = self.calls_per_row * self.wanted
            left = max(0.0, total - calls - self.spent().cached) if done < self.wanted else 0.0
            return passed / calls * left
        return passed / done * max(0, self.wanted - done) if done else None

    def record(self) -> RunRecord:
        """What is kept of it in the project."""
        spent = self.spent()
        return RunRecord(
            run_id=self.run_id,
            fingerprint=self.fingerprint,
            kind=self.kind,
            round=self.round,
            state=self.state,
            why=self.why,
            started_at=self.started_at,
            updated_at=now(),
            seconds=round(time.monotonic() - self._began, 3),
            settings=dict(self.settings),
            other=self.other,
            wanted=self.wanted,
            samples=self.samples,
            missing=self.missing,
            incomplete=self.incomplete,
            failures=tuple(
                FailureCount(stage=stage, kind=kind, count=n, example=self.examples[stage, kind])
                for (stage, kind), n in self.counts.most_common()
            ),
            flags=dict(self.flags.most_common()),
            dropped=dict(self.dropped.most_common()),
            **asdict(spent),
            warnings=self.warnings,
        )
