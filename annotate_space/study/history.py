"""What one annotator did: their answers, how many, how fast, and whether they stay with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from annotate_space.study.material import Material
from pipeline.core.feedback import FeedbackEvent, Key, is_newer, timestamp
from pipeline.core.schema import TASKS, Task
from pipeline.curation.judgements import NO_ANSWER, STATUSES, Flags, Judgements, Numbers, preference

PAGE: Final = 15
LEAST_REPEATS: Final = 5
"""Of fewer, a figure would tell which answer was a repeat."""

_SUBMITTED, _SKIPPED, _FLAGGED, _ = range(len(STATUSES))
_COMPARED: Final[tuple[Task, ...]] = ("thumbs", "pairwise", "rate", "exam")
_ID: Final = "-"
"""Judgements do not hold the ids of their events."""


def history(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """A page of somebody's answers, newest first, with their counts and pace.

    What they settled as a lead is none of these.

    Args:
        material: The project.
        payload: ``annotator``; ``newer``: events that the project may not hold yet, one for each
            key; ``days``: moments, ISO 8601, at which the days to count begin, and the end of the
            last; ``task`` and ``kind`` (``flagged``, ``skipped`` or ``comment``), or None; ``page``
            from 0.

    Returns:
        ``tasks``: for each with anything its ``task``, ``today`` and ``in_all`` (answered or
        flagged), ``flagged``, ``skipped`` and ``seconds``, the median of an answer or None;
        ``days``: answers by day; ``again``: how many repeated questions were ``asked`` and have
        both answers, and how many of these are the ``same``, or None; ``found``: how many fit;
        ``page`` and the ``size`` of one; ``rows``: the page as ``FeedbackEvent``, ids apart.
    """
    own = _Own.of(material.reading().judgements, payload["annotator"], payload["newer"])
    bounds = [datetime.fromisoformat(moment) for moment in payload["days"]]
    days = np.array([moment.timestamp() * 1000 for moment in bounds], dtype=np.int64)
    fits = own.that(payload["task"], payload["kind"])
    found = np.flatnonzero(fits)
    found = found[np.argsort(-own.received[found], kind="stable")]
    page = min(payload["page"], max(0, len(found) - 1) // PAGE)
    return {
        "tasks": list(own.tasks(days)),
        "days": own.by_day(days),
        "again": own.again(),
        "found": len(found),
        "page": page,
        "size": PAGE,
        "rows": [own.event(at) for at in found[page * PAGE : (page + 1) * PAGE].tolist()],
    }


@dataclass(frozen=True, slots=True)
class _Own:
    """One person's answers as they count now: rows of the project, then what is newer.

    Attributes:
        rows: Of ``judgements``.
        newer: Events in the place of some of these, or beside them.
        received: Milliseconds since 1970.
        duration: Milliseconds, -1 if not told.
        by_key: Where the answers stand that are repeated or newer.
    """

    judgements: Judgements
    rows: Numbers
    newer: list[FeedbackEvent]
    received: Numbers
    task: npt.NDArray[np.int8]
    status: npt.NDArray[np.int8]
    repeat: Flags
    comment: Flags
    duration: Numbers
    by_key: dict[Key, int]

    @classmethod
    def of(cls, judgements: Judgements, annotator: str, newer: Sequence[FeedbackEvent]) -> _Own:
        rows = _rows_of(judgements, annotator)
        sample = judgements.column("sample", np.int32)[rows]
        repeat = judgements.column("repeat", np.bool_)[rows]
        places = {judgements.find(event.sample_id) for event in newer}
        known = np.isin(sample, [*places, *sample[repeat].tolist()])
        by_key = {_event(judgements, row).key(): row for row in rows[known].tolist()}
        gone: set[int] = set()
        standing: list[FeedbackEvent] = []
        for event in newer:
            row = by_key.get(event.key())
            if row is not None:
                if not is_newer(event, _event(judgements, row)):
                    continue
                gone.add(row)
            if event.status != "withdrawn":
                standing.append(event)
        rows = rows[~np.isin(rows, list(gone))]
        place_of = {row: at for at, row in enumerate(rows.tolist())}
        by_key = {key: place_of[row] for key, row in by_key.items() if row in place_of}
        by_key |= {event.key(): len(rows) + at for at, event in enumerate(standing)}

        def both(
            column: npt.NDArray[Any], of: Callable[[FeedbackEvent], float | None]
        ) -> npt.NDArray[Any]:
            return np.concatenate([column[rows], np.array([*map(of, standing)], column.dtype)])

        moments = judgements.frame["received"].to_numpy("datetime64[ms]").astype(np.int64)
        return cls(
            judgements,
            rows,
            standing,
            both(moments, lambda event: _milliseconds(event.received_at)),
            both(judgements.codes("task").astype(np.int8), lambda e: TASKS.index(e.task)),
            both(judgements.codes("status").astype(np.int8), lambda e: STATUSES.index(e.status)),
            both(judgements.column("repeat", np.bool_), lambda event: bool(event.repeat)),
            both(judgements.column("has_comment", np.bool_), lambda event: bool(event.comment)),
            both(
                judgements.column("duration", np.int64),
                lambda event: -1 if event.duration_ms is None else event.duration_ms,
            ),
            by_key,
        )

    def event(self, at: int) -> FeedbackEvent:
        """One of the answers."""
        if at >= len(self.rows):
            return self.newer[at - len(self.rows)]
        return _event(self.judgements, int(self.rows[at]))

    def that(self, task: Task | None, kind: str | None) -> Flags:
        """Which answers are of a task and of a kind."""
        fits = np.ones(len(self.task), dtype=np.bool_)
        if task is not None:
            fits &= self.task == TASKS.index(task)
        if kind == "flagged":
            fits &= self.status == _FLAGGED
        elif kind == "skipped":
            fits &= self.status == _SKIPPED
        elif kind == "comment":
            fits &= self.comment
        return fits

    def tasks(self, days: Numbers) -> Iterator[dict[str, Any]]:
        """What was done of each task."""
        given = self.status != _SKIPPED
        today = given & (self.received >= days[-2]) & (self.received < days[-1])
        timed = (self.status == _SUBMITTED) & (self.duration > 0)
        for number, task in enumerate(TASKS):
            mine = self.task == number
            if not mine.any():
                continue
            durations = self.duration[mine & timed]
            yield {
                "task": task,
                "today": int((mine & today).sum()),
                "in_all": int((mine & given).sum()),
                "flagged": int((mine & (self.status == _FLAGGED)).sum()),
                "skipped": int((mine & ~given).sum()),
                "seconds": float(np.median(durations)) / 1000 if len(durations) else None,
            }

    def by_day(self, days: Numbers) -> list[int]:
        """Answers given from each moment of ``days`` to the next."""
        given = np.sort(self.received[self.status != _SKIPPED])
        counts: list[int] = np.diff(np.searchsorted(given, days)).tolist()
        return counts

    def again(self) -> dict[str, int] | None:
        """How many questions were answered twice, and how many of these the same both times."""
        chosen = self.repeat & (self.status == _SUBMITTED)
        chosen &= np.isin(self.task, [TASKS.index(task) for task in _COMPARED])
        same: list[bool] = []
        for at in np.flatnonzero(chosen).tolist():
            second = self.event(at)
            place = self.by_key.get(replace(second.key(), repeat=False))
            if place is not None and self.status[place] == _SUBMITTED:
                same.append(_said(self.event(place)) == _said(second))
        return {"asked": len(same), "same": sum(same)} if len(same) >= LEAST_REPEATS else None


def _rows_of(judgements: Judgements, annotator: str) -> Numbers:
    names = judgements.frame["annotator"].cat.categories
    if annotator not in names:
        return np.zeros(0, dtype=np.int64)
    own = judgements.codes("annotator") == names.get_loc(annotator)
    return np.flatnonzero(own & ~judgements.column("verdict", np.bool_))


def _event(judgements: Judgements, row: int) -> FeedbackEvent:
    """A row as an event; its id, and when it was shown and answered, are not told."""
    value = judgements.value
    task, answer, first_left = (value(name, row) for name in ("task", "answer", "first_left"))
    completion, left, right = (
        None if (place := value(name, row)) < 0 else judgements.completion(place)
        for name in ("completion", "first", "second")
    )
    if first_left == 0:
        left, right = right, left
    told = answer != NO_ANSWER
    received = value("received", row).to_pydatetime()
    return FeedbackEvent(
        event_id=_ID,
        sample_id=judgements.samples[value("sample", row)].as_py(),
        task=task,
        annotator=value("annotator", row),
        status=value("status", row),
        completion_id=completion,
        label=bool(answer) if task == "thumbs" and told else None,
        left_id=left,
        right_id=right,
        preference=preference(answer, first_left) if task == "pairwise" and told else None,
        rating=answer if task == "rate" and told else None,
        text=judgements.text(row),
        option=value("option", row),
        reason=value("reason", row),
        comment=judgements.comment(row),
        topic=value("topic", row),
        perspective=value("perspective", row),
        repeat=value("repeat", row) or None,
        received_at=timestamp(received),
        duration_ms=None if (duration := value("duration", row)) < 0 else duration,
    )


def _said(event: FeedbackEvent) -> tuple[object, ...]:
    """The answer, whichever side each completion of a pair was shown on."""
    chosen: object = event.preference
    if event.preference in ("left", "right"):
        chosen = event.left_id if event.preference == "left" else event.right_id
    return (event.label, chosen, event.rating, event.option)


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
