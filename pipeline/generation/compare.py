"""Two ways to answer, side by side: the same instructions, answered by several jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.core.errors import InvalidInput
from pipeline.core.schema import Cell, Sample, normalized
from pipeline.generation.access import ModelAccess
from pipeline.generation.chain import Chain, Failure, Job
from pipeline.generation.chat import CallFailed
from pipeline.generation.flow import asked_by_experts, stream
from pipeline.generation.known import Origin
from pipeline.generation.ledger import Ledger
from pipeline.generation.llm import Shared
from pipeline.generation.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Answered:
    """What one side made of one cell.

    Attributes:
        side: Which job; None if no instruction came, so that neither side has anything.
        cell: Where.
        sample: The instruction with this side's answers; None if there is none.
        failures: What went wrong.
    """

    side: int | None
    cell: Cell
    sample: Sample | None
    failures: tuple[Failure, ...]


async def compare(
    jobs: Sequence[Job], cells: Iterable[Cell], access: ModelAccess
) -> AsyncGenerator[Answered]:
    """Each job's answers to one instruction a cell, which the first job writes.

    Each answer is there as soon as it comes; closing the stream stops all calls.

    Raises:
        ModelUnavailable: An endpoint is of no use.
        NotSignedIn: A credential is missing or unusable.
        NotAllowed: The key may not be sent to a model's host.
        InvalidInput: A job rewrites instructions, so that sides would not answer the same; or the
            address of a model is not one.
    """
    if any(job.settings.evolve_instructions for job in jobs):
        raise InvalidInput(
            "Sides cannot be compared while instructions are rewritten.",
            "Set evolve_instructions to 0.",
        )
    shared = Shared(Traffic(jobs[0].settings.concurrency), Ledger(), watched=True)
    chains = [Chain(job, access, shared) for job in jobs]
    known = frozenset(map(normalized, asked_by_experts(jobs[0].seed)))
    cells = list(cells)

    async def work(emit: Callable[[Answered], Awaitable[None]]) -> None:
        await _gather(*(_compare_cell(chains, cell, known, emit) for cell in cells))
        for chain in chains:
            if trouble := chain.hopeless():
                raise trouble

    answers = stream(work, len(jobs) * len(cells))
    try:
        async for answer in answers:
            yield answer
    finally:
        await answers.aclose()
        for chain in chains:
            await chain.aclose()


async def _compare_cell(
    chains: Sequence[Chain],
    cell: Cell,
    known: frozenset[str],
    emit: Callable[[Answered], Awaitable[None]],
) -> None:
    try:
        written = await chains[0].write(cell, 0, [])
    except CallFailed as error:
        await emit(Answered(None, cell, None, (Failure.of(cell, "instruction", error),)))
        return
    place = next((at for at, text in enumerate(written) if normalized(text) not in known), 0)

    async def answer(side: int) -> None:
        sample, failures = await chains[side].answer(cell, Origin(0, place), written[place])
        await emit(Answered(side, cell, sample, tuple(failures)))

    await _gather(*(answer(side) for side in range(len(chains))))


async def _gather(*awaitables: Awaitable[None]) -> None:
    """Wait for all; if one raises, the others are cancelled and that is raised."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
