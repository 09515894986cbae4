"""A text cut into passages: the same for ever, each with its place in the text."""

from __future__ import annotations

import re
from typing import Final

from pipeline.core.schema import Span

USUAL: Final = 1_200
"""Characters of a passage."""
MOST: Final = 1_500
"""Of the last one, which takes what would be too short to stand alone."""

_HEADING: Final = re.compile(r"\n(?=#{1,6} \S)")
_PARAGRAPH: Final = re.compile(r"\n\n")
_SENTENCE: Final = re.compile(r"(?<=[.!?…])[\"'”’»)\]]{0,3}\s|(?<=[。！？｡])[」』”’）]{0,3}")  # noqa: RUF001
_LINE: Final = re.compile(r"\n")
_WORD: Final = re.compile(r"\s")
_BREAKS: Final = (
    (_HEADING, USUAL // 3),
    (_PARAGRAPH, USUAL // 2),
    (_SENTENCE, USUAL // 2),
    (_LINE, USUAL // 3),
    (_WORD, USUAL // 3),
)
"""Where a passage may end, the best first, and how long it must be by then."""


def passages(text: str) -> list[Span]:
    """The passages of a text, in order; all of it but white space is in exactly one.

    None begins or ends with white space. A text without any gives none.
    """
    found = []
    start = _skip(text, 0)
    while start < len(text):
        end = _end(text, start)
        last = end
        while text[last - 1].isspace():
            last -= 1
        found.append(Span(start=start, end=last))
        start = _skip(text, end)
    return found


def _end(text: str, start: int) -> int:
    """Where the passage that begins at ``start`` ends."""
    if len(text) - start <= MOST:
        return len(text)
    most = start + USUAL
    for pattern, least in _BREAKS:
        ends = [found.end() for found in pattern.finditer(text, start + least, most)]
        if ends:
            return ends[-1]
    return most


def _skip(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start
