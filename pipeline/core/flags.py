"""Marks that rules put on samples: their names, what they mean, and how they are stored.

A sample's ``flags`` hold ``name`` where its instruction is meant and ``name:completion_id`` where
one of its completions is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

FlagName = Literal[
    "duplicate",
    "near_duplicate",
    "same_meaning",
    "refusal",
    "overused_phrase",
    "unsupported_reference",
    "truncated",
    "wrong_language",
    "too_short",
    "too_long",
    "repeats_question",
    "answerable_closed_book",
]

FLAGS: Final[dict[FlagName, str]] = {
    "duplicate": "The instruction is another one's word for word.",
    "near_duplicate": "The instruction is nearly another one's words.",
    "same_meaning": "The instruction asks what another one asks.",
    "refusal": "The model refuses, or speaks of itself as an AI.",
    "overused_phrase": "It holds phrases that models use far too often.",
    "unsupported_reference": "It names a link or a publication that the model was not given.",
    "truncated": "The answer breaks off before its end.",
    "wrong_language": "It is not in the project's language.",
    "too_short": "The answer is shorter than the settings allow.",
    "too_long": "The answer is longer than the settings allow.",
    "repeats_question": "The answer begins by repeating the question.",
    "answerable_closed_book": "A model answers this exam question without its document.",
}
"""Every flag with its reason, in a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One mark.

    Attributes:
        name: Which.
        completion_id: The completion that is meant; None means the instruction.
    """

    name: str
    completion_id: str | None = None

    def __str__(self) -> str:
        return self.name if self.completion_id is None else f"{self.name}:{self.completion_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a stored mark; names that are not ours are kept as they are."""
        name, _, completion_id = text.partition(":")
        return cls(name, completion_id or None)

    @property
    def reason(self) -> str:
        """What it means, in a sentence."""
        return next((text for name, text in FLAGS.items() if name == self.name), self.name)
