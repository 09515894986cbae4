"""One exam run: from a project's documents to questions among its samples."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from pipeline.core.documents.kept import load_documents, read_texts
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import require_project
from pipeline.core.runs import RunRecord
from pipeline.core.samples import read_samples
from pipeline.core.schema import (
    ExamSettings,
    GenerationSettings,
    QualitySettings,
    Sample,
    Seed,
    normalized,
)
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.cache import CACHE, CallCache
from pipeline.generation.exams.planning import calls_per_question, fingerprint
from pipeline.generation.exams.slots import Slot, room, slots
from pipeline.generation.grounding import Source
from pipeline.generation.ledger import Ledger
from pipeline.generation.quality import DuplicateIndex
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
    from pipeline.generation.exams.chain import Failure

_FRUITLESS: Final = 3
"""Places that may give nothing for each one that gave a question, until a run gives up."""
_AT_FIRST: Final = 8
"""Questions that count as given before there is any."""
_TRIED: Final = 4
"""Questions from which a trial judges."""

Emit = Callable[["Sample | Failure"], Awaitable[None]]


_Made = tuple["Sample | None", "list[Failure]"]


class Maker(Protocol):
    """What makes the question of a place."""

    async def make(self, slot: Slot) -> tuple[Sample | None, list[Failure]]:
        """The question, unless it failed, and what failed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a run would take, judged from a few questions.

    Attributes:
        rows: Questions to add.
        room: How many questions the documents have place for.
        sampled: Questions that were tried and are fit to be kept.
        tried: Places that were tried for them.
        calls: For all rows, retries among them.
        tokens_in: The same.
        tokens_out: The same.
        cost: Dollars; None if a price is unknown.
        seconds: With the calls that may be under way at once.
        spent: Dollars that trying cost.
        failures: Why some were not kept.
    """

    rows: int
    room: int
    sampled: int = 0
    tried: int = 0
    calls: float = 0
    tokens_in: float = 0
    tokens_out: float = 0
    cost: float | None = 0.0
    seconds: float = 0.0
    spent: float | None = 0.0
    failures: tuple[str, ...] = ()


def filled(exam: ExamSettings, settings: GenerationSettings) -> ExamSettings:
    """The settings with a model: that which writes instructions, if no other is named."""
    return exam.model_copy(update={"model": exam.model or settings.for_instructions()})


def make_exam(
    store: Store,
    seed: Seed,
    exam: ExamSettings,
    settings: GenerationSettings,
    access: ModelAccess,
    *,
    work: Path,
    budget: float | None = None,
    run_id: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    shard_size: int = 500,
) -> RunRecord:
    """Make ``exam.questions`` out of the project's documents; what is there already counts.

    Runs an event loop of its own. However it ends, by Ctrl-C too, the questions that are complete
    are in the project before it returns or raises; after a ``kill -9`` the same call takes the
    answers that were paid for from the cache. A place whose question failed twice is left out, and
    the next one takes its turn.

    Args:
        store: The project.
        seed: What the expert wrote; its domain and language matter.
        exam: What is asked for.
        settings: Of which models, concurrency and timeout count.
        access: Credentials of whoever pays.
        work: Folder on this machine for the cache and other working files of the project.
        budget: Dollars that this run may cost; None is no limit.
        run_id: A new one unless given.
        on_progress: Called a few times a second.
        shard_size: Rows in one file at most.

    Raises:
        InvalidInput: There is no document, a setting cannot be used, or another run of this kind
            is under way on this machine.
        NotSignedIn: A credential is missing or unusable.
        NotAllowed: The project cannot be written.
        ModelUnavailable: An endpoint is of no use.
        ProjectNotFound: There is no project.
        StoreUnavailable: The project cannot be reached, or the cache cannot be used.
    """
    exam = filled(exam, settings)
    require_project(store)
    _check(seed, exam, budget)
    allow_connections(settings.concurrency)
    with told(work), alone(work, store.name, "questions"), _read(store, seed, exam) as plan:
        tally = Tally(
            run_id=run_id or new_run_id(),
            fingerprint=plan.fingerprint,
            settings={
                "exam": exam.model_dump(mode="json"),
                "concurrency": settings.concurrency,
                "timeout": settings.timeout,
            },
            wanted=plan.wanted,
            other=plan.other,
            calls_per_row=calls_per_question(exam),
            kind="exam",
        )
        ask = _Ask(seed, exam, settings, access, work, budget, plan, tally.run_id)
        return carry_out(
            partial(_grow, ask, tally),
            store,
            tally,
            width=settings.concurrency,
            shard_size=shard_size,
            on_progress=on_progress,
        )


def try_exam(
    store: Store,
    seed: Seed,
    exam: ExamSettings,
    settings: GenerationSettings,
    access: ModelAccess,
    *,
    work: Path,
    budget: float | None = None,
) -> Trial:
    """Make a few questions and store none, to tell what all would take.

    The answers are kept, so that the run does not pay for them again.

    Raises:
        As ``make_exam`` does; also BudgetSpent, when the budget is too small even for trying.
    """
    exam = filled(exam, settings)
    require_project(store)
    _check(seed, exam, budget)
    with told(work), alone(work, store.name, "questions"), _read(store, seed, exam) as plan:
        if not plan.wanted:
            return Trial(0, plan.room)
        ask = _Ask(seed, exam, settings, access, work, budget, plan, "trial")
        return asyncio.run(_try(ask))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is and what is missing.

    Attributes:
        sources: The documents.
        fingerprint: Under which questions count.
        there: Ids of the project's exam questions.
        wanted: Questions to add.
        other: Questions that do not count.
        room: How many questions the documents have place for.
        known: All questions so far.
    """

    sources: tuple[Source, ...]
    fingerprint: str
    there: frozenset[str]
    wanted: int
    other: int
    room: int
    known: DuplicateIndex

    def places(self) -> Iterator[Slot]:
        """Those whose question is not there yet, in the order in which they are filled."""
        for slot in slots(self.sources):
            if slot.sample_id(self.fingerprint) not in self.there:
                yield slot


@dataclass(frozen=True, slots=True)
class _Ask:
    """What a run needs to know and to have."""

    seed: Seed
    exam: ExamSettings
    settings: GenerationSettings
    access: ModelAccess
    work: Path
    budget: float | None
    plan: _Plan
    run_id: str


class Filling:
    """Makes ``wanted`` questions, at most ``width`` at once; where one fails, the next is tried.

    Which places are tried depends on which of them fail and on nothing else, so the same run again
    makes the same requests.

    Attributes:
        made: Questions so far.
        failed: Places that gave none.
    """

    def __init__(
        self, maker: Maker, places: Iterator[Slot], wanted: int, width: int, emit: Emit
    ) -> None:
        self.made = self.failed = 0
        self._maker = maker
        self._places = places
        self._wanted = wanted
        self._width = width
        self._emit = emit
        self._open: set[asyncio.Task[_Made]] = set()

    @property
    def given_up(self) -> bool:
        """Whether so many places gave nothing that no more are tried."""
        return self.failed > _FRUITLESS * (self.made + _AT_FIRST)

    async def fill(self) -> None:
        """Work until all are made, or no place is left, or nearly all fail.

        Raises:
            SeedbedError: What the maker raises; what was emitted before stays good.
        """
        try:
            while self._begin():
                done, self._open = await asyncio.wait(
                    self._open, return_when=asyncio.FIRST_COMPLETED
                )
                errors = [error for task in done if (error := task.exception()) is not None]
                for task in done:
                    if task.exception() is None:
                        await self._take(*task.result())
                if errors:
                    raise errors[0]
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _begin(self) -> bool:
        """Begin what there is room for; tell whether anything is under way."""
        while (
            len(self._open) < self._width
            and self.made + len(self._open) < self._wanted
            and not self.given_up
            and (slot := next(self._places, None)) is not None
        ):
            self._open.add(asyncio.create_task(self._maker.make(slot)))
        return bool(self._open)

    async def _take(self, sample: Sample | None, failures: list[Failure]) -> None:
        self.made += sample is not None
        self.failed += sample is None
        for failure in failures:
            await self._emit(failure)
        if sample is not None:
            await self._emit(sample)


async def _grow(ask: _Ask, tally: Tally, traffic: Traffic, take: Take) -> None:
    ledger = Ledger(ask.budget)
    tally.spent = ledger.spent
    filling = await _filled(ask, traffic, ledger, ask.plan.wanted, take)
    if missing := ask.plan.wanted - filling.made:
        from pipeline.generation.exams.chain import Failure  # noqa: PLC0415 - imports distilabel

        if filling.given_up:
            kind, reason = "given up", "Nearly every question fails the checks."
        else:
            kind = "no more room"
            reason = "Every passage was tried; add documents to have more questions."
        await take(Failure("question", kind, reason, missing))


async def _filled(ask: _Ask, traffic: Traffic, ledger: Ledger, wanted: int, take: Emit) -> Filling:
    from pipeline.generation.asking import Manner  # noqa: PLC0415 - imports distilabel
    from pipeline.generation.exams.chain import ExamChain, ExamJob  # noqa: PLC0415
    from pipeline.generation.llm import Shared  # noqa: PLC0415

    manner = Manner(ask.settings.concurrency, ask.settings.timeout)
    job = ExamJob(ask.seed, ask.exam, manner, ask.plan.sources, ask.run_id)
    with closing(CallCache(ask.work / CACHE)) as cache:
        shared = Shared(traffic, ledger, cache)
        async with aclosing(ExamChain(job, ask.access, shared, ask.plan.known)) as chain:
            width = 2 * ask.settings.concurrency
            filling = Filling(chain, ask.plan.places(), wanted, width, take)
            await filling.fill()
    return filling


async def _try(ask: _Ask) -> Trial:
    """Make a few questions and multiply."""
    found: list[Sample] = []
    reasons: dict[str, str] = {}

    async def take(outcome: Sample | Failure) -> None:
        if isinstance(outcome, Sample):
            found.append(outcome)
        else:
            reasons.setdefault(outcome.kind, f"{outcome.stage} ({outcome.kind}): {outcome.reason}")

    ledger = Ledger(ask.budget)
    few = min(_TRIED, ask.plan.wanted)
    filling = await _filled(ask, Traffic(ask.settings.concurrency), ledger, few, take)
    tried = filling.made + filling.failed
    by = ask.plan.wanted / max(1, len(found))
    calls = ledger.total("calls") + ledger.total("cached")
    seconds = sum(usage.seconds for usage in ledger.stages.values())
    known = not ledger.unpriced
    return Trial(
        rows=ask.plan.wanted,
        room=ask.plan.room,
        sampled=len(found),
        tried=tried,
        calls=calls * by,
        tokens_in=ledger.total("all_in") * by,
        tokens_out=ledger.total("all_out") * by,
        cost=sum(usage.all_cost for usage in ledger.stages.values()) * by if known else None,
        seconds=seconds * by / ask.settings.concurrency,
        spent=ledger.cost,
        failures=tuple(reasons.values()),
    )


@contextmanager
def _read(store: Store, seed: Seed, exam: ExamSettings) -> Iterator[_Plan]:
    """What there is; the index of questions is made anew and removed afterwards."""
    documents = load_documents(store).in_use()
    if not documents:
        raise InvalidInput(
            f"{store.name} has no documents, and exam questions are made of them.",
            f"Add some: python -m pipeline documents {store.name} --add FILE",
        )
    texts = read_texts(store, documents)
    sources = tuple(
        Source(name=each.name, title=each.title, digest=each.text_digest, text=text)
        for each, text in zip(documents, texts, strict=True)
    )
    if not (place := room(sources)):
        raise InvalidInput(
            f"The documents of {store.name} have no passage that could be asked about.",
            "Add longer ones, with whole sentences.",
        )
    mark = fingerprint(seed, exam)
    with tempfile.TemporaryDirectory(prefix="seedbed-exam-") as folder:
        index = DuplicateIndex(QualitySettings(), Path(folder) / "questions.sqlite")
        with closing(index) as known:
            there, counted = set(), 0
            for sample in read_samples(store):
                if sample.kind == "exam":
                    known.remember(sample.sample_id, sample.question or sample.instruction)
                    there.add(sample.sample_id)
                    counted += sample.fingerprint == mark
            yield _Plan(
                sources=sources,
                fingerprint=mark,
                there=frozenset(there),
                wanted=max(0, exam.questions - counted),
                other=len(there) - counted,
                room=place,
                known=known,
            )


def _check(seed: Seed, exam: ExamSettings, budget: float | None) -> None:
    if not normalized(seed.domain):
        raise InvalidInput(
            "The seed does not say which domain the exam is about.",
            "Write it on the first step of the Seed Space.",
        )
    if budget is not None:
        choices = [choice for choice in (exam.model, exam.checker) if choice is not None]
        Ledger(budget, choices)  # refuses a price that is unknown
