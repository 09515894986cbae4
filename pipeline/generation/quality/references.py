"""Finds what a text refers to outside itself: links, DOIs, arXiv papers, citations and studies.

A model that cannot look anything up invents references readily, so only those count as supported
that stand in what it was given. The patterns are bounded: no text makes them slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Final

from pipeline.generation.quality.phrases import holds, phrases, plain

_MOST: Final = 200
"""References of one kind looked at in a text; one that is not supported is enough to know."""

_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'`(){}\[\]|*]{3,2000}", re.IGNORECASE)
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>()\[\]{}|*]{2,200}")
_ARXIV = re.compile(r"\barxiv[:\s]\s{0,3}(\d{4}\.\d{4,5})", re.IGNORECASE)
_BRACKETS = re.compile(r"\(([^()\n]{6,200})\)")
_YEAR = re.compile(r"\b(?:1[89]|20)\d\d[a-z]?\b")
_NAME: Final = r"[^\W\d_a-zß-öø-ÿ][\w'’-]{1,40}"  # noqa: RUF001
_AND: Final = r"(?:&|and|y|e|et|und|en)"
_IN_BRACKETS = re.compile(
    rf"\s*(?:(?:see|cf\.|e\.g\.,?)\s+)?(?P<name>{_NAME})"
    rf"(?P<others>(?:,? et al\.?|(?:,\s{_NAME}){{0,6}},?\s{_AND}\s{_NAME})?)"
    rf"(?P<comma>,?)\s(?P<year>(?:1[89]|20)\d\d)[a-z]?(?:,\s?(?:pp?\.|S\.)?\s?[\d–-]{{1,12}})?\s*"  # noqa: RUF001
)
_NARRATIVE = re.compile(rf"(?P<name>{_NAME}),? et al\.?,?\s?[(\[]?(?P<year>(?:1[89]|20)\d\d)")
_PLACEHOLDER = re.compile(
    r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|example\.(?:com|org|net)"
    r"|(?:[\w.-]+\.)?(?:example|test|invalid|localhost|local|example\.(?:com|org|net)))"
    r"(?::\d+)?(?:/|\Z)"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the model was given, so what it may refer to.

    Attributes:
        texts: All of it, as ``plain`` writes it.
        links: Links, DOIs and arXiv numbers in it.
    """

    texts: tuple[str, ...]
    links: frozenset[str]

    @classmethod
    def of(cls, *texts: str) -> Known:
        """Gather it."""
        joined = "\n".join(text for text in texts if text)
        return cls((plain(joined),), frozenset(_links(joined)))

    def with_texts(self, *texts: str) -> Known:
        """This and more."""
        more = Known.of(*texts)
        return Known(self.texts + more.texts, self.links | more.links)

    def holds_link(self, link: str) -> bool:
        """Whether it holds the link, or one below it."""
        return link in self.links or (
            "/" not in link and any(other.startswith(f"{link}/") for other in self.links)
        )

    def holds_words(self, *phrases: str) -> bool:
        """Whether it holds each of the words or phrases, be they quoted or not."""
        return all(
            any(holds(plain(phrase), text, quoted=True) for text in self.texts)
            for phrase in phrases
        )


def unsupported(text: str, known: Known) -> bool:
    """Whether ``text`` names a link or a publication that ``known`` does not hold."""
    if any(not known.holds_link(link) for link in islice(_links(text), _MOST)):
        return True
    found = islice(_citations(text), _MOST)
    return any(not known.holds_words(*citation) for citation in found)


def _links(text: str) -> Iterator[str]:
    """Links without scheme and closing punctuation, DOIs, and arXiv numbers."""
    for match in _URL.finditer(text):
        link = re.sub(r"\A(?:https?://)?(?:www\.)?", "", match[0].lower())
        link = link.rstrip(".,;:!?/…_~)")
        if link and not _PLACEHOLDER.match(link):
            yield link
    for match in _DOI.finditer(text):
        yield match[0].lower().rstrip(".,;:!?/")
    for match in _ARXIV.finditer(text):
        yield match[1]


def _citations(text: str) -> Iterator[tuple[str, ...]]:
    """Name and year of each citation and each study."""
    for match in _BRACKETS.finditer(text):
        for part in match[1].split(";"):
            cited = _IN_BRACKETS.fullmatch(part)
            if cited and (cited["others"] or cited["comma"]) and _wrote(cited["name"]):
                yield cited["name"], cited["year"]
    for match in _NARRATIVE.finditer(text):
        yield match["name"], match["year"]
    yield from _studies(text)


def _wrote(name: str) -> bool:
    return plain(name) not in phrases().not_authors


def _studies(text: str) -> Iterator[tuple[str, ...]]:
    """Sentences such as "a study by the University of Turin (2018)"."""
    study, maker = _study_patterns()
    for match in islice(study.finditer(text), _MOST):
        near = text[match.end() : match.end() + 160]
        made = maker.match(near)
        if made is None or not _wrote(made["name"]):
            continue
        before = re.split(r"[.!?\n]\s", text[max(0, match.start() - 40) : match.start()])[-1]
        after = re.split(r"[.!?\n](?:\s|\Z)", near)[0]
        year = _YEAR.search(after, made.end("name")) or _YEAR.search(before)
        if year is not None:
            yield made["name"], year[0]


@cache
def _study_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A word for a publication, and what leads from right behind it to a name."""
    studies = "|".join(map(re.escape, phrases().studies))
    makers = "|".join(sorted(map(re.escape, phrases().makers), key=len, reverse=True))
    articles = r"(?:[a-zà-ÿ]{2,4}[ '’]){0,2}"  # noqa: RUF001
    return (
        re.compile(rf"\b(?:{studies})\b", re.IGNORECASE),
        re.compile(rf"\W{{1,3}}(?:\w{{2,20}} ){{0,4}}?(?:{makers}) {articles}(?P<name>{_NAME})"),
    )
