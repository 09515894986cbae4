"""Questions on which people differ, and what each said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from annotate_space.study.material import Material, Reading
from pipeline.core.feedback import timestamp
from pipeline.core.schema import TASKS, Task
from pipeline.curation.consensus import Consensus
from pipeline.curation.disputes import Disputes
from pipeline.curation.judgements import BOTH_BAD, FIRST, SECOND, TIE, Codes, Flags, Judgements
from pipeline.curation.questions import SUBJECTS

MOST_VOTES: Final = 100
"""Votes told of one question."""
MOST_REMARKS: Final = 20
"""What is told that people said elsewhere about the same sample."""
_SIDES: Final = {FIRST: "left", SECOND: "right", TIE: "tie", BOTH_BAD: "both_bad"}


@dataclass(frozen=True, slots=True)
class _Found:
    """What a reading comes to: ``topic`` of each judged sample is a place in ``topics``, or -1."""

    disputes: Disputes
    topics: list[str]
    topic: Codes


_found: WeakKeyDictionary[Consensus, _Found] = WeakKeyDictionary()


def disputes(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """A page of the questions on which people differ, the most disputed first.

    Args:
        material: The project.
        payload: ``task`` and ``topic``: only those of it, or None. ``every``: also those that the
            votes settle. ``skip`` and ``count``: which of them. ``changes``: what leads did since,
            as dicts of ``task``, ``sample_id``, ``completion_ids``, ``settled`` and ``differ``.

    Returns:
        ``items``: as of ``votes``, with ``votes_settle``. ``total``: how many there are. ``tasks``
        and ``topics``: how many there are of each; of topics only among the task's.
    """
    reading = material.reading()
    found = _find(material, reading)
    told = found.disputes
    settled, by_lead = _now(reading.judgements, told, payload["changes"])
    chosen = ~(settled & by_lead) if payload["every"] else ~settled
    tasks = np.bincount(told.task[chosen], minlength=len(TASKS))
    if payload["task"] is not None:
        chosen &= told.task == TASKS.index(payload["task"])
    topic, names = found.topic[told.sample], found.topics
    topics = np.bincount(topic[chosen & (topic >= 0)], minlength=len(names))
    if payload["topic"] is not None:
        wanted = names.index(payload["topic"]) if payload["topic"] in names else -2
        chosen &= topic == wanted
    places = np.flatnonzero(chosen)
    skip, count = payload["skip"], payload["count"]
    return {
        "items": [
            _question(reading.judgements, int(told.row[at])) | {"votes_settle": bool(settled[at])}
            for at in places[skip : skip + count].tolist()
        ],
        "total": len(places),
        "tasks": {task: n for task, n in zip(TASKS, tasks.tolist(), strict=True) if n},
        "topics": {name: n for name, n in zip(names, topics.tolist(), strict=True) if n},
    }


def votes(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """What everybody said about some questions, with comments.

    Args:
        material: The project.
        payload: ``questions``: each a task, a sample's id and the ids of its completions.

    Returns:
        ``items``, in the order asked: ``task``, ``sample_id``, ``completion_ids`` (of a pair both
        in the order of their ids), ``votes`` and how many more there are (``more_votes``), and
        ``remarks``: flags and comments on the rest of the sample. A vote has ``annotator``,
        ``at``, ``status``, ``verdict``, ``answer`` (thumbs ``good`` or ``bad``; pairs ``left`` for
        the first of ``completion_ids``, ``right``, ``tie`` or ``both_bad``; rate the stars; exam
        ``option``, ``correction`` or ``discard``; None if there is none), ``option``,
        ``correction`` (an exam item), ``reason``, ``comment`` and ``seconds``.
    """
    judgements = material.reading().judgements
    return {
        "items": [
            _told(judgements, task, sample_id, tuple(sorted(ids)))
            for task, sample_id, ids in payload["questions"]
        ]
    }


def _find(material: Material, reading: Reading) -> _Found:
    found = _found.get(reading.consensus)
    if found is None:
        topics = material.noted.topics(reading.judgements)
        found = _found[reading.consensus] = _Found(Disputes.of(reading.consensus), *topics)
    return found


def _now(
    judgements: Judgements, told: Disputes, changes: Sequence[dict[str, Any]]
) -> tuple[Flags, Flags]:
    """What is settled, and where a lead has spoken, after what leads did since the reading."""
    settled, by_lead = told.settled.copy(), told.by_lead.copy()
    if not changes:
        return settled, by_lead
    order = np.argsort(told.sample, kind="stable")
    samples = told.sample[order]
    for change in changes:
        place = judgements.find(change["sample_id"])
        start, end = np.searchsorted(samples, (place, place + 1)).tolist()
        for at in order[start:end].tolist():
            if (
                place >= 0
                and TASKS[int(told.task[at])] == change["task"]
                and _ids(judgements, change["task"], int(told.row[at]))
                == tuple(change["completion_ids"])
            ):
                taken_back = not (change["settled"] or change["differ"])
                # Whether votes alone settle it is known only if they stood alone when it was read.
                by_votes = taken_back and not told.by_lead[at] and told.settled[at]
                settled[at] = change["settled"] or by_votes
                by_lead[at] = not taken_back
    return settled, by_lead


def _question(judgements: Judgements, row: int) -> dict[str, Any]:
    task = TASKS[TASKS.index(judgements.value("task", row))]
    sample_id = judgements.samples[int(judgements.value("sample", row))].as_py()
    return _told(judgements, task, sample_id, _ids(judgements, task, row))


def _told(
    judgements: Judgements, task: Task, sample_id: str, ids: tuple[str, ...]
) -> dict[str, Any]:
    on_it, beside = [], []
    for row in judgements.rows(sample_id):
        of = judgements.value("task", row)
        if judgements.value("repeat", row):
            continue
        if of == task and _ids(judgements, task, row) == ids:
            on_it.append(_vote(judgements, task, row))
        elif judgements.value("status", row) == "flagged" or judgements.value("has_comment", row):
            beside.append(_vote(judgements, of, row) | {"task": of})
    on_it = [vote for vote in on_it if vote["status"] != "skipped" or vote["comment"]]
    on_it.sort(key=lambda vote: vote["at"] or "", reverse=True)
    on_it.sort(key=lambda vote: not (vote["comment"] or vote["status"] == "flagged"))
    beside.sort(key=lambda vote: vote["at"] or "", reverse=True)
    return {
        "task": task,
        "sample_id": sample_id,
        "completion_ids": list(ids),
        "votes": on_it[:MOST_VOTES],
        "more_votes": max(0, len(on_it) - MOST_VOTES),
        "remarks": beside[:MOST_REMARKS],
    }


def _ids(judgements: Judgements, task: Task, row: int) -> tuple[str, ...]:
    places = (judgements.value(name, row) for name in SUBJECTS[task])
    return tuple(judgements.completion(place) for place in places if place >= 0)


def _vote(judgements: Judgements, task: str, row: int) -> dict[str, Any]:
    correction = judgements.text(row) if task == "exam" else None
    received, took = judgements.value("received", row), judgements.value("duration", row)
    return {
        "annotator": judgements.value("annotator", row),
        "at": timestamp(received.to_pydatetime()),
        "status": judgements.value("status", row),
        "verdict": judgements.value("verdict", row),
        "answer": _answer(judgements, task, row, corrected=correction is not None),
        "option": judgements.value("option", row),
        "correction": _item(correction),
        "reason": judgements.value("reason", row),
        "comment": judgements.comment(row),
        "seconds": None if took < 0 else took / 1000,
    }


def _answer(judgements: Judgements, task: str, row: int, *, corrected: bool) -> str | int | None:
    if judgements.value("status", row) != "submitted":
        flagged = task == "exam" and judgements.value("status", row) == "flagged"
        return "discard" if flagged else None
    answer = int(judgements.value("answer", row))
    match task:
        case "thumbs":
            return "good" if answer else "bad"
        case "pairwise":
            return _SIDES[answer]
        case "rate":
            return answer
        case "exam":
            return "correction" if corrected else "option"
    return None


def _item(text: str | None) -> dict[str, Any] | None:
    """A corrected exam item, if it is one: files may come from other tools."""
    try:
        item = json.loads(text) if text else None
    except ValueError:
        return None
    return item if isinstance(item, dict) else None
