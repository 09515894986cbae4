"""Questions whose answer is known: they are asked in between, to see who can be relied on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.core import layout
from pipeline.core.changing import change_file, load_file
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import Identifier, Moment, Preference, now
from pipeline.core.schema import Stored, describe
from pipeline.core.store import Store

MOST: Final = 5_000

ControlTask = Literal["thumbs", "pairwise", "rate", "exam"]

_ANSWER: Final[dict[ControlTask, str]] = {
    "thumbs": "label",
    "pairwise": "preference",
    "rate": "rating",
    "exam": "option",
}
_COMPLETIONS: Final[dict[ControlTask, int]] = {"thumbs": 1, "pairwise": 2, "rate": 1, "exam": 0}


class Control(BaseModel):
    """One question with its answer.

    Attributes:
        completion_ids: What it is about, in the order of their names: none (``exam``), one, or two.
        preference: ``pairwise``: ``left`` is the first of ``completion_ids``, ``right`` the second,
            whichever side an annotator sees them on.
        option: ``exam``: the text of the option that is right.
        note: Why, shown to the lead only.
        made_by: Who said so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: ControlTask
    sample_id: Identifier
    completion_ids: tuple[Identifier, ...] = ()
    label: bool | None = Field(default=None, strict=True)
    preference: Preference | None = None
    rating: int | None = Field(default=None, ge=1, le=5, strict=True)
    option: str | None = Field(default=None, max_length=4_000)
    note: str = Field(default="", max_length=4_000)
    made_by: str = Field(default="", max_length=200)
    made_at: Moment = Field(default_factory=now)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(set(self.completion_ids)) != _COMPLETIONS[self.task]:
            raise ValueError(
                f"a {self.task} control is about {_COMPLETIONS[self.task]} completions"
            )
        if list(self.completion_ids) != sorted(self.completion_ids):
            raise ValueError("completion_ids are not in the order of their names")
        given = {name for name in _ANSWER.values() if getattr(self, name) is not None}
        if given != {_ANSWER[self.task]}:
            raise ValueError(f"the answer of a {self.task} control is its {_ANSWER[self.task]}")
        return self

    @property
    def subject(self) -> tuple[str, str, tuple[str, ...]]:
        """What tells this question from others."""
        return (self.task, self.sample_id, self.completion_ids)

    @property
    def preferred(self) -> str | None:
        """``pairwise``: the completion that is better; None for a tie, or when both are bad."""
        if self.preference not in ("left", "right"):
            return None
        return self.completion_ids[0 if self.preference == "left" else 1]


class Controls(Stored):
    """Every control of a project, each question once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    FILE = layout.CONTROLS
    MOST_BYTES = 20_000_000

    controls: Annotated[tuple[Control, ...], Field(max_length=MOST)] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({control.subject for control in self.controls}) < len(self.controls):
            raise ValueError("a question is there twice")
        return self


def control(**fields: object) -> Control:
    """Make a control of fields that a person or a program gave.

    Raises:
        InvalidInput: Names every field that is wrong.
    """
    try:
        return Control.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(
            f"This cannot be a control question: {describe(error)}.", "Give its one right answer."
        ) from error


def load(store: Store) -> Controls:
    """The project's controls; none if there is no file."""
    return load_file(store, Controls, layout.CONTROLS)


def add(store: Store, new: Control) -> Controls:
    """Add a control, in the place of one for the same question.

    Raises:
        InvalidInput: There are too many.
    """

    def put(there: Controls) -> Controls:
        others = [one for one in there.controls if one.subject != new.subject]
        if len(others) >= MOST:
            raise InvalidInput(
                f"There are {len(others)} control questions, which is the most.",
                "Remove some first.",
            )
        return Controls(controls=(*others, new))

    return _change(store, put, "Add a control question")


def remove(store: Store, subject: tuple[str, str, tuple[str, ...]]) -> Controls:
    """Remove the control for the question ``subject``, if there is one."""

    def drop(there: Controls) -> Controls:
        return Controls(controls=tuple(one for one in there.controls if one.subject != subject))

    return _change(store, drop, "Remove a control question")


def _change(store: Store, change: Callable[[Controls], Controls], message: str) -> Controls:
    return change_file(store, Controls, layout.CONTROLS, change, message)
