"""Feedback: one event for each thing an annotator did, and the rule that folds events into state.

Events are only ever added. A later event of the same annotator on the same sample, task and
completion replaces the earlier one; ``withdrawn`` takes it back. Repeats and leads' verdicts are
apart from votes and replace only their own kind. A file written by another tool to
this contract is as good as one of ours.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, BinaryIO, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.core.schema import SCHEMA_VERSION, Task, describe, stable_id

MAX_LINE_BYTES: Final = 1_000_000
"""More than any event takes that keeps to the limits of its fields, however it is escaped."""

MAX_TEXT: Final = 20_000
MAX_OPTION: Final = 4_000

_STORED: Final = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{3}Z", re.ASCII)
"""A moment as ``timestamp`` writes it, which nearly all are."""

Status = Literal["submitted", "skipped", "flagged", "withdrawn"]
Preference = Literal["left", "right", "tie", "both_bad"]


def now() -> str:
    """The present moment as stored: ISO 8601, UTC, milliseconds."""
    return timestamp(datetime.now(UTC))


def instruction_slot(topic: str, perspective: str, number: int) -> str:
    """What stands for a sample where an instruction is written: place ``number`` of a cell."""
    return stable_id("instruction", topic, perspective, number)


def timestamp(moment: datetime) -> str:
    """``moment`` in the one form that sorts as text: UTC, milliseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _iso(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if _STORED.fullmatch(text):
        return text
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, such as Z")
    try:
        return timestamp(moment)
    except OverflowError as error:
        raise ValueError("a time outside the years that can be told") from error


Moment = Annotated[str, Field(max_length=40), AfterValidator(_iso)]
Identifier = Annotated[str, Field(min_length=1, max_length=200)]


class FeedbackEvent(BaseModel):
    """One row of the ``feedback`` config; fields that do not apply to the task are null.

    Attributes:
        sample_id: For ``instruction`` there is no sample: it is ``instruction_slot`` of the cell.
        text: ``edit``: the new text; ``instruction``: what was written; ``exam``: the corrected
            item as a JSON object with ``question``, ``answer`` and ``distractors``.
        option: ``exam``: the text of the option that is right.
        topic: ``instruction``: what it was written for, as is ``perspective``.
        verdict: A lead settles the question with it, whatever others said.
        repeat: The question had been answered by this person before and was asked again; such an
            answer is compared with the first and never counts as another vote.
    """

    model_config = ConfigDict(frozen=True)

    event_id: Identifier
    sample_id: Identifier
    task: Task
    annotator: Identifier
    status: Status
    completion_id: Identifier | None = None
    label: bool | None = None
    left_id: Identifier | None = None
    right_id: Identifier | None = None
    preference: Preference | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    text: str | None = Field(default=None, max_length=MAX_TEXT)
    option: str | None = Field(default=None, max_length=MAX_OPTION)
    reason: str | None = Field(default=None, max_length=200)
    comment: str | None = Field(default=None, max_length=4_000)
    topic: str | None = Field(default=None, max_length=300)
    perspective: str | None = Field(default=None, max_length=300)
    repeat: bool | None = None
    verdict: bool | None = None
    shown_at: Moment | None = None
    answered_at: Moment | None = None
    received_at: Moment
    duration_ms: int | None = Field(default=None, ge=0, le=86_400_000)
    guidelines_version: str | None = Field(default=None, max_length=40)
    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.task in ("thumbs", "rate", "edit") and self.completion_id is None:
            raise ValueError(f"a {self.task} event needs completion_id")
        if self.task == "pairwise" and not (
            self.left_id and self.right_id and self.left_id != self.right_id
        ):
            raise ValueError("a pairwise event needs two different sides, left_id and right_id")
        if self.status == "submitted":
            for name in _ANSWER[self.task]:
                if getattr(self, name) is None:
                    raise ValueError(f"a submitted {self.task} event needs {name}")
        return self

    def key(self) -> Key:
        """What the event is about: a newer event with the same key replaces this one.

        For pairs it is the two completions, whichever side each was shown on.
        """
        subject = self.completion_id
        if self.left_id and self.right_id:
            subject = "|".join(sorted((self.left_id, self.right_id)))
        return Key(
            self.annotator,
            self.sample_id,
            self.task,
            subject,
            bool(self.repeat),
            bool(self.verdict),
        )

    def to_line(self) -> str:
        """The event as one line of JSON, all fields present."""
        return json.dumps(self.model_dump(), ensure_ascii=False)


_ANSWER: Final[dict[str, tuple[str, ...]]] = {
    "thumbs": ("label",),
    "pairwise": ("preference",),
    "rate": ("rating",),
    "edit": ("text",),
    "instruction": ("text",),
    "exam": ("option",),
}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What one judgement is about.

    A repeated question is apart from its first asking, and what a lead decides with everybody's
    votes in view from what they voted before.
    """

    annotator: str
    sample_id: str
    task: str
    subject: str | None
    repeat: bool = False
    verdict: bool = False


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of a feedback file that could not be read; it is reported, never fatal."""

    file: str
    number: int
    reason: str

    def __str__(self) -> str:
        """For a report: where it is and what is wrong with it."""
        return f"{self.file}:{self.number}: {self.reason}"


Parsed: TypeAlias = FeedbackEvent | BadLine


def parse(data: bytes, file: str) -> Iterator[Parsed]:
    """Read a JSONL file, one event or one ``BadLine`` for each line that is not blank."""
    return parse_lines(io.BytesIO(data), file)


def parse_lines(lines: BinaryIO, file: str) -> Iterator[Parsed]:
    """Read a JSONL file as ``parse`` does, with one line of it in memory at a time."""
    number = 0
    while line := lines.readline(MAX_LINE_BYTES + 1):
        number += 1
        size = len(line.rstrip(b"\n"))
        if size > MAX_LINE_BYTES:
            while not line.endswith(b"\n") and (line := lines.readline(MAX_LINE_BYTES)):
                size += len(line.rstrip(b"\n"))
            yield BadLine(file, number, f"{size} bytes, more than {MAX_LINE_BYTES}")
            continue
        if not line.strip():
            continue
        try:
            yield FeedbackEvent.model_validate_json(line)
        except ValidationError as error:
            yield BadLine(file, number, describe(error, at_most=2))


@dataclass(slots=True)
class Feedback:
    """Folded feedback: the judgements that count now.

    Add events in any order, any number of times: the result is the same.
    """

    bad_lines: list[BadLine] = field(default_factory=list)
    event_ids: set[str] = field(default_factory=set)
    _newest: dict[Key, FeedbackEvent] = field(default_factory=dict)

    def add(self, parsed: Iterable[Parsed]) -> None:
        """Take in events and unreadable lines."""
        for item in parsed:
            if isinstance(item, BadLine):
                self.bad_lines.append(item)
                continue
            self.event_ids.add(item.event_id)
            key = item.key()
            known = self._newest.get(key)
            if known is None or is_newer(item, known):
                self._newest[key] = item

    def current(self) -> Iterator[FeedbackEvent]:
        """The newest event for each key, without those withdrawn."""
        return (event for event in self._newest.values() if event.status != "withdrawn")

    def newest(self, key: Key) -> FeedbackEvent | None:
        """The newest event for ``key``, also if it took an answer back."""
        return self._newest.get(key)

    def get(self, key: Key) -> FeedbackEvent | None:
        """The event that counts for ``key``, if there is one."""
        event = self._newest.get(key)
        return None if event is None or event.status == "withdrawn" else event


def is_newer(event: FeedbackEvent, known: FeedbackEvent) -> bool:
    """Tell whether ``event`` replaces ``known``, which has the same key.

    The id decides between equal times; the answer decides should an id be used twice.
    """
    mine, theirs = (event.received_at, event.event_id), (known.received_at, known.event_id)
    return mine > theirs if mine != theirs else content_order(event) > content_order(known)


def content_order(event: FeedbackEvent) -> tuple[int, int, str]:
    """Decides between events with one id, time and key: the larger answer, then anything else."""
    return (answer_number(event), _STATUSES.index(event.status), stable_id(event.model_dump()))


def answer_number(event: FeedbackEvent) -> int:
    """What was said, as a number from 0 to 5; 0 if nothing was.

    Thumbs are 0 or 1; a pair is 0 for the completion whose id sorts first, 2 for the other and 1
    for neither, whichever side each was shown on; a rating is itself.
    """
    if event.status != "submitted":
        return 0
    if event.task == "thumbs":
        return int(bool(event.label))
    if event.task == "rate":
        return event.rating or 0
    if event.task == "pairwise" and event.preference and event.left_id and event.right_id:
        side = _SIDES[event.preference]
        return side if event.left_id < event.right_id else 2 - side
    return 0


_SIDES: Final[dict[Preference, int]] = {"left": 0, "tie": 1, "both_bad": 1, "right": 2}
_STATUSES: Final = ("withdrawn", "skipped", "flagged", "submitted")
