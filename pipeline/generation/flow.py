"""Grows samples: cells side by side, instructions cell by cell, each sample's chain on its own.

``drive`` is the one implementation. The batch run hands it a sink, ``grow`` makes a stream of it,
``preview`` is ``grow`` with one sample for each cell, and ``step`` puts it into a pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Final

from pipeline.core.errors import SeedbedError
from pipeline.core.schema import Cell, GenerationSettings, Sample, Seed, normalized
from pipeline.generation.access import ModelAccess
from pipeline.generation.chain import Chain, Failure
from pipeline.generation.chat import CallFailed
from pipeline.generation.planning import CellQuota
from pipeline.generation.prompting import usable_examples

PREVIEW: Final = "preview"
"""Run id of samples that are shown and not stored."""

_FRUITLESS: Final = 3
"""Answers in a row that may bring no new instruction before a cell is given up."""
_FAILED: Final = 8
"""Calls in a row that may fail before a cell is given up: enough to sit out a short outage."""

Outcome = Sample | Failure
Emit = Callable[[Outcome], Awaitable[None]]


async def drive(chain: Chain, seed: Seed, quotas: Sequence[CellQuota], emit: Emit) -> None:
    """Fill ``quotas``, handing each outcome to ``emit`` as soon as it is there.

    Samples plus the ``rows`` of the failures add up to what was asked. At most two rows for each
    permitted call are open at a time, so memory does not grow with the number of rows.

    Raises:
        ModelUnavailable: An endpoint is of no use; what was emitted before stays good.
    """
    known = [example.question for example in usable_examples(seed)]
    width = chain.concurrency
    room = asyncio.Semaphore(2 * width)
    waiting = iter(quotas)

    async def fill_cells() -> None:
        for quota in waiting:
            await _fill(chain, quota, known, room, emit)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(width, len(quotas))):
                group.create_task(fill_cells())
    except BaseExceptionGroup as errors:
        leaf = _telling(errors)
        raise leaf from leaf.__cause__
    if trouble := chain.hopeless():
        raise trouble


async def grow(
    seed: Seed,
    settings: GenerationSettings,
    quotas: Sequence[CellQuota],
    access: ModelAccess,
    run_id: str,
) -> AsyncGenerator[Outcome]:
    """The outcomes of ``drive`` as a stream; closing it stops all calls.

    Raises:
        ModelUnavailable: An endpoint is of no use.
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: The address of a model is not one.
    """
    chain = Chain(seed, settings, access, run_id)
    ready: asyncio.Queue[Outcome] = asyncio.Queue(maxsize=2 * settings.concurrency)
    driver = asyncio.create_task(drive(chain, seed, quotas, ready.put))
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
        await chain.aclose()


def preview(
    seed: Seed, settings: GenerationSettings, cells: Iterable[Cell], access: ModelAccess
) -> AsyncGenerator[Outcome]:
    """One sample for each of ``cells``, made as the batch makes them and stored nowhere.

    Raises:
        As ``grow`` does.
    """
    quotas = [CellQuota(cell, 1) for cell in cells]
    return grow(seed, settings, quotas, access, PREVIEW)


async def _fill(
    chain: Chain, quota: CellQuota, known: Sequence[str], room: asyncio.Semaphore, emit: Emit
) -> None:
    """Write instructions until the cell has enough, and answer each while more are written."""
    cell, missing, fruitless, failed = quota.cell, quota.count, 0, 0
    asked = list(quota.instructions)
    seen = {normalized(text) for text in (*asked, *known)}

    async def answer(instruction: str) -> None:
        try:
            for outcome in await chain.answer(cell, instruction):
                await emit(outcome)
        finally:
            room.release()

    async with asyncio.TaskGroup() as rows:
        while missing:
            count = min(chain.instructions_per_call, missing)
            try:
                written = await chain.write(cell, count, asked, fruitless)
                trouble = _nothing_new(cell, chain.writer, written)
                failed = 0
            except CallFailed as error:
                written = []
                trouble = Failure(cell, "instruction", error.kind, error.problem)
                failed += 1
            new = [text for text in written if normalized(text) not in seen][:count]
            if new:
                fruitless = 0
            elif not failed:
                fruitless += 1
            if fruitless >= _FRUITLESS or failed >= _FAILED:
                await emit(trouble.losing(missing))
                return
            if not new:
                await emit(trouble)
            for instruction in new:
                await room.acquire()
                rows.create_task(answer(instruction))
            asked += new
            seen.update(map(normalized, new))
            missing -= len(new)


def _nothing_new(cell: Cell, model: str, written: Sequence[str]) -> Failure:
    if written:
        reason = f"{model} only repeated instructions that exist already."
        return Failure(cell, "instruction", "duplicate", reason)
    reason = f"{model} answered without a list of instructions."
    return Failure(cell, "instruction", "no list", reason)


def _telling(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to show for a group: one meant for people, else the first."""
    leaves: list[BaseException] = []
    for error in errors.exceptions:
        leaves.append(_telling(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((leaf for leaf in leaves if isinstance(leaf, SeedbedError)), leaves[0])
