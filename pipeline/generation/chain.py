"""The chain of one sample; each part runs only if the settings ask for it.

An instruction is written and evolved, answered by each model in turn, the answers are evolved, and
all of them are judged.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from pipeline.core.errors import InvalidInput, ModelUnavailable
from pipeline.core.feedback import now
from pipeline.core.rounds import Round
from pipeline.core.schema import (
    STAND_INS,
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
from pipeline.generation.asking import Asker, Manner, Model, sampling
from pipeline.generation.bases import Pipeline
from pipeline.generation.chat import CallFailed
from pipeline.generation.grounding import Grounds, Passage
from pipeline.generation.known import Origin
from pipeline.generation.llm import Shared
from pipeline.generation.parsing import Rating
from pipeline.generation.planning import ASPECTS, fingerprint
from pipeline.generation.standin import StandIn
from pipeline.generation.tasks import (
    Answer,
    ChainTask,
    EvolveCompletion,
    EvolveInstruction,
    Judge,
    Unreadable,
    WriteInstructions,
)

Stage = Literal["instruction", "evolution", "completion", "judge", "quality"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that did not become data, and why.

    Attributes:
        cell: Where.
        stage: In which step of the chain.
        kind: What went wrong, as failures are counted; at stage ``quality`` the flag for which
            the settings do not keep a row.
        reason: One sentence for a person.
        rows: Samples that are missing because of it; 0 when the sample exists all the same.
        next_step: What to do about it, if that is known.
    """

    cell: Cell
    stage: Stage
    kind: str
    reason: str
    rows: int = 0
    next_step: str = ""

    @classmethod
    def of(cls, cell: Cell, stage: Stage, error: CallFailed) -> Self:
        """The failure that a failed call is."""
        return cls(cell, stage, error.kind, error.problem, next_step=error.next_step)

    def losing(self, rows: int) -> Failure:
        """The same failure as the cause that ``rows`` samples are missing."""
        return replace(self, rows=rows)


@dataclass(frozen=True, slots=True)
class Job:
    """What samples are made of.

    Attributes:
        seed: What the expert wrote.
        settings: Models, parameters and the parts of the chain.
        run_id: On each row.
        after: The round that builds on votes, if it is one.
        grounds: The documents that samples rest on, if there are any.
    """

    seed: Seed
    settings: GenerationSettings
    run_id: str
    after: Round | None = None
    grounds: Grounds | None = None


class Chain:
    """Runs the chain of any number of samples; how many at once is up to ``shared.traffic``.

    Raises:
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: The address of a model is not one, or the stand-in is to do what only a
            language model can.
    """

    def __init__(self, job: Job, access: ModelAccess, shared: Shared) -> None:
        settings = job.settings
        self.instructions_per_call = settings.instructions_per_call
        self.writer = settings.for_instructions().model
        self.width = settings.concurrency
        self.watched = shared.watched
        self._job = job
        self._settings = settings
        manner = Manner(settings.concurrency, settings.timeout)
        self._asker = Asker(job.seed, access, shared, manner)
        self._grounds = job.grounds
        marks = job.grounds.marks if job.grounds else ()
        self._fingerprint = fingerprint(job.seed, settings, job.after, marks)
        self._prompts = prompting.Prompts(job.seed, job.after)
        self._writing = self._asker.model(settings.for_instructions())
        self._answering = [
            self._asker.model(settings.for_completion(index))
            for index in range(settings.completions)
        ]
        self._judging = self._asker.model(settings.judge.model) if settings.judge else None
        _require_language_models(settings)
        # distilabel Tasks belong to a pipeline; this one keeps them out of any that is running.
        self._home = Pipeline()
        self._tasks: dict[tuple[type[ChainTask], ModelChoice], ChainTask] = {}

    async def write(self, cell: Cell, number: int, avoid: Sequence[str]) -> list[str]:
        """The instructions of call ``number`` of a cell, counted from 0; fewer may come than asked.

        Raises:
            CallFailed: The call failed.
            ModelUnavailable: The endpoint is of no use at all.
        """
        row = self._written_row(cell, number, avoid)
        output = await self._ask(WriteInstructions, self._writing, "instruction", row)
        found: list[str] = output["instructions"]
        return found[: self.instructions_per_call]

    def has_written(self, cell: Cell, number: int, avoid: Sequence[str]) -> bool:
        """Tell whether ``write`` would take its answer from an earlier run."""
        task = self._task(WriteInstructions, self._writing)
        messages = task.format_input(self._written_row(cell, number, avoid))
        llm = self._writing.llm
        return isinstance(llm, StandIn) or llm.knows(messages, sampling(self._writing.choice))

    def sample_id(self, cell: Cell, instruction: str) -> str:
        """The id of the sample that an instruction becomes: the same for the same lineage."""
        return stable_id(
            "instruction", cell.topic, cell.perspective, instruction, self._fingerprint
        )

    def forget_written(self, cell: Cell, number: int, avoid: Sequence[str]) -> None:
        """Let another run make this call of ``write`` anew, because its answer was of no use."""
        task = self._task(WriteInstructions, self._writing)
        messages = task.format_input(self._written_row(cell, number, avoid))
        self._asker.forget(self._writing, messages, sampling(self._writing.choice))

    async def answer(
        self, cell: Cell, origin: Origin, instruction: str
    ) -> tuple[Sample | None, list[Failure]]:
        """Carry one instruction through the rest of the chain.

        Returns:
            The sample, unless it has no completion, and what failed. Without a sample, the first
            failure says that a row is missing.

        Raises:
            ModelUnavailable: An endpoint is of no use at all.
        """
        failures: list[Failure] = []
        passage = self._passage(cell, origin.ask)
        instruction, lineage = await self._evolve(cell, instruction, passage, failures)
        sample_id = self.sample_id(cell, instruction)
        completions = await self._complete_all(cell, instruction, passage, sample_id, failures)
        if not completions:
            first_failure, *others = failures
            return None, [first_failure.losing(1), *others]
        if self._judging:
            completions = await self._judge(
                self._judging, cell, instruction, passage, sample_id, completions, failures
            )
        sample = Sample(
            sample_id=sample_id,
            system=self._prompts.answer_system(cell),
            instruction=instruction,
            completions=tuple(completions),
            topic=cell.topic,
            perspective=cell.perspective,
            lineage=(
                f"cell:{cell.topic}|{cell.perspective}",
                str(origin),
                *([f"round:{self._job.after.number}"] if self._job.after else []),
                *([passage.step()] if passage else []),
                f"written by:{self.writer}",
                *lineage,
            ),
            document=passage.document if passage else None,
            span=passage.span if passage else None,
            run_id=self._job.run_id,
            fingerprint=self._fingerprint,
            created_at=now(),
        )
        return sample, failures

    def end_soon(self) -> None:
        """Let calls that others depend on go first from now on."""
        self._asker.end_soon()

    def hopeless(self) -> ModelUnavailable | None:
        """Why nothing can come of this, if an endpoint never answered for a reason that stays."""
        return self._asker.hopeless()

    async def aclose(self) -> None:
        """Close the connections to all models."""
        await self._asker.aclose()

    def _passage(self, cell: Cell, number: int) -> Passage | None:
        """What call ``number`` of a cell rests on, and all that comes of it."""
        return self._grounds.passage(cell, number) if self._grounds else None

    async def _evolve(
        self, cell: Cell, instruction: str, passage: Passage | None, failures: list[Failure]
    ) -> tuple[str, list[str]]:
        """EvolInstruct (Xu et al. 2023, arXiv:2304.12244): each step in one way, parents recorded.

        A step that fails leaves the instruction as it was.
        """
        lineage = []
        for way in _ways("instruction", instruction, self._settings.evolve_instructions):
            row = {**_about(cell, passage), "instruction": instruction, "way": way}
            try:
                output = await self._ask(EvolveInstruction, self._writing, "evolution", row)
            except CallFailed as error:
                failures.append(Failure.of(cell, "evolution", error))
                continue
            lineage.append(f"evolved ({way}) from:{instruction}")
            instruction = output["evolved"]
        return instruction, lineage

    async def _complete_all(
        self,
        cell: Cell,
        instruction: str,
        passage: Passage | None,
        sample_id: str,
        failures: list[Failure],
    ) -> list[Completion]:
        """Every model's completion, followed by its evolved ones; no two say the same."""
        lines = await asyncio.gather(
            *(
                self._complete_and_evolve(cell, instruction, passage, sample_id, index)
                for index in range(self._settings.completions)
            )
        )
        kept: list[Completion] = []
        for index, (made, failed) in enumerate(lines):
            failures += failed
            if made and _repeats(made[0], kept):
                variation = self._round(index) + self._settings.completions
                made, failed = await self._complete_and_evolve(  # noqa: PLW2901
                    cell, instruction, passage, sample_id, index, variation
                )
                failures += failed
            for completion in made:
                if _repeats(completion, kept):
                    reason = f"{completion.model} gave the same answer twice."
                    failures.append(Failure(cell, "completion", "duplicate", reason))
                else:
                    kept.append(completion)
        return kept

    async def _complete_and_evolve(
        self,
        cell: Cell,
        instruction: str,
        passage: Passage | None,
        sample_id: str,
        index: int,
        variation: int | None = None,
    ) -> tuple[list[Completion], list[Failure]]:
        """One completion, and EvolQuality (Liu et al. 2023, arXiv:2312.15685) from it on."""
        model = self._answering[index]
        parameters = sampling(model.choice, self._round(index) if variation is None else variation)
        row = {**_about(cell, passage), "instruction": instruction}
        ways = _ways("completion", f"{sample_id} {index}", self._settings.evolve_completions)
        made: list[Completion] = []
        for step, way in enumerate([None, *ways]):
            kind: type[ChainTask] = EvolveCompletion if way else Answer
            stage: Stage = "evolution" if way else "completion"
            if way:
                row |= {"completion": made[-1].text, "way": way}
            try:
                output = await self._ask(kind, model, stage, row, parameters)
            except CallFailed as error:
                return made, [Failure.of(cell, stage, error)]
            if output["completion"] is None:
                reason = f"{model.choice.model} thought but gave no answer; raise max_tokens."
                return made, [Failure(cell, stage, "empty", reason)]
            made.append(
                Completion(
                    completion_id=stable_id(sample_id, index, model.choice.model, step)
                    if step
                    else stable_id(sample_id, index, model.choice.model),
                    text=output["completion"],
                    model=model.choice.model,
                    parameters=json.dumps(
                        parameters | ({"evolved": way} if way else {}), sort_keys=True
                    ),
                    finish_reason=output["finish_reason"],
                    tokens_in=output["tokens_in"],
                    tokens_out=output["tokens_out"],
                    evolved_from=made[-1].completion_id if way else None,
                )
            )
        return made, []

    async def _judge(
        self,
        judge: Model,
        cell: Cell,
        instruction: str,
        passage: Passage | None,
        sample_id: str,
        completions: Sequence[Completion],
        failures: list[Failure],
    ) -> list[Completion]:
        """The completions with the judge's ratings; without any if one aspect failed."""
        settings = self._settings.judge
        if settings is None:
            return list(completions)
        aspects = ASPECTS[settings.aspects]
        judged = await asyncio.gather(
            *(
                self._rate(judge, cell, instruction, passage, sample_id, completions, aspect)
                for aspect in aspects
            )
        )
        found: dict[str, Mapping[str, Rating]] = {}
        for aspect, ratings in zip(aspects, judged, strict=True):
            if isinstance(ratings, Failure):
                failures.append(ratings)
            else:
                found[aspect] = ratings
        if len(found) < len(aspects):
            return list(completions)
        return [_rated(completion, found) for completion in completions]

    async def _rate(
        self,
        judge: Model,
        cell: Cell,
        instruction: str,
        passage: Passage | None,
        sample_id: str,
        completions: Sequence[Completion],
        aspect: str,
    ) -> Mapping[str, Rating] | Failure:
        """Ratings in one aspect by completion id; the order shown is random, the same each time."""
        shown = list(completions)
        random.Random(f"{sample_id} {aspect}").shuffle(shown)  # noqa: S311 - no secret
        labels = {chr(ord("A") + place): completion for place, completion in enumerate(shown)}
        row = {
            **_about(cell, passage),
            "instruction": instruction,
            "answers": [(label, completion.text) for label, completion in labels.items()],
            "aspect": aspect,
        }
        try:
            output = await self._ask(Judge, judge, "judge", row)
        except CallFailed as error:
            return Failure.of(cell, "judge", error)
        return {labels[label].completion_id: r for label, r in output["ratings"].items()}

    async def _ask(
        self,
        kind: type[ChainTask],
        model: Model,
        stage: Stage,
        row: dict[str, Any],
        parameters: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One task on one row, as the task's own ``process`` would do it, but awaitable.

        A reply that is not in the form asked for is sent back once. If that does not help, neither
        reply is kept for later runs.
        """
        task = self._task(kind, model)
        parameters = sampling(model.choice) if parameters is None else parameters
        messages = task.format_input(row)
        output = await self._asker.call(model, messages, parameters, stage)
        try:
            found = {**task.format_output(output["text"], row), **output}
        except Unreadable as error:
            again = prompting.mend_messages(messages, output["text"], str(error))
        else:
            if found.get("completion", "") is None:
                self._asker.forget(model, messages, parameters)
            return found
        output = await self._asker.call(model, again, parameters, stage)
        try:
            return {**task.format_output(output["text"], row), **output}
        except Unreadable as error:
            self._asker.forget(model, messages, parameters)
            self._asker.forget(model, again, parameters)
            raise CallFailed(
                "unreadable",
                f"{model.choice.model} twice gave a reply that cannot be read: {error}.",
                "Choose a model that follows instructions better for this step.",
            ) from error

    def _task(self, kind: type[ChainTask], model: Model) -> ChainTask:
        key = kind, model.choice
        if key not in self._tasks:
            name = f"{kind.__name__.lower()}_{len(self._tasks)}"
            task = kind(name=name, llm=model.llm, prompts=self._prompts, pipeline=self._home)
            task.load()
            self._tasks[key] = task
        return self._tasks[key]

    def _written_row(self, cell: Cell, number: int, avoid: Sequence[str]) -> dict[str, Any]:
        return {
            **_about(cell, self._passage(cell, number)),
            "count": self.instructions_per_call,
            "avoid": list(avoid),
            "number": number + 1,
        }

    def _round(self, index: int) -> int:
        """How many times the model of completion ``index`` is asked the same before it."""
        choices = [self._settings.for_completion(before) for before in range(index + 1)]
        return choices[:-1].count(choices[-1])


def _about(cell: Cell, passage: Passage | None) -> dict[str, Any]:
    """What every request of a row tells; a row that rests on nothing has no passage."""
    return {**cell.model_dump(), **({"passage": passage} if passage else {})}


def _require_language_models(settings: GenerationSettings) -> None:
    """Refuse to let the stand-in do what it cannot: rewrite or judge."""
    answering = [settings.for_completion(index) for index in range(settings.completions)]
    asked: list[tuple[str, Sequence[ModelChoice]]] = [
        ("judge", [settings.judge.model] if settings.judge else []),
        ("evolve_instructions", [settings.for_instructions()] * bool(settings.evolve_instructions)),
        ("evolve_completions", answering * bool(settings.evolve_completions)),
    ]
    for name, choices in asked:
        if any(choice.model in STAND_INS for choice in choices):
            raise InvalidInput(
                f"{name} needs a language model, and {STAND_INS[0].rpartition('-')[0]} is none.",
                "Choose a model for it in project.json, or switch it off.",
            )


def _rated(completion: Completion, found: Mapping[str, Mapping[str, Rating]]) -> Completion:
    """The mean over the aspects, and each one's rationale."""
    ratings = {aspect: by_id[completion.completion_id] for aspect, by_id in found.items()}
    one_only = len(ratings) == 1
    said = [
        rating.rationale if one_only else f"{aspect} {rating.rating}: {rating.rationale}"
        for aspect, rating in ratings.items()
    ]
    return completion.model_copy(
        update={
            "judge_rating": statistics.fmean(rating.rating for rating in ratings.values()),
            "judge_rationale": "\n".join(said),
        }
    )


def _ways(what: Literal["instruction", "completion"], of: str, count: int) -> list[str]:
    """``count`` ways to rewrite, in an order that depends on what is rewritten alone."""
    names = prompting.evolutions(what)
    random.Random(f"{what} {of}").shuffle(names)  # noqa: S311 - no secret
    return names[:count]


def _repeats(completion: Completion, kept: Sequence[Completion]) -> bool:
    return any(normalized(completion.text) == normalized(other.text) for other in kept)
