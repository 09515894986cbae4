"""What is asked, and how far it is: the values that the board hands out."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.schema import Task


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
