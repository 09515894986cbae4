"""Tells whether a text is in the language it should be in, and says so only when it is fairly sure.

The script decides first: it settles Japanese, Korean, Thai and the like by itself. Languages that
share a script are told apart by py3langid, a naive Bayes classifier over bytes (Lui and Baldwin,
"langid.py", ACL 2012). Domain texts hold Latin names, code and tables, so what is not prose is
taken out first, and a text is called foreign only when its own language has become unlikely.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import copy
from functools import cache
from typing import Any, Final

from pipeline.core.schema import LANGUAGES

_FEWEST_WORDS: Final = 5
_FEWEST_LETTERS: Final = 20
_FEWEST_SIGNS: Final = 8
"""Letters that suffice in scripts that write a syllable or a word with each."""

_SURE: Final = 0.7
"""Probability another language needs before a text is called foreign.

A false alarm costs more than a miss here: a person reads what is kept anyway.
"""
_UNLIKELY: Final = 0.05

_WHOLE: Final = 3_000
_PIECE: Final = 750
"""A text longer than ``_WHOLE`` characters is judged by four pieces of ``_PIECE``."""

_SCRIPTS: Final[dict[str, str]] = {
    "Latin": "A-Za-zªºÀ-ÖØ-öø-ʯ\u1e00-\u1eff",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f",
    "Armenian": "\u0531-\u0587",
    "Hebrew": "\u05d0-\u05ea",
    "Arabic": "\u0620-\u064a\u066e-\u06d3\u0750-\u077f\u08a0-\u08c7",
    "Devanagari": "\u0904-\u0939\u0958-\u0961",
    "Bengali": "\u0985-\u09b9",
    "Gurmukhi": "\u0a05-\u0a39",
    "Gujarati": "\u0a85-\u0ab9",
    "Odia": "\u0b05-\u0b39",
    "Tamil": "\u0b85-\u0bb9",
    "Telugu": "\u0c05-\u0c39",
    "Kannada": "\u0c85-\u0cb9",
    "Malayalam": "\u0d05-\u0d3a",
    "Sinhala": "\u0d85-\u0dc6",
    "Thai": "\u0e01-\u0e30\u0e40-\u0e46",
    "Lao": "\u0e81-\u0eb0\u0ec0-\u0ec6",
    "Myanmar": "\u1000-\u102a",
    "Georgian": "\u10a0-\u10ff",
    "Ethiopic": "\u1200-\u137f",
    "Khmer": "\u1780-\u17b3",
    "Kana": "\u3041-\u30ff\u31f0-\u31ff",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff",
    "Hangul": "\u1100-\u11ff\uac00-\ud7a3",
}

_WRITTEN_IN: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("ru", "uk", "be", "bg", "mk", "kk", "ky", "mn", "tg"), ("Cyrillic",)),
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ug"), ("Arabic",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("Devanagari",)),
    **dict.fromkeys(("ja", "zh", "yue", "wuu"), ("Han", "Kana")),
    **dict.fromkeys(("he", "yi"), ("Hebrew",)),
    **dict.fromkeys(("bn", "as"), ("Bengali",)),
    **dict.fromkeys(("am", "ti"), ("Ethiopic",)),
    "el": ("Greek",),
    "hy": ("Armenian",),
    "pa": ("Gurmukhi",),
    "gu": ("Gujarati",),
    "or": ("Odia",),
    "ta": ("Tamil",),
    "te": ("Telugu",),
    "kn": ("Kannada",),
    "ml": ("Malayalam",),
    "si": ("Sinhala",),
    "th": ("Thai",),
    "lo": ("Lao",),
    "my": ("Myanmar",),
    "ka": ("Georgian",),
    "km": ("Khmer",),
    "ko": ("Hangul",),
}
_MANY_SCRIPTS: Final = frozenset(
    {"az", "bs", "sr", "uz", "ku", "tk", "ms", "kab", "tt", "crh", "pa"}
)
"""Languages with several alphabets in use; their script proves nothing."""

_SIGNS: Final = frozenset({"Kana", "Han", "Hangul", "Thai", "Lao", "Khmer", "Myanmar", "Ethiopic"})

_RIVALS: Final[dict[str, frozenset[str]]] = {
    "Latin": frozenset(LANGUAGES) - frozenset(_WRITTEN_IN),
    "Cyrillic": frozenset({"ru", "uk", "bg"}),
    "Arabic": frozenset({"ar", "fa", "ur"}),
    "Devanagari": frozenset({"hi", "mr", "ne"}),
}
"""What a text may be mistaken for, by script: few, since each one is a chance of a false alarm."""

_NEITHER: Final = frozenset({"la", "zxx"})
"""Latin, as in names of plants, and no language at all, as in code: both prove nothing."""

_ALIASES: Final = {"nb": "no", "cmn": "zh", "fil": "tl", "iw": "he", "in": "id", "prs": "fa"}

_NOT_PROSE = re.compile(
    r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)"  # fenced code
    r"|`[^`\n]{1,200}`"
    r"|(?:https?://|www\.)\S+"
    r"|\S{1,64}@\S{1,64}"
    r"|<[^<>\n]{1,200}>"
    r"|\S*[\d_{}\\=]\S*",  # numbers, units, names in code
    re.DOTALL | re.MULTILINE,
)


def in_language(text: str, language: str) -> bool | None:
    """Whether ``text`` is in ``language``, a BCP 47 tag of which the first part counts.

    None when it cannot be told: the text is too short or hardly prose, or could be either.
    """
    language = language.partition("-")[0].lower()
    language = _ALIASES.get(language, language)
    prose = _NOT_PROSE.sub(" ", _excerpt(text))
    counts = _letters(prose)
    total = sum(counts.values())
    leading = max(counts, key=counts.__getitem__) if counts else ""
    if total < (_FEWEST_SIGNS if leading in _SIGNS else _FEWEST_LETTERS):
        return None
    if language in _MANY_SCRIPTS:
        return _by_words(prose, language, leading) if leading in _RIVALS else None
    scripts = _WRITTEN_IN.get(language, ("Latin",))
    share = sum(counts.get(script, 0) for script in scripts) / total
    if share < 0.2:
        return False
    if share < 0.5:
        return None
    if "Han" in scripts:
        return _by_kana(counts, language)
    return _by_words(prose, language, scripts[0]) if scripts[0] in _RIVALS else True


def _excerpt(text: str) -> str:
    """The text, or pieces from all over it: judging more costs time and tells nothing new."""
    if len(text) <= _WHOLE:
        return text
    last = len(text) - _PIECE
    return "\n".join(text[at : at + _PIECE] for at in (0, last // 3, 2 * last // 3, last))


def _letters(prose: str) -> dict[str, int]:
    """How many letters of each script there are."""
    counts = {name: len(pattern.findall(prose)) for name, pattern in _patterns().items()}
    return {name: count for name, count in counts.items() if count}


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(f"[{ranges}]") for name, ranges in _SCRIPTS.items()}


def _by_kana(counts: dict[str, int], language: str) -> bool | None:
    """Japanese from Chinese: one writes kana between its characters, the other never does."""
    kana, han = counts.get("Kana", 0), counts.get("Han", 0)
    share = kana / (kana + han)
    if language == "ja":
        return True if share > 0.05 else False if han >= 2 * _FEWEST_SIGNS else None
    return True if share < 0.05 else False if share > 0.2 else None


def _by_words(prose: str, language: str, script: str) -> bool | None:
    foreign = re.compile(rf"[^\W{_SCRIPTS[script]}]+")
    words = foreign.sub(" ", prose).split()
    words = [word for word in words if any(map(str.isalpha, word))]
    if len(words) < _FEWEST_WORDS:
        return None
    rank = _ranker(language, script)
    if rank is None:
        return None
    found = dict(rank(" ".join(words)))
    best = max(found, key=found.__getitem__)
    if best == language:
        return True
    if best not in _NEITHER and found[best] >= _SURE and found[language] <= _UNLIKELY:
        return False
    return None


@cache
def _ranker(language: str, script: str) -> Callable[[str], Sequence[tuple[str, float]]] | None:
    """Ranks ``language`` among its rivals; None if the classifier does not know it."""
    identifier = copy(_identifier())
    if language not in identifier.labels:
        return None
    neither = _NEITHER if script == "Latin" else frozenset()
    identifier.set_languages(_RIVALS[script] | {language} | neither)
    ranked: Callable[[str], Sequence[tuple[str, float]]] = identifier.rank
    return ranked


@cache
def _identifier() -> Any:  # noqa: ANN401
    """The classifier for all its languages; it takes a second to load."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
