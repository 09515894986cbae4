"""What generation runs did: one record each, in the project, brought up to date while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core import layout
from pipeline.core.changing import read_folder
from pipeline.core.errors import InvalidInput
from pipeline.core.schema import Stored
from pipeline.core.store import Store


class FailureCount(BaseModel):
    """Failures of one kind.

    Attributes:
        stage: In which step of the chain.
        kind: What went wrong.
        count: How often.
        example: The first one's reason, in full.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    kind: str
    count: int
    example: str


class RunRecord(Stored):
    """What a run did, or has done so far.

    Attributes:
        run_id: The folder of its shards.
        fingerprint: Of its rows.
        kind: What its rows are: instructions with answers, or exam questions.
        round: Which round of the flywheel, if any.
        state: ``running`` also of a run that was killed; ``stopped`` at a limit or by a person.
        why: What stopped it or made it fail, in a sentence.
        started_at: ISO 8601, UTC.
        updated_at: ISO 8601, UTC.
        seconds: How long it ran.
        settings: The generation settings in full; they hold no credentials.
        other: Samples of the project that do not count: made from other words, models or prompts.
        wanted: Samples that were missing at the start.
        samples: Samples made.
        missing: Samples given up; with ``samples`` they sum to ``wanted`` once a run is finished.
        incomplete: Samples made with fewer completions or ratings than the settings ask for.
        failures: By stage and kind, the most frequent first.
        flags: How many samples carry each flag, by name.
        dropped: What the settings did not let in, by flag; not among ``samples``.
        calls: Answers paid for in this run.
        cached: Answers taken from earlier runs, not paid again.
        tokens_in: Of the calls, as the servers counted.
        tokens_out: Of the calls, as the servers counted.
        cost: Dollars for ``calls`` as far as prices are known; None if none is.
        unpriced: Models that were called and whose price is unknown.
        warnings: What the person who started it was told.
    """

    model_config = ConfigDict(frozen=True)

    FILE = "the run record"

    run_id: str
    fingerprint: str
    kind: Literal["instruction", "exam"] = "instruction"
    round: int | None = None
    state: Literal["running", "finished", "stopped", "failed"] = "running"
    why: str = ""
    started_at: str
    updated_at: str
    seconds: float = 0.0
    settings: dict[str, Any] = Field(default_factory=dict)
    other: int = 0
    wanted: int = 0
    samples: int = 0
    missing: int = 0
    incomplete: int = 0
    failures: tuple[FailureCount, ...] = ()
    flags: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)
    calls: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    unpriced: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def price(self) -> str:
        """What it cost, in words that do not take unknown for free."""
        return priced(self.cost, some_unknown=bool(self.unpriced))


def read_runs(store: Store) -> Iterator[RunRecord | InvalidInput]:
    """All records of a project, the oldest first; an unreadable one is told and not fatal."""
    return read_folder(store, RunRecord, layout.RUNS)


def priced(cost: float | None, *, some_unknown: bool) -> str:
    """A cost in words; ``None`` is a cost that is not known at all."""
    if cost is None:
        return "price unknown" if some_unknown else "nothing to pay"
    return f"at least {dollars(cost)}, some prices unknown" if some_unknown else dollars(cost)


def dollars(cost: float) -> str:
    """To the cent, and further where that would call a cost none."""
    return f"${cost:.4f}" if 0 < cost < 0.01 else f"${cost:,.2f}"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if not math.isfinite(seconds):
        return "an unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
