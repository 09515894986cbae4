"""Tells whether a text breaks off before its end.

Answers may end in a list item, a table, code or a link, without a full stop. So each sign is one
that a whole text does not show: something opened and not closed, or a paragraph without an end
among others that have one.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.generation.quality.phrases import phrases, plain

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:(?P<number>\d{1,3})[.)]|[-*+•–])(?:[ \t]+(?P<text>.*))?$")  # noqa: RUF001
_HEADING = re.compile(r"^#{1,6}\s|^\*\*[^*]{1,200}\*\*:?$")
_LINK_AT_END = re.compile(r"(?:https?://|www\.)\S{1,2000}\Z")
_TABLE_LINE = re.compile(r"^\s*\|")
_ENDS: Final = frozenset(".!?…。！？｡।॥؟۔።။៕\"'”’»›)]}）】」』`*_~|>:%°²³€$✓✔")  # noqa: RUF001
"""What a whole text may end with besides letters and digits."""

_STOPS: Final = frozenset(".!?…。！？｡।॥؟۔።")  # noqa: RUF001
_OPEN: Final = frozenset("([{（【「『“„«¿¡,，、&+=/\\")  # noqa: RUF001
"""What no whole text ends with."""

_WITHOUT_STOPS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
"""Thai, Lao, Burmese and Khmer do not close a text with a mark."""

_PARAGRAPH: Final = 80
"""Characters from which a last line is a paragraph rather than a title, a name or an entry."""


def breaks_off(text: str, language: str) -> bool:
    """Whether ``text`` in ``language``, a BCP 47 tag, ends in the midst of something."""
    lines = text.rstrip().splitlines()
    return bool(lines) and (_open_fence(text) or _bare_item(lines) or _stops_short(lines, language))


def _stops_short(lines: list[str], language: str) -> bool:
    """Whether the last line lacks its end."""
    last = lines[-1].strip()
    if _FENCE.match(last) or _HEADING.match(last) or _LINK_AT_END.search(last):
        return False
    if _TABLE_LINE.match(last):
        return len(lines) > 1 and lines[-2].rstrip().endswith("|") and not last.endswith("|")
    return _open_end(last, language) or _without_end(lines)


def _open_fence(text: str) -> bool:
    """Whether a code block is open at the end; only a longer or equal fence closes one."""
    fence = ""
    for match in _FENCE.finditer(text):
        mark = match[1]
        if not fence:
            fence = mark
        elif mark.startswith(fence):
            fence = ""
    return bool(fence)


def _bare_item(lines: list[str]) -> bool:
    """Whether the last line is a list's marker without its text, as in "4."."""
    item = _ITEM.match(lines[-1])
    if item is None or (item["text"] or "").strip("*_ "):
        return False
    if item["number"] is None:
        return any(_ITEM.match(line) for line in lines[:-1])
    before = [match["number"] for match in map(_ITEM.match, lines[:-1]) if match]
    return str(int(item["number"]) - 1) in before


def _open_end(last: str, language: str) -> bool:
    """Whether the last line ends in a comma, an opening bracket or a word that leads on."""
    words = last.split()
    if len(words) <= 3:  # such as "Yours sincerely,"
        return False
    if last[-1] in _OPEN:
        return True
    dangling = phrases().dangling.get(language.partition("-")[0].lower(), frozenset())
    return words[-1].islower() and plain(words[-1]) in dangling


def _without_end(lines: list[str]) -> bool:
    """Whether the last line is prose that lacks the full stop that prose around it has."""
    last = lines[-1].strip()
    if last[-1] in _ENDS or not last[-1].isalnum() or _WITHOUT_STOPS.match(last[-1]):
        return False
    item = _ITEM.match(lines[-1])
    if item is not None:
        others = [line.rstrip() for line in lines[:-1] if _ITEM.match(line)]
        stopped = len(others) > 1 and all(line[-1] in _STOPS for line in others)
        return stopped and _sentences_within(last)
    return len(last) >= _PARAGRAPH and (
        _sentences_within(last) or any(line.rstrip()[-1:] in _STOPS for line in lines[:-1])
    )


def _sentences_within(line: str) -> bool:
    return re.search(r"\w{3}[.!?](?:\s)|[。！？]", line) is not None  # noqa: RUF001
