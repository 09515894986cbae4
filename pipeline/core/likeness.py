"""Short texts that say the same in other words: plurals, accents, word order, small slips.

Two texts are alike when the same words are left once small words, endings, accents and order are
taken away, or when they differ by one slip of the finger in one long word. Sentences are alike when
nearly all their words are. Numbers always count: "type 1" and "type 2" are not alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Final

from pipeline.core.schema import normalized

_WORD: Final = re.compile(r"[^\W_]+")
_SLIP: Final = 8
"""Letters from which one slip in a word is taken for one; shorter words differ in earnest."""
_SENTENCE: Final = 5
_SHARED: Final = 0.8
"""Share of their words that two sentences have in common from which they are alike."""

_SMALL: Final = frozenset(
    word
    for line in (
        "a an and at by for from in of on or the to with is are be do does can i my me you your",
        "al de del el en e la las lo los o para por sobre u un una unas unos y",
        "ao aos as com da das do dos em na nas no nos os para um uma",
        "au aux avec d dans des du et l le les ou par pour sur une",
        "am auf das dem den der die ein eine einem einen einer fur im mit oder und von zu zum zur",
    )
    for word in line.split()
)
"""Articles, "of", "and", "in", "for" and the like, in the languages of the page."""

_ENDINGS: Final = (
    ("ies", "i", 2),
    ("oes", "ao", 2),
    ("aes", "ao", 2),
    ("eaux", "eau", 2),
    ("eux", "eu", 2),
    ("aux", "al", 2),
    ("ais", "al", 2),
    ("ses", "s", 3),
    ("xes", "x", 2),
    ("ches", "ch", 2),
    ("shes", "sh", 2),
    ("ie", "i", 3),
    ("y", "i", 3),
    ("ers", "", 4),
    ("ens", "", 4),
    ("es", "", 3),
    ("en", "", 4),
    ("er", "", 4),
    ("s", "", 3),
    ("e", "", 3),
)
"""What stands at the end of a word, what is put in its place, and how many letters must be before
it. The first that fits is taken."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that are alike, by their places in the list, from 0."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is left of a text when all that does not count is taken away."""

    words: tuple[str, ...]
    keys: frozenset[str]
    slips: frozenset[str]


def alike(texts: Sequence[str]) -> Iterator[Pair]:
    """Each text that is like an earlier one, with the first that it is like.

    Texts that are the same but for case and spacing are left to others. Time grows with the number
    of texts and hardly with its square.
    """
    shapes = _distinct(texts)
    sentences = _Sentences(shape.words for _, shape in shapes)
    by_key: dict[str, int] = {}
    for place, shape in shapes:
        keys = shape.keys | shape.slips
        earlier = [by_key[key] for key in keys if key in by_key]
        earlier += sentences.like(place, shape.words)
        if earlier:
            yield Pair(min(earlier), place)
        for key in keys:
            by_key.setdefault(key, place)


def unlike(texts: Sequence[str], there: Sequence[str]) -> list[str]:
    """Those of ``texts`` that say what is neither ``there`` nor in one before them."""
    every = [*there, *texts]
    repeated = {pair.second for pair in alike(every)}
    return [
        every[place]
        for place, _ in _distinct(every)
        if place >= len(there) and place not in repeated
    ]


def _distinct(texts: Sequence[str]) -> list[tuple[int, _Shape]]:
    """The shape of each text that is not blank and differs from those before it, by its place."""
    seen: dict[str, int] = {}
    for place, text in enumerate(texts):
        plain = normalized(text)
        if plain:
            seen.setdefault(plain, place)
    return [(place, _shape(texts[place])) for place in seen.values()]


class _Sentences:
    """Finds sentences that have nearly all words in common with an earlier one.

    Two of those must share one of the few rarest words of each, so only these are looked up
    (Chaudhuri, Ganti and Kaushik, "A Primitive Operator for Similarity Joins", ICDE 2006).
    """

    def __init__(self, all_words: Iterable[tuple[str, ...]]) -> None:
        self._common = Counter(word for words in all_words for word in set(words))
        self._by_word: dict[str, list[tuple[int, frozenset[str]]]] = {}

    def like(self, place: int, words: tuple[str, ...]) -> list[int]:
        """Places of earlier sentences that are like this one, which is remembered."""
        own = frozenset(words)
        if len(own) < _SENTENCE:
            return []
        rarest = sorted(own, key=lambda word: (self._common[word], word))
        needed = len(own) - ceil(_SHARED * len(own)) + 1
        found = {}
        for word in rarest[:needed]:
            for other, theirs in self._by_word.get(word, ()):
                if other not in found:
                    found[other] = _close(own, theirs)
            self._by_word.setdefault(word, []).append((place, own))
        return [other for other, close in found.items() if close]


def _close(one: frozenset[str], other: frozenset[str]) -> bool:
    if len(one & other) < _SHARED * len(one | other):
        return False
    return not any(word.isdigit() for word in one ^ other)


@lru_cache(maxsize=4_096)
def _shape(text: str) -> _Shape:
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    found = _WORD.findall(plain)
    # A text of small words only, such as "to be", is made of them.
    words = [_stem(word) for word in found if word not in _SMALL] or found
    ordered = sorted(words)
    keys = frozenset({" ".join(ordered), "".join(words)})
    return _Shape(tuple(ordered), keys, frozenset(_slips(ordered)))


def _stem(word: str) -> str:
    if any(sign.isdigit() for sign in word) or word.endswith(("ss", "us", "sis")):
        return word
    for ending, instead, before in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= before:
            return word[: -len(ending)] + instead
    return word


def _slips(words: Sequence[str]) -> Iterator[str]:
    """Keys that texts share if one letter of one long word is left out, put in or changed.

    The other words stand in the key, as does the first letter, which is rarely mistyped.
    """
    for place, word in enumerate(words):
        if len(word) < _SLIP - 1 or any(sign.isdigit() for sign in word):
            continue
        others = " ".join([*words[:place], "_", *words[place + 1 :]])
        yield f"{others}|{word}"
        for gap in range(1, len(word) if len(word) >= _SLIP else 0):
            yield f"{others}|{word[:gap]}{word[gap + 1 :]}"
