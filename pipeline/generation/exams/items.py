"""One exam question, and how it is read out of a model's reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pipeline.core.documents.cleaning import clean
from pipeline.generation.parsing import json_values, without_thinking

LETTERS: Final = "ABCD"

_LABEL: Final = re.compile(r"^\s*[(\[]?[A-Da-d1-4][.):\]]\s+(?=\S)")
_LETTER: Final = re.compile(r"(?<![^\W_])([A-D])(?![^\W_])")
_ANSWERS: Final = ("answer", "correct_answer", "right_answer", "correct")
_WRONG: Final = ("distractors", "wrong_answers", "incorrect_answers", "wrong", "incorrect")


@dataclass(frozen=True, slots=True)
class Item:
    """A question, its right answer and wrong ones; how many of these is for checks to say."""

    question: str
    answer: str
    distractors: tuple[str, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """The answer and the wrong ones."""
        return (self.answer, *self.distractors)

    def to_json(self) -> str:
        """As a model is asked to write it, and as lineage keeps a parent."""
        return json.dumps(asdict(self), ensure_ascii=False)


def parse_item(text: str) -> Item:
    """The question in a model's reply.

    Raises:
        ValueError: In a sentence, for the model to read, what is not there.
    """
    fields = next(_objects(without_thinking(text)), None)
    if fields is None:
        raise ValueError("it holds no JSON object")
    question = _line(fields.get("question"))
    answer = _line(next((fields[name] for name in _ANSWERS if name in fields), None))
    wrong = next((fields[name] for name in _WRONG if name in fields), None)
    if question is None or answer is None:
        raise ValueError('it has no "question" and "answer" with text')
    distractors = list(map(_line, wrong)) if isinstance(wrong, list) else []
    if not distractors or None in distractors:
        raise ValueError('it has no "distractors", a list of texts')
    options = [answer, *(each for each in distractors if each is not None)]
    if all(map(_LABEL.match, options)):
        options = [_LABEL.sub("", option) for option in options]
    return Item(question, options[0], tuple(options[1:]))


def parse_letter(text: str) -> str | None:
    """The option that a reply names, A to D; None if it names none or several."""
    text = without_thinking(text)
    found = set(_LETTER.findall(text))
    return found.pop() if len(found) == 1 else None


def parse_right(text: str, letters: Sequence[str]) -> frozenset[str]:
    """The options that a reply calls right.

    Raises:
        ValueError: In a sentence, for the model to read, what is not there.
    """
    for fields in _objects(without_thinking(text)):
        right = fields.get("right")
        if isinstance(right, list) and all(each in list(letters) for each in right):
            return frozenset(right)
    raise ValueError(f'it holds no JSON object with "right", a list of {", ".join(letters)}')


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    for value in json_values(text, "{}"):
        found = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(found, dict):
            yield found


def _line(value: object) -> str | None:
    """One clean line; None if there is nothing in it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return " ".join(clean(str(value)).split()) or None
