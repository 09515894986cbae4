"""Judgements by the question they answer: who voted on the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.core.schema import Task
from pipeline.curation.judgements import STATUSES, Codes, Judgements, Numbers

DISCARD: Final = -2
"""Stands for the row of an answer to an exam item that says it is no good."""

SUBJECTS: Final[Mapping[Task, tuple[str, ...]]] = {
    "thumbs": ("completion",),
    "pairwise": ("first", "second"),
    "rate": ("completion",),
    "exam": (),
}
"""For each task that is voted on the columns that tell, besides the sample, what is asked."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one task that have votes, in the order of the frame.

    Attributes:
        rows: Their votes, as rows of the frame. For exams a flag is a vote too: to discard.
        samples: For each vote its sample, as a place in ``Judgements.samples``.
        question: For each vote its question; equal ones are adjacent.
        first: For each question its first vote, as a place in ``rows``.
    """

    rows: Numbers
    samples: Codes
    question: Codes
    first: Numbers

    @classmethod
    def of(cls, judgements: Judgements, task: Task) -> Questions:
        """Those of a task of ``SUBJECTS``."""
        chosen = judgements.votes.copy()
        if task == "exam":
            flagged = judgements.codes("status") == STATUSES.index("flagged")
            chosen |= flagged & ~judgements.column("repeat", np.bool_)
        chosen &= judgements.task(task)
        columns = [judgements.column(name, np.int32) for name in SUBJECTS[task]]
        for column in columns:
            chosen &= column >= 0
        rows = np.flatnonzero(chosen)
        samples = judgements.column("sample", np.int32)[rows]
        begins = np.zeros(len(rows), dtype=np.bool_)
        begins[:1] = True
        for column in (samples, *(column[rows] for column in columns)):
            begins[1:] |= column[1:] != column[:-1]
        question = (np.cumsum(begins) - 1).astype(np.int32)
        return cls(rows, samples, question, np.flatnonzero(begins))

    def __len__(self) -> int:
        return len(self.first)

    def starts(self, samples: int) -> Numbers:
        """For each of so many samples its first question; at the end, how many there are."""
        return np.searchsorted(self.samples[self.first], np.arange(samples + 1))


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was answered to exam questions: an option, a corrected item, or that it is no good.

    Attributes:
        vote: For each vote its candidate.
        row: For each candidate a row of the frame that gives it, or ``DISCARD``.
        question: For each candidate its question.
    """

    vote: Codes
    row: Numbers
    question: Codes


def candidates(judgements: Judgements, questions: Questions) -> Candidates:
    """The different answers to each exam question."""
    rows, question = questions.rows, questions.question
    texts: dict[str, int] = {}
    labels: npt.NDArray[np.int64] = judgements.codes("option")[rows].astype(np.int64)
    corrected = judgements.column("has_text", np.bool_)[rows]
    submitted = judgements.votes[rows]
    labels[~submitted] = -1
    for at in np.flatnonzero(corrected & submitted).tolist():
        text = judgements.text(int(rows[at])) or ""
        labels[at] = -2 - texts.setdefault(text, len(texts))
    order = np.lexsort((np.arange(len(rows)), labels, question))
    sorted_question, sorted_label = question[order], labels[order]
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (np.diff(sorted_question) != 0) | (np.diff(sorted_label) != 0)
    votes = np.empty(len(rows), dtype=np.int32)
    votes[order] = np.cumsum(begins) - 1
    starts = order[begins]
    return Candidates(
        votes, np.where(labels[starts] == -1, DISCARD, rows[starts]), question[starts]
    )
