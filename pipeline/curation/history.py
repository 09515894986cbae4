"""What the runs and rounds of a project did, as far as their records tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pipeline.core.errors import InvalidInput
from pipeline.core.rounds import Round
from pipeline.core.runs import RunRecord, priced, read_runs
from pipeline.core.store import Store
from pipeline.curation.rounds import read_rounds

RECENT: Final = 5
SILENCE: Final = timedelta(minutes=5)
"""A run that has not written its record for so long is taken for killed."""

RunState = Literal["running", "finished", "stopped", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run's record, with its state as it looks now."""

    record: RunRecord
    state: RunState


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """What a round builds on, in figures.

    Attributes:
        accepted: Samples with an accepted completion when it began.
        cells: In how many cells they are.
    """

    number: int
    made_at: str
    good: int
    bad: int
    accepted: int
    cells: int


@dataclass(frozen=True, slots=True)
class History:
    """All runs and rounds.

    Attributes:
        runs: The oldest first.
        rounds: The first one first.
        unreadable: What is wrong with each record that was skipped.
    """

    runs: tuple[RunFacts, ...] = ()
    rounds: tuple[RoundFacts, ...] = ()
    unreadable: tuple[str, ...] = ()

    def recent(self) -> tuple[RunFacts, ...]:
        """The last runs, the newest first."""
        return self.runs[-RECENT:][::-1]

    def cost(self) -> float | None:
        """Dollars of all runs as far as prices are known; None if none is."""
        known = [run.record.cost for run in self.runs if run.record.cost is not None]
        return sum(known) if known else None

    def unpriced(self) -> list[str]:
        """Models that were called in any run and whose price is unknown."""
        return sorted({model for run in self.runs for model in run.record.unpriced})

    def price(self) -> str:
        """What all runs cost, in words."""
        return priced(self.cost(), some_unknown=bool(self.unpriced()))

    def judges(self) -> list[str]:
        """Models that rated completions in any run."""
        return _judges(run.record for run in self.runs)

    def round_of(self) -> dict[str, int | None]:
        """The round of each run, by run id."""
        return {run.record.run_id: run.record.round for run in self.runs}

    def as_json(self) -> dict[str, Any]:
        """The last runs and the sums over all; settings are left in the records."""
        return {
            "runs": [
                run.record.model_dump(mode="json", exclude={"settings"}) | {"state": run.state}
                for run in self.recent()
            ],
            "all_runs": {
                "count": len(self.runs),
                "calls": sum(run.record.calls for run in self.runs),
                "cached": sum(run.record.cached for run in self.runs),
                "tokens_in": sum(run.record.tokens_in for run in self.runs),
                "tokens_out": sum(run.record.tokens_out for run in self.runs),
                "cost": self.cost(),
                "unpriced": self.unpriced(),
            },
            "rounds": [
                {
                    "number": one.number,
                    "made_at": one.made_at,
                    "good": one.good,
                    "bad": one.bad,
                    "accepted": one.accepted,
                }
                for one in self.rounds
            ],
            "unreadable_records": list(self.unreadable),
        }


def judges(store: Store) -> list[str]:
    """Models that rated completions in any run whose record can be read."""
    return _judges(record for record in read_runs(store) if isinstance(record, RunRecord))


def read_history(store: Store, moment: datetime | None = None) -> History:
    """Read every record; one that cannot be read is named and skipped.

    Args:
        store: The project.
        moment: The present, to tell a run that goes on from one that was killed.
    """
    moment = moment or datetime.now(UTC)
    runs: list[RunFacts] = []
    rounds: list[RoundFacts] = []
    unreadable: list[str] = []
    for record in read_runs(store):
        if isinstance(record, InvalidInput):
            unreadable.append(record.problem)
        else:
            runs.append(RunFacts(record, _state(record, moment)))
    for one in read_rounds(store):
        if isinstance(one, InvalidInput):
            unreadable.append(one.problem)
        else:
            rounds.append(_round_facts(one))
    runs.sort(key=lambda run: (run.record.started_at, run.record.run_id))
    return History(tuple(runs), tuple(rounds), tuple(unreadable))


def _state(record: RunRecord, moment: datetime) -> RunState:
    if record.state != "running":
        return record.state
    try:
        updated = datetime.fromisoformat(record.updated_at)
    except ValueError:
        return "interrupted"
    if updated.tzinfo is None:
        updated = updated.replace(tzinfo=UTC)
    return "interrupted" if moment - updated > SILENCE else "running"


def _round_facts(one: Round) -> RoundFacts:
    return RoundFacts(
        number=one.number,
        made_at=one.made_at,
        good=len(one.good),
        bad=len(one.bad),
        accepted=sum(cell.accepted for cell in one.accepted),
        cells=len(one.accepted),
    )


def _judges(records: Iterable[RunRecord]) -> list[str]:
    return sorted({name for record in records if (name := _judge(record.settings))})


def _judge(settings: dict[str, Any]) -> str | None:
    judge = settings.get("judge")
    choice = judge.get("model") if isinstance(judge, dict) else None
    name = choice.get("model") if isinstance(choice, dict) else None
    return name if isinstance(name, str) else None
