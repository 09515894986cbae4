"""How far the votes can be trusted and what they come to, as figures to be drawn."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from annotate_space.study.material import Material, Reading
from pipeline.curation.advice import balance, enough
from pipeline.curation.agreement import agreement
from pipeline.curation.judgements import Judgements
from pipeline.curation.outcomes import outcomes
from pipeline.curation.readings import RELIABLE, TENTATIVE

_MOST_PEOPLE: Final = 100
_MOST_TOPICS: Final = 60
"""Of each task."""
SECONDS: Final = (2, 5, 10, 20, 40, 90)
"""Where one bar of how long answers take ends and the next begins; the last has no end."""


def figures(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """Everything the insights show; ``mark`` is another whenever anything in it is.

    Raises:
        SeedbedError: The project cannot be read now.
    """

    def make(reading: Reading) -> dict[str, Any]:
        told = _figures(material, reading)
        mark = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        return {**told, "mark": mark}

    return material.made("figures", make)


def _figures(material: Material, reading: Reading) -> dict[str, Any]:
    judgements = reading.judgements
    shown = material.noted.shown(judgements)
    found = agreement(judgements, shown, reading.controls.controls)
    come = outcomes(reading.consensus)
    every = found.as_json()
    topics = _topics(every["topics"])
    return {
        "votes": int(judgements.votes.sum()),
        "people": sum(one.votes > 0 for one in found.annotators),
        "samples": len(material.noted),
        "outcomes": asdict(come),
        "overlap": reading.project.annotation.overlap,
        "repeats": reading.project.annotation.repeats,
        "known": len(reading.controls.controls),
        "reliable": RELIABLE,
        "tentative": TENTATIVE,
        "tasks": every["tasks"],
        "topics": topics,
        "topics_left_out": len(_names(every["topics"]) - _names(topics)),
        "judge": every["judge"],
        "same_again": every["same_again"],
        "same_again_kappa": every["same_again_kappa"],
        "controls": every["controls"],
        "biases": every["biases"],
        "seconds": {"ends": SECONDS, "counts": _durations(judgements)},
        "annotators": every["annotators"][:_MOST_PEOPLE],
        "annotators_left_out": max(0, len(found.annotators) - _MOST_PEOPLE),
        "readings": [{"code": one.code, "values": one.values} for one in found.readings()],
        "enough": [asdict(one) for one in enough(come.rows)],
        "kto": asdict(balance(come.good, come.bad)),
    }


def _topics(every: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those in which most answers can be compared; ``agreement`` tells them in that order."""
    kept: list[dict[str, Any]] = []
    for task in dict.fromkeys(one["task"] for one in every):
        kept += [one for one in every if one["task"] == task][:_MOST_TOPICS]
    return kept


def _names(topics: list[dict[str, Any]]) -> set[str]:
    return {one["topic"] for one in topics}


def _durations(judgements: Judgements) -> list[int]:
    """How many votes took how long; of those that tell."""
    taken = judgements.column("duration", np.int32)[judgements.independent]
    place = np.searchsorted(np.array(SECONDS) * 1_000, taken[taken >= 0], side="right")
    counts: list[int] = np.bincount(place, minlength=len(SECONDS) + 1).tolist()
    return counts
