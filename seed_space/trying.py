"""Samples for one visitor, made from what is on the screen by the batch's own code."""

from __future__ import annotations

import asyncio
import html
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.core.quotas import cell_key
from pipeline.core.schema import Cell, GenerationSettings, Sample, Seed
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.chain import Failure, Job
from pipeline.generation.chat import trusted
from pipeline.generation.compare import compare
from pipeline.generation.flow import PREVIEW, preview
from pipeline.generation.grounding import Grounds
from pipeline.generation.ledger import Ledger, Usage
from pipeline.generation.planning import fingerprint
from pipeline.web.visitor import Visitor
from seed_space import cards, pieces
from seed_space.cards import Card
from seed_space.paying import access_for, give_back
from seed_space.screen import read
from seed_space.session import Session, generation_settings, grounds_of, open_for
from seed_space.sides import Choice, Side, read_choice, sides, together
from seed_space.words import say

AT_MOST: Final = 12
"""Samples of one preview."""
_CELLS: Final = TypeAdapter(list[Cell])


@dataclass(frozen=True, slots=True)
class Shown:
    """The step while samples come.

    Attributes:
        run: Changes with each preview.
        cards: A sample each, in the order in which they came.
        sides: What each column shows; none if there is one column.
        status: How far it is, and what failed, as HTML.
        running: Whether more may come.
    """

    run: str
    cards: tuple[Card, ...]
    sides: tuple[str, ...]
    status: str
    running: bool


@dataclass(slots=True)
class _Trial:
    """A preview that is under way."""

    session: Session
    seed: Seed
    generation: GenerationSettings
    cells: Sequence[Cell]
    access: ModelAccess
    grounds: Grounds | None
    columns: Sequence[Side]
    run: str
    cards: list[Card]
    failures: list[Failure]

    @property
    def samples(self) -> int:
        """How many answers are counted on whoever pays."""
        return len(self.cells) * max(1, len(self.columns))

    def state(self, extra: str = "", *, running: bool = True) -> Shown:
        language = self.session.language
        count = sum(None not in card["columns"] for card in self.cards)
        head = _progress(count, len(self.cells), language) if running else ""
        status = head + extra + cards.failed(self.failures, language)
        labels = tuple(side.label for side in self.columns)
        return Shown(self.run, tuple(self.cards), labels, status, running)


async def run(
    settings: Settings,
    store: Store | None,
    session: Session,
    who: Visitor,
    chosen: object,
    against: object,
    values: Sequence[object],
) -> AsyncGenerator[Shown]:
    """Make one sample for each chosen cell; each is shown as soon as it is there.

    Closing the iterator stops all calls.

    Args:
        settings: Of the Space.
        store: The project; None is the one that ``settings`` names.
        session: The visitor's, which remembers what was previewed and what that took.
        who: Whose credentials may be used.
        chosen: The cells, as the page sends them.
        against: What to compare, as the page sends it; None compares nothing.
        values: The screen.
    """
    name = uuid.uuid4().hex
    trial: _Trial | None = None
    try:
        seed = read(values, session.saved.seed).require(session.language)
        cells = _read_cells(chosen, seed.cells())
        choice = read_choice(against)
        trial = await asyncio.to_thread(
            _prepare, settings, store, session, who, seed, cells, choice, name
        )
        yield trial.state()
        steps = _compare(trial) if trial.columns else _preview(trial)
        async with aclosing(steps) as shown:
            async for state in shown:
                yield state
    except SeedbedError as error:
        note = cards.trouble(error, session.language)
        if trial is None:
            yield Shown(name, (), (), note, False)
            return
        if not (trial.cards or trial.failures):
            give_back(trial.access, trial.samples)  # nothing was called
        trial.failures = [one for one in trial.failures if one.reason != error.problem]
        yield trial.state(note, running=False)


async def warm_up() -> None:
    """Do once what makes a first preview slower than those after it; calls nobody."""
    seed = Seed(domain="-", topics=["-"], perspectives=["-"])
    async with aclosing(preview(seed, GenerationSettings(), seed.cells(), ModelAccess())) as made:
        async for _ in made:
            pass
    await asyncio.to_thread(trusted)


async def _preview(trial: _Trial) -> AsyncGenerator[Shown]:
    """Samples as a batch makes them."""
    session, seed, generation = trial.session, trial.seed, trial.generation
    ledger = Ledger(shares=True)
    made = preview(seed, generation, trial.cells, trial.access, trial.grounds, ledger)
    async with aclosing(made) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Sample):
                card = cards.card(outcome, seed, generation, session.language, trial.grounds)
                card["columns"] = [
                    cards.column(outcome, seed, session.language, grounds=trial.grounds)
                ]
                trial.cards.append(card)
            else:
                trial.failures.append(outcome)
            yield trial.state()
    session.generation = generation
    session.documents = trial.grounds.marks if trial.grounds else ()
    if trial.cards:
        session.previewed = fingerprint(seed, generation, documents=session.documents)
        session.usage = _usage(ledger, trial)
    done = _done(len(trial.cards), len(trial.cells), session.language)
    yield trial.state(done + pieces.stand_in(generation, session.language), running=False)


async def _compare(trial: _Trial) -> AsyncGenerator[Shown]:
    """The same instructions, answered by both sides."""
    language = trial.session.language
    jobs = [
        Job(side.seed, side.generation, PREVIEW, grounds=trial.grounds) for side in trial.columns
    ]
    by_cell: dict[str, Card] = {}
    early: dict[str, dict[int, Mapping[str, Any]]] = {}
    async with aclosing(compare(jobs, trial.cells, trial.access)) as answers:
        async for answer in answers:
            key = cell_key(answer.cell)
            if answer.side is None:
                trial.failures += answer.failures
                yield trial.state()
                continue
            side = trial.columns[answer.side]
            column = cards.column(
                answer.sample, side.seed, language, answer.failures, grounds=trial.grounds
            )
            if key not in by_cell and answer.sample is None:
                early.setdefault(key, {})[answer.side] = column
                if len(early[key]) == len(jobs):  # nobody answered: that is no card
                    trial.failures += answer.failures
                yield trial.state()
                continue
            if key not in by_cell and answer.sample is not None:
                card = cards.card(
                    answer.sample,
                    trial.seed,
                    jobs[0].settings,
                    language,
                    trial.grounds,
                    len(jobs),
                )
                by_cell[key] = card
                trial.cards.append(card)
                for at, failed in early.get(key, {}).items():
                    card["columns"] = _with(card["columns"], at, failed)
            position = trial.cards.index(by_cell[key])
            columns = _with(by_cell[key]["columns"], answer.side, column)
            by_cell[key] = trial.cards[position] = {**by_cell[key], "columns": columns}
            yield trial.state()
    done = _done(len(trial.cards), len(trial.cells), language)
    yield trial.state(done + pieces.stand_in(together(trial.columns), language), running=False)


def _prepare(
    settings: Settings,
    store: Store | None,
    session: Session,
    who: Visitor,
    seed: Seed,
    cells: Sequence[Cell],
    choice: Choice,
    name: str,
) -> _Trial:
    """The project's settings as they are now, and whose credentials may be used."""
    project = store or open_for(settings, who)
    generation = generation_settings(project)
    columns = sides(choice, settings, seed, session.saved.seed, generation, session.language)
    called = together(columns) if columns else generation
    access = access_for(settings, who, called, samples=len(cells) * max(1, len(columns)))
    grounds = grounds_of(project, generation)
    return _Trial(session, seed, generation, cells, access, grounds, columns, name, [], [])


def _usage(ledger: Ledger, trial: _Trial) -> tuple[Mapping[str, Usage], ...]:
    """What each sample took that was made."""
    shares = ledger.shares or {}
    made = {
        cell_key(Cell(topic=card["topic"], perspective=card["perspective"])) for card in trial.cards
    }
    return tuple(stages for key, stages in shares.items() if key in made)


def _with(columns: Sequence[Any], at: int, column: object) -> list[Any]:
    return [column if place == at else old for place, old in enumerate(columns)]


def _read_cells(chosen: object, known: Sequence[Cell]) -> list[Cell]:
    try:
        cells = _CELLS.validate_python(chosen)
    except ValidationError as error:
        raise InvalidInput(
            "The choice of samples did not arrive.", "Reload the page; a draft is kept."
        ) from error
    there = {cell_key(cell): cell for cell in known}
    keys = dict.fromkeys(map(cell_key, cells))
    found = [there[key] for key in keys if key in there]
    if not found:
        raise InvalidInput(
            "There is nothing to write about yet.",
            "Add at least one topic and one perspective, then choose what to preview.",
        )
    if len(found) > AT_MOST:
        raise InvalidInput(
            f"{len(found)} samples are too many for a preview.", f"Choose at most {AT_MOST}."
        )
    return found


def _progress(done: int, wanted: int, language: str) -> str:
    name = html.escape(say(language, "samples.progress"), quote=True)
    count = html.escape(say(language, "samples.of", n=done, all=wanted))
    return (
        f'<div class="sb-progress" role="status"><progress max="{wanted}" value="{done}" '
        f'aria-label="{name}"></progress><span>{count}</span></div>'
    )


def _done(done: int, wanted: int, language: str) -> str:
    if not done:
        return ""
    if done < wanted:
        text = say(language, "samples.some", n=done, all=wanted)
    else:
        text = say(language, "samples.one" if wanted == 1 else "samples.all", n=wanted)
    return f'<p class="sb-quiet" role="status">{html.escape(text)}</p>'
