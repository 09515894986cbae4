"""The making of one question: written, checked, made better, and asked without its passage."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import now
from pipeline.core.flags import Flag
from pipeline.core.schema import STAND_INS, ExamSettings, ModelChoice, Sample, Seed, stable_id
from pipeline.generation.access import ModelAccess
from pipeline.generation.asking import Asker, Manner, Model, sampling
from pipeline.generation.chat import CallFailed
from pipeline.generation.exams.checks import Fault, fault_of, same
from pipeline.generation.exams.cloze import Pool, open_cloze
from pipeline.generation.exams.items import LETTERS, Item, parse_item, parse_letter, parse_right
from pipeline.generation.exams.planning import fingerprint
from pipeline.generation.exams.prompting import ExamPrompts, Options
from pipeline.generation.exams.slots import Slot, topic_of
from pipeline.generation.grounding import Source
from pipeline.generation.llm import ChatLLM, Shared, open_llm
from pipeline.generation.prompting import Messages
from pipeline.generation.quality import DuplicateIndex
from pipeline.generation.standin import StandIn

CLOSED_BOOK: Final = "answerable_closed_book"

Stage = Literal["question", "improvement", "support", "closed book"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that did not become data, and why; see ``running.Failed``."""

    stage: Stage
    kind: str
    reason: str
    rows: int = 0


@dataclass(frozen=True, slots=True)
class ExamJob:
    """What questions are made of.

    Attributes:
        seed: What the expert wrote.
        exam: What is asked for, with ``model`` and ``checker`` filled in.
        manner: How models are asked.
        sources: The documents.
        run_id: On each row.
    """

    seed: Seed
    exam: ExamSettings
    manner: Manner
    sources: tuple[Source, ...]
    run_id: str


class _Tried(NamedTuple):
    """What came of one reply."""

    item: Item | None
    fault: Fault | None


class ExamChain:
    """Makes questions; how many at once is up to ``shared.traffic``.

    Args:
        job: What they are made of.
        access: Credentials of whoever pays.
        shared: What all models have in common.
        known: The questions so far; what is kept is added.

    Raises:
        NotSignedIn: A credential is missing or unusable.
        InvalidInput: The address of a model is not one, or the stand-in is to do what only a
            language model can.
    """

    def __init__(
        self, job: ExamJob, access: ModelAccess, shared: Shared, known: DuplicateIndex
    ) -> None:
        self._job = job
        self._known = known
        self._prompts = ExamPrompts(job.seed)
        self._pool: Pool | None = None
        self._asker = Asker(job.seed, access, shared, job.manner, self._open)
        writer, checker = writer_of(job.exam), checker_of(job.exam)
        _require_language_models(job.exam)
        self._writer = self._asker.model(writer)
        self._checker = self._asker.model(checker)
        self._fingerprint = fingerprint(job.seed, job.exam)

    async def make(self, slot: Slot) -> tuple[Sample | None, list[Failure]]:
        """The question of one place, unless it failed twice, and what failed.

        Raises:
            ModelUnavailable: An endpoint is of no use at all.
            BudgetSpent: The budget allows no further call.
        """
        failures: list[Failure] = []
        sample_id = slot.sample_id(self._fingerprint)
        messages, parameters = self._prompts.write(slot), sampling(self._writer.choice)
        lineage = [slot.passage.step(), slot.origin(), f"written by:{self._writer.choice.model}"]
        item: Item | None = None
        for attempt in range(2):
            try:
                reply = await self._asker.call(self._writer, messages, parameters, "question")
                item, fault = await self._tried(reply["text"], slot, sample_id)
            except CallFailed as error:
                return None, [Failure("question", error.kind, error.problem)]
            if fault is None:
                break
            if attempt:
                return None, [Failure("question", fault.kind, fault.reason)]
            lineage.append(f"written anew, because {fault.reason}")
            messages = self._prompts.mend(messages, reply["text"], fault.reason)
        if item is None:
            raise AssertionError("a question without a fault is there")
        if self._job.exam.improve:
            better = await self._improved(item, slot, sample_id, failures)
            if better is not None:
                lineage.append(f"improved from:{item.to_json()}")
                item = better
        flags = await self._flags(item, sample_id, failures)
        if fault := self._duplicate(item, sample_id):  # another one came first meanwhile
            return None, [*failures, Failure("question", fault.kind, fault.reason)]
        self._known.remember(sample_id, item.question)
        topics = self._job.seed.topics
        sample = Sample(
            sample_id=sample_id,
            kind="exam",
            instruction=item.question,
            completions=(),
            topic=topic_of(slot.passage, topics),
            perspective="",
            lineage=tuple(lineage),
            document=slot.passage.document,
            span=slot.passage.span,
            flags=flags,
            run_id=self._job.run_id,
            fingerprint=self._fingerprint,
            created_at=now(),
            question=item.question,
            answer=item.answer,
            distractors=item.distractors,
        )
        return sample, failures

    async def aclose(self) -> None:
        """Close the connections to all models."""
        await self._asker.aclose()

    async def _tried(self, reply: str, slot: Slot, sample_id: str) -> _Tried:
        """The question in a reply, and what is wrong with it."""
        try:
            item = parse_item(reply)
        except ValueError as error:
            return _Tried(None, Fault("unreadable", f"{error}."))
        fault = self._fault(item, slot, sample_id)
        if fault is None and self._job.exam.check_support:
            fault = await self._unsupported(item, slot, sample_id)
        return _Tried(item, fault)

    def _fault(self, item: Item, slot: Slot, sample_id: str) -> Fault | None:
        found = fault_of(item, slot.passage.text, self._job.seed.language)
        return found or self._duplicate(item, sample_id)

    def _duplicate(self, item: Item, sample_id: str) -> Fault | None:
        if self._known.find(item.question, sample_id) is None:
            return None
        return Fault("duplicate", "there is a question like it already; ask for something else.")

    async def _unsupported(self, item: Item, slot: Slot, sample_id: str) -> Fault | None:
        """What ``checker`` says against the answer; its reply is asked for twice at most.

        Raises:
            CallFailed: It did not answer in the form that was asked for.
        """
        options = _shuffled(item, sample_id, 0)
        messages = self._prompts.support(slot.passage, item.question, options)
        text = await self._said(self._checker, messages, "support")
        try:
            right = parse_right(text, LETTERS)
        except ValueError as error:
            messages = self._prompts.mend(messages, text, f"{error}.")
            text = await self._said(self._checker, messages, "support")
            try:
                right = parse_right(text, LETTERS)
            except ValueError as again:
                reason = f"{self._checker.choice.model} twice gave a reply that cannot be read"
                raise CallFailed("unreadable", f"{reason}: {again}.", "") from again
        meant = {letter for letter, option in options if same(option, item.answer)}
        if right == meant:
            return None
        if not meant <= right:
            return Fault("not supported", "the passage does not make the right answer right.")
        other = next(option for letter, option in options if letter in right - meant)
        return Fault("several right", f"by the passage, “{other}” is right too.")

    async def _improved(
        self, item: Item, slot: Slot, sample_id: str, failures: list[Failure]
    ) -> Item | None:
        """A better wording; None if it is none, which leaves the question as it was."""
        messages = self._prompts.improve(slot.passage, item)
        try:
            text = await self._said(self._writer, messages, "improvement")
            better, fault = await self._tried(text, slot, sample_id)
        except CallFailed as error:
            failures.append(Failure("improvement", error.kind, error.problem))
            return None
        if fault is not None:
            failures.append(Failure("improvement", fault.kind, fault.reason))
            return None
        return better if better != item else None

    async def _flags(self, item: Item, sample_id: str, failures: list[Failure]) -> tuple[str, ...]:
        """The mark of a question that is answered rightly each time without its passage."""
        turns = range(self._job.exam.closed_book)
        asked = await asyncio.gather(*(self._guess(item, sample_id, turn) for turn in turns))
        failures += [each for each in asked if isinstance(each, Failure)]
        return (str(Flag(CLOSED_BOOK)),) if asked and all(each is True for each in asked) else ()

    async def _guess(self, item: Item, sample_id: str, turn: int) -> bool | Failure:
        options = _shuffled(item, sample_id, turn + 1)
        messages = self._prompts.closed_book(item.question, options)
        parameters = sampling(self._checker.choice, turn)
        try:
            reply = await self._asker.call(self._checker, messages, parameters, "closed book")
        except CallFailed as error:
            return Failure("closed book", error.kind, error.problem)
        chosen = dict(options).get(parse_letter(reply["text"]) or "")
        return chosen is not None and same(chosen, item.answer)

    async def _said(self, model: Model, messages: Messages, stage: Stage) -> str:
        reply = await self._asker.call(model, messages, sampling(model.choice), stage)
        text: str = reply["text"]
        return text

    def _open(
        self,
        choice: ModelChoice,
        seed: Seed,
        access: ModelAccess,
        timeout: float,
        shared: Shared,
    ) -> ChatLLM | StandIn:
        if choice.model not in STAND_INS:
            return open_llm(choice, seed, access, timeout, shared)
        if self._pool is None:
            self._pool = Pool.of([source.text for source in self._job.sources])
        return open_cloze(choice, seed, self._pool)


def writer_of(exam: ExamSettings) -> ModelChoice:
    """Who writes the questions.

    Raises:
        InvalidInput: Nobody is named.
    """
    if exam.model is None:
        raise InvalidInput("No model is named for the exam.", "Name one with --model.")
    return exam.model


def checker_of(exam: ExamSettings) -> ModelChoice:
    """Who is asked what only a model can tell."""
    return exam.checker or writer_of(exam)


def _shuffled(item: Item, sample_id: str, turn: int) -> Options:
    """Letters and options, in an order that depends on the question and the turn alone."""
    options = sorted(item.options, key=lambda option: stable_id(sample_id, option))
    random.Random(f"{sample_id} {turn}").shuffle(options)  # noqa: S311 - no secret
    return list(zip(LETTERS, options, strict=False))


def _require_language_models(exam: ExamSettings) -> None:
    """Refuse to let the stand-in do what it cannot: judge, answer or rewrite."""
    asked: list[tuple[str, bool, ModelChoice]] = [
        ("improve", exam.improve, writer_of(exam)),
        ("check_support", exam.check_support, checker_of(exam)),
        ("closed_book", bool(exam.closed_book), checker_of(exam)),
    ]
    for name, wanted, choice in asked:
        if wanted and choice.model in STAND_INS:
            raise InvalidInput(
                f"{name} needs a language model, and {STAND_INS[0].rpartition('-')[0]} is none.",
                "Name a model with --model or --checker, or switch it off.",
            )
