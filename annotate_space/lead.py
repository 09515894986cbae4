"""What the lead of a project sees and may change while people annotate.

Everything here takes what it works on and gives what JSON can hold. Who may call it is checked
before, by ``Door.require_lead``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from annotate_space.board import Board
from annotate_space.questions import CellTotals, Question, Totals
from annotate_space.recent import Recent
from annotate_space.sync import Syncer
from pipeline.core import controls, invitations, layout
from pipeline.core.changing import read_file
from pipeline.core.errors import Conflict, InvalidInput
from pipeline.core.feedback import timestamp
from pipeline.core.invitations import Invitation, Invitations, parse_duration
from pipeline.core.projects import is_folder
from pipeline.core.schema import AccessSettings, AnnotationSettings, Project, Task
from pipeline.core.store import Store
from pipeline.web.markup import to_html

COMMITS_AN_HOUR: Final = 128
"""That the Hub allows for one repository, all writers together."""
_MOST_CELLS: Final = 3_000
_MOST_PEOPLE: Final = 500
_MOST_INVITATIONS: Final = 300
_MOST_TROUBLES: Final = 20
_MOST_FLAGGED: Final = 20

_LONGER: Final = timedelta(days=30)

_ANNOTATION: Final = (
    "tasks",
    "mix",
    "guidelines",
    "overlap",
    "instructions",
    "repeats",
    "controls",
    "show_topic",
    "show_source",
    "show_models",
    "blind_exam",
)
_ACCESS: Final = ("annotate", "people", "leads", "pseudonyms")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the view is made of.

    Attributes:
        project: The project's name.
        domain: What it is about.
        place: Where answers end up, in words for the screen.
        troubles: What else is wrong, such as shards or feedback lines that cannot be read.
        controls: How many control questions there are.
    """

    project: str
    domain: str
    place: str
    board: Board
    syncer: Syncer
    recent: Recent
    invitations: Invitations
    troubles: Sequence[str] = ()
    controls: int = 0


def overview(sources: Sources) -> dict[str, Any]:
    """Everything the view shows by itself, as of now; reads nothing but memory."""
    now = datetime.now(UTC)
    totals = sources.board.totals()
    wanted = sum(one.wanted for one in totals.values())
    given = sum(one.given for one in totals.values())
    pace = sources.recent.pace()
    left = wanted - given
    syncer = sources.syncer
    return {
        "project": sources.project,
        "domain": sources.domain,
        "now": timestamp(now),
        "overall": {
            "wanted": wanted,
            "given": given,
            "complete": sum(one.complete for one in totals.values()),
            "questions": sum(one.questions for one in totals.values()),
        },
        "tasks": [_task(task, one) for task, one in totals.items()],
        "cells": _cells(sources.board.by_cell()),
        "pace": {
            "hour": pace.hour,
            "ten_minutes": pace.ten_minutes,
            "seconds_left": round(60 * left / pace.per_minute) if pace.per_minute else None,
        },
        "people": _people(sources.board, sources.recent),
        "saving": {
            "place": sources.place,
            "waiting": syncer.waiting,
            "saved_at": syncer.saved_at,
            "commits": syncer.commits_in_last_hour,
            "most_commits": None if is_folder(sources.project) else COMMITS_AN_HOUR,
            "trouble": syncer.trouble,
        },
        "troubles": list(sources.troubles[:_MOST_TROUBLES]),
        "more_troubles": max(0, len(sources.troubles) - _MOST_TROUBLES),
        "flagged": [asdict(one) for one in sources.recent.flagged(_MOST_FLAGGED)],
        "invitations": _invitations(sources.invitations, now),
        "controls": sources.controls,
    }


def invite(
    store: Store, payload: Mapping[str, Any], *, pseudonyms: bool, made_by: str
) -> dict[str, Any]:
    """Make an invitation of ``name`` and ``expires``; the token is told this once.

    ``made_by`` is kept in the dataset: see ``Door.annotator``.

    Raises:
        InvalidInput: The name or the time cannot be used.
    """
    made = invitations.make(
        store,
        _text(payload, "name"),
        parse_duration(_text(payload, "expires")),
        pseudonyms=pseudonyms,
        made_by=made_by,
    )
    return {"token": made.token, "invitation": _invitation(made.invitation, datetime.now(UTC))}


def revoke(store: Store, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Take the invitation ``id`` back.

    Raises:
        InvalidInput: There is no such invitation.
    """
    gone = invitations.revoke(store, _text(payload, "id"))
    return {"invitation": _invitation(gone, datetime.now(UTC))}


def extend(store: Store, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Let the link of the invitation ``id`` be good for another 30 days.

    Raises:
        InvalidInput: There is no such invitation, or it was taken back.
    """
    longer = invitations.extend(store, _text(payload, "id"), _LONGER)
    return {"invitation": _invitation(longer, datetime.now(UTC))}


def configure(store: Store, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Tell or change the settings that may change while people annotate.

    ``{}`` tells them with the etag that guards a change. ``{"preview": markdown}`` renders
    guidelines. ``{"etag", "fields": {name: value}}`` changes the fields named; the reply has
    ``saved``, or ``invalid`` (by field) and nothing was written, or ``conflict`` with what somebody
    else saved meanwhile, and nothing was written.

    Raises:
        InvalidInput: The payload is not of this form.
    """
    if "preview" in payload:
        return {"html": to_html(_text(payload, "preview")[:50_000])}
    project, etag = read_file(store, Project, layout.PROJECT)
    told = {"settings": _settings(project), "etag": etag}
    if "fields" not in payload:
        return told
    fields = payload["fields"]
    if not isinstance(fields, Mapping) or not set(fields) <= {*_ANNOTATION, *_ACCESS}:
        raise InvalidInput("These are not settings of the view.", "Reload the page.")
    if payload.get("etag") != etag:
        return {"conflict": told}
    changed, invalid = _changed(project, fields)
    if changed is None:
        return {"invalid": invalid}
    try:
        store.commit(
            {layout.PROJECT: changed.to_json()},
            message="Change what annotators are asked",
            expect={layout.PROJECT: etag},
        )
    except Conflict:
        project, etag = read_file(store, Project, layout.PROJECT)
        return {"conflict": {"settings": _settings(project), "etag": etag}}
    project, etag = read_file(store, Project, layout.PROJECT)
    return {"saved": True, "settings": _settings(project), "etag": etag}


def control(
    store: Store, question: Question, payload: Mapping[str, Any], *, made_by: str
) -> dict[str, Any]:
    """Make ``question`` a control with the answer in ``payload``, or with ``remove`` none any more.

    The answer is given as it was on the screen: ``left`` is the completion shown left.
    ``made_by`` is kept in the dataset: see ``Door.annotator``.

    Raises:
        InvalidInput: The task has no one right answer, or the answer is none of its answers.
    """
    shown = question.completion_ids
    names = tuple(sorted(shown))
    if payload.get("remove"):
        there = controls.remove(store, (question.task, question.sample_id, names))
        return {"controls": len(there.controls)}
    preference = payload.get("preference")
    if preference in ("left", "right") and names != shown:
        preference = "right" if preference == "left" else "left"
    fields = {name: payload[name] for name in ("label", "rating", "option") if name in payload}
    made = controls.control(
        **fields,
        preference=preference,
        task=question.task,
        sample_id=question.sample_id,
        completion_ids=names,
        note=str(payload.get("note") or ""),
        made_by=made_by,
    )
    return {"controls": len(controls.add(store, made).controls)}


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"The message has no {name}.", "Reload the page.")
    return value


def _task(task: Task, one: Totals) -> dict[str, Any]:
    return {
        "task": task,
        "wanted": one.wanted,
        "given": one.given,
        "answered": one.answered,
        "complete": one.complete,
        "questions": one.questions,
    }


def _cells(cells: Sequence[CellTotals]) -> dict[str, Any]:
    """The grid, a row for each topic: ``[given, wanted]`` or null where there is no such cell."""
    perspectives = list(dict.fromkeys(cell.perspective for cell in cells))
    topics = list(dict.fromkeys(cell.topic for cell in cells))
    left_out = 0
    if len(topics) * len(perspectives) > _MOST_CELLS:
        missing = dict.fromkeys(topics, 0)
        for cell in cells:
            missing[cell.topic] += cell.wanted - cell.given
        shown = max(1, _MOST_CELLS // len(perspectives))
        kept = set(sorted(topics, key=lambda topic: -missing[topic])[:shown])
        left_out = len(topics) - len(kept)
        topics = [topic for topic in topics if topic in kept]
    column = {name: index for index, name in enumerate(perspectives)}
    rows: dict[str, list[list[int] | None]] = {t: [None] * len(perspectives) for t in topics}
    for cell in cells:
        if cell.topic in rows:
            rows[cell.topic][column[cell.perspective]] = [cell.given, cell.wanted]
    return {
        "topics": topics,
        "perspectives": perspectives,
        "rows": list(rows.values()),
        "topics_left_out": left_out,
    }


def _people(board: Board, recent: Recent) -> dict[str, Any]:
    holds: dict[str, int] = {}
    until: dict[str, float] = {}
    for lease in board.leases():
        holds[lease.annotator] = holds.get(lease.annotator, 0) + lease.questions
        until[lease.annotator] = max(until.get(lease.annotator, 0), lease.until)
    everyone = sorted(board.by_person(), key=lambda one: one.last_at or "", reverse=True)
    known = {one.annotator for one in everyone}
    shown = [
        {
            "annotator": one.annotator,
            "answered": dict(one.answered),
            "total": sum(one.answered.values()),
            "skipped": one.skipped,
            "flagged": one.flagged,
            "seconds": recent.seconds(one.annotator),
            "first_at": one.first_at,
            "last_at": one.last_at,
        }
        for one in everyone[:_MOST_PEOPLE]
    ]
    # Whoever has just begun holds questions before they have answered any.
    begun: list[dict[str, Any]] = [
        {
            "annotator": name,
            "answered": {},
            "total": 0,
            "skipped": 0,
            "flagged": 0,
            "seconds": None,
            "first_at": None,
            "last_at": None,
        }
        for name in [name for name in holds if name not in known][:_MOST_PEOPLE]
    ]
    for person in [*begun, *shown]:
        name = str(person["annotator"])
        person["holds"] = holds.get(name, 0)
        person["until"] = _moment(until[name]) if name in until else None
    left_out = len(known | holds.keys()) - len(begun) - len(shown)
    return {"shown": [*begun, *shown], "left_out": left_out}


def _moment(seconds: float) -> str:
    return timestamp(datetime.fromtimestamp(seconds, UTC))


def _invitations(known: Invitations, now: datetime) -> dict[str, Any]:
    newest = [_invitation(one, now) for one in reversed(known.invitations)]
    good = [one for one in newest if one["state"] == "good"]
    ended = [one for one in newest if one["state"] != "good"]
    return {
        "good": good[:_MOST_INVITATIONS],
        "ended": ended[:_MOST_INVITATIONS],
        "left_out": max(0, len(good) - _MOST_INVITATIONS) + max(0, len(ended) - _MOST_INVITATIONS),
    }


def _invitation(one: Invitation, now: datetime) -> dict[str, Any]:
    state = "revoked" if one.revoked_at else "expired" if one.ended(now) else "good"
    return {
        "id": one.id,
        "name": one.name,
        "made_at": one.made_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "made_by": one.made_by,
        "state": state,
    }


def _settings(project: Project) -> dict[str, Any]:
    annotation = project.annotation.model_dump(include=set(_ANNOTATION))
    return {**annotation, **project.access.model_dump(include=set(_ACCESS))}


def _changed(project: Project, fields: Mapping[str, Any]) -> tuple[Project | None, dict[str, str]]:
    """The project with ``fields`` changed, or what is wrong with which of them."""
    invalid: dict[str, str] = {}
    parts: dict[str, AnnotationSettings | AccessSettings] = {}
    for name, part, own in (
        ("annotation", project.annotation, _ANNOTATION),
        ("access", project.access, _ACCESS),
    ):
        wanted = {**part.model_dump(), **{key: fields[key] for key in own if key in fields}}
        try:
            parts[name] = type(part).model_validate(wanted)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                place = str(problem["loc"][0]) if problem["loc"] else _whole(name)
                message = problem["msg"].removeprefix("Value error, ")
                invalid.setdefault(place, message)
    return (None if invalid else project.model_copy(update=parts)), invalid


def _whole(part: str) -> str:
    """The field beside which is shown what is wrong with several of a part together."""
    return "mix" if part == "annotation" else "annotate"
