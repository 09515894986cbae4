"""What may sway annotators besides the texts: sides, lengths and haste."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.curation.judgements import FIRST, SECOND, Flags, Judgements
from pipeline.curation.kappas import Figure, coin, share
from pipeline.curation.shown import Shown

Floats = npt.NDArray[np.float64]

WORDS_A_SECOND: Final = 16.0
"""Nobody reads so fast: four times 238 words a minute (M. Brysbaert: How Many Words Do We Read per
Minute? Journal of Memory and Language 109, 2019)."""
MUCH_LONGER: Final = 1.5
UNLIKELY: Final = 0.01
"""A probability below which chance alone is not believed."""


@dataclass(frozen=True, slots=True)
class Position:
    """Whether people choose a side.

    Attributes:
        left: The share of choices for what was on the left.
        by_chance: How likely sides chosen blindly would be as uneven; None without choices.
    """

    left: Figure
    by_chance: float | None

    def biased(self) -> bool:
        """Tell whether chance alone hardly explains it."""
        return self.by_chance is not None and self.by_chance < UNLIKELY


@dataclass(frozen=True, slots=True)
class Length:
    """Whether people choose the longer text; it may be the better one as well.

    Attributes:
        longer: The share of choices for the longer, where lengths differ.
        much_longer: Where it has at least ``MUCH_LONGER`` times the words.
        by_chance: As in ``Position``, of ``longer``.
    """

    longer: Figure
    much_longer: Figure
    by_chance: float | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast people answer.

    Attributes:
        seconds: The median from seeing a question to answering it; None if nobody tells.
        too_fast: The share answered faster than the texts can be read.
    """

    seconds: float | None
    too_fast: Figure


@dataclass(frozen=True, slots=True)
class Biases:
    """All of them."""

    position: Position
    length: Length
    pace: Pace

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return {
            "left_chosen": self.position.left.as_json(),
            "left_by_chance": self.position.by_chance,
            "longer_chosen": self.length.longer.as_json(),
            "much_longer_chosen": self.length.much_longer.as_json(),
            "longer_by_chance": self.length.by_chance,
            "median_seconds": self.pace.seconds,
            "too_fast": self.pace.too_fast.as_json(),
        }


def biases(judgements: Judgements, shown: Shown) -> Biases:
    """Look for them in all votes but leads' verdicts."""
    votes = judgements.independent
    answer = judgements.column("answer", np.int8)
    chosen = votes & judgements.task("pairwise") & np.isin(answer, (FIRST, SECOND))
    first_left = judgements.column("first_left", np.int8)[chosen] == 1
    left = int((first_left == (answer[chosen] == FIRST)).sum())
    count = int(chosen.sum())
    return Biases(
        Position(share(left, count), coin(left, count) if count else None),
        _length(answer[chosen] == FIRST, shown.words[chosen], shown.other_words[chosen]),
        _pace(*_times(judgements, shown, np.flatnonzero(votes))),
    )


def _length(
    first: Flags, words: npt.NDArray[np.float32], others: npt.NDArray[np.float32]
) -> Length:
    apart = ~np.isnan(words) & ~np.isnan(others) & (words != others)
    longer = (words > others) == first
    much = apart & (np.maximum(words, others) >= MUCH_LONGER * np.minimum(words, others))
    part, whole = int((longer & apart).sum()), int(apart.sum())
    return Length(
        share(part, whole),
        share(int((longer & much).sum()), int(much.sum())),
        coin(part, whole) if whole else None,
    )


def paces(judgements: Judgements, shown: Shown) -> list[Pace]:
    """Of each annotator, in the order of their names."""
    rows = np.flatnonzero(judgements.votes)
    who = judgements.codes("annotator")[rows]
    people = len(judgements.frame["annotator"].cat.categories)
    order = np.argsort(who, kind="stable")
    ends = np.searchsorted(who[order], np.arange(1, people))
    seconds, needed = _times(judgements, shown, rows[order])
    parts = zip(np.split(seconds, ends), np.split(needed, ends), strict=True)
    return [_pace(*part) for part in parts][:people]


def _times(
    judgements: Judgements, shown: Shown, rows: npt.NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Seconds that each vote took, and that reading takes at least; nan if not known."""
    duration = judgements.column("duration", np.int32)[rows]
    seconds = np.where(duration < 0, np.nan, duration.astype(np.float64) / 1_000)
    second = shown.other_words[rows].astype(np.float64)
    read = shown.words[rows] + np.where(np.isnan(second), 0, second)
    return seconds, np.asarray(read / WORDS_A_SECOND, np.float64)


def _pace(seconds: Floats, needed: Floats) -> Pace:
    told = ~np.isnan(seconds)
    known = told & ~np.isnan(needed)
    median = float(np.median(seconds[told])) if told.any() else None
    return Pace(median, share(int((seconds < needed)[known].sum()), int(known.sum())))
