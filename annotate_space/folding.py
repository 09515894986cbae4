"""All answers folded, counted by question and by person as they come."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from annotate_space.catalog import Catalog, Part
from annotate_space.places import Places, is_place
from annotate_space.pools import Pool, pair, pair_number, questions_of
from annotate_space.questions import Question
from annotate_space.shards import Flags, Numbers, hash_id
from annotate_space.votes import (
    NOTHING,
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

_NO_IDS: Final[tuple[str, ...]] = ()
LONGEST_NAME: Final = 700
"""Characters that a question's id can have: three ids and what is between them."""
_MOST_PARTS: Final = 10


class Answers:
    """What was answered, and what that leaves open. Not thread safe: the board locks.

    A question is told by its ``code``. ``index`` is the catalog's as of the last ``set_up``: the
    questions of ``pools`` are numbered by it.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.index = catalog.index
        self.settings = AnnotationSettings()
        self.votes = Votes()
        self.pools: dict[Task, Pool] = {}
        self.known = EventIds()
        self._places = Places()
        self._waiting: dict[Key, _Waiting] = {}
        self._unplaced: dict[str, list[Key]] = {}
        self._unaskable: dict[Task, set[int]] = {}
        self._broken: Mapping[Part, object] = {}
        self._unreadable: Flags = np.zeros(0, dtype=np.bool_)

    def configure(self, settings: AnnotationSettings, cells: Sequence[Cell]) -> None:
        """Set up what is asked; answers stay."""
        self.settings = settings
        if "instruction" in settings.tasks:
            numbered = (
                (self.catalog.cell_number(c.topic, c.perspective), c.topic, c.perspective)
                for c in cells
            )
            self._places.want(numbered, settings.instructions)
        self.set_up()

    def set_up(self) -> None:
        """Number the questions of all samples that there are now, and count anew."""
        self.index = self.catalog.index
        for task in {*self.settings.tasks, *self.pools}:
            self._size(self.pools.setdefault(task, Pool(task, 1)))
        for person in self.votes.people:
            person.seen_open = [0] * len(TASKS)
        self._close_broken(every=True)
        for task, pool in self.pools.items():
            self._count_seen(task, pool)
        for waiting in list(self._waiting.values()):
            self._settle(waiting)

    def asked(self, task: Task | None = None) -> list[Task]:
        """The tasks that are set, or ``task`` if it is among them."""
        return [each for each in self.settings.tasks if task in (None, each) and each in self.pools]

    def left(self, person: Person, task: Task) -> int:
        """How many questions are open that a person neither answered nor skipped."""
        return max(0, self.pools[task].open - person.seen_open[TASKS.index(task)])

    def record(self, event: FeedbackEvent) -> int | None:
        """Fold an event; the code of its question, None if there is none yet."""
        person = self.votes.person(event.annotator)
        _note_time(person, event)
        key = event.key()
        found = self.resolve(key)
        if found is None and event.task == "instruction" and self._add_place(event):
            found = self.resolve(key)
        if found is None:
            self._keep_waiting(person, key, event)
        else:
            self._fold(person, found, event)
        return found

    def newest(self, key: Key) -> str | None:
        """When the newest event with this key was received."""
        row = self._row(key)
        return None if row is None else to_moment(self.votes.moment(row))

    def answer(self, key: Key) -> Answer:
        """What stands for a key."""
        person, found = self.votes.known(key.annotator), self.resolve(key)
        row = None if person is None or found is None else person.rows.get(found)
        return NOTHING if row is None else self.votes.answer(row)

    def newest_id(self, key: Key) -> str | None:
        """The id of the newest event with this key."""
        row = self._row(key)
        return None if row is None else self.votes.event_id(row)

    def stands(self, person: Person, found: int) -> bool:
        """Whether a person answered, flagged or skipped a question and did not take it back."""
        row = person.rows.get(found)
        return row is not None and bool(self.votes.answer(row).standing)

    def skips(self, person: Person, task: Task) -> list[int]:
        """What a person skipped of a task and is still open."""
        pool = self.pools[task]
        return [
            found for found in person.skips if task_of(found) == task and pool.is_open(found >> 4)
        ]

    def resolve(self, key: Key) -> int | None:
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

    def named(self, question_id: str) -> int | None:
        """The code of a question by its id, of one that is asked for the first time only.

        An id that is longer than any of ours, or made of too many parts to be tried, names none.
        """
        task, _, rest = question_id.partition(":")
        if task not in TASKS or len(question_id) > LONGEST_NAME or rest.count("|") > _MOST_PARTS:
            return None
        parts = (at for at, sign in enumerate(rest) if sign == ":")
        for at in islice(parts, _MOST_PARTS):  # an id may itself hold the sign between them
            found = self.resolve(Key("", rest[:at], task, rest[at + 1 :] or None))
            if found is not None:
                return found
        return None

    def can_show(self, found: int) -> bool:
        """Whether a question can be shown, as far as is known."""
        return not self.pools[task_of(found)].closed[found >> 4]

    def note_broken(self) -> None:
        """Close the questions whose texts cannot be read, open those whose texts can be again."""
        if self.catalog.broken is not self._broken:
            self._close_broken()

    def unaskable(self, question: Question) -> None:
        """Never ask a question again; unless its texts cannot be read now, which may change."""
        self.note_broken()
        subject = "|".join(sorted(question.completion_ids)) or None
        found = self.resolve(Key("", question.sample_id, question.task, subject))
        if found is not None and self.can_show(found):
            self._unaskable.setdefault(question.task, set()).add(found >> 4)
            number = np.array([found >> 4], dtype=np.int32)
            self._close(self.pools[question.task], number, np.ones(1, dtype=np.bool_))

    def question(self, person: Person, found: int, controls: Collection[int]) -> Question:
        """A question as it is shown to a person."""
        task, within = task_of(found), found >> 4
        pool = self.pools[task]
        number = pool.subject(within)
        topic, perspective = self.catalog.cells[int(pool.cell[number])]
        if task == "instruction":
            sample_id, ids = self._places.ids[number], _NO_IDS
        else:
            sample_id = self.index.ids.get(number)
            ids = self._shown(person, task, sample_id, number, within - int(pool.first[number]))
        return Question(
            task,
            sample_id,
            ids,
            repeat=bool(found & 1),
            control=found in controls,
            topic=topic,
            perspective=perspective,
        )

    def _row(self, key: Key) -> int | None:
        waiting = self._waiting.get(key)
        if waiting is not None:
            return waiting.row
        person, found = self.votes.known(key.annotator), self.resolve(key)
        return None if person is None or found is None else person.rows.get(found)

    def _shown(
        self, person: Person, task: Task, sample_id: str, number: int, within: int
    ) -> tuple[str, ...]:
        """The completions that a question is about, in the order shown to this person."""
        index = self.index
        start = int(index.first[number])
        if task == "exam":
            return ()
        if task != "pairwise":
            return (index.completion_ids.get(start + within),)
        both = pair(within, int(index.first[number + 1]) - start)
        ids = tuple(index.completion_ids.get(start + at) for at in both)
        coin = int(stable_id("sides", person.name, sample_id, *sorted(ids)), 16)
        return ids if coin % 2 else ids[::-1]

    def _close_broken(self, *, every: bool = False) -> None:
        """Bring what is closed to what cannot be read; ``every``: also in pools that are new."""
        self._broken = self.catalog.broken
        unreadable = np.zeros(len(self.index), dtype=np.bool_)
        for part in self._broken:
            if part.sample is not None:
                unreadable[part.sample : part.sample + 1] = True
            elif part.block < len(self.index.blocks):  # else the catalog has more than this knows
                start, end = self.index.block_first[part.block : part.block + 2].tolist()
                unreadable[start:end] = True
        before = np.zeros_like(unreadable)
        before[: len(self._unreadable)] = self._unreadable
        self._unreadable = unreadable
        samples = np.flatnonzero(unreadable | before if every else unreadable != before)
        for task, pool in self.pools.items():
            if task != "instruction" and len(samples):
                questions, counts = pool.about(samples)
                closed = np.repeat(unreadable[samples], counts)
                closed |= np.isin(questions, list(self._unaskable.get(task, ())))
                self._close(pool, questions, closed)

    def _close(self, pool: Pool, questions: Numbers, closed: Flags) -> None:
        """Close questions or open them again, for everybody who counts them among those seen."""
        changed = pool.close(questions, closed)
        number = TASKS.index(pool.task)
        for question in changed[pool.head[changed] > 0].tolist():
            change = -1 if pool.closed[question] else 1
            self._tell_others(None, pool, number, question, change)

    def _size(self, pool: Pool) -> None:
        cells = len(self.catalog.cells)
        if pool.task == "instruction":
            place = self._places.cell()
            counts = np.ones(len(place), dtype=np.int32)
            pool.resize(counts, place, cells, 1, self._places.asked())
        else:
            counts = questions_of(pool.task, self.index)
            pool.resize(counts, self.index.cell, cells, self.settings.overlap)

    def _count_seen(self, task: Task, pool: Pool) -> None:
        number = TASKS.index(task)
        who, questions = self.votes.seen(number)
        still = (pool.given[questions] < pool.overlap) & ~pool.closed[questions]
        if pool.asked is not None and len(questions):
            still &= pool.asked[pool.subjects(questions)]
        counts = np.bincount(who[still], minlength=len(self.votes.people)).tolist()
        for person, count in zip(self.votes.people, counts, strict=True):
            person.seen_open[number] = count

    def _pool(self, task: Task) -> Pool:
        pool = self.pools.get(task)
        if pool is None:
            pool = self.pools[task] = Pool(task, 1)
            self._size(pool)
        return pool

    def _find(self, task: Task, sample_id: str) -> int:
        if task == "instruction":
            return self._places.find(sample_id)
        number = self.index.find(sample_id)
        return number if number < 0 or self.index.exam[number] == (task == "exam") else -1

    def _within(self, task: Task, number: int, subject: str | None) -> int:
        """Which of a sample's questions is about ``subject``, -1 if none is."""
        if task in ("exam", "instruction"):
            return 0 if subject is None else -1
        if subject is None:
            return -1
        if task != "pairwise":
            return self.index.completion(number, subject)
        start, end = self.index.first[number : number + 2].tolist()
        hashes = self.index.completion_hashes[start:end].tolist()
        # An id may itself hold the sign between the two.
        for at in (at for at, sign in enumerate(subject) if sign == "|"):
            first, second = hash_id(subject[:at]), hash_id(subject[at + 1 :])
            if first in hashes and second in hashes and first != second:
                return pair_number(hashes.index(first), hashes.index(second), len(hashes))
        return -1

    def _add_place(self, event: FeedbackEvent) -> bool:
        """Know the place of an instruction that is no longer asked for, as its event tells it."""
        topic, perspective = event.topic, event.perspective
        if topic is None or perspective is None:
            return False
        if self._places.find(event.sample_id) >= 0:
            return False
        if not is_place(event.sample_id, topic, perspective):
            return False
        self._places.add(event.sample_id, self.catalog.cell_number(topic, perspective))
        self._size(self._pool("instruction"))
        for key in self._unplaced.pop(event.sample_id, []):
            self._settle(self._waiting[key])
        return True

    def _keep_waiting(self, person: Person, key: Key, event: FeedbackEvent) -> None:
        known = self._waiting.get(key)
        if known is None:
            row = self.votes.add(person, event)
            self._waiting[key] = _Waiting(key, row)
            if key.task == "instruction":
                self._unplaced.setdefault(key.sample_id, []).append(key)
        else:
            row = known.row
            self.votes.replace(row, event)

    def _settle(self, waiting: _Waiting) -> None:
        """Count an event whose sample has come."""
        found = self.resolve(waiting.key)
        if found is None:
            return
        del self._waiting[waiting.key]
        self._unplaced.pop(waiting.key.sample_id, None)
        person = self.votes.who(waiting.row)
        self._place(person, found, waiting.row)
        self._change(person, found, waiting.row, NOTHING)

    def _fold(self, person: Person, found: int, event: FeedbackEvent) -> None:
        row = person.rows.get(found)
        before = NOTHING
        if row is None:
            row = self.votes.add(person, event)
            self._place(person, found, row)
        else:
            before = self.votes.answer(row)
            if not self.votes.replace(row, event):
                return
        self._change(person, found, row, before)

    def _place(self, person: Person, found: int, row: int) -> None:
        person.rows[found] = row
        question, repeat = found >> 4, found & 1
        if repeat:
            self.votes.place(row, question, 0)
            return
        pool = self.pools[task_of(found)]
        pool.head[question] = self.votes.place(row, question, int(pool.head[question]))

    def _change(self, person: Person, found: int, row: int, before: Answer) -> None:
        """Bring everything that is counted from what stood before to what stands now."""
        after = self.votes.answer(row)
        if found & 1 or before == after:
            return
        task, question = found >> 1 & 7, found >> 4
        pool = self.pools[TASKS[task]]
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
        self, person: Person | None, pool: Pool, task: int, question: int, change: int
    ) -> None:
        for row in self.votes.chained(int(pool.head[question])):
            other = self.votes.who(row)
            if other is not person and self.votes.answer(row).standing:
                other.seen_open[task] += change


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event's row whose sample or completion is not known yet."""

    key: Key
    row: int


def task_of(found: int) -> Task:
    """The task of a question."""
    return TASKS[found >> 1 & 7]


def _note_time(person: Person, event: FeedbackEvent) -> None:
    moment = to_number(event.received_at)
    person.first = moment if person.first is None else min(person.first, moment)
    person.last = moment if person.last is None else max(person.last, moment)


def _as_task(name: str) -> Task:
    return TASKS[TASKS.index(name)]
