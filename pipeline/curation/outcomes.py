"""What all votes come to: how many questions are settled how, and what can be trained on them.

Counted from columns, without looking at samples one by one, so that it can be told while people
vote. ``exports`` also leaves out what is there twice and what filters ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.core.layout import ExportFormat
from pipeline.curation.consensus import Consensus, TaskStanding
from pipeline.curation.judgements import BOTH_BAD, FIRST, SECOND, TIE, Codes, Flags, Numbers

STARS: Final = 5


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What votes come to.

    Attributes:
        tasks: Questions by how they stand, for each task that was voted on. Thumbs are ``good`` or
            ``bad``, pairs have a winner (``won``), are a ``tie`` or ``both_bad``, exam items are
            ``approved``, ``corrected`` or ``discarded``; all may be ``disputed``, or ``open``
            while votes are missing.
        stars: Completions by people's mean rating, from 1 to ``STARS``, rounded half up; empty
            where nobody rated.
        rows: About how many rows an export would hold.
        good: Of those of ``kto``, rows labelled good.
        bad: Likewise, rows labelled not good.
        judged: Samples with a vote or a text by somebody.
        accepted: Samples with a completion that people found good or rewrote.
        disputed: Samples with a disputed question.
    """

    tasks: dict[str, dict[str, int]]
    stars: tuple[int, ...]
    rows: dict[ExportFormat, int]
    good: int
    bad: int
    judged: int
    accepted: int
    disputed: int


def outcomes(consensus: Consensus) -> Outcomes:
    """Count them."""
    judgements = consensus.judgements
    samples = judgements.column("sample", np.int32)
    found = _Found.of(consensus)
    reviews = _reviews(consensus)
    stands = [consensus.of_task(task) for task in ("thumbs", "pairwise", "exam")]
    disputed = np.concatenate([one.sample[one.disputed] for one in stands])
    stars = np.floor(consensus.mean_stars + 0.5).astype(np.int64)
    return Outcomes(
        tasks=dict(_tasks(consensus, reviews)),
        stars=tuple(np.bincount(stars, minlength=STARS + 1)[1:].tolist()) if len(stars) else (),
        rows={
            "sft": len(np.setdiff1d(found.fine, found.edited)) + found.texts,
            "preference": found.won + len(found.edited),
            "kto": found.good + found.bad,
            "spin": len(found.edited),
            "exam": int((reviews["approved"] | reviews["corrected"]).sum()),
        },
        good=found.good,
        bad=found.bad,
        judged=len(np.unique(samples[judgements.votes])),
        accepted=len(np.unique(np.concatenate([found.fine, found.edited]) // found.wide)),
        disputed=len(np.unique(disputed)),
    )


def _tasks(consensus: Consensus, reviews: dict[str, Flags]) -> Iterator[tuple[str, dict[str, int]]]:
    thumbs, pairs = consensus.of_task("thumbs"), consensus.of_task("pairwise")
    kinds: list[tuple[str, TaskStanding, dict[str, Flags]]] = [
        ("thumbs", thumbs, {"good": thumbs.answer == 1, "bad": thumbs.answer == 0}),
        (
            "pairwise",
            pairs,
            {
                "won": np.isin(pairs.answer, (FIRST, SECOND)),
                "tie": pairs.answer == TIE,
                "both_bad": pairs.answer == BOTH_BAD,
            },
        ),
        ("exam", consensus.of_task("exam"), reviews),
    ]
    for task, one, masks in kinds:
        if len(one.sample):
            yield (
                task,
                {
                    **{name: int((mask & one.settled).sum()) for name, mask in masks.items()},
                    "disputed": int(one.disputed.sum()),
                    "open": int((~one.settled & ~one.disputed).sum()),
                },
            )


def _reviews(consensus: Consensus) -> dict[str, Flags]:
    """Of each exam item what the reviews come to."""
    exam = consensus.of_task("exam")
    kept = exam.settled & (exam.answer >= 0)
    corrected = np.zeros(len(kept), np.bool_)
    corrected[kept] = consensus.judgements.column("has_text", np.bool_)[exam.answer[kept]]
    return {
        "approved": kept & ~corrected,
        "corrected": corrected,
        "discarded": exam.settled & ~kept,
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """What can be trained on, by the rules of ``picking``.

    Attributes:
        wide: A completion is its sample times this, and its place: another tool may have used its
            id in two samples.
        fine: Completions found good, the winner of any pair among those without thumbs.
        edited: Completions once for each text in their place.
        texts: What people wrote, in the place of completions or of none.
        won: Pairs with a winner.
        good: Completions with thumbs up, or without thumbs that won all pairs.
        bad: Likewise, thumbs down, or lost all.
    """

    wide: int
    fine: Numbers
    edited: Numbers
    texts: int
    won: int
    good: int
    bad: int

    @classmethod
    def of(cls, consensus: Consensus) -> _Found:
        judgements = consensus.judgements
        wide = len(judgements.completions) + 1

        def named(sample: Numbers | Codes, completion: Codes) -> Numbers:
            return sample.astype(np.int64) * wide + completion

        thumbs, pairs = consensus.of_task("thumbs"), consensus.of_task("pairwise")
        voted = named(thumbs.sample, thumbs.subjects["completion"])
        up, down = (voted[thumbs.settled & (thumbs.answer == label)] for label in (1, 0))
        first, second = (named(pairs.sample, pairs.subjects[name]) for name in ("first", "second"))
        to_first, to_second = (pairs.settled & (pairs.answer == side) for side in (FIRST, SECOND))
        winners = np.union1d(first[to_first], second[to_second])
        losers = np.union1d(second[to_first], first[to_second])
        written = judgements.votes & judgements.task("edit")
        written &= judgements.column("has_text", np.bool_)
        samples = judgements.column("sample", np.int32)
        completions = judgements.column("completion", np.int32)
        edits = written & (completions >= 0)
        return cls(
            wide=wide,
            fine=np.union1d(up, np.setdiff1d(winners, voted)),
            edited=named(samples[edits], completions[edits]),
            texts=int(written.sum()),
            won=int((to_first | to_second).sum()),
            good=len(up) + len(np.setdiff1d(winners, np.union1d(losers, voted))),
            bad=len(down) + len(np.setdiff1d(losers, np.union1d(winners, voted))),
        )
