"""One generation run: from a project's seed to sample shards and a run record in the project."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import aclosing, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core import checks
from pipeline.core.errors import BudgetSpent
from pipeline.core.projects import require_project
from pipeline.core.rounds import Round
from pipeline.core.runs import RunRecord
from pipeline.core.samples import read_samples
from pipeline.core.schema import Cell, GenerationSettings, Sample, Seed
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.cache import CACHE, CallCache
from pipeline.generation.grounding import Grounds, load_grounds
from pipeline.generation.ledger import Ledger, Spent
from pipeline.generation.planning import Plan, calls_per_row, fingerprint, plan, warnings
from pipeline.generation.quality import Inspector
from pipeline.generation.running import (
    Progress,
    Take,
    Tally,
    allow_connections,
    alone,
    carry_out,
    new_run_id,
    told,
)
from pipeline.generation.traffic import Traffic

if TYPE_CHECKING:
    from pipeline.generation.chain import Job
    from pipeline.generation.flow import Inspect


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
    allow_connections(settings.concurrency)
    with (
        told(work),
        alone(work, store.name, "samples"),
        closing(Inspector(seed, settings.quality, work / "instructions.sqlite")) as inspector,
    ):
        existing = inspector.remember_all(read_samples(store))
        grounds = load_grounds(store, settings)
        marks = grounds.marks if grounds else ()
        planned = plan(seed, settings, existing, rows, after, marks)
        if planned.rows and inspector.knows_more():
            inspector.clear()
            deque(inspector.remember_all(read_samples(store)), maxlen=0)
        tally = Tally(
            run_id=run_id or new_run_id(),
            fingerprint=fingerprint(seed, settings, after, marks),
            settings=settings.model_dump(mode="json"),
            wanted=planned.rows,
            other=planned.known.other(),
            calls_per_row=calls_per_row(settings),
            round=after.number if after else None,
            is_incomplete=partial(_incomplete, settings),
            warnings=tuple(warnings(settings)),
        )
        with closing(planned.known):
            ask = _Ask(
                seed, settings, access, work, budget, ray, planned, inspector, grounds, after
            )
            return carry_out(
                partial(_grow, ask, tally),
                store,
                tally,
                width=settings.concurrency,
                shard_size=shard_size,
                on_progress=on_progress,
            )


@dataclass(frozen=True, slots=True)
class _Ask:
    """What a run needs to know and to have."""

    seed: Seed
    settings: GenerationSettings
    access: ModelAccess
    work: Path
    budget: float | None
    ray: str | None
    planned: Plan
    inspector: Inspector
    grounds: Grounds | None
    after: Round | None


async def _grow(ask: _Ask, tally: Tally, traffic: Traffic, take: Take) -> None:
    # distilabel takes seconds to import: only once there is something to do.
    from pipeline.generation.chain import Job  # noqa: PLC0415

    def inspect(sample: Sample) -> tuple[Sample | None, tuple[str, ...]]:
        passage = ask.grounds.passage_of(sample) if ask.grounds else None
        found = ask.inspector.inspect(sample, passage.text if passage else "")
        return found.sample, tuple(flag.name for flag in found.dropped)

    job = Job(ask.seed, ask.settings, tally.run_id, ask.after, ask.grounds)
    if ask.ray is None:
        await _grow_here(ask, job, traffic, tally, take, inspect)
    else:
        await _grow_on_ray(ask, job, ask.ray, tally, take, inspect)


async def _grow_here(
    ask: _Ask, job: Job, traffic: Traffic, tally: Tally, take: Take, inspect: Inspect
) -> None:
    from pipeline.generation.chain import Chain  # noqa: PLC0415
    from pipeline.generation.flow import asked_by_experts, drive  # noqa: PLC0415
    from pipeline.generation.llm import Shared  # noqa: PLC0415

    ledger = Ledger(ask.budget)
    tally.spent = ledger.spent
    with closing(CallCache(ask.work / CACHE)) as cache:
        async with aclosing(Chain(job, ask.access, Shared(traffic, ledger, cache))) as chain:
            known = asked_by_experts(ask.seed)
            await drive(chain, known, ask.planned.quotas(), ask.planned.rows, take, inspect)


async def _grow_on_ray(
    ask: _Ask, job: Job, address: str, tally: Tally, take: Take, inspect: Inspect
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
        list(ask.planned.quotas()),
        ask.access,
        address=address,
        # The machines of a cluster have no folder of the project's.
        work=str(ask.work) if address == LOCAL else f"~/.cache/seedbed/{ask.work.name}",
        budget=ask.budget,
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


def _incomplete(settings: GenerationSettings, sample: Sample) -> bool:
    """Tell whether completions or ratings are fewer than the settings ask for."""
    lines = settings.completions * (1 + settings.evolve_completions)
    unrated = settings.judge and any(c.judge_rating is None for c in sample.completions)
    return len(sample.completions) < lines or bool(unrated)
