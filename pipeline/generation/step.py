"""The chain as a distilabel Step, so that a distilabel Pipeline can spread it over machines."""

# Annotations are not postponed here: distilabel looks for StepInput among them as it stands.

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import Field, SecretStr

from pipeline.core.errors import SeedbedError
from pipeline.core.rounds import Round
from pipeline.core.schema import Cell, GenerationSettings, Sample, Seed
from pipeline.generation.access import ROUTER, ModelAccess
from pipeline.generation.bases import Step, StepInput
from pipeline.generation.cache import CACHE, CallCache
from pipeline.generation.chain import Failure, Job
from pipeline.generation.flow import Outcome, grow
from pipeline.generation.known import CellQuota
from pipeline.generation.ledger import Ledger
from pipeline.generation.llm import Shared
from pipeline.generation.traffic import Traffic

Row: TypeAlias = dict[str, Any]


class GrowSamples(Step):
    """Turns rows of ``quota_row`` into rows that ``outcome_of`` reads, by way of ``flow.grow``.

    A row in may become many rows out. Each is one JSON text, because Arrow would take the type of
    a column from its first batch. An endpoint that is of no use becomes failures, not an error:
    distilabel would put nulls in the place of the whole batch.

    Answers are kept in the folder ``work`` of the machine it runs on, if one is named.

    Credentials are left out of every dump, so that no pipeline file ever holds them.
    """

    seed: Seed
    settings: GenerationSettings
    run_id: str
    after: Round | None = None
    work: str | None = None
    hf_token: SecretStr | None = Field(default=None, exclude=True, repr=False)
    model_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    router: str = ROUTER

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
        quotas = [_quota_of(row) for row in inputs]
        outcomes = asyncio.run(self._grow(quotas))
        yield [{"quota": "", "outcome": _outcome_json(outcome)} for outcome in outcomes]

    async def _grow(self, quotas: Sequence[CellQuota]) -> list[Outcome]:
        access = ModelAccess(_revealed(self.hf_token), _revealed(self.model_key), self.router)
        outcomes: list[Outcome] = []
        job = Job(self.seed, self.settings, self.run_id, self.after)
        cache = CallCache(Path(self.work).expanduser() / CACHE) if self.work else None
        try:
            shared = Shared(Traffic(self.settings.concurrency), Ledger(), cache)
            stream = grow(job, quotas, access, shared)
            async with aclosing(stream):
                async for outcome in stream:
                    outcomes.append(outcome)
        except SeedbedError as error:
            kind = type(error).__name__
            outcomes += [
                Failure(cell, "instruction", kind, error.problem, rows)
                for cell, rows in _undone(quotas, outcomes)
            ]
        finally:
            if cache is not None:
                cache.close()
        return outcomes


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


def _outcome_json(outcome: Outcome) -> str:
    fields: dict[str, Any]
    if isinstance(outcome, Sample):
        fields = {"sample": outcome.model_dump(mode="json")}
    else:
        fields = {"failure": {**asdict(outcome), "cell": outcome.cell.model_dump()}}
    return json.dumps(fields, ensure_ascii=False)


def _undone(quotas: Sequence[CellQuota], outcomes: Sequence[Outcome]) -> Iterator[tuple[Cell, int]]:
    done: dict[tuple[str, str], int] = {}
    for outcome in outcomes:
        cell = outcome if isinstance(outcome, Sample) else outcome.cell
        rows = 1 if isinstance(outcome, Sample) else outcome.rows
        key = (cell.topic, cell.perspective)
        done[key] = done.get(key, 0) + rows
    for quota in quotas:
        left = quota.count - done.get((quota.cell.topic, quota.cell.perspective), 0)
        if left > 0:
            yield quota.cell, left


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
