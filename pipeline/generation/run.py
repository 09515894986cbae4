"""One generation run: from a project's seed to sample shards in the project."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.core import checks
from pipeline.core.errors import NotAllowed, StoreUnavailable
from pipeline.core.samples import read_samples
from pipeline.core.schema import GenerationSettings, Sample, Seed
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.planning import CellQuota, fingerprint, plan
from pipeline.generation.shards import MOST_HELD, ShardWriter

if TYPE_CHECKING:
    from pipeline.generation.chain import Usage
    from pipeline.generation.flow import Outcome

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failures of one kind.

    Attributes:
        stage: In which step of the chain.
        kind: What went wrong.
        count: How often.
        example: The first one's reason, in full.
    """

    stage: str
    kind: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did, or has done so far.

    Attributes:
        run_id: The folder of its shards.
        fingerprint: Of its rows.
        wanted: Samples that were missing at the start.
        samples: Samples made.
        missing: Samples given up; with ``samples`` they sum to ``wanted`` once the run is over.
        incomplete: Samples made with fewer completions than the settings ask for.
        failures: By stage and kind, the most frequent first.
        calls: Requests to models, retries not counted.
        tokens_in: As the servers counted; 0 if they do not count.
        tokens_out: As the servers counted; 0 if they do not count.
        shards: Paths written.
    """

    run_id: str
    fingerprint: str
    wanted: int
    samples: int = 0
    missing: int = 0
    incomplete: int = 0
    failures: tuple[FailureCount, ...] = ()
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    shards: tuple[str, ...] = ()


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
    run_id: str | None = None,
    on_progress: Callable[[RunSummary], None] | None = None,
    shard_size: int = 500,
) -> RunSummary:
    """Grow the project to ``rows`` samples; what is there already counts.

    Runs an event loop of its own, so it is not for use inside one. However it ends, by Ctrl-C too,
    the samples that are complete are in the project before it returns or raises.

    Args:
        store: The project.
        seed: As saved or as edited; it must be fit for generating.
        settings: Of which ``rows`` is not read.
        access: Credentials of whoever pays.
        rows: Samples the project shall have under this seed and these settings.
        run_id: A new one unless given.
        on_progress: Called after each sample or failure.
        shard_size: Rows in one file at most; how often files are committed does not depend on it.

    Raises:
        InvalidInput: The seed or the address of a model cannot be used.
        NotSignedIn: A credential is missing or unusable.
        NotAllowed: The project cannot be written.
        ModelUnavailable: An endpoint is of no use.
        StoreUnavailable: The project cannot be reached.
    """
    checks.require(seed, checks.Level.BLOCKS_GENERATING)
    quotas = plan(seed, settings, read_samples(store), rows)
    run_id = run_id or new_run_id()
    tally = _Tally(run_id, fingerprint(seed, settings), sum(quota.count for quota in quotas))
    if not quotas:
        return tally.summary()
    if not store.can_write():
        raise NotAllowed(
            f"These credentials may not write to {store.name}.",
            "Nothing was generated; use a token that may write, or another project.",
        )
    writer = ShardWriter(store, run_id, shard_size)
    try:
        asyncio.run(_grow(seed, settings, quotas, access, writer, tally, on_progress))
    finally:
        writer.finish()
        tally.shards = tuple(writer.paths)
    return tally.summary()


async def _grow(
    seed: Seed,
    settings: GenerationSettings,
    quotas: Sequence[CellQuota],
    access: ModelAccess,
    writer: ShardWriter,
    tally: _Tally,
    on_progress: Callable[[RunSummary], None] | None,
) -> None:
    # distilabel takes seconds to import: only once there is something to do.
    from pipeline.generation.chain import Chain  # noqa: PLC0415
    from pipeline.generation.flow import drive  # noqa: PLC0415

    chain = Chain(seed, settings, access, tally.run_id)
    tally.usage = chain.usage
    saver = _Saver(writer)

    async def take(outcome: Outcome) -> None:
        tally.add(outcome, settings.completions)
        if isinstance(outcome, Sample):
            writer.add(outcome)
        await saver.nudge()
        if on_progress is not None:
            on_progress(tally.summary())

    try:
        await drive(chain, seed, quotas, take)
    finally:
        await chain.aclose()


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
        if self._running is not None and (
            self._running.done() or self._writer.held >= 2 * MOST_HELD
        ):
            running, self._running = self._running, None
            try:
                await running
            except StoreUnavailable as error:
                _log.warning("%s It is tried again; generation goes on.", error.problem)
        if self._running is None and self._writer.due():
            self._running = asyncio.create_task(asyncio.to_thread(self._writer.commit))
            # Should the run end before this is awaited, ``finish`` meets the same trouble.
            self._running.add_done_callback(lambda task: task.cancelled() or task.exception())


@dataclass(slots=True)
class _Tally:
    run_id: str
    fingerprint: str
    wanted: int
    samples: int = 0
    missing: int = 0
    incomplete: int = 0
    usage: Usage | None = None
    shards: tuple[str, ...] = ()
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, outcome: Outcome, completions: int) -> None:
        if isinstance(outcome, Sample):
            self.samples += 1
            self.incomplete += len(outcome.completions) < completions
            return
        self.missing += outcome.rows
        self.counts[outcome.stage, outcome.kind] += 1
        self.examples.setdefault((outcome.stage, outcome.kind), outcome.reason)

    def summary(self) -> RunSummary:
        usage = self.usage
        return RunSummary(
            run_id=self.run_id,
            fingerprint=self.fingerprint,
            wanted=self.wanted,
            samples=self.samples,
            missing=self.missing,
            incomplete=self.incomplete,
            failures=tuple(
                FailureCount(stage, kind, count, self.examples[stage, kind])
                for (stage, kind), count in self.counts.most_common()
            ),
            calls=usage.calls if usage else 0,
            tokens_in=usage.tokens_in if usage else 0,
            tokens_out=usage.tokens_out if usage else 0,
            shards=self.shards,
        )
