"""What is answered, and who gets which question next.

A question is handed out while fewer people than wanted have answered it, and to nobody twice but
where it is asked again on purpose. What needs answers most comes first, with an element of chance.
A request looks at the questions whose texts are in memory and at some that were begun, not at all
of them; only when these are not enough does it search the rest.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final, TypeAlias

import numpy as np

from annotate_space.catalog import Catalog
from annotate_space.choosing import FIRST_BLOCKS, Chooser, Draw, Held
from annotate_space.folding import LONGEST_NAME, Answers
from annotate_space.leases import MOST_HELD, MOST_TABS, Leases, Tab
from annotate_space.questions import (
    CellTotals,
    Lease,
    PersonTotals,
    Progress,
    Question,
    Totals,
)
from annotate_space.votes import Answer, Person, to_moment, visitor_named
from pipeline.core.controls import Control
from pipeline.core.feedback import FeedbackEvent, Key
from pipeline.core.schema import TASKS, AnnotationSettings, Cell, Task

__all__ = [
    "Board",
    "CellTotals",
    "Lease",
    "PersonTotals",
    "Progress",
    "Question",
    "Totals",
]

MOST_AT_FIRST: Final = 12
"""Questions with which others wait for somebody who has not answered anything yet; what more they
are asked others may be asked as well."""
_VISITORS: Final = 1_000
"""People who have not answered anything yet of whom it is known what they were asked."""

_Configured: TypeAlias = tuple[AnnotationSettings, tuple[Cell, ...], tuple[Control, ...]]


class Board:
    """What is answered and who gets what next. Any thread may call it; it waits for no disk.

    Args:
        chance: Decides what is left to chance, besides each person's own order.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._guard = threading.RLock()
        self._answers = Answers(catalog)
        self._leases: Leases[Held] = Leases()
        luck = chance or random.Random()  # noqa: S311 - nothing secret
        self._chooser = Chooser(self._answers, self._leases, luck)
        self._visitors: OrderedDict[str, Person] = OrderedDict()
        self._configured: _Configured | None = None
        self._reader: threading.Thread | None = None

    def configure(
        self,
        settings: AnnotationSettings,
        cells: Sequence[Cell],
        controls: Sequence[Control] = (),
    ) -> None:
        """Set up what is asked, also in the middle of a project; answers stay."""
        wanted = (settings, tuple(cells), tuple(controls))
        with self._guard:
            if wanted == self._configured and self._answers.index is self._catalog.index:
                return
            self._configured = wanted
            self._answers.configure(settings, cells)
            self._chooser.control(controls)

    def grew(self) -> None:
        """Take in what the catalog has more."""
        with self._guard:
            self._answers.set_up()
            self._chooser.control(self._configured[2] if self._configured else ())

    def record(self, event: FeedbackEvent) -> bool:
        """Fold an event, in any order and any number of times; False if its id is known.

        A verdict is no vote: of it only the id is noted.
        """
        with self._guard:
            if event.verdict:
                return self._answers.known.add(event.event_id)
            self._answers.votes.welcome(self._visitors.pop(event.annotator, None))
            found = self._answers.record(event)
            if found is not None:
                self._leases.answered(event.annotator, found)
            return self._answers.known.add(event.event_id)

    def unaskable(self, question: Question) -> None:
        """Offer a question to nobody any more, as it cannot be shown or not be answered.

        What cannot be read just now is offered again once it can.
        """
        with self._guard:
            self._answers.unaskable(question)

    def knows(self, event_id: str) -> bool:
        """Whether an event with this id was recorded."""
        with self._guard:
            return event_id in self._answers.known

    def newest(self, key: Key) -> str | None:
        """When the newest event with this key was received, also if it took an answer back."""
        with self._guard:
            return self._answers.newest(key)

    def answer(self, key: Key) -> Answer:
        """What stands for a key: what somebody said last of one thing."""
        with self._guard:
            return self._answers.answer(key)

    def newest_id(self, key: Key) -> str | None:
        """The id of the newest event with this key, also if it took an answer back."""
        with self._guard:
            return self._answers.newest_id(key)

    def next(
        self,
        annotator: str,
        tab: str,
        count: int,
        *,
        task: Task | None,
        holding: Collection[str] = (),
        again: bool = False,
    ) -> list[Question]:
        """Up to ``count`` questions of one task for one person, held for this tab.

        A tab that holds nothing any more, though something was handed to it, was reloaded and gets
        the same again first.

        ``tab`` is one window of theirs; what another holds does not come up in this one. ``task``
        None is what the project's mix asks for next and has something left. ``holding`` are the ids
        of the questions that the tab has; it lets go of all others. What it names though it was not
        handed to it does not come up for this person meanwhile. ``again`` offers what this person
        skipped, the oldest first, and nothing else.
        """
        named = (name for name in holding if len(name) <= LONGEST_NAME)
        holding = frozenset(islice(named, MOST_HELD))
        self._read_ahead(task)
        with self._guard:
            person = self._person(annotator)
            now = self._clock()
            self._answers.note_broken()
            self._leases.expire(now)
            place = self._leases.tab(annotator, tab, now)
            released = self._leases.release_others(place, holding)
            self._claim(person, place, holding)
            back = [] if holding or again else list(released.values())
            found: list[Held] = []
            for each in self._in_turn(person, task, back):
                draw = Draw(person, each, min(count, place.room), holding)
                found = self._chooser.skipped(draw) if again else self._chooser.draw(draw, back)
                if found:
                    break
            self._hand_out(person, place, found, released)
            self._leases.tidy(place)
        self._read_beside(task)
        return [held.question for held in found]

    def renew(self, annotator: str, tab: str) -> None:
        """Hold what the tab holds for another ten minutes."""
        with self._guard:
            now = self._clock()
            self._leases.expire(now)
            self._leases.renew(annotator, tab, now)

    def progress(self, annotator: str) -> dict[Task, Progress]:
        """How far this person is with each task."""
        with self._guard:
            self._answers.note_broken()
            person = self._answers.votes.known(annotator)
            asked = self._answers.asked()
            if person is None:
                return {task: Progress(0, self._answers.pools[task].open) for task in asked}
            done = [sum(n) for n in zip(person.answered, person.flagged, strict=True)]
            return {
                task: Progress(done[TASKS.index(task)], self._answers.left(person, task))
                for task in asked
            }

    def skipped(self, annotator: str) -> dict[Task, int]:
        """How many questions this person skipped that are still open."""
        with self._guard:
            self._answers.note_broken()
            person = self._answers.votes.known(annotator)
            return {
                task: 0 if person is None else len(self._answers.skips(person, task))
                for task in self._answers.asked()
            }

    def leases(self) -> list[Lease]:
        """What is handed out now."""
        with self._guard:
            self._leases.expire(self._clock())
            return [
                Lease(tab.person, tab.name, len(tab.items), tab.since, tab.until)
                for tab in self._leases.tabs()
            ]

    def totals(self) -> dict[Task, Totals]:
        """How far each task is."""
        with self._guard:
            pools = {task: self._answers.pools[task] for task in self._answers.asked()}
            return {
                task: Totals(
                    wanted=pool.questions * pool.overlap,
                    given=pool.counted,
                    answered=pool.answered,
                    complete=pool.complete,
                    questions=pool.questions,
                )
                for task, pool in pools.items()
            }

    def by_cell(self) -> list[CellTotals]:
        """How far each cell is in which something is asked."""
        with self._guard:
            names = list(self._catalog.cells)
            wanted, given = np.zeros((2, len(names)), dtype=np.int64)
            for task in self._answers.asked():
                pool = self._answers.pools[task]
                wanted[: len(pool.cell_questions)] += pool.cell_questions * pool.overlap
                given[: len(pool.cell_counted)] += pool.cell_counted
        return [
            CellTotals(*names[number], int(wanted[number]), int(given[number]))
            for number in np.flatnonzero(wanted).tolist()
        ]

    def by_person(self) -> list[PersonTotals]:
        """What each annotator did who did anything."""
        with self._guard:
            return [
                PersonTotals(
                    person.name,
                    {t: n for t, n in zip(TASKS, person.answered, strict=True) if n},
                    sum(person.skipped),
                    sum(person.flagged),
                    None if person.first is None else to_moment(person.first),
                    None if person.last is None else to_moment(person.last),
                )
                for person in self._answers.votes.people
                if person.first is not None
            ]

    def _in_turn(self, person: Person, task: Task | None, back: Sequence[Held]) -> list[Task]:
        """The tasks in which to look for questions: what the tab had, then what is due."""
        asked = self._answers.asked(task)
        handed = person.handed or person.reacted()
        weight = self._answers.settings.mix
        had = back[0].question.task if back else None
        return sorted(asked, key=lambda t: (t != had, handed[TASKS.index(t)] / weight.get(t, 1.0)))

    def _hand_out(
        self, person: Person, tab: Tab[Held], found: Sequence[Held], before: Mapping[str, Held]
    ) -> None:
        if person.handed is None:
            person.handed = person.reacted()
        places = MOST_HELD * MOST_TABS
        if person.first is None:
            places = MOST_AT_FIRST - self._leases.places(person.name)
        for held in found:
            question = held.question
            name = question.question_id
            counts = not question.repeat and places > 0
            places -= counts
            self._leases.hold(tab, name, held.code, held, counts=counts)
            person.handed[TASKS.index(question.task)] += name not in before

    def _person(self, annotator: str) -> Person:
        """The annotator, who is kept for good only once they answered something."""
        known = self._answers.votes.known(annotator)
        if known is not None:
            return known
        visitor = self._visitors.pop(annotator, None) or visitor_named(annotator)
        self._visitors[annotator] = visitor
        while len(self._visitors) > _VISITORS:
            self._visitors.popitem(last=False)
        return visitor

    def _claim(self, person: Person, tab: Tab[Held], holding: Collection[str]) -> None:
        """Note what the tab says it has though it is not held for it: this server was restarted.

        Nothing tells whether that is so. It is kept from this person only, so that nobody can keep
        others from questions, and is not handed out when it is let go, so that nobody can choose.
        """
        for name in sorted(holding - tab.items.keys() - tab.claims.keys()):
            if not tab.room:
                return
            found = self._answers.named(name)
            if (
                found is not None
                and not self._leases.holds(person.name, found)
                and not self._answers.stands(person, found)
            ):
                self._leases.claim(tab, name, found)

    def _read_ahead(self, task: Task | None) -> None:
        """Read some texts before the first question is handed out."""
        for _ in range(FIRST_BLOCKS):
            with self._guard:
                block = self._chooser.block_to_read(task, first=True)
            if block is None:
                return
            self._catalog.warm_up(block)

    def _read_beside(self, task: Task | None) -> None:
        """Read more texts now and then, while requests are served."""
        with self._guard:
            if self._reader is not None and self._reader.is_alive():
                return
            if self._catalog.mend_due():
                self._start(self._catalog.mend)
                return
            block = self._chooser.block_to_read(task, first=False)
            if block is not None:
                self._start(partial(self._catalog.warm_up, block))

    def _start(self, read: Callable[[], None]) -> None:
        # No daemon: one that is reading when the process ends would crash it.
        self._reader = threading.Thread(target=read, name="texts")
        self._reader.start()
