"""Questions on which people differ, and how far they are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from pipeline.core.schema import TASKS, Task
from pipeline.curation.consensus import Consensus
from pipeline.curation.judgements import Codes, Flags, Judgements, Numbers, Small
from pipeline.curation.questions import SUBJECTS, Questions, candidates

Floats = npt.NDArray[np.float64]

FAR_APART: Final = 2
"""Stars between two ratings of the same completion from which on they are a disagreement."""
_MOST_STARS_APART: Final = 4
_KINDS: Final = {"thumbs": 2, "pairwise": 4}
"""How many answers there are."""


@dataclass(frozen=True, slots=True)
class Disputes:
    """Questions to which people gave different answers, one place of each array for each.

    First come those that are not settled, then those on which people are further apart, then those
    with more votes.

    Attributes:
        task: A place in ``TASKS``.
        sample: A place in ``Judgements.samples``.
        row: A row of the frame that is about the question.
        votes: How many votes there are, leads' verdicts aside.
        spread: How far apart two votes drawn with replacement are on average: 1 for different
            answers (1 less the sum of squared shares, Gini's index); for ratings the square of
            their difference, 1 being that of the least and the best. At most 0.5 for thumbs and
            ratings.
        settled: Whether votes or verdicts settle it; ratings are settled by a verdict only.
        by_lead: Whether a lead has given a verdict.
    """

    task: Small
    sample: Codes
    row: Numbers
    votes: Numbers
    spread: Floats
    settled: Flags
    by_lead: Flags

    @classmethod
    def of(cls, consensus: Consensus) -> Self:
        """Those of everything that was judged. Two leads whose verdicts differ are one, too."""
        parts = [_of_task(consensus, task) for task in SUBJECTS]
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__
        }
        order = np.lexsort(
            (columns["row"], -columns["votes"], -columns["spread"], columns["settled"])
        )
        return cls(**{name: column[order] for name, column in columns.items()})

    def __len__(self) -> int:
        return len(self.task)


def _of_task(consensus: Consensus, task: Task) -> Disputes:
    judgements = consensus.judgements
    asked = Questions.of(judgements, task)
    size = len(asked)
    verdict = judgements.column("verdict", np.bool_)[asked.rows]
    by_lead: Flags = np.bincount(asked.question[verdict], minlength=size) > 0
    if task == "rate":
        spread, apart = _of_stars(judgements, asked, ~verdict)
        differ, settled = apart >= FAR_APART, by_lead
    else:
        spread = _of_answers(judgements, asked, task, ~verdict)
        differ = (spread > 0) | (_of_answers(judgements, asked, task, verdict) > 0)
        settled = consensus.settled(task)
    chosen = np.flatnonzero(differ)
    rows = asked.rows[asked.first[chosen]]
    return Disputes(
        task=np.full(len(chosen), TASKS.index(task), dtype=np.int8),
        sample=judgements.column("sample", np.int32)[rows],
        row=rows,
        votes=np.bincount(asked.question[~verdict], minlength=size)[chosen],
        spread=spread[chosen],
        settled=settled[chosen],
        by_lead=by_lead[chosen],
    )


def _of_answers(judgements: Judgements, asked: Questions, task: Task, among: Flags) -> Floats:
    """The spread of each question's answers, of the votes that ``among`` marks."""
    size = len(asked)
    if task == "exam":
        given = candidates(judgements, asked)
        answers, owner = given.vote, given.question
    else:
        kinds = _KINDS[task]
        answers = asked.question * kinds + judgements.column("answer", np.int8)[asked.rows]
        owner = np.repeat(np.arange(size, dtype=np.int32), kinds)
    cast = np.bincount(answers[among], minlength=len(owner)).astype(np.float64)
    votes = np.bincount(asked.question[among], minlength=size)
    same = np.bincount(owner, cast**2, minlength=size) / np.maximum(votes, 1) ** 2
    return np.where(votes > 0, 1 - same, 0.0)


def _of_stars(judgements: Judgements, asked: Questions, among: Flags) -> tuple[Floats, Small]:
    """The spread of each question's stars, and how many lie between the fewest and the most."""
    size = len(asked)
    question = asked.question[among]
    stars = judgements.column("answer", np.int8)[asked.rows][among]
    votes = np.maximum(np.bincount(question, minlength=size), 1)
    mean = np.bincount(question, stars, size) / votes
    # Two that are drawn independently are twice the variance apart, squared.
    variance = np.bincount(question, (stars - mean[question]) ** 2, size) / votes
    low, high = np.full(size, 5, dtype=np.int8), np.ones(size, dtype=np.int8)
    np.minimum.at(low, question, stars)
    np.maximum.at(high, question, stars)
    return 2 * variance / _MOST_STARS_APART**2, high - low
