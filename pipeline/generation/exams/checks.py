"""What makes an exam question unfit, as far as its text and its passage tell.

A fault's reason is a sentence that a model can act on: it is sent back once with it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from pipeline.generation.exams.items import Item
from pipeline.generation.grounding import terms
from pipeline.generation.language import in_language

WRONG_ANSWERS: Final = 3
LONGEST_QUESTION: Final = 600
LONGEST_OPTION: Final = 300
_SHORTEST_QUESTION: Final = 10

_LONGER: Final = 1.5
_LONGER_BY: Final = 12
"""An answer is markedly longest if it is this many times and this many characters longer than
every other option."""
_COPIED: Final = 2
"""Words of the question that the answer has, more than any other option, from which it is told."""
_SUPPORT: Final = 0.5
"""Share of the answer's words that must be in the passage."""
_GAP: Final = "___"

_FIGURE: Final = re.compile(r"\d+(?:[.,’' \u00a0]\d+)*")  # noqa: RUF001 - a sign between thousands
_PUNCTUATION: Final = re.compile(r"[^\w%°$€£+\-/²³.,]+|(?<!\d)[.,]+|[.,]+(?!\d)")
_ARTICLE: Final = re.compile(r"\b(an?)\s+_{2,}", re.IGNORECASE)

Kind = Literal[
    "unreadable",
    "distractors",
    "same options",
    "too long",
    "wrong language",
    "speaks of the text",
    "several at once",
    "told by length",
    "told by wording",
    "told by form",
    "not supported",
    "duplicate",
    "several right",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a question is not kept.

    Attributes:
        kind: As failures are counted.
        reason: What to do better, in a sentence.
    """

    kind: Kind
    reason: str


def fault_of(item: Item, passage: str, language: str) -> Fault | None:
    """The first thing that is wrong with a question about ``passage``; None if nothing is."""
    return next(_faults(item, passage, language), None)


def same(one: str, other: str) -> bool:
    """Whether two options say the same but for case, width, spacing and punctuation."""
    return _folded(one) == _folded(other)


def _faults(item: Item, passage: str, language: str) -> Iterator[Fault]:
    yield from _options(item)
    yield from _lengths(item)
    yield from _phrases_in(item)
    yield from _told(item)
    yield from _unsupported(item, passage, language)


def _options(item: Item) -> Iterator[Fault]:
    count = len(item.distractors)
    if count != WRONG_ANSWERS:
        yield Fault("distractors", f"it has {count} wrong answers and needs exactly three.")
    folded = [_folded(option) for option in item.options]
    if not all(folded):
        yield Fault("distractors", "an option has nothing in it but punctuation.")
    if folded[0] in folded[1:]:
        yield Fault("same options", "the right answer is among the wrong ones.")
    if len(set(folded)) < len(folded):
        yield Fault("same options", "two of the wrong answers are the same.")


def _lengths(item: Item) -> Iterator[Fault]:
    if not _SHORTEST_QUESTION <= len(item.question) <= LONGEST_QUESTION:
        yield Fault("too long", f"the question must have 10 to {LONGEST_QUESTION} characters.")
    if max(map(len, item.options)) > LONGEST_OPTION:
        yield Fault("too long", f"an option has more than {LONGEST_OPTION} characters.")


def _phrases_in(item: Item) -> Iterator[Fault]:
    whole = unicodedata.normalize("NFKC", "\n".join((item.question, *item.options))).casefold()
    for pattern in _patterns("source"):
        if found := pattern.search(whole):
            yield Fault(
                "speaks of the text",
                f"“{found[0]}” speaks of a text that whoever is asked does not see; ask about the "
                "matter itself.",
            )
    for option in item.options:
        folded = unicodedata.normalize("NFKC", option).casefold()
        if any(pattern.search(folded) for pattern in _patterns("several")):
            yield Fault("several at once", f"“{option}” speaks of other options.")


def _told(item: Item) -> Iterator[Fault]:
    """Signs by which the answer is found without knowing anything."""
    longest = max(map(len, item.distractors), default=0)
    length = len(item.answer)
    if length > _LONGER * longest and length >= longest + _LONGER_BY:
        yield Fault(
            "told by length",
            "the right answer is much longer than the wrong ones; make all options alike in "
            "length and detail.",
        )
    asked = set(terms(item.question))
    own = _own_words(item)
    copied = [len(asked & words) for words in own]
    if copied[0] >= max(copied[1:], default=0) + _COPIED or (
        copied[0] and copied[0] == len(own[0]) and not any(copied[1:])
    ):
        yield Fault(
            "told by wording",
            "the right answer repeats words of the question that no wrong answer has.",
        )
    if article := _ARTICLE.search(item.question):
        fits = [_takes_an(option) == (article[1].casefold() == "an") for option in item.options]
        if fits[0] and not any(fits[1:]):
            yield Fault(
                "told by form",
                f"only the right answer fits after “{article[1]}”; write “a/an”, or change the "
                "options.",
            )
    for what, has in (("a figure", _has_figure), ("a full stop", _has_stop)):
        marks = [has(option) for option in item.options]
        if marks[0] and not any(marks[1:]):
            yield Fault(
                "told by form", f"only the right answer has {what}; give all options one form."
            )


def _unsupported(item: Item, passage: str, language: str) -> Iterator[Fault]:
    known = _known_figures(passage)
    for figure, whole, parts in _figures(item.answer):
        if whole not in known and not parts <= known:
            yield Fault("not supported", f"the passage does not say {figure}.")
    for part in (item.question, " ".join(item.options)):
        if in_language(part, language) is False:
            yield Fault("wrong language", "it is not in the language that was asked for.")
    if in_language(passage, language) is False:
        return  # a translation shares no words with its source
    told = set(terms(passage))
    answer = {word for word in terms(item.answer) if not word.isdigit()}
    if answer and len(answer & told) < _SUPPORT * len(answer):
        yield Fault("not supported", "the passage does not say what the right answer says.")
    asked = {word for word in terms(item.question) if not word.isdigit()}
    if asked and not (asked | answer) & told:
        yield Fault("not supported", "the passage is about something else.")


def _own_words(item: Item) -> list[set[str]]:
    """The words of each option that not all of them have: what tells them apart."""
    words = [set(terms(option)) for option in item.options]
    common = set.intersection(*words) if words else set()
    return [found - common for found in words]


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_PUNCTUATION.sub(" ", text).split()).rstrip(" -/")


def _takes_an(option: str) -> bool:
    return option.strip()[:1].casefold() in tuple("aeiou")


def _has_figure(text: str) -> bool:
    return any(map(str.isdigit, text))


def _has_stop(text: str) -> bool:
    return text.rstrip().endswith((".", "。"))


def _figures(text: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    """The figures in a text: as written, without the signs between digits, and their parts.

    Languages differ in those signs, and a space may be one or stand between two figures.
    """
    for match in _FIGURE.findall(unicodedata.normalize("NFKC", text)):
        parts = [part.lstrip("0") or "0" for part in re.split(r"\D+", match)]
        yield match, re.sub(r"\D", "", match) if len(parts) > 1 else parts[0], frozenset(parts)


def _known_figures(text: str) -> set[str]:
    known = _figures_in_words(text)
    for _, whole, parts in _figures(text):
        known |= {whole, *parts}
    return known


def _figures_in_words(text: str) -> set[str]:
    words = set(re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", text).casefold()))
    return {figure for figure, *names in _phrases()["numbers"] if words.intersection(names)}


@cache
def _patterns(name: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.MULTILINE) for pattern in _phrases()[name])


@cache
def _phrases() -> dict[str, Any]:
    text = files(__package__).joinpath("phrases.json").read_text(encoding="utf-8")
    phrases: dict[str, Any] = json.loads(text)
    return phrases
