"""What leads decided, as it comes: the study of all votes learns of it later."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import Final

from annotate_space.votes import to_moment, to_number
from pipeline.core.feedback import FeedbackEvent, Key, is_newer
from pipeline.core.schema import Task

REMEMBERED: Final = 2_000
"""Verdicts of which all is known; of older ones only when they came and whether they stand."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a question lately.

    Attributes:
        completion_ids: One; for a pair both in the order of their ids; none for an exam.
        settled: Whether verdicts that agree stand for it.
        differ: Whether verdicts stand that do not agree.
    """

    task: Task
    sample_id: str
    completion_ids: tuple[str, ...]
    settled: bool
    differ: bool


class Verdicts:
    """The newest verdict of each lead on each question; events in any order; thread safe."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._guard = threading.Lock()
        self._recent: OrderedDict[Key, FeedbackEvent] = OrderedDict()
        # Moment and whether it stands, by the key's hash: a tenth of what the events take.
        self._known: dict[int, int] = {}

    def record(self, event: FeedbackEvent) -> None:
        """Take in a verdict, given or taken back."""
        key = event.key()
        moment = to_number(event.received_at)
        with self._guard:
            recent = self._recent.get(key)
            if recent is not None and not is_newer(event, recent):
                return
            if recent is None and self._known.get(hash(key), -1) >> 1 >= moment:
                return
            self._known[hash(key)] = moment << 1 | (event.status != "withdrawn")
            self._recent[key] = event
            if len(self._recent) > self._remembered:
                oldest = min(self._recent, key=lambda key: self._recent[key].received_at)
                del self._recent[oldest]

    def newest(self, key: Key) -> str | None:
        """When the newest verdict with this key was received, also if it was taken back."""
        with self._guard:
            known = self._known.get(hash(key))
        return None if known is None else to_moment(known >> 1)

    def stands(self, key: Key) -> bool:
        """Whether a verdict stands."""
        with self._guard:
            return bool(self._known.get(hash(key), 0) & 1)

    def standing(self, task: Task | None = None) -> list[FeedbackEvent]:
        """Those that stand and are remembered, of a task or all, the newest first."""
        with self._guard:
            every = list(self._recent.values())
        found = [one for one in every if one.status != "withdrawn" and task in (None, one.task)]
        return sorted(found, key=lambda one: one.received_at, reverse=True)

    def changes(self) -> list[Change]:
        """What became lately of each question that has or had a verdict."""
        with self._guard:
            every = list(self._recent.values())
        by_question: dict[tuple[Task, str, tuple[str, ...]], set[object]] = defaultdict(set)
        for event in every:
            answers = by_question[event.task, event.sample_id, completion_ids(event)]
            if event.status != "withdrawn":
                answers.add(_answer(event))
        return [
            Change(*question, settled=len(answers) == 1, differ=len(answers) > 1)
            for question, answers in by_question.items()
        ]


def completion_ids(event: FeedbackEvent) -> tuple[str, ...]:
    """What an event is about: one completion, two in the order of their ids, or none."""
    if event.left_id and event.right_id:
        return tuple(sorted((event.left_id, event.right_id)))
    return () if event.completion_id is None else (event.completion_id,)


def _answer(event: FeedbackEvent) -> object:
    if event.task == "pairwise":
        sides = {"left": event.left_id, "right": event.right_id}
        return sides.get(event.preference or "", event.preference)
    if event.task == "exam":
        return event.status, event.text or event.option
    return event.label if event.task == "thumbs" else event.rating
