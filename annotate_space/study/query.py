"""What somebody typed to search for, and where a text has it."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from annotate_space.cards import rendered

MOST_TERMS: Final = 32
_SHORTEST_BEGINNING: Final = 2
"""Characters from which a word also finds those that begin with it."""
_BEFORE: Final = 70
_MOST_HITS: Final = 500

_WORD: Final = re.compile(r"[^\W_]+")
_PART: Final = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
_QUOTES: Final = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_WITHIN: Final = re.compile(r"</?(?:a|code|del|em|s|strong)\b[^>]*>")
"""Markup within a word or between words; all other stands between lines."""
_TAG: Final = re.compile(r"<[^>]*>")
_SPACE: Final = re.compile(r"\s+")

Segment = list[Any]
"""A piece of a text, and whether it is what was searched for."""


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow one another; ``begins``: the last may go on."""

    words: tuple[str, ...]
    begins: bool

    def in_fts(self) -> str:
        """As SQLite's FTS5 is asked; nothing but letters and digits is ever between the quotes."""
        return f'"{" ".join(self.words)}"' + ("*" if self.begins else "")

    def length_at(self, found: list[str], at: int) -> int:
        """How many words from ``at`` on are this term: its own, or 0."""
        size = len(self.words)
        if tuple(found[at : at + size - 1]) != self.words[:-1] or at + size > len(found):
            return 0
        last = found[at + size - 1]
        same = last.startswith(self.words[-1]) if self.begins else last == self.words[-1]
        return size if same else 0


@dataclass(frozen=True, slots=True)
class Query:
    """All of ``wanted`` and none of ``unwanted``; empty where nothing was asked for.

    A word also finds those that begin with it, a minus before it leaves out what has it. Between
    quotes are words as they follow one another. Case, accents and punctuation do not count.
    """

    wanted: tuple[Term, ...] = ()
    unwanted: tuple[Term, ...] = ()

    @classmethod
    def of(cls, text: str) -> Query:
        """Read what was typed; there is nothing that cannot be read."""
        sides: tuple[list[Term], list[Term]] = ([], [])
        for minus, quoted, bare in _PART.findall(text.translate(_QUOTES)):
            words = tuple(folded(word) for word in _WORD.findall(_composed(quoted or bare)))
            if words and len(sides[0]) + len(sides[1]) < MOST_TERMS:
                begins = bool(bare) and len(words[-1]) >= _SHORTEST_BEGINNING
                sides[bool(minus)].append(Term(words, begins))
        return cls(tuple(sides[0]), tuple(sides[1]))

    def hits(self, text: str) -> Iterator[tuple[int, int]]:
        """Where ``text`` has what is wanted, in order, without overlaps."""
        if not self.wanted:
            return
        places = [(found.start(), found.end()) for found in _WORD.finditer(text)]
        words = [folded(text[start:end]) for start, end in places]
        at = 0
        while at < len(words):
            length = max(term.length_at(words, at) for term in self.wanted)
            if length:
                yield places[at][0], places[at + length - 1][1]
            at += length or 1

    def excerpt(self, markdown: str, length: int) -> list[Segment]:
        """About ``length`` characters of a text, in one line, around what is found first."""
        text = plain(markdown)
        hits = [hit for hit, _ in zip(self.hits(text), range(_MOST_HITS), strict=False)]
        start = max(0, min(hits[0][0] - _BEFORE, len(text) - length)) if hits else 0
        if start:
            start = text.find(" ", start, start + _BEFORE) + 1 or start
        end = len(text)
        if end - start > length:
            end = start + length
            end = max(text.rfind(" ", start + length // 2, end), start + length // 2)
        segments: list[Segment] = [["… ", False]] if start else []
        at = start
        for first, last in hits:
            if at <= first < last <= end:
                segments += [[text[at:first], False], [text[first:last], True]]
                at = last
        segments.append([text[at:end] + (" …" if end < len(text) else ""), False])
        return [segment for segment in segments if segment[0]]

    def found_in(self, texts: list[str]) -> list[str]:
        """What is found in texts, as it is written there, each once."""
        found: dict[str, None] = {}
        for text in texts:
            for (start, end), _ in zip(self.hits(text), range(_MOST_HITS), strict=False):
                found[text[start:end]] = None
        return list(found)


@lru_cache(maxsize=20_000)
def folded(word: str) -> str:
    """A word as it is compared: without case and accents."""
    parts = unicodedata.normalize("NFD", word.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def plain(markdown: str) -> str:
    """A text in one line without its markup."""
    text = _TAG.sub(" ", _WITHIN.sub("", rendered(markdown)))
    return _SPACE.sub(" ", html.unescape(text)).strip()


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
