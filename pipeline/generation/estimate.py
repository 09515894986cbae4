"""What a run would take, judged from a few samples that are really made.

The samples are made by the run's own chain, and their answers are kept in the run's cache. So
trying costs little and is not paid again.
"""

from __future__ import annotations

import asyncio
import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.core import checks
from pipeline.core.rounds import Round
from pipeline.core.samples import read_samples
from pipeline.core.schema import GenerationSettings, Sample, Seed
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.cache import CACHE, CallCache
from pipeline.generation.grounding import Grounds, load_grounds
from pipeline.generation.known import CellQuota
from pipeline.generation.ledger import Ledger, Usage, unpriced
from pipeline.generation.planning import Plan, plan
from pipeline.generation.traffic import Traffic

TRIED: Final = 5
"""Cells that are tried, one sample each, spread evenly over all that need samples."""
_T90: Final = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796)
"""Student's t for a two-sided 90 % interval with 1 to 11 degrees of freedom."""
_LEAST_SPREAD: Final = 0.1
"""Half the width of a range at least, as a share: a few samples do not know better."""


@dataclass(frozen=True, slots=True)
class Range:
    """Where a figure is expected, with about 90 % confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would take.

    Attributes:
        rows: Samples to add.
        sampled: Samples that were tried.
        calls: Answers to pay for.
        tokens_in: Tokens of prompts.
        tokens_out: Tokens of answers.
        cost: Dollars; None if a price is unknown.
        seconds: How long, at the settings' concurrency.
        unpriced: Models whose price is unknown.
        spent: Dollars that trying cost; None if a price is unknown.
        failures: What failed while trying.
    """

    rows: int
    sampled: int = 0
    calls: Range = Range(0, 0)
    tokens_in: Range = Range(0, 0)
    tokens_out: Range = Range(0, 0)
    cost: Range | None = Range(0, 0)
    seconds: Range = Range(0, 0)
    unpriced: tuple[str, ...] = ()
    spent: float | None = 0.0
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """What one sample took, its share of the call for instructions included.

    Attributes:
        calls: Answers.
        tokens_in: Tokens of prompts.
        tokens_out: Tokens of answers.
        cost: Dollars, as far as prices are known.
        seconds: All calls one after another.
    """

    calls: float
    tokens_in: float
    tokens_out: float
    cost: float
    seconds: float


def taken(stages: Mapping[str, Usage], settings: GenerationSettings, largest: int) -> Tried:
    """What a sample took whose calls are in ``stages``.

    Args:
        stages: Of this one sample, with the whole call that wrote its instruction.
        settings: Tell how many instructions one call writes.
        largest: The most samples that any cell needs; a call writes no more than are needed.
    """
    together = max(1, min(settings.instructions_per_call, largest))
    shares = {stage: 1 / together if stage == "instruction" else 1.0 for stage in stages}

    def total(figure: str) -> float:
        return float(sum(share * getattr(stages[stage], figure) for stage, share in shares.items()))

    return Tried(
        calls=total("calls") + total("cached"),
        tokens_in=total("all_in"),
        tokens_out=total("all_out"),
        cost=total("all_cost"),
        seconds=total("seconds"),
    )


def expect(tried: Sequence[Tried], settings: GenerationSettings, rows: int) -> Estimate:
    """What ``rows`` samples would take if they are like the ``tried`` ones.

    Raises:
        ValueError: None was tried, or no rows are wanted.
    """
    if not tried or rows < 1:
        raise ValueError("an estimate needs samples that were tried, and rows to expect")
    unknown = unpriced(settings.all_models())
    width = min(settings.concurrency, rows)
    # The last row begins when others are done, and takes as long as a whole chain.
    longest = max(one.seconds for one in tried)
    time = _range([one.seconds for one in tried], rows / width)
    return Estimate(
        rows=rows,
        sampled=len(tried),
        calls=_range([one.calls for one in tried], rows),
        tokens_in=_range([one.tokens_in for one in tried], rows),
        tokens_out=_range([one.tokens_out for one in tried], rows),
        cost=None if unknown else _range([one.cost for one in tried], rows),
        seconds=Range(time.low, time.high + longest),
        unpriced=tuple(unknown),
        spent=0.0,
    )


def estimate(
    store: Store,
    seed: Seed,
    settings: GenerationSettings,
    access: ModelAccess,
    *,
    rows: int,
    work: Path,
    budget: float | None = None,
    after: Round | None = None,
) -> Estimate:
    """Try a few samples and tell what growing the project to ``rows`` would take.

    Stores no sample. Runs an event loop of its own.

    Raises:
        As ``pipeline.generation.run.generate`` does.
    """
    checks.require(seed, checks.Level.BLOCKS_GENERATING)
    grounds = load_grounds(store, settings)
    marks = grounds.marks if grounds else ()
    planned = plan(seed, settings, read_samples(store), rows, after, marks)
    with closing(planned.known):
        if not planned.rows:
            return Estimate(0)
        return asyncio.run(_estimate(seed, settings, access, work, budget, after, planned, grounds))


async def _estimate(
    seed: Seed,
    settings: GenerationSettings,
    access: ModelAccess,
    work: Path,
    budget: float | None,
    after: Round | None,
    planned: Plan,
    grounds: Grounds | None,
) -> Estimate:
    # distilabel takes seconds to import: only once there is something to do.
    from pipeline.generation.chain import Job  # noqa: PLC0415
    from pipeline.generation.flow import grow  # noqa: PLC0415
    from pipeline.generation.llm import Shared  # noqa: PLC0415

    traffic = Traffic(settings.concurrency)
    job = Job(seed, settings, "estimate", after, grounds)

    async def attempt(quota: CellQuota) -> tuple[Ledger, bool, list[str]]:
        ledger = Ledger(None if budget is None else budget / len(quotas), settings.all_models())
        shared = Shared(traffic, ledger, cache)
        outcomes = [outcome async for outcome in grow(job, [quota], access, shared)]
        made = any(isinstance(outcome, Sample) for outcome in outcomes)
        return ledger, made, [o.reason for o in outcomes if not isinstance(o, Sample)]

    quotas = _some(planned)
    with closing(CallCache(work / CACHE)) as cache:
        tries = await asyncio.gather(*(attempt(quota) for quota in quotas))
    ledgers = [ledger for ledger, _, _ in tries]
    unknown = unpriced(settings.all_models())
    largest = max(count for _, count in planned.counts)
    tried = [taken(ledger.stages, settings, largest) for ledger, made, _ in tries if made]
    reasons = [reason for _, _, failed in tries for reason in failed]
    spent = sum(ledger.cost or 0.0 for ledger in ledgers)
    if not tried:
        return Estimate(
            planned.rows, cost=None, spent=None if unknown else spent, failures=tuple(reasons)
        )
    return replace(
        expect(tried, settings, planned.rows),
        spent=None if unknown else spent,
        failures=tuple(reasons),
    )


def _some(planned: Plan) -> list[CellQuota]:
    """One sample in each of a few cells, evenly spread."""
    step = max(1.0, len(planned.counts) / TRIED)
    chosen = [
        planned.counts[int(index * step)]
        for index in range(TRIED)
        if int(index * step) < len(planned.counts)
    ]
    return [planned.known.quota(cell, 1) for cell, _ in chosen]


def _range(values: Sequence[float], times: float) -> Range:
    """The mean's 90 % confidence interval, ``times`` as large."""
    mean = statistics.fmean(values)
    half = _LEAST_SPREAD * mean
    if len(values) > 1:
        t = _T90[min(len(values) - 1, len(_T90)) - 1]
        half = max(half, t * statistics.stdev(values) / math.sqrt(len(values)))
    else:
        half = max(half, mean / 2)
    return Range(max(0.0, mean - half) * times, (mean + half) * times)
