"""Places for questions: each is one passage of one document and a number.

The order is the same for ever as long as the documents stay, and any beginning of it is spread
evenly: every passage has one question before any has two, documents take turns, and within a
document the passages that come first lie far from each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from pipeline.core.documents.passages import passages
from pipeline.core.schema import stable_id
from pipeline.generation.grounding import Passage, Source, terms

MOST: Final = 6
"""Questions of one passage."""
_FOR_EACH: Final = 200
"""Bytes of a passage for each of its questions."""
_LEAST: Final = 100
"""Bytes of a passage that can be asked about at all; a heading alone is shorter."""
_GOLDEN: Final = 0.6180339887498949
"""Steps of this size, turned around a circle, visit it evenly (Steinhaus's three-gap theorem)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one question comes from.

    Attributes:
        passage: What it rests on.
        digest: Of the document's text.
        number: Which of the passage's questions, from 0.
        room: How many the passage has place for.
    """

    passage: Passage
    digest: str
    number: int
    room: int

    def sample_id(self, fingerprint: str) -> str:
        """The id of the sample that the question becomes."""
        span = self.passage.span
        return stable_id(
            "exam", self.passage.document, self.digest, span.start, span.end, self.number,
            fingerprint,
        )  # fmt: skip

    def origin(self) -> str:
        """Which of the passage's questions, as lineage tells it."""
        return f"question:{self.number}"


def slots(sources: Sequence[Source]) -> Iterator[Slot]:
    """All places that documents have for questions, in the order in which they are filled."""
    spread = [_spread(source) for source in sources]
    for number in range(MOST):
        level = ([slot for slot in found if slot.room > number] for found in spread)
        for turn in zip_longest(*level):
            for slot in turn:
                if slot is not None:
                    yield Slot(slot.passage, slot.digest, number, slot.room)


def room(sources: Sequence[Source]) -> int:
    """How many questions documents have place for."""
    return sum(slot.room for source in sources for slot in _spread(source))


def topic_of(passage: Passage, topics: Sequence[str]) -> str:
    """The topic whose words the passage has most of; empty if it has none of any."""
    found = set(terms(f"{passage.title}\n{passage.text}"))

    def share(topic: str) -> float:
        own = set(terms(topic))
        return len(own & found) / len(own) if own else 0.0

    best = max(topics, key=share, default="")
    return best if best and share(best) > 0 else ""


def _spread(source: Source) -> list[Slot]:
    """The first place of each passage that can be asked about."""
    found = []
    for span in passages(source.text):
        text = source.text[span.start : span.end]
        size = len(text.encode())
        if size < _LEAST or len(set(terms(text))) < 8:
            continue
        passage = Passage(source.name, source.title, span, text)
        found.append(Slot(passage, source.digest, 0, max(1, min(MOST, size // _FOR_EACH))))
    return [found[at] for at in sorted(range(len(found)), key=lambda at: at * _GOLDEN % 1)]
