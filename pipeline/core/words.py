"""Words as repetitions and near duplicates are found by them, in any script."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_MARKS: Final = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
"""Vowel signs and accents: part of a word, although Python's word class leaves them out."""

_CHINESE: Final = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_THAI: Final = "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1780-\u17d3"
"""Thai, Lao, Burmese and Khmer: letters, as in Latin, but no spaces between words."""

_WORD = re.compile(rf"[{_CHINESE}{_THAI}]|(?:(?![{_CHINESE}{_THAI}])[\w{_MARKS}])+")
_THAI_LETTER = re.compile(f"[{_THAI}]")


def words(text: str) -> list[str]:
    """The words, without regard to case, width and punctuation.

    Scripts that put no spaces between words give their characters one by one.
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def shingles(text: str) -> list[str]:
    """Each run of two words once, as in Broder, "On the resemblance of documents" (1997).

    Two words tell apart questions that differ in one word of ten, and still join those that differ
    in one of twenty. Thai and its like are cut into runs of four letters, about a word.
    """
    found = words(text)
    thai = sum(1 for word in found if _THAI_LETTER.match(word))
    width = 4 if 2 * thai > len(found) else 2
    if len(found) <= width:
        return [" ".join(found)] if found else []
    runs = zip(*(found[start:] for start in range(width)), strict=False)
    return list(dict.fromkeys(map(" ".join, runs)))
