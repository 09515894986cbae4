"""How far the judgements can be trusted: with each other, with a judge model, with known answers.

Everything is worked out from the votes that count, apart from repeats and from leads' verdicts,
which are given with everybody's votes in view; each figure has the interval in
which it lies with 95 % confidence, and a sentence that says what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.core.controls import Control
from pipeline.curation.biases import Biases, biases, paces
from pipeline.curation.judgements import (
    BOTH_BAD,
    FIRST,
    SECOND,
    STATUSES,
    TIE,
    Codes,
    Flags,
    Judgements,
    Numbers,
    Small,
)
from pipeline.curation.kappas import Counts, Figure, Level, alpha, cohen, fleiss, share, spearman
from pipeline.curation.readings import (
    Reading,
    of_agreement,
    of_controls,
    of_judge,
    of_length,
    of_oneself,
    of_pace,
    of_position,
)
from pipeline.curation.shown import Shown

JUDGE_MIDDLE: Final = 3.0
"""A judge model's rating above it says good, one below it not good."""
MOST_TOPICS: Final = 200
MOST_APART: Final = 4

_KINDS: Final[dict[str, int]] = {"thumbs": 2, "pairwise": 4, "rate": 5, "exam": 3}
_LEVELS: Final[dict[str, Level]] = {"rate": "ordinal"}


@dataclass(frozen=True, slots=True)
class TaskAgreement:
    """How far people agree on one task.

    Attributes:
        topic: Only of this topic; None for all.
        questions: How many were answered.
        shared: How many by more than one person.
        alpha: Krippendorff's; ordinal for stars, else nominal.
        fleiss: Fleiss' kappa.
    """

    task: str
    topic: str | None
    questions: int
    shared: int
    annotators: int
    alpha: Figure
    fleiss: Figure


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """People and a judge model on one task.

    Attributes:
        changed: How often people say otherwise: the other one of a pair, good instead of not good,
            or a mean that is a star or more away.
        stars: How far people's mean is from the rating on average; None except for ``rate``.
        apart: Answers by people's mean less the rating, in whole stars from -``MOST_APART`` to
            ``MOST_APART``; empty except for ``rate``.
        correlation: Spearman's, of the judge's rating (of pairs the difference) with people's mean.
    """

    task: str
    changed: Figure
    stars: float | None
    apart: tuple[int, ...]
    correlation: Figure


@dataclass(frozen=True, slots=True)
class AnnotatorFigures:
    """One annotator.

    Attributes:
        votes: How many of theirs count.
        skipped: How many questions they skipped.
        flagged: How many they flagged.
        with_rest: Cohen's kappa with what most others say on the same question, all tasks together.
        with_self: How often they answer the same when asked again.
        controls: How often they are right where the answer is known.
        seconds: The median for an answer.
        too_fast: The share answered faster than anybody reads.
    """

    name: str
    votes: int
    skipped: int
    flagged: int
    with_rest: Figure
    with_self: Figure
    controls: Figure
    seconds: float | None
    too_fast: Figure


@dataclass(frozen=True, slots=True)
class Agreement:
    """All figures.

    Attributes:
        tasks: Over all topics.
        topics: For each task and topic that more than one person answered, at most ``MOST_TOPICS``.
        same_again: How often people answer a repeated question as before; with kappa.
        controls: How often people are right where the answer is known.
        annotators: Who gave most votes first.
    """

    tasks: tuple[TaskAgreement, ...]
    topics: tuple[TaskAgreement, ...]
    judge: tuple[JudgeAgreement, ...]
    same_again: Figure
    same_again_kappa: Figure
    controls: Figure
    biases: Biases
    annotators: tuple[AnnotatorFigures, ...]

    def readings(self) -> list[Reading]:
        """What the figures mean, in words."""
        found: list[Reading | None] = [of_agreement(one.task, one.alpha) for one in self.tasks]
        found += [of_judge(one.task, one.changed) for one in self.judge]
        found += [of_oneself(self.same_again), of_controls(self.controls)]
        found += [of_position(self.biases.position), of_length(self.biases.length)]
        found += [of_pace(self.biases.pace)]
        return [reading for reading in found if reading is not None]

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return {
            "tasks": [_json(one) for one in self.tasks],
            "topics": [_json(one) for one in self.topics],
            "judge": [_json(one) for one in self.judge],
            "same_again": self.same_again.as_json(),
            "same_again_kappa": self.same_again_kappa.as_json(),
            "controls": self.controls.as_json(),
            "biases": self.biases.as_json(),
            "annotators": [_json(one) for one in self.annotators],
            "readings": [asdict(reading) for reading in self.readings()],
        }


def _json(one: TaskAgreement | JudgeAgreement | AnnotatorFigures) -> dict[str, Any]:
    return {
        name: value.as_json() if isinstance(value := getattr(one, name), Figure) else value
        for name in one.__dataclass_fields__
    }


def agreement(judgements: Judgements, shown: Shown, controls: Iterable[Control] = ()) -> Agreement:
    """Work out all figures.

    Args:
        judgements: What people said.
        shown: What was noted of the samples while they passed.
        controls: Questions whose answer is known.
    """
    questions = {task: _Questions.of(judgements, shown, task) for task in _KINDS}
    answered = {task: one for task, one in questions.items() if len(one.rows)}
    again = _again(judgements)
    known = _known(judgements, controls)
    return Agreement(
        tasks=tuple(one.agreement(judgements) for one in answered.values()),
        topics=tuple(_topics(answered.values(), judgements, shown)),
        judge=tuple(_judge(answered, shown)),
        same_again=share(int(again.same.sum()), len(again.rows)),
        same_again_kappa=cohen(again.table()),
        controls=share(int(known.right.sum()), len(known.rows)),
        biases=biases(judgements, shown),
        annotators=tuple(_annotators(judgements, shown, answered, again, known)),
    )


@dataclass(frozen=True, slots=True)
class _Questions:
    """The votes on one task.

    Attributes:
        rows: Rows of the frame, by question.
        question: For each vote its question.
        first: For each question its first vote.
        answers: For each vote.
    """

    task: str
    rows: Numbers
    question: Codes
    first: Numbers
    answers: Small

    @classmethod
    def of(cls, judgements: Judgements, shown: Shown, task: str) -> _Questions:
        if task == "exam":
            chosen = (shown.review >= 0) & ~judgements.column("repeat", np.bool_)
            chosen &= ~judgements.column("verdict", np.bool_)
            answers = shown.review
        else:
            chosen = judgements.independent & judgements.task(task)
            answers = judgements.column("answer", np.int8)
            if task == "rate":
                answers = (answers - 1).astype(np.int8)
        rows = np.flatnonzero(chosen)
        names = ("sample", "completion", "first", "second")
        begins = np.zeros(len(rows), np.bool_)
        begins[:1] = True
        for name in names:
            column = judgements.column(name, np.int32)[rows]
            begins[1:] |= column[1:] != column[:-1]
        question = (np.cumsum(begins) - 1).astype(np.int32)
        return cls(task, rows, question, np.flatnonzero(begins), answers[rows])

    def counts(self) -> Counts:
        """How often each question got each answer."""
        kinds = _KINDS[self.task]
        flat = self.question.astype(np.int64) * kinds + self.answers
        return np.bincount(flat, minlength=len(self.first) * kinds).reshape(-1, kinds)

    def agreement(self, judgements: Judgements, topic: str | None = None) -> TaskAgreement:
        counts = self.counts()
        people = len(np.unique(judgements.codes("annotator")[self.rows]))
        of_alpha = alpha(counts, _LEVELS.get(self.task, "nominal"))
        of_fleiss = fleiss(counts)
        if people == 1:
            of_alpha = of_fleiss = Figure(None, why="one_annotator")
        shared = int((counts.sum(axis=1) > 1).sum())
        return TaskAgreement(self.task, topic, len(self.first), shared, people, of_alpha, of_fleiss)

    def part(self, votes: Numbers) -> _Questions:
        """Only these votes: all on some of the questions, in order."""
        begins = np.diff(self.question[votes], prepend=-1) != 0
        question = (np.cumsum(begins) - 1).astype(np.int32)
        return _Questions(
            self.task, self.rows[votes], question, np.flatnonzero(begins), self.answers[votes]
        )

    def against_rest(self) -> tuple[Numbers, Small, Numbers]:
        """Votes on which the others have one most frequent answer: place, own, theirs."""
        counts = self.counts()
        rest = counts[self.question]
        rest[np.arange(len(self.rows)), self.answers] -= 1
        most = rest.max(axis=1, initial=0)
        clear = (most > 0) & ((rest == most[:, None]).sum(axis=1) == 1)
        return np.flatnonzero(clear), self.answers[clear], rest[clear].argmax(axis=1)


def _topics(
    answered: Iterable[_Questions], judgements: Judgements, shown: Shown
) -> Iterator[TaskAgreement]:
    for questions in answered:
        topic = shown.topic[questions.rows]
        order = np.argsort(topic, kind="stable")
        ends = np.searchsorted(topic[order], np.arange(len(shown.topics) + 1))
        shared = questions.counts().sum(axis=1)[questions.question] > 1
        times = np.bincount(topic[shared & (topic >= 0)], minlength=len(shown.topics))
        for place in np.argsort(-times, kind="stable")[:MOST_TOPICS].tolist():
            if times[place]:
                part = questions.part(order[ends[place] : ends[place + 1]])
                yield part.agreement(judgements, shown.topics[place])


def _judge(answered: dict[str, _Questions], shown: Shown) -> Iterator[JudgeAgreement]:
    for task in ("thumbs", "pairwise", "rate"):
        if task not in answered:
            continue
        questions = answered[task]
        counts = questions.counts().astype(np.float64)
        rows = questions.rows[questions.first]
        people = _mean(task, counts)
        rated = shown.rating[rows].astype(np.float64)
        if task == "pairwise":
            rated = rated - shown.other_rating[rows]
        known = np.isfinite(rated) & np.isfinite(people)
        if not known.any():
            continue
        rated, people = rated[known], people[known]
        if task == "rate":
            more = people - rated
            changed = share(int((np.abs(more) >= 1).sum()), len(more))
            stars: float | None = float(np.abs(more).mean())
            whole = np.clip(np.rint(more), -MOST_APART, MOST_APART).astype(np.int64) + MOST_APART
            apart = tuple(np.bincount(whole, minlength=2 * MOST_APART + 1).tolist())
        else:
            says = rated - JUDGE_MIDDLE if task == "thumbs" else rated
            both = (says != 0) & (people != 0)
            changed = share(int((np.sign(says) != np.sign(people))[both].sum()), int(both.sum()))
            stars, apart = None, ()
        yield JudgeAgreement(task, changed, stars, apart, spearman(rated, people))


def _mean(task: str, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What people say on average: stars, or from -1 (bad, the second) to 1 (good, the first)."""
    total = counts.sum(axis=1)
    if task == "rate":
        mean: npt.NDArray[np.float64] = counts @ np.arange(1.0, 6.0) / total
        return mean
    for_, against = (1, 0) if task == "thumbs" else (FIRST, SECOND)
    lead: npt.NDArray[np.float64] = (counts[:, for_] - counts[:, against]) / total
    return lead


@dataclass(frozen=True, slots=True)
class _Again:
    """Repeated questions with both answers.

    Attributes:
        rows: Rows of the repeats.
        same: Whether each is as the first.
    """

    rows: Numbers
    same: Flags
    kinds: Small
    answers: Small
    before: Small

    def table(self) -> Counts:
        """How often each answer followed each, tasks one beside the other."""
        size = sum(_KINDS.values())
        told = (self.answers >= 0) & (self.before >= 0)
        flat = self.before[told].astype(np.int64) * size + self.answers[told]
        return np.bincount(flat, minlength=size * size).reshape(size, size)


def _again(judgements: Judgements) -> _Again:
    """A repeat follows its first answer in the frame, as all else in its key is the same."""
    repeat = judgements.column("repeat", np.bool_)
    submitted = judgements.codes("status") == STATUSES.index("submitted")
    compared = np.zeros(len(judgements), np.bool_)
    for task in _KINDS:
        compared |= judgements.task(task)
    rows = np.flatnonzero(repeat & submitted & compared)
    rows = rows[rows > 0]
    before = rows - 1
    keep = submitted[before] & ~repeat[before]
    for name in ("sample", "completion", "first", "second"):
        column = judgements.column(name, np.int32)
        keep &= column[rows] == column[before]
    for name in ("task", "annotator"):
        codes = judgements.codes(name)
        keep &= codes[rows] == codes[before]
    rows, before = rows[keep], before[keep]
    answer, option = judgements.column("answer", np.int8), judgements.codes("option")
    same = (answer[rows] == answer[before]) & (option[rows] == option[before])
    start = 0
    coded: Small = np.full(len(judgements), -1, np.int8)
    for task, kinds in _KINDS.items():
        if task != "exam":
            chosen = judgements.task(task) & (answer >= 0)
            coded[chosen] = answer[chosen] - (task == "rate") + start
        start += kinds
    return _Again(rows, same, judgements.codes("task").astype(np.int8), coded[rows], coded[before])


@dataclass(frozen=True, slots=True)
class _Known:
    """Votes on control questions: rows, and whether each is right."""

    rows: Numbers
    right: Flags


def _known(judgements: Judgements, controls: Iterable[Control]) -> _Known:
    rows: list[int] = []
    right: list[bool] = []
    for control in controls:
        for row in judgements.rows(control.sample_id):
            if judgements.votes[row] and _is_about(judgements, row, control):
                rows.append(row)
                right.append(_is_right(judgements, row, control))
    return _Known(np.array(rows, np.int64), np.array(right, np.bool_))


def _is_about(judgements: Judgements, row: int, control: Control) -> bool:
    if judgements.value("task", row) != control.task:
        return False
    places = [judgements.value(name, row) for name in ("completion", "first", "second")]
    names = [judgements.completions[place].as_py() for place in places if place >= 0]
    return tuple(names) == control.completion_ids


def _is_right(judgements: Judgements, row: int, control: Control) -> bool:
    answer = judgements.value("answer", row)
    if control.task == "exam":
        return bool(judgements.value("option", row) == control.option)
    if control.task == "thumbs":
        return bool(answer == int(bool(control.label)))
    if control.task == "rate":
        return bool(answer == control.rating)
    sides = {"left": FIRST, "right": SECOND, "tie": TIE, "both_bad": BOTH_BAD}
    return bool(answer == sides[str(control.preference)])


def _annotators(
    judgements: Judgements,
    shown: Shown,
    answered: dict[str, _Questions],
    again: _Again,
    known: _Known,
) -> Iterator[AnnotatorFigures]:
    who = judgements.codes("annotator")
    names = judgements.frame["annotator"].cat.categories
    status = judgements.codes("status")
    votes, skipped, flagged = (
        np.bincount(who[chosen], minlength=len(names))
        for chosen in (
            judgements.votes,
            status == STATUSES.index("skipped"),
            status == STATUSES.index("flagged"),
        )
    )
    tables = _rest_tables(judgements, answered, len(names))
    pace = paces(judgements, shown)
    for place in np.argsort(-votes, kind="stable").tolist():
        of_again, of_known = who[again.rows] == place, who[known.rows] == place
        yield AnnotatorFigures(
            name=names[place],
            votes=int(votes[place]),
            skipped=int(skipped[place]),
            flagged=int(flagged[place]),
            with_rest=cohen(tables[place]),
            with_self=share(int(again.same[of_again].sum()), int(of_again.sum())),
            controls=share(int(known.right[of_known].sum()), int(of_known.sum())),
            seconds=pace[place].seconds,
            too_fast=pace[place].too_fast,
        )


def _rest_tables(judgements: Judgements, answered: dict[str, _Questions], people: int) -> Counts:
    """For each annotator how often each own answer met each of the others'.

    Answers of different tasks are different answers, so that a table holds all tasks.
    """
    size = sum(_KINDS.values())
    tables = np.zeros(people * size * size, np.int64)
    who = judgements.codes("annotator").astype(np.int64)
    start = 0
    for task, kinds in _KINDS.items():
        if task in answered:
            questions = answered[task]
            at, own, theirs = questions.against_rest()
            flat = (who[questions.rows[at]] * size + own + start) * size + theirs + start
            tables += np.bincount(flat, minlength=len(tables))
        start += kinds
    return tables.reshape(people, size, size)
