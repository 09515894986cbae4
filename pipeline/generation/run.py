"""One generation run: from a project's seed to sample shards and a run record in the project."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from filelock import FileLock, Timeout

from pipeline.core import checks
from pipeline.core.errors import (
    BudgetSpent,
    InvalidInput,
    NotAllowed,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.feedback import now
from pipeline.core.flags import Flag
from pipeline.core.projects import require_project
from pipeline.core.rounds import Round
from pipeline.core.runs import FailureCount, RunRecord
from pipeline.core.samples import read_samples
from pipeline.core.schema import Cell, GenerationSettings, Sample, Seed
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.cache import CACHE, CallCache
from pipeline.generation.grounding import Grounds, load_grounds
from pipeline.generation.ledger import Ledger, Spent
from pipeline.generation.planning import Plan, calls_per_row, fingerprint, plan, warnings
from pipeline.generation.quality import Inspector
from pipeline.generation.shards import MOST_HELD, ShardWriter
from pipeline.generation.traffic import Traffic

if TYPE_CHECKING:
    from pipeline.generation.chain import Job
    from pipeline.generation.flow import Emit, Inspect, Outcome

_log = logging.getLogger(__name__)

_OTHER_FILES: Final = 256
"""Open files besides one connection for each call."""
_SHOWN_EVERY: Final = 0.2
"""Seconds between two reports of progress."""


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


def generate(
    store: Store,
    seed: Seed,
    settings: GenerationSettings,
    access: ModelAccess,
    *,
    rows: int,
    work: Path,
    budget: float | None = None,
    after: Round | None = None,
    ray: str | None = None,
    run_id: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    shard_size: int = 500,
) -> RunRecord:
    """Grow the project to ``rows`` samples; what is there already counts.

    Runs an event loop of its own, so it is not for use inside one. However it ends, by Ctrl-C too,
    the samples that are complete are in the project before it returns or raises; after a
    ``kill -9`` the same call takes the answers that were paid for from the cache.

    Args:
        store: The project.
        seed: As saved or as edited; it must be fit for generating.
        settings: Of which ``rows`` is not read.
        access: Credentials of whoever pays.
        rows: Samples the project shall have under this seed and these settings.
        work: Folder on this machine for the cache and other working files of the project.
        budget: Dollars that this run may cost; None is no limit.
        after: The round that builds on votes, if it is one.
        ray: Address of a Ray cluster to grow on, or ``local``; None grows in this process.
        run_id: A new one unless given.
        on_progress: Called a few times a second.
        shard_size: Rows in one file at most; how often files are committed does not depend on it.

    Raises:
        InvalidInput: The seed, a setting or the address of a model cannot be used, or another run
            of this project is under way on this machine.
        NotSignedIn: A credential is missing or unusable.
        NotAllowed: The project cannot be written.
        ModelUnavailable: An endpoint is of no use.
        ProjectNotFound: There is no project.
        StoreUnavailable: The project cannot be reached, or the cache cannot be used.
    """
    checks.require(seed, checks.Level.BLOCKS_GENERATING)
    if budget is not None:
        Ledger(budget, settings.all_models())  # refuses a price that is unknown
    require_project(store)
    _allow_connections(settings.concurrency)
    with _told(work), _alone(work, store.name), _inspector(seed, settings, work) as inspector:
        existing = inspector.remember_all(read_samples(store))
        grounds = load_grounds(store, settings)
        marks = grounds.marks if grounds else ()
        planned = plan(seed, settings, existing, rows, after, marks)
        if planned.rows and inspector.knows_more():
            inspector.clear()
            deque(inspector.remember_all(read_samples(store)), maxlen=0)
        tally = _Tally(
            run_id=run_id or new_run_id(),
            fingerprint=fingerprint(seed, settings, after, marks),
            settings=settings,
            after=after,
            wanted=planned.rows,
            other=planned.known.other(),
            warnings=tuple(warnings(settings)),
        )
        try:
            if not planned.rows:
                tally.end("finished")
            else:
                _require_writable(store)
                work_ = _Work(
                    store, seed, settings, access, work, budget, ray, planned, inspector, grounds
                )
                _run(work_, tally, on_progress, shard_size)
        finally:
            planned.known.close()
    return tally.record()


@dataclass(frozen=True, slots=True)
class _Work:
    """What a run needs to know and to have."""

    store: Store
    seed: Seed
    settings: GenerationSettings
    access: ModelAccess
    folder: Path
    budget: float | None
    ray: str | None
    planned: Plan
    inspector: Inspector
    grounds: Grounds | None


def _run(
    work: _Work,
    tally: _Tally,
    on_progress: Callable[[Progress], None] | None,
    shard_size: int,
) -> None:
    """Grow, and leave samples and record in the project however that ends."""
    writer = ShardWriter(work.store, tally.run_id, shard_size, lambda: tally.record().to_json())
    try:
        asyncio.run(_grow(work, writer, tally, on_progress))
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


async def _grow(
    work: _Work,
    writer: ShardWriter,
    tally: _Tally,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    # distilabel takes seconds to import: only once there is something to do.
    from pipeline.generation.chain import Job  # noqa: PLC0415

    saver = _Saver(writer)

    async def take(outcome: Outcome) -> None:
        tally.add(outcome)
        if isinstance(outcome, Sample):
            writer.add(outcome)
        await saver.nudge()

    def inspect(sample: Sample) -> tuple[Sample | None, tuple[str, ...]]:
        passage = work.grounds.passage_of(sample) if work.grounds else None
        found = work.inspector.inspect(sample, passage.text if passage else "")
        return found.sample, tuple(flag.name for flag in found.dropped)

    job = Job(work.seed, work.settings, tally.run_id, tally.after, work.grounds)
    traffic = Traffic(work.settings.concurrency)
    async with _shown(tally, traffic, on_progress):
        if work.ray is None:
            await _grow_here(work, job, traffic, tally, take, inspect)
        else:
            await _grow_on_ray(work, job, work.ray, tally, take, inspect)


async def _grow_here(
    work: _Work,
    job: Job,
    traffic: Traffic,
    tally: _Tally,
    take: Emit,
    inspect: Inspect,
) -> None:
    from pipeline.generation.chain import Chain  # noqa: PLC0415
    from pipeline.generation.flow import asked_by_experts, drive  # noqa: PLC0415
    from pipeline.generation.llm import Shared  # noqa: PLC0415

    ledger = Ledger(work.budget)
    tally.spent = ledger.spent
    cache = CallCache(work.folder / CACHE)
    try:
        chain = Chain(job, work.access, Shared(traffic, ledger, cache))
        try:
            known = asked_by_experts(work.seed)
            quotas, rows = work.planned.quotas(), work.planned.rows
            await drive(chain, known, quotas, rows, take, inspect)
        finally:
            await chain.aclose()
    finally:
        cache.close()


async def _grow_on_ray(
    work: _Work, job: Job, address: str, tally: _Tally, take: Emit, inspect: Inspect
) -> None:
    """Grow elsewhere and inspect here; what is dropped is not made up for in the same run."""
    from pipeline.generation.chain import Failure  # noqa: PLC0415
    from pipeline.generation.cluster import LOCAL, grow_on_ray  # noqa: PLC0415

    so_far = Spent()

    def note(spent: Spent) -> None:
        nonlocal so_far
        so_far = spent

    tally.spent = lambda: so_far
    stream = grow_on_ray(
        job,
        list(work.planned.quotas()),
        work.access,
        address=address,
        # The machines of a cluster have no folder of the project's.
        work=str(work.folder) if address == LOCAL else f"~/.cache/seedbed/{work.folder.name}",
        budget=work.budget,
        on_spent=note,
    )
    limit = ""
    async with aclosing(stream) as outcomes:
        async for outcome in outcomes:
            if not isinstance(outcome, Sample):
                if outcome.kind == BudgetSpent.__name__:
                    limit = outcome.reason
                else:
                    await take(outcome)
                continue
            kept, dropped = inspect(outcome)
            for place, name in enumerate(dropped):
                reason = f"The settings do not keep what is marked {name}."
                cell = Cell(topic=outcome.topic, perspective=outcome.perspective)
                lost = kept is None and not place
                await take(Failure(cell, "quality", name, reason, rows=int(lost)))
            if kept is not None:
                await take(kept)
    if limit:
        raise BudgetSpent(limit, "The same command with another budget goes on.")


def _allow_connections(most: int) -> None:
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
def _told(work: Path) -> Iterator[None]:
    """Say what it means that a working file cannot be used."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"The working files in {work} cannot be used: {error}.",
            "Make room on the disk, or remove instructions.sqlite there, which is made anew.",
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"This machine cannot go on: {error.strerror or error}.",
            "Make room, or lower the concurrency; the same command goes on from there.",
        ) from error


@contextmanager
def _alone(work: Path, project: str) -> Iterator[None]:
    """Keep a second run of the project away: both would pay for the same rows."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / "generate.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise InvalidInput(
            f"Samples are being generated for {project} on this machine already.",
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


@contextmanager
def _inspector(seed: Seed, settings: GenerationSettings, work: Path) -> Iterator[Inspector]:
    path = work / "instructions.sqlite"
    inspector = Inspector(seed, settings.quality, path)
    try:
        yield inspector
    finally:
        inspector.close()


def _require_writable(store: Store) -> None:
    if not store.can_write():
        raise NotAllowed(
            f"These credentials may not write to {store.name}.",
            "Nothing was generated; use a token that may write, or another project.",
        )


@asynccontextmanager
async def _shown(
    tally: _Tally, traffic: Traffic, show: Callable[[Progress], None] | None
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
class _Tally:
    """What a run has done so far."""

    run_id: str
    fingerprint: str
    settings: GenerationSettings
    after: Round | None
    wanted: int
    other: int
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

    def add(self, outcome: Outcome) -> None:
        if isinstance(outcome, Sample):
            self.samples += 1
            self.incomplete += self._incomplete(outcome)
            self.flags.update({Flag.parse(text).name for text in outcome.flags})
            return
        self.missing += outcome.rows
        if outcome.stage == "quality":
            self.dropped[outcome.kind] += 1
            return
        self.counts[outcome.stage, outcome.kind] += 1
        self.examples.setdefault((outcome.stage, outcome.kind), outcome.reason)

    def _incomplete(self, sample: Sample) -> bool:
        settings = self.settings
        lines = settings.completions * (1 + settings.evolve_completions)
        unrated = settings.judge and any(c.judge_rating is None for c in sample.completions)
        return len(sample.completions) < lines or bool(unrated)

    def end(self, state: Literal["finished", "stopped", "failed"], why: str = "") -> None:
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
            total = calls_per_row(self.settings) * self.wanted
            left = max(0.0, total - calls - self.spent().cached) if done < self.wanted else 0.0
            return passed / calls * left
        return passed / done * max(0, self.wanted - done) if done else None

    def record(self) -> RunRecord:
        spent = self.spent()
        return RunRecord(
            run_id=self.run_id,
            fingerprint=self.fingerprint,
            round=self.after.number if self.after else None,
            state=self.state,
            why=self.why,
            started_at=self.started_at,
            updated_at=now(),
            seconds=round(time.monotonic() - self._began, 3),
            settings=self.settings.model_dump(mode="json"),
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
