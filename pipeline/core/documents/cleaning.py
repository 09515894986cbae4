"""Bytes become text, and text becomes what is kept: the same for every kind of document."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GUESSED_FROM: Final = 100_000
"""Bytes from which an encoding is guessed."""
_WESTERN: Final = frozenset(
    "áéíóúàèìòùâêîôûäëïöüãõñçßåæøœÁÉÍÓÚÀÈÂÊÎÔÄÖÜÃÕÑÇØÅÆŒ–—’‘“”„«»¿¡…°ºª·•£€§½¼¾²³µ×"  # noqa: RUF001
)
_LINE_ENDS: Final = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_UNWANTED: Final = re.compile(
    # What no text needs: controls but tab and line end, soft hyphens, marks of direction that can
    # hide or turn text, byte order marks, noncharacters, halves of characters, private characters
    # and the sign for a character that was lost.
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff0-\ufffd\ufffe\uffff\ufdd0-\ufdef\ud800-\udfff\ue000-\uf8ff"
    "\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)
_SPACES: Final = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INNER: Final = re.compile(r"(?<=\S) {2,}")
_GAPS: Final = re.compile(r"\n{3,}")


def decode(data: bytes, declared: str = "") -> str:
    """The text in ``data``: as its byte order mark says, as ``declared``, in UTF-8, or by guess.

    What does not fit the encoding is left out.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="ignore")
    for name in ("utf-8", declared):
        try:
            return data.decode(name) if name else _guessed(data)
        except (UnicodeDecodeError, LookupError):
            continue
    return _guessed(data)


def clean(text: str) -> str:
    """The text as it is kept: NFC, plain spaces and line ends, at most one empty line in a row.

    Indentation stays, since lists and code live from it. Cleaning twice changes nothing more.
    """
    text = _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))
    text = unicodedata.normalize("NFC", _SPACES.sub(" ", text.replace("\t", "    ")))
    lines = (_INNER.sub(" ", line.rstrip(" ")) for line in text.split("\n"))
    return _GAPS.sub("\n\n", "\n".join(lines)).strip("\n").rstrip()


def _guessed(data: bytes) -> str:
    """What is not UTF-8: mostly the old encodings of the West, else what it looks like."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - only where documents are read

    western = data.decode("cp1252", errors="ignore")
    if _looks_western(western):
        return western
    best = from_bytes(data[:_GUESSED_FROM]).best()
    return data.decode(best.encoding, errors="ignore") if best is not None else western


def _looks_western(text: str) -> bool:
    """Whether letters beyond ASCII are few and stand among others, as accents do."""
    beyond = [at for at, letter in enumerate(text) if ord(letter) > 127]
    if len(beyond) > max(3, len(text) / 5):
        return False
    return sum(text[at] in _WESTERN for at in beyond) >= 0.9 * len(beyond)
