"""The offline stand-in as a writer of exams: blanks a figure or a word of a sentence.

It is no language model, and the name on each of its rows says so. The wrong answers are other
figures or words of the project's documents. The same request gives the same question.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Final

from pydantic import PrivateAttr

from pipeline.core.schema import ModelChoice, Seed, stable_id
from pipeline.generation.exams.items import Item
from pipeline.generation.exams.prompting import passage_of
from pipeline.generation.prompting import Messages
from pipeline.generation.standin import StandIn, sentences, without_layout

GAP: Final = "_____"

_PLACE: Final = re.compile(r"this is number (\d+) of \d+\.")
_FIGURE: Final = re.compile(r"(?<![\w.,])\d{1,6}(?:[.,]\d{1,3})?(?![\w]|[.,]\d)")
_WORD: Final = re.compile(r"(?<![\w-])[^\W\d_]{6,24}(?![\w-])")
_MOST_WORDS: Final = 20_000
_COMMON: Final = 0.1
"""Share of the sentences from which a word is too common to ask for."""
_ALIKE: Final = 3
"""Letters by which words may differ in length and still look alike."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Figures and words of all documents, from which wrong answers are taken."""

    figures: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Pool:
        """What the texts have; common words are left out."""
        known: Counter[str] = Counter()
        figures: dict[str, None] = {}
        total = 0
        for sentence in chain.from_iterable(map(_sentences, texts)):
            total += 1
            known.update(set(_words(sentence)))
            figures.update(dict.fromkeys(_FIGURE.findall(sentence)))
        most = max(2, _COMMON * total)
        rare = [word for word, count in known.items() if count <= most]
        return cls(tuple(figures), tuple(rare[:_MOST_WORDS]))

    def beside(self, answer: str, sentence: str) -> list[str]:
        """Three wrong answers that look like ``answer`` and are not in ``sentence``."""
        if _FIGURE.fullmatch(answer):
            return self._figures_beside(answer, sentence)
        there = set(map(str.casefold, re.findall(r"\w+", sentence)))

        def distance(word: str) -> tuple[bool, bool, str]:
            ending = word[-2:] != answer[-2:]
            return word[:1].isupper() != answer[:1].isupper(), ending, stable_id(answer, word)

        near = [
            word
            for word in self.words
            if abs(len(word) - len(answer)) <= _ALIKE
            and word.casefold() not in there
            and word[:5].casefold() != answer[:5].casefold()
        ]
        return sorted(near, key=distance)[:3]

    def _figures_beside(self, answer: str, sentence: str) -> list[str]:
        there = set(_FIGURE.findall(sentence))
        digits = len(re.sub(r"\D", "", answer))
        near = [
            figure
            for figure in self.figures
            if figure not in there and abs(len(re.sub(r"\D", "", figure)) - digits) <= 1
        ]
        # Where documents have too few figures, others of the same size are made.
        value = float(answer.replace(",", "."))
        made = [f"{value * by:g}" for by in (2, 3, 0.5, 1.5, 4)]
        if "," in answer:
            made = [figure.replace(".", ",") for figure in made]
        made = [figure for figure in made if figure not in there and figure not in near]
        return [*sorted(near, key=lambda figure: stable_id(answer, figure)), *made][:3]


class Cloze(StandIn):
    """Writes one question about the passage of a request, with a gap to fill."""

    _pool: Pool = PrivateAttr(default_factory=lambda: Pool((), ()))

    def draw_on(self, pool: Pool) -> None:
        """Take wrong answers from ``pool``."""
        self._pool = pool

    def compose(self, messages: Messages, variation: int) -> str:
        """One question; asked once more in ``messages``, another one. Nothing else changes it."""
        del variation
        return compose(self.seed, self._pool, messages)


def open_cloze(choice: ModelChoice, seed: Seed, pool: Pool) -> Cloze:
    """The stand-in of ``choice``."""
    cloze = Cloze(model=choice.model, seed=seed)
    cloze.draw_on(pool)
    return cloze


def compose(seed: Seed, pool: Pool, messages: Messages) -> str:
    """The whole reply to a request for a question."""
    place = _PLACE.search(messages[1]["content"].rpartition("</passage>")[2])
    again = (len(messages) - 2) // 2
    turn = (int(place[1]) - 1 if place else 0) + again * 7
    found = list(_items(seed, pool, passage_of(messages)))
    if not found:
        return "There is nothing in it that could be asked for."
    return found[turn % len(found)].to_json()


def _items(seed: Seed, pool: Pool, passage: str) -> Iterator[Item]:
    """Every question there is for a passage: one for each sentence, then second ones."""
    frames = _frames()
    frame = frames.get(seed.language.split("-")[0].lower(), frames["en"])
    rare = set(pool.words)
    gaps = []
    for sentence in _sentences(passage):
        figures = _FIGURE.findall(sentence)
        words = [word for word in _words(sentence) if word in rare]
        words.sort(key=lambda word: (-len(word), word))
        gaps.append((sentence, [*figures, *words]))
    for turn in range(3):
        for sentence, answers in gaps:
            if turn < len(answers) and _once(answers[turn], sentence):
                answer = answers[turn]
                wrong = pool.beside(answer, sentence)
                shown = re.sub(rf"(?<!\w){re.escape(answer)}(?!\w)", GAP, sentence, count=1)
                if len(wrong) == 3:
                    yield Item(frame.format(sentence=shown), answer, tuple(wrong))


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in sentences(without_layout(text)) if "_" not in sentence]


def _words(sentence: str) -> list[str]:
    """Words that may be asked for; the first of a sentence looks like a name."""
    return [match[0] for match in _WORD.finditer(sentence) if match.start()]


def _once(answer: str, sentence: str) -> bool:
    return len(re.findall(rf"(?<!\w){re.escape(answer)}(?!\w)", sentence, re.IGNORECASE)) == 1


@cache
def _frames() -> dict[str, str]:
    text = files(__package__).joinpath("cloze.json").read_text(encoding="utf-8")
    frames: dict[str, str] = json.loads(text)
    return frames
