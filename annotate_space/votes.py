"""The newest answer for every key, folded as ``pipeline.core.feedback.Feedback`` folds.

Answers are rows in columns, about 190 bytes each with what finds them, so that a million of them
fit beside the samples.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from annotate_space.shards import hash_id
from pipeline.core.feedback import FeedbackEvent, answer_number, timestamp
from pipeline.core.schema import TASKS, stable_id

NOWHERE: Final = 0xFFFF_FFFF
"""The question of a row whose sample is not known yet."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LEAST_RECENT: Final = 4_096


class Standing(IntEnum):
    """What the newest event for a key says."""

    WITHDRAWN = 0
    SKIPPED = 1
    FLAGGED = 2
    SUBMITTED = 3

    @property
    def counts(self) -> bool:
        """Whether it is a vote."""
        return self >= Standing.FLAGGED


_STANDING: Final = {standing.name.lower(): standing for standing in Standing}


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands for one key.

    Attributes:
        value: What was said; see ``answer_number``.
    """

    standing: Standing = Standing.WITHDRAWN
    value: int = 0


NOTHING: Final = Answer()


@dataclass(slots=True)
class Person:
    """What one annotator did.

    Attributes:
        index: Their number; -1 before their first event.
        seed: Decides their own order of questions.
        rows: The row of each question they have an event for, by ``code``.
        skips: Codes of what they skipped.
        history: Rows in the order in which they were first answered.
        answered: Questions submitted, by task.
        skipped: Questions skipped, by task.
        flagged: Questions flagged, by task.
        seen_open: Questions that are open and that they answered or skipped, by task.
        handed: Questions handed out, by task.
        first: The moment of their first event.
        last: The moment of their last.
    """

    index: int
    name: str
    seed: int
    rows: dict[int, int] = field(default_factory=dict)
    skips: dict[int, None] = field(default_factory=dict)
    history: array[int] = field(default_factory=lambda: array("I"))
    answered: list[int] = field(default_factory=lambda: [0] * len(TASKS))
    skipped: list[int] = field(default_factory=lambda: [0] * len(TASKS))
    flagged: list[int] = field(default_factory=lambda: [0] * len(TASKS))
    seen_open: list[int] = field(default_factory=lambda: [0] * len(TASKS))
    handed: list[int] | None = None
    first: int | None = None
    last: int | None = None

    def reacted(self) -> list[int]:
        """Questions answered, flagged or skipped, by task."""
        every = zip(self.answered, self.skipped, self.flagged, strict=True)
        return [sum(counts) for counts in every]

    def tally(self, answer: Answer, task: int, change: int) -> None:
        """Count an answer that stands now, or no longer."""
        if answer.standing == Standing.SUBMITTED:
            self.answered[task] += change
        elif answer.standing == Standing.FLAGGED:
            self.flagged[task] += change
        elif answer.standing == Standing.SKIPPED:
            self.skipped[task] += change


def visitor_named(name: str) -> Person:
    """Somebody who did nothing yet."""
    return Person(-1, name, int(stable_id("order", name), 16))


def code(task: int, question: int, repeat: bool = False) -> int:
    """One number for a question of a task."""
    return question << 4 | task << 1 | repeat


class Votes:
    """The newest event for every key, and who gave it."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self._by_name: dict[str, Person] = {}
        self._moments = array("q")
        self._id_at = array("Q")
        self._id_bytes = array("H")
        self._ids = bytearray()
        self._answers = bytearray()
        self._tasks = bytearray()
        self._who = array("I")
        self._questions = array("I")
        self._next = array("I")

    def __len__(self) -> int:
        return len(self._moments)

    def person(self, name: str) -> Person:
        """The annotator with this name, who may be new."""
        found = self._by_name.get(name)
        if found is None:
            found = visitor_named(name)
            self.welcome(found)
        return found

    def welcome(self, visitor: Person | None) -> None:
        """Count somebody among the annotators whom it did not know."""
        if visitor is not None and visitor.name not in self._by_name:
            visitor.index = len(self.people)
            self._by_name[visitor.name] = visitor
            self.people.append(visitor)

    def known(self, name: str) -> Person | None:
        """The annotator with this name, if there is one."""
        return self._by_name.get(name)

    def add(self, person: Person, event: FeedbackEvent) -> int:
        """A row for the first event of a key."""
        row = len(self._moments)
        self._moments.append(to_number(event.received_at))
        self._id_at.append(0)
        self._id_bytes.append(0)
        self._answers.append(0)
        self._tasks.append(TASKS.index(event.task) << 1 | bool(event.repeat))
        self._who.append(person.index)
        self._questions.append(NOWHERE)
        self._next.append(0)
        self._write(row, event)
        return row

    def replace(self, row: int, event: FeedbackEvent) -> bool:
        """Put a newer event in the place of an older; False if it is not newer.

        Should one id be used for two events of one moment, the larger answer counts.
        """
        moment = to_number(event.received_at)
        if moment < self._moments[row]:
            return False
        if moment == self._moments[row]:
            start = self._id_at[row]
            known = bytes(self._ids[start : start + self._id_bytes[row]])
            given = _encoded(event)
            if given < known or (given == known and _packed(event) <= self._answers[row]):
                return False
        self._moments[row] = moment
        self._write(row, event)
        return True

    def answer(self, row: int) -> Answer:
        """What stands in a row."""
        packed = self._answers[row]
        return Answer(Standing(packed & 3), packed >> 2)

    def moment(self, row: int) -> int:
        """When the row's event was received, in milliseconds since 1970."""
        return self._moments[row]

    def event_id(self, row: int) -> str:
        """The id of the row's event."""
        start = self._id_at[row]
        return self._ids[start : start + self._id_bytes[row]].decode("utf-8", "surrogatepass")

    def question(self, row: int) -> int:
        """The row's question in its task, or ``NOWHERE``."""
        return self._questions[row]

    def code(self, row: int) -> int:
        """The row's question as a code."""
        return self._questions[row] << 4 | self._tasks[row]

    def place(self, row: int, question: int, after: int) -> int:
        """Say what a row is about and chain it to others about the same.

        ``after`` is what was returned for the row before, 0 for the first of a question.
        """
        self._questions[row] = question
        self._next[row] = after
        return row + 1

    def chained(self, head: int) -> Iterator[int]:
        """The rows of a chain, from what ``place`` returned last."""
        while head:
            row = head - 1
            yield row
            head = self._next[row]

    def who(self, row: int) -> Person:
        """Whose row it is."""
        return self.people[self._who[row]]

    def seen(self, task: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """Person and question of every row of a task that stands and is no repeat."""
        tasks = np.frombuffer(self._tasks, dtype=np.uint8)
        standing = np.frombuffer(self._answers, dtype=np.uint8) & 3
        questions = np.frombuffer(self._questions, dtype=np.uint32)
        chosen = (tasks == task << 1) & (standing > 0) & (questions != NOWHERE)
        who = np.frombuffer(self._who, dtype=np.uint32)
        return who[chosen], questions[chosen]

    def _write(self, row: int, event: FeedbackEvent) -> None:
        name = _encoded(event)
        self._id_at[row] = len(self._ids)
        self._id_bytes[row] = len(name)
        self._ids += name
        self._answers[row] = _packed(event)


class EventIds:
    """Which events were recorded, by 64 bits of their id.

    Among ten million events a new one is taken for a known one with odds of 1 in 1.8e12.
    """

    def __init__(self) -> None:
        self._sorted: npt.NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self._recent: set[int] = set()

    def __contains__(self, event_id: str) -> bool:
        hashed = hash_id(event_id)
        if hashed in self._recent:
            return True
        at = int(self._sorted.searchsorted(np.uint64(hashed)))
        return at < len(self._sorted) and int(self._sorted[at]) == hashed

    def add(self, event_id: str) -> bool:
        """Note an event; False if it is known."""
        if event_id in self:
            return False
        self._recent.add(hash_id(event_id))
        if len(self._recent) > max(_LEAST_RECENT, len(self._sorted) // 8):
            recent = np.fromiter(self._recent, np.uint64, len(self._recent))
            recent.sort()
            self._sorted = np.insert(self._sorted, self._sorted.searchsorted(recent), recent)
            self._recent = set()
        return True


def to_number(moment: str) -> int:
    """A stored moment in milliseconds since 1970."""
    return (datetime.fromisoformat(moment) - _EPOCH) // _MILLISECOND


def to_moment(number: int) -> str:
    """Milliseconds since 1970 as stored."""
    return timestamp(_EPOCH + number * _MILLISECOND)


def _encoded(event: FeedbackEvent) -> bytes:
    return event.event_id.encode("utf-8", "surrogatepass")  # sorts as the text does


def _packed(event: FeedbackEvent) -> int:
    return answer_number(event) << 2 | _STANDING[event.status]
