"""Reads what models answer: thinking removed, lists of instructions found however they are written.

Introductions, numbering and blank lines never become instructions. Where a reply shows no list at
all, only its questions are taken, so that an apology is not mistaken for an instruction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.core.schema import normalized, unique

MAX_INSTRUCTION: Final = 4_000
"""Characters; what is longer is not an instruction but a reply gone wrong."""

_THINKING = re.compile(
    r"\A\s*(?:<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)|(?:(?!<think).)*?</think(?:ing)?>)",
    re.DOTALL | re.IGNORECASE,
)
_FENCE = re.compile(r"```[\w-]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
_NUMBERED = re.compile(
    r"^\s*(?:[*_#]{1,3}\s*)?"
    r"(?:(?:question|instruction|pregunta|pergunta|frage|q)\s*)?"
    r"[(\[]?\d{1,3}\s*(?:[.):\]]|-(?=\s))[*_]{0,2}:?\s+(?P<text>\S.*)$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*[-*•–‣]\s+(?P<text>\S.*)$")  # noqa: RUF001
_PREAMBLE = re.compile(
    r"^(?:here (?:are|is)|sure|certainly|of course|okay|below (?:are|is)|the following|"
    r"aquí (?:tienes|están|hay)|claro|aqui estão|voici|bien sûr|hier sind)\b[^?]*$",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"\s*<question>\s*(?P<text>.*?)\s*</question>\s*", re.DOTALL | re.IGNORECASE)
_LABELLED = re.compile(
    r"\s*[*_#]{0,3}\s*(?:the )?(?:rewritten|new|revised)\s+(?:question|prompt|instruction)"
    r"[*_]{0,3}\s*:\s*[*_]{0,3}\s*(?P<text>\S.*)\Z",
    re.DOTALL | re.IGNORECASE,
)
_RATINGS: Final = range(1, 6)
_QUOTES: Final = (('"', '"'), ("“", "”"), ("'", "'"), ("«", "»"), ("„", "“"))
_KEYS: Final = ("instruction", "question", "text", "prompt", "content", "request")
_QUESTION_ENDS: Final = ("?", "？", "؟", '?"', "?”", "?»")  # noqa: RUF001


def without_thinking(text: str) -> str:
    """The answer without the reasoning that some models put before it.

    Reasoning that was cut off leaves nothing; some servers send only its closing tag.
    """
    return _THINKING.sub("", text, count=1).strip()


def json_values(text: str, brackets: str) -> Iterator[Any]:
    """The JSON values that a reply may mean: all of it, what is fenced, then what is bracketed.

    ``brackets`` is ``{}`` or ``[]``: from the first opening one to the last closing one.
    """
    candidates = [text, *(match[1] for match in _FENCE.finditer(text))]
    start, end = text.find(brackets[0]), text.rfind(brackets[1])
    if 0 <= start < end:
        candidates.append(text[start : end + 1])
    for candidate in candidates:
        try:
            yield json.loads(candidate)
        except (ValueError, RecursionError):
            continue


def parse_instructions(text: str) -> list[str]:
    """The instructions in a model's reply, in order, each once; none if there is no list in it."""
    text = without_thinking(text)
    for candidate in _json_candidates(text):
        found = _from_json(candidate)
        if found is not None:
            return _kept(found)
    return _kept(_from_lines(text))


def parse_rewritten(text: str, original: str) -> str | None:
    """The instruction that a rewriting left, or None if the reply is not one new instruction."""
    text = without_thinking(text)
    match = _TAGGED.fullmatch(text) or _LABELLED.match(text)
    text = match["text"] if match else text
    found = _cleaned(text)
    listed = sum(bool(_NUMBERED.match(line)) for line in text.splitlines())
    if listed > 1 or not _is_instruction(found) or normalized(found) == normalized(original):
        return None
    return found


@dataclass(frozen=True, slots=True)
class Rating:
    """A judge's verdict on one answer: a whole number from 1 to 5, and why."""

    rating: int
    rationale: str


def parse_ratings(text: str, labels: Sequence[str]) -> dict[str, Rating]:
    """The rating of every label; nothing is guessed, clipped or filled in.

    Raises:
        ValueError: In a sentence, what is wrong: no JSON, a label that is missing, unknown or rated
            twice, or a rating that is no whole number from 1 to 5.
    """
    entries = next(_rating_lists(without_thinking(text)), None)
    if entries is None:
        raise ValueError('it holds no JSON object with "ratings"')
    found: dict[str, Rating] = {}
    for entry in entries:
        label, rating = entry.get("answer"), entry.get("rating")
        if not isinstance(label, str) or label.strip() not in labels:
            raise ValueError(f"it rates {label!r}, which is none of the answers")
        if label.strip() in found:
            raise ValueError(f"it rates answer {label.strip()} twice")
        if not isinstance(rating, int | float) or rating is True or rating not in _RATINGS:
            raise ValueError(f"the rating of answer {label.strip()} is {rating!r}")
        why = entry.get("rationale")
        found[label.strip()] = Rating(int(rating), why.strip() if isinstance(why, str) else "")
    if missing := [label for label in labels if label not in found]:
        raise ValueError(f"it does not rate answer {missing[0]}")
    return found


def _rating_lists(text: str) -> Iterator[list[dict[str, Any]]]:
    for value in json_values(text, "{}"):
        entries = value.get("ratings") if isinstance(value, dict) else None
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            yield entries


def _kept(items: list[str]) -> list[str]:
    cleaned = (_cleaned(item) for item in items)
    return unique(item for item in cleaned if _is_instruction(item))


def _cleaned(item: str) -> str:
    text = item.strip()
    if match := _NUMBERED.match(text):
        text = match["text"]
    while len(text) > 4 and text[:2] == text[-2:] == "**":
        text = text[2:-2].strip()
    for start, end in _QUOTES:
        inner = text[len(start) : -len(end)]
        if text.startswith(start) and text.endswith(end) and start not in inner:
            text = inner.strip()
    return text


def _is_instruction(text: str) -> bool:
    if not 4 <= len(text) <= MAX_INSTRUCTION or not any(map(str.isalpha, text)):
        return False
    return not text.endswith((":", "：")) and not _PREAMBLE.match(text)  # noqa: RUF001


def _json_candidates(text: str) -> Iterator[str]:
    yield text
    for match in _FENCE.finditer(text):
        yield match[1].strip()
    start, end = text.find("["), text.rfind("]")
    if 0 <= start < end:
        yield text[start : end + 1]
    if start >= 0 and text[start + 1 :].lstrip().startswith(('"', "{")):
        yield _closed(text[start:])


def _closed(text: str) -> str:
    """An array that was cut off, up to the last item that is whole."""
    decoder = json.JSONDecoder()
    items: list[Any] = []
    position = 1
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            item, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return json.dumps(items)
        items.append(item)


def _from_json(text: str) -> list[str] | None:
    """Strings of a JSON list, also inside an object or as a field of objects; None if no list."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if len(lists) == 1 else None
    if not isinstance(value, list):
        return None
    found = [string for string in map(_item_text, value) if string is not None]
    return found or None


def _item_text(item: object) -> str | None:
    if isinstance(item, dict):
        item = next((item[key] for key in _KEYS if isinstance(item.get(key), str)), None)
    return item if isinstance(item, str) else None


def _from_lines(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.strip().startswith("```")]
    for marker in (_NUMBERED, _BULLET):
        if any(marker.match(line) for line in lines):
            return _marked(lines, marker)
    return [line.strip() for line in lines if line.strip().endswith(_QUESTION_ENDS)]


def _marked(lines: list[str], marker: re.Pattern[str]) -> list[str]:
    """Items that start with ``marker``; a line right below one continues it."""
    items: list[str] = []
    running = False
    for line in lines:
        if match := marker.match(line):
            items.append(match["text"].strip())
            running = True
        elif not line.strip():
            running = False
        elif running:
            items[-1] += "\n" + line.strip()
    return items
