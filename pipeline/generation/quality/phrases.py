"""Finds phrases of fixed lists in texts; the lists are data, in ``phrases.json``.

Plain searching instead of one large pattern: it takes a few milliseconds for a hundred kilobytes
whatever they hold.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_QUOTES: Final = "\"'“„«‘`"  # noqa: RUF001
_STRAIGHT: Final = str.maketrans("’‘ʼ", "'''")  # noqa: RUF001
_SENTENCE_ENDS: Final = ".!?。！？:\n"  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Overused:
    """What models say too often in one language: phrases tell more than single words."""

    phrases: tuple[str, ...]
    words: tuple[str, ...]

    def without_subject(self, holds_word: Callable[[str], bool]) -> Overused:
        """The lists without words of the subject, and without phrases that hold one."""
        own = tuple(word for word in self.words if holds_word(word))
        return Overused(
            tuple(
                phrase
                for phrase in self.phrases
                if not holds_word(phrase) and not any(holds(word, phrase) for word in own)
            ),
            tuple(word for word in self.words if word not in own),
        )


@dataclass(frozen=True, slots=True)
class Phrases:
    """The lists, in the form that ``plain`` gives to texts.

    Attributes:
        self_talk: A model speaks of itself; in every language, as models fall back to English.
        refusals: How a sentence that refuses begins.
        overused: By language.
        not_authors: Words that stand before a year in brackets but wrote nothing.
        studies: Words for a publication.
        makers: Words that lead from a publication to who made it.
        dangling: Words with which no sentence of the language ends.
    """

    self_talk: tuple[str, ...]
    refusals: tuple[str, ...]
    overused: Mapping[str, Overused]
    not_authors: frozenset[str]
    studies: tuple[str, ...]
    makers: tuple[str, ...]
    dangling: Mapping[str, frozenset[str]]


@cache
def phrases() -> Phrases:
    """The lists, read once."""
    data = json.loads(files(__package__ or "").joinpath("phrases.json").read_text("utf-8"))
    return Phrases(
        self_talk=_all(data["self_talk"]),
        refusals=_all(data["refusals"]),
        overused={
            language: Overused(tuple(lists["phrases"]), tuple(lists["words"]))
            for language, lists in data["overused"].items()
        },
        not_authors=frozenset(data["months"]),
        studies=tuple(data["studies"]),
        makers=tuple(data["makers"]),
        dangling={language: frozenset(words) for language, words in data["dangling"].items()},
    )


def plain(text: str) -> str:
    """The text as phrases are looked for: case, width, curly apostrophes and spacing do not count.

    Line ends stay, since a phrase at the start of a line starts a sentence.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_STRAIGHT)
    return "\n".join(" ".join(line.split()) for line in folded.splitlines())


def places(phrase: str, text: str, *, quoted: bool = False) -> Iterator[int]:
    """Where ``phrase`` stands in ``text`` as whole words; right after a quotation mark if asked."""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        before, after = text[at - 1 : at], text[end : end + 1]
        inside = (before.isalnum() and phrase[0].isalnum()) or (
            after.isalnum() and phrase[-1].isalnum()
        )
        if not inside and (quoted or not before or before not in _QUOTES):
            yield at
        at = text.find(phrase, end)


def holds(phrase: str, text: str, *, quoted: bool = False) -> bool:
    """Whether ``text`` holds ``phrase`` at all; both are ``plain``."""
    return next(places(phrase, text, quoted=quoted), None) is not None


def starts_sentence(phrase: str, text: str) -> bool:
    """Whether some sentence of ``text`` starts with ``phrase``."""
    return any(
        not (lead := text[:at].rstrip(" *_>")) or lead[-1] in _SENTENCE_ENDS
        for at in places(phrase, text)
    )


def _all(lists: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for found in lists.values() for phrase in found))
