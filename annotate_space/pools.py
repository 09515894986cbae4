"""The questions of one task: how they are numbered, how many votes each has, which need more."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from annotate_space.catalog import Index
from annotate_space.shards import Flags, Numbers, Ratings
from annotate_space.votes import Answer, Standing
from pipeline.core.schema import Task

Scores: TypeAlias = npt.NDArray[np.float32]
Tallies: TypeAlias = npt.NDArray[np.uint32]

MOST_HOT: Final = 4_000
"""Questions under way that are remembered, wherever their texts are."""

_MISSING, _DISPUTED, _UNCERTAIN, _THIN, _PERSONAL = 1.0, 0.6, 0.3, 0.3, 0.2
"""What counts for need: votes missing, by share; disagreement so far; the judge's uncertainty; a
cell with few votes; and each person's own order, so that not all get the same first. Each of them
is between 0 and 1. A missing vote weighs most, and chance least: it decides among equals."""

_SPREAD: Final[dict[Task, float]] = {"thumbs": 0.25, "pairwise": 1.0, "rate": 4.0}
"""The largest variance that answers can have, as ``votes`` puts them in numbers."""
_MIDDLE, _REACH = 3.0, 2.0
"""The judge rates from 1 to 5."""


def _no_marks() -> Flags:
    return np.zeros(0, dtype=np.bool_)


def _no_tallies() -> Tallies:
    return np.zeros(0, dtype=np.uint32)


@dataclass(slots=True)
class Pool:
    """Questions are numbered through all subjects: samples, or places for instructions.

    Attributes:
        overlap: Votes wanted for each question.
        first: The first question of each subject, and at last of all.
        cell: The cell of each subject.
        asked: Which subjects are asked about now; None: all.
        given: Votes that each question has.
        judged: How many of them say something that can be compared.
        total: Sum of what they say.
        squares: Sum of its squares.
        head: The newest row about each question, as ``Votes.place`` returned it.
        closed: Which questions cannot be shown.
        hot: Questions with some votes but not all, newest last.
    """

    task: Task
    overlap: int
    first: Numbers = field(default_factory=lambda: np.zeros(1, dtype=np.int32))
    cell: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    asked: Flags | None = None
    given: Tallies = field(default_factory=_no_tallies)
    judged: Tallies = field(default_factory=_no_tallies)
    total: Tallies = field(default_factory=_no_tallies)
    squares: Tallies = field(default_factory=_no_tallies)
    head: Tallies = field(default_factory=_no_tallies)
    closed: Flags = field(default_factory=_no_marks)
    hot: dict[int, None] = field(default_factory=dict)
    questions: int = 0
    complete: int = 0
    counted: int = 0
    answered: int = 0
    cell_questions: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    cell_counted: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _remaining: Numbers | None = None
    _reopened: list[int] = field(default_factory=list)
    _missed: int = 0
    """Questions that are closed and want more votes."""

    def __len__(self) -> int:
        return len(self.given)

    @property
    def open(self) -> int:
        """Questions that want more votes and can be shown."""
        return self.questions - self.complete - self._missed

    def resize(
        self, counts: Numbers, cell: Numbers, cells: int, overlap: int, asked: Flags | None = None
    ) -> None:
        """Take in more subjects, another overlap, other places: all that is derived is made anew.

        ``counts`` are the questions of each subject, of which those known stay as they were;
        ``cell`` is the cell of each, of as many as ``cells``.
        """
        self.first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int32)
        self.cell, self.asked, self.overlap = cell, asked, overlap
        if int(self.first[-1]) > len(self.given):
            for name in ("given", "judged", "total", "squares", "head"):
                larger = np.zeros(
                    int(self.first[-1]), dtype=np.uint32
                )  # takes no memory until used
                known = getattr(self, name)
                larger[: len(known)] = known
                setattr(self, name, larger)
            self.closed = np.concatenate(
                [self.closed, np.zeros(int(self.first[-1]) - len(self.closed), dtype=np.bool_)]
            )
        wanted = counts if asked is None else np.where(asked, counts, 0)
        self.questions = int(wanted.sum())
        self.cell_questions = np.bincount(cell, wanted, minlength=cells).astype(np.int64)
        voted = np.flatnonzero(self.given)
        if asked is not None:
            voted = voted[asked[self.subjects(voted)]]
        counted = np.minimum(self.given[voted], overlap)
        self.complete = int((counted == overlap).sum())
        self.counted = int(counted.sum())
        self.answered = int(self.given[voted].sum())
        where = cell[self.subjects(voted)]
        self.cell_counted = np.bincount(where, counted, minlength=cells).astype(np.int64)
        started = voted[counted < overlap][:MOST_HOT]
        self.hot = dict.fromkeys(started.tolist())
        closed = np.flatnonzero(self.closed & (self.given < overlap))
        if asked is not None:
            closed = closed[asked[self.subjects(closed)]]
        self._missed = len(closed)
        self._remaining = None
        self._reopened.clear()

    def close(self, questions: Numbers, closed: Flags) -> Numbers:
        """Say of each question whether it cannot be shown: it is not open then whatever its votes.

        Returns:
            Those that are no longer open, or are open again.
        """
        differ = self.closed[questions] != closed
        questions, closed = questions[differ], closed[differ]
        self.closed[questions] = closed
        wanted = self.given[questions] < self.overlap
        if self.asked is not None:
            wanted &= self.asked[self.subjects(questions)]
        questions, closed = questions[wanted], closed[wanted]
        self._missed += int(closed.sum()) - int((~closed).sum())
        self._reopened.extend(questions[~closed].tolist())
        return questions

    def about(self, subjects: npt.NDArray[np.integer]) -> tuple[Numbers, Numbers]:
        """The questions about some subjects, and how many there are about each."""
        counts = self.first[subjects + 1] - self.first[subjects]
        starts = np.cumsum(counts) - counts
        within = np.arange(int(counts.sum())) - np.repeat(starts, counts)
        return (np.repeat(self.first[subjects], counts) + within).astype(np.int32), counts

    def subjects(self, questions: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The subject of each question."""
        # Of another type, the array searched would be copied first.
        return self.first.searchsorted(questions.astype(np.int32), side="right") - 1

    def subject(self, question: int) -> int:
        """The subject of a question."""
        return int(self.first.searchsorted(np.int32(question), side="right")) - 1

    def is_asked(self, question: int) -> bool:
        """Whether the question belongs to the project as it is set up now."""
        return self.asked is None or bool(self.asked[self.subject(question)])

    def is_open(self, question: int) -> bool:
        """Whether it wants more votes and can be shown."""
        wanted = self.given[question] < self.overlap and not self.closed[question]
        return bool(wanted) and self.is_asked(question)

    def places(self, question: int) -> int:
        """How many votes it wants yet."""
        return self.overlap - int(self.given[question])

    def count(self, question: int, answer: Answer, change: int) -> None:
        """Count a vote that stands now, or no longer."""
        before = int(self.given[question])
        self.given[question] = after = before + change
        if answer.standing == Standing.SUBMITTED and self.task in _SPREAD:
            self.judged[question] = int(self.judged[question]) + change
            self.total[question] = int(self.total[question]) + change * answer.value
            self.squares[question] = int(self.squares[question]) + change * answer.value**2
        if not self.is_asked(question):
            return
        self.answered += change
        gained = min(after, self.overlap) - min(before, self.overlap)
        self.counted += gained
        self.cell_counted[self.cell[self.subject(question)]] += gained
        completed = (after >= self.overlap) - (before >= self.overlap)
        self.complete += completed
        if self.closed[question]:
            self._missed -= completed
        if after < self.overlap <= before:
            self._reopened.append(question)
        self._note(question, after)

    def remaining(self) -> Numbers:
        """Every open question. What was found last time is looked through, not all again."""
        if self._remaining is None:
            found = np.flatnonzero((self.given < self.overlap) & ~self.closed).astype(np.int32)
            if self.asked is not None:
                found = found[self.asked[self.subjects(found)]]
        else:
            found = self._remaining
            if self._reopened:
                found = np.union1d(found, np.array(self._reopened, dtype=np.int32))
            found = found[(self.given[found] < self.overlap) & ~self.closed[found]]
        self._reopened.clear()
        self._remaining = found
        return found

    def between(self, start: int, end: int) -> Numbers:
        """The open questions about subjects from ``start`` to before ``end``."""
        low, high = int(self.first[start]), int(self.first[end])
        wanted = (self.given[low:high] < self.overlap) & ~self.closed[low:high]
        found = np.flatnonzero(wanted) + low
        return found.astype(np.int32)

    def need(self, questions: Numbers, index: Index, seed: int) -> Scores:
        """How much each question needs an answer, in the order of the person with ``seed``."""
        subjects = self.subjects(questions)
        cell = self.cell[subjects]
        wanted = self.cell_questions[cell] * self.overlap
        score = _MISSING * (1 - self.given[questions] / self.overlap)
        score += _DISPUTED * self._dispute(questions)
        score += _UNCERTAIN * uncertainty(
            self.task, index, subjects, questions - self.first[subjects]
        )
        score += _THIN * (1 - self.cell_counted[cell] / np.maximum(wanted, 1))
        score += _PERSONAL * _personal(questions, seed)
        return score.astype(np.float32)

    def _dispute(self, questions: Numbers) -> Scores:
        if self.task not in _SPREAD:
            return np.zeros(len(questions), dtype=np.float32)
        votes = np.maximum(self.judged[questions], 1)
        mean = self.total[questions] / votes
        variance = self.squares[questions] / votes - mean * mean
        return np.clip(variance / _SPREAD[self.task], 0, 1).astype(np.float32)

    def _note(self, question: int, votes: int) -> None:
        self.hot.pop(question, None)
        if 0 < votes < self.overlap:
            self.hot[question] = None
            if len(self.hot) > MOST_HOT:
                del self.hot[next(iter(self.hot))]


def questions_of(task: Task, index: Index) -> Numbers:
    """How many questions a task asks about each sample."""
    if task == "exam":
        return index.exam.astype(np.int32)
    counts = np.where(index.exam, 0, np.diff(index.first))
    if task == "pairwise":
        counts = counts * (counts - 1) // 2
    return counts.astype(np.int32)


def pair(number: int, completions: int) -> tuple[int, int]:
    """Which two completions pair ``number`` compares, of as many as there are."""
    for first, second in combinations(range(completions), 2):
        if number == 0:
            return first, second
        number -= 1
    raise IndexError(number)


def pair_number(first: int, second: int, completions: int) -> int:
    """The number of the pair of two different completions."""
    low, high = sorted((first, second))
    return low * (2 * completions - low - 1) // 2 + high - low - 1


def uncertainty(
    task: Task, index: Index, samples: npt.NDArray[np.int64], within: npt.NDArray[np.integer]
) -> Scores:
    """How little the judge's ratings decide: 1 in the middle of its scale or equal, 0 if unrated.

    ``within`` tells which of its sample's questions each is.
    """
    if task == "pairwise":
        first, second = _ratings_of_pairs(index, samples, within)
        found = 1 - np.abs(first - second) / (2 * _REACH)
    elif task in ("thumbs", "rate"):
        ratings = index.ratings[index.first[samples] + within]
        found = 1 - np.abs(ratings - _MIDDLE) / _REACH
    else:
        return np.zeros(len(samples), dtype=np.float32)
    bounded: Scores = np.clip(np.nan_to_num(found, nan=0.0), 0, 1).astype(np.float32)
    return bounded


def _ratings_of_pairs(
    index: Index, samples: npt.NDArray[np.int64], within: npt.NDArray[np.integer]
) -> tuple[Ratings, Ratings]:
    counts = index.first[samples + 1] - index.first[samples]
    first, second = np.zeros_like(counts), np.ones_like(counts)
    for count in np.unique(counts).tolist():
        if count > 2:
            those = counts == count
            pairs = np.array(list(combinations(range(count), 2)), dtype=np.int32)[within[those]]
            first[those], second[those] = pairs[:, 0], pairs[:, 1]
    start = index.first[samples]
    return index.ratings[start + first], index.ratings[start + second]


def _personal(questions: Numbers, seed: int) -> npt.NDArray[np.float64]:
    """A number from 0 to 1 for each question, the same again for the same person.

    The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): every bit moves every bit.
    """
    values = questions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(seed)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return (values >> np.uint64(11)) / float(1 << 53)
