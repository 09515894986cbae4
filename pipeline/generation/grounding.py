"""Passages of the project's documents that questions and answers rest on.

Which passage a call gets depends on the documents, the cell and the call's number, and on nothing
else: the same run again makes the same requests, and the preview makes the batch's.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import BaseModel, ConfigDict

from pipeline.core.documents.kept import Document, load_documents, read_texts
from pipeline.core.documents.passages import MOST, USUAL, passages
from pipeline.core.schema import Cell, GenerationSettings, Sample, Span, stable_id
from pipeline.core.store import Store

_K1: Final = 1.2
_B: Final = 0.75
"""Robertson and Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond."""
_VIEW: Final = 0.3
"""What a word of the perspective counts beside one of the topic."""
_LEAST: Final = 0.25
"""Share of the best passage's score that another must have to be about the topic too."""
_MOST_PASSAGES: Final = 200
"""Passages that the calls of a cell take in turn."""
_COMMON: Final = 0.5
"""Share of the passages from which a word tells nothing about any of them."""
_FEW: Final = 8
"""Passages below which no word is called common."""
_CELLS_KEPT: Final = 2_000
_STEM, _STEM_LEAST = 6, 3
"""Letters by which words are compared, after their endings: grazing and grazed."""
_ENDINGS: Final = (("ing", 4), ("ed", 4), ("es", 4), ("en", 4), ("er", 4), ("s", 3))
_VOWELS: Final = frozenset("aeiouyаеиоуыэюяйь")  # noqa: RUF001
_WORD: Final = re.compile(
    # Scripts that put no spaces between words are compared by pairs of letters.
    r"(?P<pairs>[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\U00020000-\U0003134f]+)|[^\W_]+"
)
_FENCES: Final = re.compile(r"<(/?)\s*(passage|question|answer|expert|rejected)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document.

    Attributes:
        document: The document's name in the project.
        title: The document's title.
        span: Where in its text.
        text: What stands there.
    """

    document: str
    title: str
    span: Span
    text: str

    def fenced(self) -> str:
        """The text so that it cannot end the tags it is put between."""
        return fenced(self.text)

    def step(self) -> str:
        """The passage as lineage tells it."""
        return f"passage:{self.document}:{self.span.start}-{self.span.end}"


class Source(BaseModel):
    """A document that is drawn on, with its text."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    digest: str
    text: str


class Grounds(BaseModel):
    """The documents that samples rest on, and how many calls get a passage of them.

    Attributes:
        sources: The documents in the order in which they were added.
        share: Of a cell's calls for instructions, from 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    sources: tuple[Source, ...]
    share: float

    @property
    def marks(self) -> tuple[str, ...]:
        """What the fingerprint takes in: names and digests of the texts."""
        return tuple(f"{source.name} {source.digest}" for source in self.sources)

    def passage(self, cell: Cell, number: int) -> Passage | None:
        """What call ``number`` of a cell, counted from 0, rests on; None if on nothing.

        The calls that get a passage are spread evenly over the cell's calls and, since a cell may
        have only one, over the cells. They take the passages that are about the cell in turn, the
        most relevant first. A cell that no document mentions gets none.
        """
        turn = self._turn(cell, number)
        if turn is None:
            return None
        found = self._index.about(cell)
        if not found:
            return None
        place = self._index.places[found[turn % len(found)]]
        return self._at(*place)

    def passage_of(self, sample: Sample) -> Passage | None:
        """What a sample of these documents rests on; None if on nothing, or on another document."""
        if sample.span is None:
            return None
        for source in self.sources:
            if source.name == sample.document:
                return _passage(source, sample.span)
        return None

    def prepare(self) -> None:
        """Do now what the first passage would have to wait for.

        Documents of 10 million characters take about 4 seconds and 40 MB.
        """
        _ = self._index

    def _turn(self, cell: Cell, number: int) -> int | None:
        """How many calls before this one got a passage; None if this one gets none."""
        phase = int(stable_id("grounding", cell.topic, cell.perspective), 16) / 16**16
        before = math.floor(number * self.share + phase)
        after = math.floor((number + 1) * self.share + phase)
        return before if after > before else None

    def _at(self, number: int, start: int, end: int) -> Passage:
        return _passage(self.sources[number], Span(start=start, end=end))

    @cached_property
    def _index(self) -> _Index:
        return _Index([source.text for source in self.sources])


def fenced(text: str) -> str:
    """Text that cannot end the tags of a request."""
    return _FENCES.sub(r"&lt;\1\2", text)


def load_grounds(store: Store, settings: GenerationSettings) -> Grounds | None:
    """The project's documents as generation draws on them; None if it does not.

    Raises:
        InvalidInput: A text was changed or is gone.
        StoreUnavailable: The project cannot be reached.
    """
    return read_grounds(store, load_documents(store).in_use(), settings)


def read_grounds(
    store: Store, documents: Sequence[Document], settings: GenerationSettings
) -> Grounds | None:
    """The same for documents whose list was read already."""
    if not documents or settings.grounding == 0:
        return None
    texts = read_texts(store, documents)
    grounds = Grounds(
        share=settings.grounding,
        sources=tuple(
            Source(name=each.name, title=each.title, digest=each.text_digest, text=text)
            for each, text in zip(documents, texts, strict=True)
        ),
    )
    grounds.prepare()
    return grounds


def marks_of(documents: Iterable[Document]) -> tuple[str, ...]:
    """``Grounds.marks`` without the texts, for a fingerprint before anything is generated."""
    return tuple(f"{document.name} {document.text_digest}" for document in documents)


def limits() -> tuple[object, ...]:
    """What decides which passages are chosen, besides documents and cells."""
    return (_K1, _B, _VIEW, _LEAST, _MOST_PASSAGES, _COMMON, _FEW, USUAL, MOST)


class _Index:
    """Which passages are about what, by BM25.

    Attributes:
        places: For each passage the document's number, and start and end in its text.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.places: list[tuple[int, int, int]] = []
        self._sizes: list[int] = []
        self._found: dict[str, tuple[array[int], array[int]]] = {}
        self._cells: dict[Cell, list[int]] = {}
        for number, text in enumerate(texts):
            for span in passages(text):
                self._take(text[span.start : span.end])
                self.places.append((number, span.start, span.end))
        self._usual = sum(self._sizes) / max(1, len(self._sizes))

    def about(self, cell: Cell) -> list[int]:
        """The passages about a cell, the most relevant first; equally relevant ones in order."""
        if cell not in self._cells:
            if len(self._cells) >= _CELLS_KEPT:
                self._cells.clear()
            self._cells[cell] = self._search(cell)
        return self._cells[cell]

    def _take(self, text: str) -> None:
        counted = Counter(terms(text))
        for term, count in counted.items():
            numbers, counts = self._found.setdefault(term, (array("I"), array("I")))
            numbers.append(len(self._sizes))
            counts.append(count)
        self._sizes.append(counted.total())

    def _search(self, cell: Cell) -> list[int]:
        scores = self._scores(cell.topic)
        if not scores:
            return []
        for number, score in self._scores(cell.perspective).items():
            if number in scores:
                scores[number] += _VIEW * score
        least = _LEAST * max(scores.values())
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return [number for number, score in ranked if score >= least][:_MOST_PASSAGES]

    def _scores(self, asked: str) -> dict[int, float]:
        scores: dict[int, float] = {}
        many = len(self._sizes)
        for term in dict.fromkeys(terms(asked)):
            numbers, counts = self._found.get(term, (array("I"), array("I")))
            if many >= _FEW and len(numbers) > _COMMON * many:
                continue
            rare = math.log(1 + (many - len(numbers) + 0.5) / (len(numbers) + 0.5))
            for number, count in zip(numbers, counts, strict=True):
                long = _K1 * (1 - _B + _B * self._sizes[number] / self._usual)
                scores[number] = scores.get(number, 0.0) + rare * count * (_K1 + 1) / (count + long)
        return scores


def terms(text: str) -> Iterator[str]:
    """What is compared: beginnings of words without accents, endings for number and case cut off.

    Words of one or two letters are left out, since most of them only hold sentences together.
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    for match in _WORD.finditer(unicodedata.normalize("NFC", plain)):
        word = match[0]
        if match["pairs"]:
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif len(word) > 2:
            yield _stem(word)


def _stem(word: str) -> str:
    """What forms of a word have in common, roughly, in languages that change its end."""
    for ending, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)]
            break
    if len(word) > _STEM_LEAST and word[-1] in _VOWELS:
        word = word[:-1]
    return word[:_STEM]


def _passage(source: Source, span: Span) -> Passage:
    return Passage(source.name, source.title, span, source.text[span.start : span.end])
