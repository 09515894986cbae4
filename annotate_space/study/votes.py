"""Who said what of one sample, as it is told to the lead."""

from __future__ import annotations

from typing import Any, Final

from pipeline.core.feedback import timestamp
from pipeline.core.schema import Sample
from pipeline.curation.judgements import BOTH_BAD, FIRST, SECOND, TIE, Judgements

MOST_TOLD: Final = 100

_PREFERENCES: Final = {FIRST: "first", SECOND: "second", TIE: "tie", BOTH_BAD: "both_bad"}


def votes_on(judgements: Judgements, sample: Sample) -> dict[str, Any]:
    """The judgements of a sample, the newest first, and how many more there are.

    Each has ``task``, ``status``, ``annotator``, ``at``, ``comment``, ``reason``, ``repeat``,
    ``verdict`` and ``about``: the numbers, from 1 on, of the answers it is about. ``value`` is a
    thumb's label, a rating, or of a pair ``first``, ``second``, ``tie`` or ``both_bad``; ``text``
    is what was written or chosen.
    """
    number = {one.completion_id: at for at, one in enumerate(sample.completions, start=1)}
    rows = sorted(
        judgements.rows(sample.sample_id),
        key=lambda row: judgements.value("received", row),
        reverse=True,
    )
    told = [_told(judgements, row, number) for row in rows[:MOST_TOLD]]
    return {"votes": told, "more_votes": len(rows) - len(told)}


def _told(judgements: Judgements, row: int, number: dict[str, int]) -> dict[str, Any]:
    places = [judgements.value(name, row) for name in ("completion", "first", "second")]
    names = [judgements.completion(place) for place in places if place >= 0]
    return {
        "task": judgements.value("task", row),
        "status": judgements.value("status", row),
        "annotator": judgements.value("annotator", row),
        "at": timestamp(judgements.value("received", row).to_pydatetime()),
        "about": [number[name] for name in names if name in number],
        "value": _value(judgements, row),
        "text": judgements.text(row) or judgements.value("option", row) or "",
        "comment": judgements.comment(row) or "",
        "reason": judgements.value("reason", row) or "",
        "repeat": bool(judgements.value("repeat", row)),
        "verdict": bool(judgements.value("verdict", row)),
    }


def _value(judgements: Judgements, row: int) -> bool | int | str | None:
    answer = int(judgements.value("answer", row))
    if answer < 0:
        return None
    match judgements.value("task", row):
        case "thumbs":
            return bool(answer)
        case "pairwise":
            return _PREFERENCES[answer]
    return answer
