"""The chain as a distilabel Step, so that a distilabel Pipeline can spread it over machines."""

# Annotations are not postponed here: distilabel looks for StepInput among them as it stands.

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import Field, PrivateAttr, SecretStr

from pipeline.core.errors import SeedbedError
from pipeline.core.rounds import Round
from pipeline.core.schema import Cell, GenerationSettings, Sample, Seed
from pipeline.generation.access import ROUTER, ModelAccess
from pipeline.generation.bases import Step, StepInput
from pipeline.generation.cache import CACHE, CallCache
from pipeline.generation.chain import Failure, Job
from pipeline.generation.flow import Outcome, grow
from pipeline.generation.grounding import Grounds
from pipeline.generation.known import CellQuota
from pipeline.generation.ledger import Ledger
from pipeline.generation.llm import Shared
from pipeline.generation.traffic import Traffic

Row: TypeAlias = dict[str, Any]


class GrowSamples(Step):
    """Turns rows of ``quota_row`` into rows that ``outcome_of`` reads, by way of ``flow.grow``.

    A row in may become many rows out. Each is one JSON text, because Arrow would take the type of
    a column from its first batch. Whatever goes wrong becomes failures, not an error: distilabel
    would put nulls in the place of the whole batch.

    Answers are kept in the folder ``work`` of the machine it runs on, if one is named.

    Credentials are left out of every dump, so that no pipeline file ever holds them, and so are the
    texts of documents, which would fill it.
    """

    seed: Seed
    settings: GenerationSettings
    run_id: str
    after: Round | None = None
    grounds: Grounds | None = Field(default=None, exclude=True, repr=False)
    work: str | None = None
    budget: float | None = None
    model_hosts: list[str] = Field(default_factory=list)
    hf_token: SecretStr | None = Field(default=None, exclude=True, repr=False)
    model_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    router: str = ROUTER

    _ledger: Ledger = PrivateAttr(default_factory=Ledger)

    @property
    def inputs(self) -> list[str]:
        """The column it reads."""
        return ["quota"]

    @property
    def outputs(self) -> list[str]:
        """The column it adds."""
        return ["outcome"]

    def process(self, inputs: StepInput) -> Iterator[list[Row]]:
        """Grow the quotas of one batch."""
        outcomes = asyncio.run(self._all(inputs))
        yield [{"quota": "", "outcome": outcome_json(outcome)} for outcome in outcomes]

    async def outcomes(self, rows: Iterable[Row]) -> AsyncGenerator[Outcome]:
        """The outcomes of ``rows`` as they come; closing it stops all calls."""
        quotas = [_quota_of(row) for row in rows]
        access = ModelAccess(
            _revealed(self.hf_token),
            _revealed(self.model_key),
            self.router,
            frozenset(self.model_hosts),
        )
        unmet = Unmet(quotas)
        try:
            with self._shared() as shared:
                job = Job(self.seed, self.settings, self.run_id, self.after, self.grounds)
                async with aclosing(grow(job, quotas, access, shared)) as stream:
                    async for outcome in stream:
                        unmet.note(outcome)
                        yield outcome
        except SeedbedError as error:
            kind, reason = type(error).__name__, error.problem
        except Exception as error:  # noqa: BLE001 - see above
            kind, reason = type(error).__name__, str(error) or repr(error)
        else:
            return
        for failure in unmet.failures(kind, reason):
            yield failure

    @contextmanager
    def _shared(self) -> Iterator[Shared]:
        self._ledger = Ledger(self.budget)
        cache = CallCache(Path(self.work).expanduser() / CACHE) if self.work else None
        try:
            yield Shared(Traffic(self.settings.concurrency), self._ledger, cache)
        finally:
            if cache is not None:
                cache.close()

    async def _all(self, rows: Iterable[Row]) -> list[Outcome]:
        async with aclosing(self.outcomes(rows)) as stream:
            return [outcome async for outcome in stream]


class Unmet:
    """Counts what quotas still miss, for when nothing more can come."""

    def __init__(self, quotas: Sequence[CellQuota]) -> None:
        self._left = {quota.cell: quota.count for quota in quotas}

    def note(self, outcome: Outcome) -> None:
        """Count one outcome off."""
        if isinstance(outcome, Sample):
            self._left[Cell(topic=outcome.topic, perspective=outcome.perspective)] -= 1
        else:
            self._left[outcome.cell] -= outcome.rows

    def failures(self, kind: str, reason: str) -> list[Failure]:
        """One failure for each cell that misses samples."""
        return [
            Failure(cell, "instruction", kind, reason, rows)
            for cell, rows in self._left.items()
            if rows > 0
        ]


def quota_row(quota: CellQuota) -> Row:
    """A quota as the step reads it."""
    return {"quota": json.dumps(asdict(quota) | {"cell": quota.cell.model_dump()})}


def outcome_of(row: Row) -> Outcome:
    """What a row of the step's output says."""
    fields = json.loads(row["outcome"])
    if "sample" in fields:
        return Sample.model_validate(fields["sample"])
    failure = fields["failure"]
    return Failure(**{**failure, "cell": Cell.model_validate(failure["cell"])})


def _quota_of(row: Row) -> CellQuota:
    fields = json.loads(row["quota"])
    cell = Cell.model_validate(fields["cell"])
    made = {
        int(ask): {int(position): text for position, text in rows.items()}
        for ask, rows in fields["made"].items()
    }
    return CellQuota(cell, fields["count"], made, tuple(fields["others"]))


def outcome_json(outcome: Outcome) -> str:
    """An outcome as ``outcome_of`` reads it."""
    fields: dict[str, Any]
    if isinstance(outcome, Sample):
        fields = {"sample": outcome.model_dump(mode="json")}
    else:
        fields = {"failure": {**asdict(outcome), "cell": outcome.cell.model_dump()}}
    return json.dumps(fields, ensure_ascii=False)


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
