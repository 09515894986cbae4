"""What goes wrong, told in the reader's language: each sentence of an error is translated.

The layers below say what is wrong in English. A Space that shows it has a JSON file with the
sentences its readers may meet: ``{"There is no file {0}.": {"es": "…", …}}``, where a place such as
``{0}`` stands for whatever is there.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Final

from pipeline.core.errors import SeedbedError
from pipeline.web.words import typeset

_PLACE: Final = re.compile(r"\\\{(\d)\\\}")


class Messages:
    """The sentences in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def told(self, error: SeedbedError, language: object) -> str:
        """An error in a language such as ``"es"``; in English what has no translation."""
        return " ".join(self.sentence(part, language) or part for part in _sentences(error))

    def knows(self, error: SeedbedError, language: object) -> bool:
        """Whether all that ``error`` says can be told in that language."""
        return all(self.sentence(part, language) is not None for part in _sentences(error))

    def sentence(self, sentence: str, language: object) -> str | None:
        """The translation of one sentence, if there is one."""
        for pattern, said in self._translations:
            if (found := pattern.fullmatch(sentence)) and isinstance(language, str):
                return said[language].format(*found.groups()) if language in said else None
        return None

    @cached_property
    def _translations(self) -> list[tuple[re.Pattern[str], dict[str, str]]]:
        """Each sentence as a pattern whose groups are its places, in order."""
        known = json.loads(self._file.read_text(encoding="utf-8"))
        return [
            (
                re.compile(_PLACE.sub("(.*)", re.escape(sentence)), re.DOTALL),
                {language: typeset(language, text) for language, text in said.items()},
            )
            for sentence, said in known.items()
        ]


def _sentences(error: SeedbedError) -> list[str]:
    return [part for part in (error.problem, error.next_step) if part]
