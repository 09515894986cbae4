"""Grows samples: cells side by side, instructions cell by cell, each sample's chain on its own.

``drive`` is the one implementation. The batch run hands it a sink, ``grow`` makes a stream of it,
``preview`` is ``grow`` with one sample for each cell, and ``step`` puts it into a pipeline.

What a cell asks for depends on the seed, the settings and the answers before it, and on nothing
else: not on timing, nor on what was interrupted when. So the same run again makes the same
requests, finds those that were answered in the cache, and ends with the same rows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pipeline.core.errors import SeedbedError
from pipeline.core.quotas import cell_key
from pipeline.core.schema import Cell, GenerationSettings, Sample, Seed, normalized
from pipeline.generation.access import ModelAccess
from pipeline.generation.chain import Chain, Failure, Job
from pipeline.generation.chat import CallFailed
from pipeline.generation.grounding import Grounds
from pipeline.generation.known import CellQuota, Origin
from pipeline.generation.ledger import Ledger, put_on_account
from pipeline.generation.llm import Shared
from pipeline.generation.prompting import AVOIDED, usable_examples
from pipeline.generation.traffic import Traffic

PREVIEW: Final = "preview"
"""Run id of samples that are shown and not stored."""

_FRUITLESS: Final = 3
"""Answers in a row that may bring no new instruction before a cell is given up."""
_FAILED: Final = 8
"""Calls in a row that may fail before a cell is given up: enough to sit out a short outage."""
_FAILED_WATCHED: Final = 1
"""The same while somebody waits at a screen."""
_LEAST_AHEAD, _MOST_AHEAD = 4, 32
"""Calls of a cell for instructions that are made side by side, at its start and later on."""
_LINED_UP: Final = 64
"""Instructions of a cell that wait for room or are asked for, at most."""
_DROPPED: Final = 4
"""Rows that may be dropped for each one wanted until a cell is given up."""
_TRIED_AGAIN: Final = 10_000
"""Rows kept for a second attempt at the end."""

T = TypeVar("T")
Outcome = Sample | Failure
Emit = Callable[[Outcome], Awaitable[None]]
Inspect = Callable[[Sample], tuple[Sample | None, tuple[str, ...]]]
"""Marks a sample; None in its place and the flags' names if the settings do not keep it."""


async def drive(
    chain: Chain,
    known: Iterable[str],
    quotas: Iterable[CellQuota],
    rows: int,
    emit: Emit,
    inspect: Inspect | None = None,
) -> None:
    """Fill ``quotas``, handing each outcome to ``emit`` as soon as it is there.

    Samples plus the ``rows`` of the failures add up to what was asked. A row that failed is tried
    once more after all others. At most two rows for each permitted call are open at a time, at the
    end four, so memory does not grow with the number of rows.

    Args:
        chain: Makes the samples.
        known: Instructions that are not to be asked in any cell.
        quotas: What each cell needs, read one by one.
        rows: How many samples that is in all.
        emit: Takes the outcomes.
        inspect: Marks samples; one that it does not keep is made up for by another.

    Raises:
        ModelUnavailable: An endpoint is of no use; what was emitted before stays good.
        BudgetSpent: The budget allows no further call.
    """
    run = _Run(chain, frozenset(map(normalized, known)), emit, inspect, rows)
    waiting = iter(quotas)

    async def fill_cells() -> None:
        for quota in waiting:
            await _CellGrowth(run, quota).fill()

    try:
        async with asyncio.TaskGroup() as cells:
            for _ in range(chain.width):
                cells.create_task(fill_cells())
        async with asyncio.TaskGroup() as again:
            for cell, origin, instruction in run.failed:
                await run.make_room()
                again.create_task(run.grow_row(cell, origin, instruction, set(), last=True))
    except BaseExceptionGroup as errors:
        leaf = _telling(errors)
        raise leaf from leaf.__cause__
    if trouble := chain.hopeless():
        raise trouble


async def grow(
    job: Job, quotas: Iterable[CellQuota], access: ModelAccess, shared: Shared
) -> AsyncGenerator[Outcome]:
    """The outcomes of ``drive`` as a stream; closing it stops all calls.

    Raises:
        ModelUnavailable: An endpoint is of no use.
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: The address of a model is not one.
    """
    chain = Chain(job, access, shared)
    quotas = list(quotas)
    rows = sum(quota.count for quota in quotas)

    async def work(emit: Emit) -> None:
        await drive(chain, asked_by_experts(job.seed), quotas, rows, emit)

    outcomes = stream(work, 2 * job.settings.concurrency)
    try:
        async for outcome in outcomes:
            yield outcome
    finally:
        await outcomes.aclose()  # no call may be under way when the connections are closed
        await chain.aclose()


async def stream(
    work: Callable[[Callable[[T], Awaitable[None]]], Awaitable[None]], ahead: int
) -> AsyncGenerator[T]:
    """What ``work`` hands to the function that it is given, at most ``ahead`` of who takes it.

    Closing the stream cancels the work and waits for its end; what it raises is raised here.
    """
    ready: asyncio.Queue[T] = asyncio.Queue(maxsize=ahead)

    async def drive() -> None:
        await work(ready.put)

    driver = asyncio.create_task(drive())
    try:
        while not driver.done():
            getter = asyncio.create_task(ready.get())
            try:
                await asyncio.wait({getter, driver}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                getter.cancel()  # no effect if it has got something
            if getter.done():
                yield getter.result()
        while not ready.empty():
            yield ready.get_nowait()
        await driver
    finally:
        driver.cancel()
        await asyncio.gather(driver, return_exceptions=True)


def preview(
    seed: Seed,
    settings: GenerationSettings,
    cells: Iterable[Cell],
    access: ModelAccess,
    grounds: Grounds | None = None,
    ledger: Ledger | None = None,
) -> AsyncGenerator[Outcome]:
    """One sample for each of ``cells``, made as the batch makes them and stored nowhere.

    ``ledger`` is told what it takes.

    Raises:
        As ``grow`` does.
    """
    shared = Shared(Traffic(settings.concurrency), ledger or Ledger(), watched=True)
    quotas = [CellQuota(cell, 1) for cell in cells]
    return grow(Job(seed, settings, PREVIEW, grounds=grounds), quotas, access, shared)


def asked_by_experts(seed: Seed) -> list[str]:
    """The questions of the examples, which are no new instructions in any cell."""
    return [example.question for example in usable_examples(seed)]


@dataclass(slots=True)
class _Run:
    """What the growth of all cells has in common."""

    chain: Chain
    known: frozenset[str]
    emit: Emit
    inspect: Inspect | None
    to_begin: int
    failed: list[tuple[Cell, Origin, str]] = field(default_factory=list)
    ending: bool = False
    room: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.room = asyncio.Semaphore(2 * self.chain.width)

    async def make_room(self) -> None:
        """Wait until one more row may begin."""
        self.to_begin -= 1
        if not self.ending and self.to_begin <= 2 * self.chain.width:
            self.ending = True
            self.chain.end_soon()
            for _ in range(2 * self.chain.width):
                self.room.release()
        await self.room.acquire()

    async def grow_row(
        self, cell: Cell, origin: Origin, instruction: str, ids: set[str], *, last: bool
    ) -> bool:
        """Make one sample and give back its room; tell whether the quota lacks one because of it.

        ``ids`` are those of the cell's samples.

        A row that failed does not lack: it is tried again when all others are done.
        """
        put_on_account(cell_key(cell))
        try:
            sample, failures = await self.chain.answer(cell, origin, instruction)
            if sample is None and not last and len(self.failed) < _TRIED_AGAIN:
                self.failed.append((cell, origin, instruction))
                failures = [failure.losing(0) for failure in failures]
            elif sample is not None and sample.sample_id in ids:
                # Two instructions were rewritten into one.
                reason = f"{self.chain.writer} rewrote two questions into the same one."
                await self.emit(Failure(cell, "evolution", "duplicate", reason, rows=int(last)))
                return True
            elif sample is not None:
                ids.add(sample.sample_id)
            dropped: tuple[str, ...] = ()
            if sample is not None and self.inspect is not None:
                sample, dropped = self.inspect(sample)
            for name in dropped:
                reason = f"The settings do not keep what is marked {name}."
                await self.emit(Failure(cell, "quality", name, reason))
            for failure in failures:
                await self.emit(failure)
            if sample is not None:
                await self.emit(sample)
            elif dropped and last:
                reason = "It was dropped, and nothing else was grown in its place."
                await self.emit(Failure(cell, "quality", "not replaced", reason, rows=1))
            return sample is None and bool(dropped)
        finally:
            self.room.release()


class _CellGrowth:
    """Fills one cell: instructions in the order of their calls, each answered while more come.

    Call ``n`` names the instructions of the calls before ``_first_unknown(n)``, so that calls
    can be made side by side and each still asks the same in every run.
    """

    def __init__(self, run: _Run, quota: CellQuota) -> None:
        self._run = run
        self._quota = quota
        self._seen = {hash(normalized(text)) for text in quota.others}
        self._named: deque[str] = deque(quota.others[-AVOIDED:], maxlen=AVOIDED)
        self._unnamed: deque[list[str]] = deque()
        self._done = 0
        self._failed = self._dropped = 0
        self._fruitless: list[tuple[int, list[str]]] = []
        self._avoided: dict[int, list[str]] = {}
        self._missing = quota.count
        self._open: set[asyncio.Task[bool]] = set()
        self._next: deque[tuple[Origin, str]] = deque()
        self._changed = asyncio.Event()
        made = (text for rows in quota.made.values() for text in rows.values())
        self._ids = {run.chain.sample_id(quota.cell, text) for text in made}

    async def fill(self) -> None:
        """Grow the cell's samples, or tell why some are missing."""
        put_on_account(cell_key(self._quota.cell))
        async with asyncio.TaskGroup() as tasks:
            beginning = tasks.create_task(self._begin_rows(tasks))
            trouble = await self._ask_for_all(tasks)
            while self._open or (self._next and self._missing):
                await self._change()
            beginning.cancel()
        if trouble is not None:
            await self._run.emit(trouble.losing(self._missing))

    async def _ask_for_all(self, tasks: asyncio.TaskGroup) -> Failure | None:
        """Ask until every row is made; a failure if the cell is given up before."""
        per_call = self._run.chain.instructions_per_call
        asked: deque[asyncio.Task[list[str] | Failure]] = deque()
        issued = 0
        while self._missing or self._open:
            wanted = min(self._missing, _LINED_UP) - len(self._next)
            while len(asked) * per_call < wanted and _first_unknown(issued) <= self._done:
                self._avoided[issued] = self._names(issued)
                asked.append(tasks.create_task(self._ask(issued, self._avoided[issued])))
                issued += 1
            trouble = self._too_many_dropped()
            if trouble is None and asked:
                trouble = await self._take(await asked.popleft())
            elif trouble is None:
                await self._change()
            if trouble is not None:
                return trouble
        return None

    async def _change(self) -> None:
        """Wait until a row has begun or ended, or more are lined up."""
        self._changed.clear()
        await self._changed.wait()

    async def _take(self, answer: list[str] | Failure) -> Failure | None:
        """Line up the next call's instructions; a failure if the cell is given up."""
        number, made = self._done, self._quota.made.get(self._done, {})
        written = [] if isinstance(answer, Failure) else answer
        new: list[tuple[int, str]] = []
        for position, text in enumerate(written):
            key = normalized(text)
            if key and hash(key) not in self._seen and key not in self._run.known:
                self._seen.add(hash(key))
                new.append((position, text))
        self._done += 1
        self._unnamed.append([text for _, text in new])
        avoid = self._avoided.pop(number)
        cell = self._quota.cell
        if isinstance(answer, Failure):
            trouble = answer
            self._failed += 1
        else:
            reason = f"{self._run.chain.writer} only repeated instructions that exist already."
            trouble = Failure(cell, "instruction", "duplicate", reason)
            self._failed = 0
            if new or made:
                self._fruitless.clear()
            else:
                self._fruitless.append((number, avoid))
        if len(self._fruitless) >= _FRUITLESS:
            for useless in self._fruitless:  # another run may have more luck
                self._run.chain.forget_written(cell, *useless)
            return trouble
        if self._failed >= (_FAILED_WATCHED if self._run.chain.watched else _FAILED):
            return trouble
        if not new and not made:
            await self._run.emit(trouble)
        self._next.extend((Origin(number, at), text) for at, text in new if at not in made)
        self._changed.set()
        return None

    async def _begin_rows(self, tasks: asyncio.TaskGroup) -> None:
        """Begin as many rows as are missing, strictly in order, until cancelled."""
        while True:
            while not (self._missing and self._next):
                await self._change()
            await self._run.make_room()
            origin, text = self._next.popleft()
            self._missing -= 1
            row = tasks.create_task(
                self._run.grow_row(self._quota.cell, origin, text, self._ids, last=False)
            )
            self._open.add(row)
            row.add_done_callback(self._closed)
            self._changed.set()

    def _closed(self, row: asyncio.Task[bool]) -> None:
        self._open.discard(row)
        if not row.cancelled() and row.exception() is None and row.result():
            self._missing += 1
            self._dropped += 1
        self._changed.set()

    def _too_many_dropped(self) -> Failure | None:
        # What earlier runs dropped is dropped again on the way to what is missing now.
        made = sum(map(len, self._quota.made.values()))
        if self._dropped <= _DROPPED * (self._quota.count + made + 1):
            return None
        reason = "Nearly everything that is grown here carries a mark that the settings drop."
        return Failure(self._quota.cell, "quality", "given up", reason)

    def _names(self, number: int) -> list[str]:
        """The instructions that call ``number`` is to avoid, the oldest first."""
        while self._done - len(self._unnamed) < _first_unknown(number):
            self._named.extend(self._unnamed.popleft())
        return list(self._named)

    async def _ask(self, number: int, avoid: list[str]) -> list[str] | Failure:
        """The instructions of call ``number``; where samples tell them, it is not paid again."""
        chain, cell = self._run.chain, self._quota.cell
        made = self._quota.made.get(number)
        if made and not chain.has_written(cell, number, avoid):
            return [made.get(position, "") for position in range(max(made) + 1)]
        try:
            return await chain.write(cell, number, avoid)
        except CallFailed as error:
            return Failure.of(cell, "instruction", error)


def _first_unknown(number: int) -> int:
    """The first call whose instructions call ``number`` does not name; never falls."""
    return max(0, number - min(_MOST_AHEAD, max(_LEAST_AHEAD, number // 2)))


def _telling(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to show for a group: one meant for people, else the first."""
    leaves: list[BaseException] = []
    for error in errors.exceptions:
        leaves.append(_telling(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((leaf for leaf in leaves if isinstance(leaf, SeedbedError)), leaves[0])
