"""From what a browser or a script sent to an event that may be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from annotate_space.board import Question
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import MAX_OPTION, MAX_TEXT, FeedbackEvent
from pipeline.core.schema import Task, describe

_ALWAYS: Final = frozenset(
    {
        "event_id",
        "ticket",
        "status",
        "reason",
        "comment",
        "shown_at",
        "answered_at",
        "duration_ms",
        "guidelines_version",
        "replaces",
    }
)
_NOT_KEPT: Final = frozenset({"ticket", "replaces"})
_ANSWER: Final[Mapping[Task, frozenset[str]]] = {
    "thumbs": frozenset({"label"}),
    "pairwise": frozenset({"preference"}),
    "rate": frozenset({"rating"}),
    "edit": frozenset({"text"}),
    "instruction": frozenset({"text"}),
    "exam": frozenset({"option", "text"}),
}

_Option = Annotated[str, Field(min_length=1, max_length=MAX_OPTION)]


class ExamItem(BaseModel):
    """An exam question as a reviewer corrected it."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    question: _Option
    answer: _Option
    distractors: list[_Option] = Field(max_length=10)


def can_be_answered(card: Mapping[str, Any]) -> bool:
    """Tell whether the texts of a card are short enough to come back in an answer."""
    if card["task"] == "edit":
        return all(len(answer["text"]) <= MAX_TEXT for answer in card["answers"])
    return all(len(option["text"]) <= MAX_OPTION for option in card["options"])


def to_event(
    raw: Mapping[str, Any],
    question: Question,
    *,
    annotator: str,
    received_at: str,
    exam_options: list[str],
) -> FeedbackEvent:
    """What ``annotator`` answered to ``question``.

    Args:
        raw: Fields as they arrived; who, what and when is never taken from them.
        question: What was asked.
        annotator: Who answered.
        received_at: When.
        exam_options: What could be chosen; empty for other tasks.

    Raises:
        InvalidInput: Names each field that is wrong.
    """
    if unknown := sorted(set(raw) - _ALWAYS - _ANSWER[question.task]):
        raise InvalidInput(
            f"An answer to {question.task} has no field {', '.join(map(repr, unknown))[:200]}.",
            "Leave it out.",
        )
    fields = {name: value for name, value in raw.items() if name not in _NOT_KEPT}
    fields.setdefault("status", "submitted")
    try:
        event = FeedbackEvent.model_validate(
            {
                **fields,
                **_subject(question),
                "annotator": annotator,
                "received_at": received_at,
            },
            strict=True,
        )
    except ValidationError as error:
        raise InvalidInput(f"This answer cannot be kept: {describe(error)}.", "") from error
    if event.status == "submitted":
        if question.task == "exam":
            _check_exam(event, exam_options)
        elif event.text is not None and not event.text.strip():
            raise InvalidInput("Nothing was written.", "Write something, or skip.")
    return event


def _subject(question: Question) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "sample_id": question.sample_id,
        "task": question.task,
        "repeat": question.repeat or None,
    }
    match question.completion_ids:
        case (left, right):
            fields |= {"left_id": left, "right_id": right}
        case (only,):
            fields["completion_id"] = only
    if question.task == "instruction":
        fields |= {"topic": question.topic, "perspective": question.perspective}
    return fields


def _check_exam(event: FeedbackEvent, options: list[str]) -> None:
    if event.text is None:
        if event.option not in options:
            raise InvalidInput("The option is none of those that were shown.", "Choose one.")
        return
    try:
        item = ExamItem.model_validate_json(event.text)
    except ValidationError as error:
        raise InvalidInput(f"The corrected item is incomplete: {describe(error)}.", "") from error
    texts = [item.answer, *item.distractors]
    if len({text.casefold() for text in texts}) < len(texts):
        raise InvalidInput("Two options of the corrected item are the same.", "Change one.")
    if event.option != item.answer:
        raise InvalidInput("The right option is not the corrected answer.", "Send the same text.")
