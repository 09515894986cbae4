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
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from annotate_space.catalog import Catalog
from annotate_space.leases import MOST_HELD, Leases, Tab
from annotate_space.places import Places
from annotate_space.pools import Pool, pair, pair_number, questions_of
from annotate_space.shards import Flags, Numbers
from annotate_space.votes import (
    NOTHING,
    NOWHERE,
    Answer,
    EventIds,
    Person,
    Standing,
    Votes,
    code,
    to_moment,
    to_number,
)
from pipeline.core.feedback import FeedbackEvent, Key
from pipeline.core.schema import TASKS, AnnotationSettings, Cell, Task, stable_id

FEW: Final = 20_000
"""Open questions that are all weighed; of more, some are."""
_ENOUGH: Final = 2_000
"""Open questions weighed at a time where there are more."""
_HOT: Final = 200
"""Questions under way that are weighed besides."""
_COLD: Final = 2
"""Questions of one batch whose texts may have to be read first."""
_FETCHED: Final = 0.3
"""What such a question needs less than others."""
_WARM_FIRST, _WARM_MOST = 8, 64
"""Blocks read before the first question is handed out; from how many on, new ones come rarely."""
_SOON, _RARELY = 0.5, 0.1
"""Share of requests that read another block before there are so many, and after."""
_TOP: Final = 256
_LONGEST_NAME: Final = 700
"""Characters of a question's id that are looked at: three ids and what is between them."""
_TRIES: Final = 50
_NO_IDS: Final[tuple[str, ...]] = ()
_LOOKED_AT: Final = 4
"""Blocks of which the one that needs most is read."""
_LONGEST_GAP, _SHORTEST_GAP = 20, 5
"""Answers between a question and its repeat."""
_NOT_REPEATED: Final = frozenset({"edit", "instruction"})
"""Tasks that nobody does twice: what is written differs without a change of mind."""


class Control(Protocol):
    """A question whose answer is known."""

    @property
    def task(self) -> Task:
        """What is asked."""

    @property
    def sample_id(self) -> str:
        """About which sample."""

    @property
    def completion_ids(self) -> Sequence[str]:
        """And which of its completions, in any order."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask one annotator.

    Attributes:
        completion_ids: As shown: one; for a pair left and right; none for exam and instruction.
        repeat: Whether this annotator answered it before.
        control: Whether its answer is known.
    """

    task: Task
    sample_id: str
    completion_ids: tuple[str, ...] = ()
    repeat: bool = False
    control: bool = False
    topic: str = ""
    perspective: str = ""

    @property
    def question_id(self) -> str:
        """The same for both sides of a pair; another for a repeat."""
        name = f"{self.task}:{self.sample_id}:{'|'.join(sorted(self.completion_ids))}"
        return f"{name}:again" if self.repeat else name


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one annotator is with one task.

    Attributes:
        done: Questions answered or flagged.
        left: Questions that are open and that they neither answered nor skipped.
    """

    done: int
    left: int


@dataclass(frozen=True, slots=True)
class Lease:
    """What one tab holds; times in seconds since 1970."""

    annotator: str
    tab: str
    questions: int
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Totals:
    """How far a task is.

    Attributes:
        wanted: Votes in all.
        given: Votes that count towards it: no question has more than are wanted.
        answered: All votes.
        complete: Questions with all their votes.
    """

    wanted: int
    given: int
    answered: int
    complete: int
    questions: int


@dataclass(frozen=True, slots=True)
class CellTotals:
    """How far a cell is, all tasks together."""

    topic: str
    perspective: str
    wanted: int
    given: int


@dataclass(frozen=True, slots=True)
class PersonTotals:
    """What one annotator did; repeats apart. Times are those of receipt, ISO 8601."""

    annotator: str
    answered: dict[Task, int]
    skipped: int
    flagged: int
    first_at: str | None
    last_at: str | None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event's row whose sample or completion is not known yet."""

    key: Key
    row: int


@dataclass(frozen=True, slots=True)
class _Held:
    question: Question
    code: int


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
        self._chance = chance or random.Random()  # noqa: S311 - nothing secret
        self._clock = clock
        self._guard = threading.RLock()
        self._settings = AnnotationSettings()
        self._index = catalog.index
        self._votes = Votes()
        self._known = EventIds()
        self._leases: Leases[_Held] = Leases()
        self._places = Places()
        self._pools: dict[Task, Pool] = {}
        self._waiting: dict[Key, _Waiting] = {}
        self._given_controls: tuple[Control, ...] = ()
        self._controls: dict[Task, list[int]] = {}
        self._control_codes: frozenset[int] = frozenset()

    def configure(
        self,
        settings: AnnotationSettings,
        cells: Sequence[Cell],
        controls: Sequence[Control] = (),
    ) -> None:
        """Set up what is asked, also in the middle of a project; answers stay."""
        with self._guard:
            self._settings = settings
            self._given_controls = tuple(controls)
            if "instruction" in settings.tasks:
                numbered = (
                    (self._catalog.cell_number(c.topic, c.perspective), c.topic, c.perspective)
                    for c in cells
                )
                self._places.want(numbered, settings.instructions)
            self._set_up()

    def grew(self) -> None:
        """Take in what the catalog has more."""
        with self._guard:
            self._set_up()

    def record(self, event: FeedbackEvent) -> bool:
        """Fold an event, in any order and any number of times; False if its id is known."""
        with self._guard:
            fresh = self._known.add(event.event_id)
            person = self._votes.person(event.annotator)
            self._note_time(person, event)
            key = event.key()
            found = self._resolve(key)
            if found is None:
                self._keep_waiting(person, key, event)
            else:
                self._fold(person, found, event)
            return fresh

    def knows(self, event_id: str) -> bool:
        """Whether an event with this id was recorded."""
        with self._guard:
            return event_id in self._known

    def newest(self, key: Key) -> str | None:
        """When the newest event with this key was received, also if it took an answer back."""
        with self._guard:
            waiting = self._waiting.get(key)
            if waiting is not None:
                return to_moment(self._votes.moment(waiting.row))
            person, found = self._votes.known(key.annotator), self._resolve(key)
            row = None if person is None or found is None else person.rows.get(found)
            return None if row is None else to_moment(self._votes.moment(row))

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
        of the questions that the tab has; it lets go of all others. ``again`` offers what this
        person skipped, the oldest first, and nothing else.
        """
        holding = frozenset(holding)
        self._stock(task, first=True)
        with self._guard:
            person = self._votes.person(annotator)
            now = self._clock()
            self._leases.expire(now)
            place = self._leases.tab(person.index, tab, now)
            released = self._leases.release_others(place, holding)
            self._hold_again(person, place, holding)
            count = min(count, MOST_HELD - len(place.items))
            back = [] if holding or again else list(released.values())
            for each in self._in_turn(person, task):
                draw = _Draw(person, each, count, holding)
                found = self._skipped(draw) if again else self._draw(draw, back)
                if found:
                    self._hand_out(person, place, found, released)
                    break
            else:
                found = []
        self._stock(task, first=False)
        return [held.question for held in found]

    def renew(self, annotator: str, tab: str) -> None:
        """Hold what the tab holds for another ten minutes."""
        with self._guard:
            person = self._votes.known(annotator)
            if person is not None:
                self._leases.expire(self._clock())
                self._leases.renew(person.index, tab, self._clock())

    def progress(self, annotator: str) -> dict[Task, Progress]:
        """How far this person is with each task."""
        with self._guard:
            person = self._votes.known(annotator)
            return {
                task: Progress(0, self._pools[task].open)
                if person is None
                else Progress(
                    person.answered[TASKS.index(task)] + person.flagged[TASKS.index(task)],
                    self._left(person, task),
                )
                for task in self._asked()
            }

    def skipped(self, annotator: str) -> dict[Task, int]:
        """How many questions this person skipped that are still open."""
        with self._guard:
            person = self._votes.known(annotator)
            counts = dict.fromkeys(self._asked(), 0)
            for found in person.skips if person else ():
                task = _task(found)
                if task in counts and self._pools[task].is_open(found >> 4):
                    counts[task] += 1
            return counts

    def leases(self) -> list[Lease]:
        """What is handed out now."""
        with self._guard:
            self._leases.expire(self._clock())
            people = self._votes.people
            return [
                Lease(people[tab.person].name, tab.name, len(tab.items), tab.since, tab.until)
                for tab in self._leases.tabs()
            ]

    def totals(self) -> dict[Task, Totals]:
        """How far each task is."""
        with self._guard:
            pools = {task: self._pools[task] for task in self._asked()}
            return {
                task: Totals(
                    pool.questions * pool.overlap,
                    pool.counted,
                    pool.answered,
                    pool.complete,
                    pool.questions,
                )
                for task, pool in pools.items()
            }

    def by_cell(self) -> list[CellTotals]:
        """How far each cell is in which something is asked."""
        with self._guard:
            names = list(self._catalog.cells)
            wanted, given = np.zeros((2, len(names)), dtype=np.int64)
            for task in self._asked():
                pool = self._pools[task]
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
                for person in self._votes.people
                if person.first is not None
            ]

    # Setting up

    def _asked(self) -> list[Task]:
        return [task for task in self._settings.tasks if task in self._pools]

    def _set_up(self) -> None:
        self._index = self._catalog.index
        for task in {*self._settings.tasks, *self._pools}:
            self._size(self._pools.setdefault(task, Pool(task, 1)))
        for person in self._votes.people:
            person.seen_open = [0] * len(TASKS)
        for task, pool in self._pools.items():
            self._count_seen(task, pool)
        for waiting in list(self._waiting.values()):
            self._settle(waiting)
        self._find_controls()

    def _size(self, pool: Pool) -> None:
        cells = len(self._catalog.cells)
        if pool.task == "instruction":
            place = self._places.cell()
            counts = np.ones(len(place), dtype=np.int32)
            pool.resize(counts, place, cells, 1, self._places.asked())
        else:
            counts = questions_of(pool.task, self._index)
            pool.resize(counts, self._index.cell, cells, self._settings.overlap)

    def _count_seen(self, task: Task, pool: Pool) -> None:
        number = TASKS.index(task)
        who, questions = self._votes.seen(number)
        still = pool.given[questions] < pool.overlap
        if pool.asked is not None and len(questions):
            still &= pool.asked[pool.subjects(questions)]
        counts = np.bincount(who[still], minlength=len(self._votes.people)).tolist()
        for person, count in zip(self._votes.people, counts, strict=True):
            person.seen_open[number] = count

    def _find_controls(self) -> None:
        self._controls = {}
        for control in self._given_controls:
            subject = "|".join(sorted(control.completion_ids)) or None
            found = self._resolve(Key("", control.sample_id, control.task, subject))
            if found is not None and found not in self._controls.setdefault(control.task, []):
                self._controls[control.task].append(found)
        self._control_codes = frozenset(c for found in self._controls.values() for c in found)

    def _pool(self, task: Task) -> Pool:
        pool = self._pools.get(task)
        if pool is None:
            pool = self._pools[task] = Pool(task, 1)
            self._size(pool)
        return pool

    # Folding

    def _resolve(self, key: Key) -> int | None:
        """The code of the question that a key is about, None if there is none (yet)."""
        task = _as_task(key.task)
        pool = self._pool(task)
        number = self._find(task, key.sample_id)
        if number < 0:
            return None
        within = self._within(task, number, key.subject)
        if within < 0:
            return None
        return code(TASKS.index(task), int(pool.first[number]) + within, key.repeat)

    def _find(self, task: Task, sample_id: str) -> int:
        if task == "instruction":
            return self._places.find(sample_id)
        number = self._index.find(sample_id)
        return number if number < 0 or self._index.exam[number] == (task == "exam") else -1

    def _within(self, task: Task, number: int, subject: str | None) -> int:
        """Which of a sample's questions is about ``subject``, -1 if none is."""
        if task in ("exam", "instruction"):
            return 0 if subject is None else -1
        if subject is None:
            return -1
        if task != "pairwise":
            return self._index.completion(number, subject)
        size = int(self._index.first[number + 1] - self._index.first[number])
        # An id may itself hold the sign between the two.
        for at in (at for at, sign in enumerate(subject) if sign == "|"):
            first = self._index.completion(number, subject[:at])
            second = self._index.completion(number, subject[at + 1 :])
            if min(first, second) >= 0 and first != second:
                return pair_number(first, second, size)
        return -1

    def _keep_waiting(self, person: Person, key: Key, event: FeedbackEvent) -> None:
        known = self._waiting.get(key)
        if known is None:
            row = self._votes.add(person, event)
            self._waiting[key] = _Waiting(key, row)
        else:
            row = known.row
            self._votes.replace(row, event)

    def _settle(self, waiting: _Waiting) -> None:
        """Count an event whose sample has come."""
        found = self._resolve(waiting.key)
        if found is None:
            return
        del self._waiting[waiting.key]
        person = self._votes.who(waiting.row)
        self._place(person, found, waiting.row)
        self._change(person, found, waiting.row, NOTHING)

    def _fold(self, person: Person, found: int, event: FeedbackEvent) -> None:
        row = person.rows.get(found)
        before = NOTHING
        if row is None:
            row = self._votes.add(person, event)
            self._place(person, found, row)
        else:
            before = self._votes.answer(row)
            if not self._votes.replace(row, event):
                return
        self._change(person, found, row, before)
        self._leases.answered(person.index, found)

    def _place(self, person: Person, found: int, row: int) -> None:
        person.rows[found] = row
        question, repeat = found >> 4, found & 1
        if repeat:
            self._votes.place(row, question, 0)
            return
        pool = self._pools[_task(found)]
        pool.head[question] = self._votes.place(row, question, int(pool.head[question]))

    def _note_time(self, person: Person, event: FeedbackEvent) -> None:
        moment = to_number(event.received_at)
        person.first = moment if person.first is None else min(person.first, moment)
        person.last = moment if person.last is None else max(person.last, moment)

    def _change(self, person: Person, found: int, row: int, before: Answer) -> None:
        """Bring everything that is counted from what stood before to what stands now."""
        after = self._votes.answer(row)
        if found & 1 or before == after:
            return
        task, question = found >> 1 & 7, found >> 4
        pool = self._pools[TASKS[task]]
        was_open = pool.is_open(question)
        if was_open and before.standing:
            person.seen_open[task] -= 1
        for answer, change in ((before, -1), (after, 1)):
            person.tally(answer, task, change)
        self._count(pool, question, before, after)
        if after.standing == Standing.SKIPPED:
            person.skips[found] = None
        else:
            person.skips.pop(found, None)
        if after.standing.counts and not before.standing.counts:
            person.history.append(row)
        is_open = pool.is_open(question)
        if is_open != was_open:
            self._tell_others(person, pool, task, question, 1 if is_open else -1)
        if is_open and after.standing:
            person.seen_open[task] += 1

    def _count(self, pool: Pool, question: int, before: Answer, after: Answer) -> None:
        if after.standing.counts:
            pool.count(question, after, 1)
        if before.standing.counts:
            pool.count(question, before, -1)

    def _tell_others(
        self, person: Person, pool: Pool, task: int, question: int, change: int
    ) -> None:
        for row in self._votes.chained(int(pool.head[question])):
            other = self._votes.who(row)
            if other is not person and self._votes.answer(row).standing:
                other.seen_open[task] += change

    # Choosing

    def _left(self, person: Person, task: Task) -> int:
        return max(0, self._pools[task].open - person.seen_open[TASKS.index(task)])

    def _in_turn(self, person: Person, task: Task | None) -> list[Task]:
        """The tasks in which to look for questions, the one that is due first."""
        asked = self._asked()
        if task is not None:
            return [task] if task in asked else []
        handed = person.handed or _answers(person)
        weight = self._settings.mix
        return sorted(asked, key=lambda t: handed[TASKS.index(t)] / weight.get(t, 1.0))

    def _draw(self, draw: _Draw, back: Sequence[_Held]) -> list[_Held]:
        """What to hand out of one task: what was there before the reload, then new ones."""
        found = [
            held
            for held in back
            if held.question.task == draw.task and self._may_ask(draw, held.code)
        ][: draw.count]
        draw.taken.update(held.code for held in found)
        if len(found) == draw.count or self._left(draw.person, draw.task) <= 0:
            return found
        special: dict[int, _Held] = {}
        for at in range(len(found), draw.count):
            other = self._control_or_repeat(draw)
            if other is not None:
                special[at] = other
                draw.taken.add(other.code)
        plain = iter(self._choose(draw, draw.count - len(found) - len(special)))
        for at in range(len(found), draw.count):
            held = special.pop(at, None) or next(plain, None)
            if held is None:
                break
            found.append(held)
        return found

    def _control_or_repeat(self, draw: _Draw) -> _Held | None:
        luck = self._chance.random()
        if luck < self._settings.controls:
            return self._control(draw)
        if luck < self._settings.controls + self._settings.repeats:
            return self._repeat(draw)
        return None

    def _control(self, draw: _Draw) -> _Held | None:
        known = self._controls.get(draw.task, [])
        start = self._chance.randrange(len(known)) if known else 0
        for found in (*known[start:], *known[:start]):
            if self._is_free(draw, found):
                return self._held(draw.person, found)
        return None

    def _repeat(self, draw: _Draw) -> _Held | None:
        """A question that this person answered some time ago, if one comes up."""
        history = draw.person.history
        every = sum(pool.questions for pool in self._pools.values())
        gap = max(_SHORTEST_GAP, min(_LONGEST_GAP, every // 5))
        if draw.task in _NOT_REPEATED or len(history) <= gap:
            return None
        latest = self._votes.moment(history[-gap])
        for _ in range(_TRIES):
            row = history[self._chance.randrange(len(history) - gap)]
            found = self._votes.code(row) | 1
            if (
                self._votes.question(row) != NOWHERE
                and _task(found) == draw.task
                and self._votes.answer(row).standing == Standing.SUBMITTED
                and self._votes.moment(row) <= latest
                and found not in draw.person.rows
                and self._is_free(draw, found)
            ):
                return self._held(draw.person, found)
        return None

    def _skipped(self, draw: _Draw) -> list[_Held]:
        person = draw.person
        skips = [found for found in person.skips if _task(found) == draw.task]
        skips.sort(key=lambda found: self._votes.moment(person.rows[found]))
        free = (
            self._held(draw.person, found)
            for found in skips
            if self._pools[draw.task].is_open(found >> 4)
            and self._has_place(draw, found)
            and not self._leases.holds(person.index, found)
        )
        return list(islice(free, draw.count))

    def _choose(self, draw: _Draw, count: int) -> list[_Held]:
        found: list[_Held] = []
        for candidates in self._candidates(draw):
            if len(found) >= count:
                break
            found += self._best(draw, candidates, count - len(found))
        return found

    def _candidates(self, draw: _Draw) -> Iterator[Numbers]:
        """Open questions, some at a time; all of them in the end."""
        pool = self._pools[draw.task]
        if pool.open <= FEW or draw.task == "instruction":
            draw.warm = None
            yield pool.remaining()
            return
        blocks = self._catalog.warm()
        draw.warm = self._marked(blocks)
        self._chance.shuffle(blocks)
        hot = list(pool.hot)
        parts = [np.array(self._chance.sample(hot, min(len(hot), _HOT)), dtype=np.int32)]
        for block in blocks:
            parts.append(self._open_in(pool, block))
            if sum(map(len, parts)) >= _ENOUGH:
                yield np.unique(np.concatenate(parts))
                parts = []
        if parts:
            yield np.unique(np.concatenate(parts))
        draw.searching = True
        rest = pool.remaining()
        start = self._chance.randrange(len(rest)) if len(rest) else 0
        for at in range(0, len(rest), FEW):
            those = np.arange(start + at, min(start + at + FEW, start + len(rest)))
            yield rest[those % len(rest)]

    def _best(self, draw: _Draw, candidates: Numbers, count: int) -> list[_Held]:
        """Those of the candidates that this person may be asked, in the order of need."""
        pool = self._pools[draw.task]
        if len(candidates) == 0 or count <= 0:
            return []
        need = pool.need(candidates, self._index, draw.person.seed & 0xFFFF_FFFF_FFFF_FFFF)
        cold = np.zeros(len(candidates), dtype=np.bool_)
        if draw.task != "instruction":
            blocks = (
                self._index.block_first.searchsorted(pool.subjects(candidates), side="right") - 1
            )
            if broken := self._catalog.broken():
                readable = ~self._marked(broken)[blocks]
                candidates, need, blocks = candidates[readable], need[readable], blocks[readable]
            cold = ~draw.warm[blocks] if draw.warm is not None else np.zeros(len(blocks), np.bool_)
        need = need - _FETCHED * cold
        task = TASKS.index(draw.task)
        found: list[_Held] = []
        for at in _descending(need):
            one = code(task, int(candidates[at]))
            if cold[at] and draw.cold >= _COLD and not draw.searching:
                continue
            if not self._may_ask(draw, one):
                continue
            held = self._held(draw.person, one)
            if held.question.question_id in draw.holding:
                continue
            draw.cold += bool(cold[at])
            draw.taken.add(one)
            found.append(held)
            if len(found) == count:
                break
        return found

    def _may_ask(self, draw: _Draw, found: int) -> bool:
        return (
            self._is_free(draw, found)
            and found not in draw.person.skips
            and (
                bool(found & 1)
                or found in self._control_codes
                or (self._pools[draw.task].is_open(found >> 4) and self._has_place(draw, found))
            )
        )

    def _is_free(self, draw: _Draw, found: int) -> bool:
        """Whether this person neither has it in any tab nor has an answer to it that stands."""
        if found in draw.taken or self._leases.holds(draw.person.index, found):
            return False
        row = draw.person.rows.get(found)
        return row is None or not self._votes.answer(row).standing

    def _has_place(self, draw: _Draw, found: int) -> bool:
        """Whether the others who hold it leave a place for one more answer."""
        others = self._leases.others(draw.person.index, found)
        return others < self._pools[draw.task].places(found >> 4)

    def _held(self, person: Person, found: int) -> _Held:
        task, question = _task(found), found >> 4
        pool = self._pools[task]
        number = pool.subject(question)
        topic, perspective = self._catalog.cells[int(pool.cell[number])]
        if task == "instruction":
            sample_id, ids = self._places.ids[number], _NO_IDS
        else:
            sample_id = self._index.ids.get(number)
            ids = self._shown(person, task, sample_id, number, question - int(pool.first[number]))
        return _Held(
            Question(
                task,
                sample_id,
                ids,
                repeat=bool(found & 1),
                control=found in self._control_codes,
                topic=topic,
                perspective=perspective,
            ),
            found,
        )

    def _shown(
        self, person: Person, task: Task, sample_id: str, number: int, within: int
    ) -> tuple[str, ...]:
        """The completions that a question is about, in the order shown to this person."""
        index = self._index
        start = int(index.first[number])
        if task == "exam":
            return ()
        if task != "pairwise":
            return (index.completion_ids.get(start + within),)
        both = pair(within, int(index.first[number + 1]) - start)
        ids = tuple(index.completion_ids.get(start + at) for at in both)
        coin = int(stable_id("sides", person.name, sample_id, *sorted(ids)), 16)
        return ids if coin % 2 else ids[::-1]

    # Handing out

    def _hand_out(
        self, person: Person, tab: Tab[_Held], found: Sequence[_Held], before: Collection[str]
    ) -> None:
        if person.handed is None:
            person.handed = _answers(person)
        for held in found:
            question = held.question
            name = question.question_id
            self._leases.hold(tab, name, held.code, held, counts=not question.repeat)
            person.handed[TASKS.index(question.task)] += name not in before

    def _hold_again(self, person: Person, tab: Tab[_Held], holding: Collection[str]) -> None:
        """Hold what the tab says it has though it is not held for it: this server was restarted."""
        for name in sorted(name for name in holding if name not in tab.items):
            found = self._named(name)
            if (
                found is not None
                and len(tab.items) < MOST_HELD
                and not self._leases.holds(person.index, found)
            ):
                held = self._held(person, found)
                self._leases.hold(tab, name, found, held, counts=not found & 1)

    def _named(self, question_id: str) -> int | None:
        """The code of a question by its id."""
        task, _, rest = question_id.partition(":")
        if task not in TASKS:
            return None
        repeat = rest.endswith(":again")
        rest = rest.removesuffix(":again")
        for at in (at for at, sign in enumerate(rest[:_LONGEST_NAME]) if sign == ":"):
            found = self._resolve(Key("", rest[:at], task, rest[at + 1 :] or None, repeat))
            if found is not None:
                return found
        return None

    def _stock(self, task: Task | None, *, first: bool) -> None:
        """Read texts ahead, without the lock: some at the first request, then now and then."""
        for _ in range(_WARM_FIRST if first else 1):
            with self._guard:
                block = self._block_to_read(task, first=first)
            if block is None:
                return
            self._catalog.warm_up(block)

    def _block_to_read(self, task: Task | None, *, first: bool) -> int | None:
        asked = [t for t in self._asked() if t != "instruction" and task in (None, t)]
        large = [self._pools[t] for t in asked if self._pools[t].open > FEW]
        if not large:
            return None
        warm = set(self._catalog.warm())
        if first and len(warm) >= _WARM_FIRST:
            return None
        if not first and self._chance.random() > (_SOON if len(warm) < _WARM_MOST else _RARELY):
            return None
        count = len(self._index.blocks)
        pool = self._chance.choice(large)
        unread = {self._chance.randrange(count) for _ in range(_LOOKED_AT)}
        unread -= warm | self._catalog.broken()
        needs = {block: self._need(pool, block) for block in sorted(unread)}
        best = max(needs, key=lambda block: needs[block], default=None)
        return None if best is None or needs[best] < 0 else best

    def _need(self, pool: Pool, block: int) -> float:
        """How much the open questions of a block need answers, on average; -1 if none is open."""
        questions = self._open_in(pool, block)
        return float(pool.need(questions, self._index, 0).mean()) if len(questions) else -1.0

    def _open_in(self, pool: Pool, block: int) -> Numbers:
        if block + 1 >= len(self._index.block_first):
            return np.zeros(0, dtype=np.int32)  # the catalog has more than this board knows yet
        start, end = self._index.block_first[block : block + 2].tolist()
        return pool.between(start, end)

    def _marked(self, blocks: Collection[int]) -> Flags:
        marks = np.zeros(len(self._index.blocks), dtype=np.bool_)
        marks[[block for block in blocks if block < len(marks)]] = True
        return marks


@dataclass(slots=True)
class _Draw:
    """One choosing of questions.

    Attributes:
        holding: Question ids that the tab has already.
        taken: Codes chosen so far.
        warm: Which blocks are in memory; None where it does not matter.
        cold: Questions chosen so far whose texts must be read first.
        searching: Whether all open questions are gone through.
    """

    person: Person
    task: Task
    count: int
    holding: Collection[str]
    taken: set[int] = field(default_factory=set)
    warm: Flags | None = None
    cold: int = 0
    searching: bool = False


def _answers(person: Person) -> list[int]:
    sums = zip(person.answered, person.skipped, person.flagged, strict=True)
    return [sum(counts) for counts in sums]


def _descending(need: npt.NDArray[np.float32]) -> Iterator[int]:
    """Positions from the largest on; those after the first some hundred only if asked for."""
    if len(need) > 2 * _TOP:
        top = np.argpartition(-need, _TOP)[:_TOP]
        yield from top[np.argsort(-need[top], kind="stable")].tolist()
        rest = np.ones(len(need), dtype=np.bool_)
        rest[top] = False
        others = np.flatnonzero(rest)
        yield from others[np.argsort(-need[others], kind="stable")].tolist()
    else:
        yield from np.argsort(-need, kind="stable").tolist()


def _task(found: int) -> Task:
    return TASKS[found >> 1 & 7]


def _as_task(name: str) -> Task:
    return TASKS[TASKS.index(name)]
