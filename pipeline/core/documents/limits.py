"""How much a project may hold, and why a document is refused."""

from __future__ import annotations

from typing import Final, Literal

from pipeline.core.errors import InvalidInput

MOST_BYTES: Final = 20_000_000
"""Of one file; also what a Space takes as an upload."""
MOST_CHARACTERS: Final = 2_000_000
"""Of one document's text: a book of a thousand pages."""
MOST_IN_ALL: Final = 10_000_000
"""Characters of all documents in use; a run holds them in memory."""
MOST_DOCUMENTS: Final = 200
"""In use."""

Reason = Literal[
    "broken",
    "empty",
    "encrypted",
    "kind",
    "no_text",
    "too_heavy",
    "too_large",
    "too_long",
    "too_many",
    "too_much",
    "too_slow",
]

_WORDS: Final[dict[Reason, tuple[str, str]]] = {
    "broken": (
        "{name} is damaged, or is no such file.",
        "Open it where it was made, save it anew, and add that file.",
    ),
    "empty": ("{name} is empty.", "Choose the file that has the text."),
    "encrypted": (
        "{name} is protected with a password.",
        "Save a copy without the password and add that.",
    ),
    "kind": (
        "{name} is none of the kinds that can be read.",
        "Save it as PDF, Word (.docx), HTML, Markdown or plain text.",
    ),
    "no_text": (
        "There is no text in {name}; it may be pictures of pages.",
        "Run text recognition (OCR) on it first, then add the result.",
    ),
    "too_heavy": (
        "{name} takes up far more room than its size tells, so it was not opened.",
        "Save it anew where it was made, or as plain text.",
    ),
    "too_large": (
        "{name} is too large: a file may have {most}.",
        "Split it, or save it without pictures.",
    ),
    "too_long": (
        "{name} is too long: a document may have {most} characters.",
        "Split it into parts.",
    ),
    "too_many": (
        "{name} was not added: there may be {most} documents.",
        "Remove some that are no longer needed.",
    ),
    "too_much": (
        "{name} was not added: all documents together may have {most} characters.",
        "Remove some that are no longer needed.",
    ),
    "too_slow": (
        "{name} could not be read in {most} seconds.",
        "Save it anew where it was made, or as plain text.",
    ),
}


class Refused(InvalidInput):
    """A document cannot be taken.

    Attributes:
        reason: Why, for whoever says it in another language.
        name: The document as the person calls it.
        most: The limit that it passes, as words, where there is one.
    """

    def __init__(self, reason: Reason, name: str, most: str = "") -> None:
        problem, next_step = _WORDS[reason]
        super().__init__(problem.format(name=name, most=most), next_step)
        self.reason: Reason = reason
        self.name = name
        self.most = most
