"""The chain of one sample: an instruction is written, then answered by each model in turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pipeline.core.errors import ModelUnavailable
from pipeline.core.feedback import now
from pipeline.core.schema import (
    Cell,
    Completion,
    GenerationSettings,
    ModelChoice,
    Sample,
    Seed,
    normalized,
    stable_id,
)
from pipeline.generation import prompting
from pipeline.generation.access import ModelAccess
from pipeline.generation.bases import Pipeline
from pipeline.generation.chat import CallFailed
from pipeline.generation.llm import ChatLLM, open_llm
from pipeline.generation.planning import fingerprint
from pipeline.generation.standin import StandIn
from pipeline.generation.tasks import Answer, WriteInstructions

_HOPELESS_IN_A_ROW: Final = 3
"""Failures that will not pass, such as a refused key, until the endpoint is given up."""
_FIRST_FAILURES: Final = 12
"""Other failures before the first answer until the endpoint is given up."""
_FAILURES_IN_A_ROW: Final = 50
"""Other failures in a row, later on; at least twice the calls in flight."""
_HOTTER: Final = 0.1
"""Added to the temperature, for each time the same model is asked the same once more."""

Stage = Literal["instruction", "completion"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that did not become data, and why.

    Attributes:
        cell: Where.
        stage: In which step of the chain.
        kind: What went wrong, as failures are counted.
        reason: One sentence for a person.
        rows: Samples that are missing because of it; 0 when the sample exists all the same.
    """

    cell: Cell
    stage: Stage
    kind: str
    reason: str
    rows: int = 0

    def losing(self, rows: int) -> Failure:
        """The same failure as the cause that ``rows`` samples are missing."""
        return replace(self, rows=rows)


@dataclass(slots=True)
class Usage:
    """What a run has asked of models so far; a server that counts no tokens adds none."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(slots=True)
class _Health:
    answered: bool = False
    failed_in_a_row: int = 0
    hopeless: CallFailed | None = None


class Chain:
    """Runs the chain of any number of samples, at most ``settings.concurrency`` calls at a time.

    Raises:
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: The address of a model is not one.
    """

    def __init__(
        self, seed: Seed, settings: GenerationSettings, access: ModelAccess, run_id: str
    ) -> None:
        self.usage = Usage()
        self.concurrency = settings.concurrency
        self.instructions_per_call = settings.instructions_per_call
        self.writer = settings.for_instructions().model
        self._seed = seed
        self._settings = settings
        self._run_id = run_id
        self._fingerprint = fingerprint(seed, settings)
        self._calls = asyncio.Semaphore(settings.concurrency)
        self._llms: dict[tuple[str, str | None], ChatLLM | StandIn] = {}
        self._health: dict[tuple[str, str | None], _Health] = {}
        # distilabel Tasks belong to a pipeline; this one keeps them out of any that is running.
        home = Pipeline()
        self._writing = settings.for_instructions()
        self._write = WriteInstructions(
            name="write_instructions",
            llm=self._llm(self._writing, access),
            seed=seed,
            pipeline=home,
        )
        self._answers = [
            Answer(
                name=f"answer_{index}",
                llm=self._llm(settings.for_completion(index), access),
                seed=seed,
                pipeline=home,
            )
            for index in range(settings.completions)
        ]
        for task in (self._write, *self._answers):
            task.load()

    async def write(self, cell: Cell, count: int, avoid: Sequence[str], again: int) -> list[str]:
        """Ask for ``count`` instructions that are none of ``avoid``; fewer may come.

        ``again`` numbers the repetitions of a request that brought nothing new.

        Raises:
            CallFailed: The call failed.
            ModelUnavailable: The endpoint is of no use at all.
        """
        row = {**cell.model_dump(), "count": count, "avoid": list(avoid)}
        output = await self._call(self._write, row, _sampling(self._writing, again), self._writing)
        found: list[str] = output["instructions"]
        return found

    async def answer(self, cell: Cell, instruction: str) -> list[Sample | Failure]:
        """Answer one instruction: the sample, if there is an answer, and what failed.

        Raises:
            ModelUnavailable: An endpoint is of no use at all.
        """
        sample_id = stable_id(
            "instruction", cell.topic, cell.perspective, instruction, self._fingerprint
        )
        indexes = range(self._settings.completions)
        tried = await asyncio.gather(
            *(self._complete(cell, instruction, sample_id, i, self._round(i)) for i in indexes)
        )
        kept: list[Completion] = []
        failures: list[Failure] = []
        for index, result in enumerate(tried):
            if isinstance(result, Completion) and _repeats(result, kept):
                again = self._round(index) + self._settings.completions
                result = await self._complete(cell, instruction, sample_id, index, again)  # noqa: PLW2901
            if isinstance(result, Failure):
                failures.append(result)
            elif _repeats(result, kept):
                reason = f"{result.model} gave the same answer twice."
                failures.append(Failure(cell, "completion", "duplicate", reason))
            else:
                kept.append(result)
        if not kept:
            first_failure, *others = failures
            return [first_failure.losing(1), *others]
        return [self._sample(cell, instruction, sample_id, kept), *failures]

    def hopeless(self) -> ModelUnavailable | None:
        """Why nothing can come of this, if an endpoint never answered for a reason that stays."""
        for health in self._health.values():
            if health.hopeless and not health.answered:
                return _final(health.hopeless)
        return None

    async def aclose(self) -> None:
        """Close the connections to all models."""
        for llm in self._llms.values():
            await llm.aclose()

    def _llm(self, choice: ModelChoice, access: ModelAccess) -> ChatLLM | StandIn:
        key = (choice.model, choice.base_url)
        if key not in self._llms:
            self._llms[key] = open_llm(choice, self._seed, access, self._settings.timeout)
            self._health[key] = _Health()
        return self._llms[key]

    def _round(self, index: int) -> int:
        """How many times the model of completion ``index`` is asked the same before it."""
        return index // len(self._settings.models)

    async def _complete(
        self, cell: Cell, instruction: str, sample_id: str, index: int, variation: int
    ) -> Completion | Failure:
        choice = self._settings.for_completion(index)
        parameters = _sampling(choice, variation)
        row = {**cell.model_dump(), "instruction": instruction}
        try:
            output = await self._call(self._answers[index], row, parameters, choice)
        except CallFailed as error:
            return Failure(cell, "completion", error.kind, error.problem)
        if output["completion"] is None:
            reason = f"{choice.model} thought but gave no answer; raise max_tokens."
            return Failure(cell, "completion", "empty", reason)
        return Completion(
            completion_id=stable_id(sample_id, index, choice.model),
            text=output["completion"],
            model=choice.model,
            parameters=json.dumps(parameters, sort_keys=True),
            finish_reason=output["finish_reason"],
            tokens_in=output["tokens_in"],
            tokens_out=output["tokens_out"],
        )

    def _sample(
        self, cell: Cell, instruction: str, sample_id: str, completions: Sequence[Completion]
    ) -> Sample:
        return Sample(
            sample_id=sample_id,
            system=prompting.answer_system(self._seed, cell),
            instruction=instruction,
            completions=tuple(completions),
            topic=cell.topic,
            perspective=cell.perspective,
            lineage=(f"cell:{cell.topic}|{cell.perspective}", f"written by:{self._writing.model}"),
            run_id=self._run_id,
            fingerprint=self._fingerprint,
            created_at=now(),
        )

    async def _call(
        self,
        task: WriteInstructions | Answer,
        row: dict[str, Any],
        parameters: dict[str, Any],
        choice: ModelChoice,
    ) -> dict[str, Any]:
        """One task on one row, as the task's own ``process`` would do it, but awaitable."""
        health = self._health[choice.model, choice.base_url]
        messages = task.format_input(row)
        async with self._calls:
            self.usage.calls += 1
            try:
                generated = await task.llm.agenerate(messages, **parameters)
            except CallFailed as error:
                self._note(health, error)
                raise
        health.answered, health.failed_in_a_row = True, 0
        tokens_in = generated["statistics"]["input_tokens"][0]
        tokens_out = generated["statistics"]["output_tokens"][0]
        self.usage.tokens_in += tokens_in or 0
        self.usage.tokens_out += tokens_out or 0
        return {
            **task.format_output(generated["generations"][0], row),
            "finish_reason": generated["finish_reason"][0],
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
        }

    def _note(self, health: _Health, error: CallFailed) -> None:
        """Count a failure; give the endpoint up when failures are all that comes from it."""
        health.failed_in_a_row += 1
        if error.hopeless:
            health.hopeless = error
        if error.hopeless and (error.kind != "unreachable" or not health.answered):
            limit = _HOPELESS_IN_A_ROW
        elif health.answered:
            limit = max(_FAILURES_IN_A_ROW, 2 * self._settings.concurrency)
        else:
            limit = _FIRST_FAILURES
        if health.failed_in_a_row >= limit:
            raise _final(error) from error


def _final(error: CallFailed) -> ModelUnavailable:
    return ModelUnavailable(error.problem, error.next_step)


def _repeats(completion: Completion, kept: Sequence[Completion]) -> bool:
    return any(normalized(completion.text) == normalized(other.text) for other in kept)


def _sampling(choice: ModelChoice, variation: int) -> dict[str, Any]:
    """What is sent besides the messages.

    A model that is asked the same again gets another ``seed`` and is made a little hotter, for
    servers that do not know the parameter.
    """
    parameters: dict[str, Any] = {
        "temperature": choice.temperature,
        "max_tokens": choice.max_tokens,
    }
    if choice.top_p is not None:
        parameters["top_p"] = choice.top_p
    if variation:
        parameters["seed"] = variation
        parameters["temperature"] = round(min(2.0, choice.temperature + _HOTTER * variation), 2)
    return parameters
