"""What goes wrong, told in the reader's language: each sentence of an error is translated."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Final

from pipeline.core.errors import SeedbedError

FILE: Final = Path(__file__).with_name("messages.json")
_PLACE: Final = re.compile(r"\\\{(\d)\\\}")


def told(error: SeedbedError, language: object) -> str:
    """An error in a language such as ``"es"``; in English what has no translation."""
    parts = (error.problem, error.next_step)
    return " ".join(_in(language, part) for part in parts if part)


def _in(language: object, sentence: str) -> str:
    for pattern, said in _translations():
        if (found := pattern.fullmatch(sentence)) and isinstance(language, str):
            return said.get(language, sentence).format(*found.groups())
    return sentence


@cache
def _translations() -> list[tuple[re.Pattern[str], dict[str, str]]]:
    """Each sentence as a pattern whose groups are its places, in order."""
    known = json.loads(FILE.read_text(encoding="utf-8"))
    return [
        (re.compile(_PLACE.sub("(.*)", re.escape(sentence)), re.DOTALL), said)
        for sentence, said in known.items()
    ]
