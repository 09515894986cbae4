"""What is on the screen, and the seed it amounts to.

A screen may hold anything a person can type or paste; a seed is what can be kept. Reading one as
the other never loses text: what does not fit is told, and stays on the screen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from pydantic import ValidationError

from pipeline.core.checks import Level, Problem, Value, check
from pipeline.core.schema import LANGUAGES, Example, Seed, describe, normalized
from pipeline.generation.language import in_language
from seed_space.words import WORDS, Told, count, say

FIELDS: Final = (
    "domain",
    "description",
    "language",
    "domain_expert_prompt",
    "topics",
    "perspectives",
    "examples",
    "rules",
    "quotas",
)
"""The seed's fields, in the order in which every handler gets and gives them."""

OWN_NAMES: Final[dict[str, str]] = {
    "en": "English",
    "es": "Español",
    "pt": "Português",
    "fr": "Français",
    "de": "Deutsch",
    "it": "Italiano",
    "nl": "Nederlands",
    "pl": "Polski",
    "tr": "Türkçe",
    "ar": "العربية",
    "hi": "हिन्दी",
    "id": "Bahasa Indonesia",
    "ja": "日本語",
    "ko": "한국어",
    "ru": "Русский",
    "sw": "Kiswahili",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}
"""What each of ``LANGUAGES`` calls itself, so that everybody finds their own."""

STEP_OF: Final = {
    "domain": "domain",
    "description": "domain",
    "language": "domain",
    "domain_expert_prompt": "expert",
    "topics": "topics",
    "perspectives": "perspectives",
    "examples": "examples",
    "rules": "expert",
    "quotas": "coverage",
}
"""The step on which a field is; the seed as a whole belongs to ``publish``."""

_LONG_ROW: Final = 100
_LONGEST_ROW: Final = 300
_NUMBERS: Final = frozenset({"number", "first", "second"})
_EXAMPLE_FIELDS: Final = frozenset(Example.model_fields)


@dataclass(frozen=True, slots=True)
class Reading:
    """A screen, read.

    Attributes:
        seed: What would be kept, or None while something does not fit.
        problems: The gravest first.
    """

    seed: Seed | None
    problems: list[Problem]

    def require(self, language: str) -> Seed:
        """The seed.

        Raises:
            Told: Something does not fit; the message names it all, in ``language``.
        """
        if self.seed is None:
            raise Told(
                " ".join(told(language, problem) for problem in self.problems),
                say(language, "problems.kept"),
            )
        return self.seed

    def to_save(self, language: str) -> Seed:
        """The seed, if it may be kept.

        Raises:
            Told: Something does not fit or stands in the way; the message names it all.
        """
        seed = self.require(language)
        grave = [p for p in self.problems if p.level == Level.BLOCKS_SAVING]
        if grave:
            raise Told(
                " ".join(told(language, problem) for problem in grave),
                say(language, "problems.kept"),
            )
        return seed


def name_of(language: str, field: str) -> str:
    """What a field of the seed is called on the screen."""
    return say(language, f"fields.{field}")


def told(language: str, problem: Problem) -> str:
    """A problem in the reader's language."""
    values = dict(problem.values)
    key = f"problems.{problem.code}"
    if problem.field in STEP_OF:
        values["name"] = name_of(language, problem.field)
    if key in WORDS.texts:
        return say(language, key, **values)
    return count(language, key, int(values.pop("n")), **values)


def at_most(field: str) -> int:
    """How many entries a list of the seed may have."""
    rules = Seed.model_fields[field].metadata
    return next(int(rule.max_length) for rule in rules if hasattr(rule, "max_length"))


def show(seed: Seed) -> list[Any]:
    """The values of the screen for ``seed``, in the order of ``FIELDS``."""
    return [
        seed.domain,
        seed.description,
        seed.language,
        seed.domain_expert_prompt,
        list(seed.topics),
        list(seed.perspectives),
        [_show_example(example) for example in seed.examples],
        list(seed.rules),
        [quota.model_dump() for quota in seed.quotas],
    ]


def read(values: Sequence[object], base: Seed) -> Reading:
    """Read a screen as the next version of ``base``, whose unknown keys it keeps.

    Empty rows and empty examples are left out.
    """
    screen = dict(zip(FIELDS, values, strict=True))
    language = _language(screen["language"])
    problems = _row_advice(screen)
    try:
        seed = Seed.model_validate(
            {
                **base.model_dump(),
                "domain": screen["domain"] or "",
                "description": screen["description"] or "",
                "language": language,
                "domain_expert_prompt": screen["domain_expert_prompt"] or "",
                "topics": [row for row in _rows(screen["topics"]) if not _blank(row)],
                "perspectives": [row for row in _rows(screen["perspectives"]) if not _blank(row)],
                "examples": [
                    _read_example(item)
                    for item in _rows(screen["examples"])
                    if not _blank_example(item)
                ],
                "rules": [row for row in _rows(screen["rules"]) if not _blank(row)],
                "quotas": _rows(screen["quotas"]),
            }
        )
    except ValidationError as error:
        return Reading(None, [*_plain(error, language), *problems])
    found = [*_numbered_as_shown(check(seed), screen), *_foreign(seed, screen)]
    grave = [problem for problem in found if problem.level > Level.ADVICE]
    return Reading(seed, [*grave, *problems, *(p for p in found if p.level == Level.ADVICE)])


def _show_example(example: Example) -> dict[str, str]:
    """An example for the screen; what we do not know of it travels along as JSON text.

    JavaScript would turn 1.0 into 1 and round large integers.
    """
    return {
        "question": example.question,
        "answer": example.answer,
        "topic": example.topic,
        "perspective": example.perspective,
        "extra": json.dumps(example.model_extra or {}, ensure_ascii=False),
    }


def _read_example(item: object) -> object:
    if not isinstance(item, Mapping):
        return item
    try:
        extra = json.loads(str(item.get("extra") or "{}"))
    except ValueError:
        return dict(item)  # only a page that was tampered with; the schema says what it thinks
    if not isinstance(extra, dict):
        return dict(item)
    known = {name: item.get(name) or "" for name in _EXAMPLE_FIELDS}
    return {**{k: v for k, v in extra.items() if k not in _EXAMPLE_FIELDS}, **known}


def _rows(value: object) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _blank(row: object) -> bool:
    return isinstance(row, str) and not row.strip()


def _blank_example(item: object) -> bool:
    return isinstance(item, Mapping) and all(
        _blank(item.get(name) or "") for name in ("question", "answer")
    )


def _language(value: object) -> object:
    """The code of a language given by its code, its own or its English name."""
    if not isinstance(value, str):
        return value or ""
    names = {normalized(name): code for code, name in (*LANGUAGES.items(), *OWN_NAMES.items())}
    return names.get(normalized(value), value.strip())


def _row_advice(screen: Mapping[str, object]) -> list[Problem]:
    """Rows and examples that are empty, and so not saved, or far too long."""
    found = []
    for field in ("topics", "perspectives", "rules"):
        empty = sum(map(_blank, _rows(screen[field])))
        if empty:
            found.append(_problem(field, "rows_empty", Level.ADVICE, n=empty))
        for number, row in enumerate(_rows(screen[field]), start=1):
            # A longer one cannot be kept at all, which is told elsewhere.
            if field != "rules" and isinstance(row, str) and _LONG_ROW < len(row) <= _LONGEST_ROW:
                found.append(
                    _problem(field, "row_long", Level.ADVICE, number=number, count=len(row))
                )
    for number, item in enumerate(_rows(screen["examples"]), start=1):
        if _blank_example(item):
            found.append(_problem("examples", "example_empty", Level.ADVICE, number=number))
    return found


def _plain(error: ValidationError, language: object) -> list[Problem]:
    """Validation errors in words for somebody who has never seen one."""
    found = []
    for item in error.errors(include_url=False):
        field = str(item["loc"][0])
        code, values = _place(item["loc"])
        limit = item.get("ctx", {}).get("max_length", 0)
        if field == "language":
            code, values = "language_unknown", {"text": str(language)[:40]}
        elif item["type"] == "string_too_long":
            values |= {"count": len(str(item["input"])), "limit": limit}
        elif item["type"] == "too_long":
            length = item["ctx"]["actual_length"] or len(_rows(item["input"]))
            code, values = "list_long", {"count": length, "limit": limit}
        elif item["type"] == "string_unicode":
            code = "broken_character"
        else:
            code, values = "invalid", {"detail": describe(error, at_most=1)}
        found.append(_problem(field, code, Level.BLOCKS_SAVING, **values))
    return found


def _place(location: tuple[int | str, ...]) -> tuple[str, dict[str, Value]]:
    """The code and the values for a text that is too long, by where it is."""
    field, *inside = location
    if not inside:
        return "text_long", {}
    if field == "examples" and len(inside) > 1:
        return f"{inside[1]}_long", {"number": int(inside[0]) + 1}
    return "row_too_long", {"number": int(inside[0]) + 1}


def _numbered_as_shown(found: Iterable[Problem], screen: Mapping[str, object]) -> Iterator[Problem]:
    """Problems with the numbers that rows have on the screen, where blank ones count."""
    places = {
        field: _places(_rows(screen[field]))
        for field in ("topics", "perspectives", "rules", "examples")
    }
    for problem in found:
        shown = {
            name: places[problem.field][value - 1]
            for name, value in problem.values.items()
            if name in _NUMBERS and problem.field in places and isinstance(value, int)
        }
        yield _problem(problem.field, problem.code, problem.level, **{**problem.values, **shown})


def _places(rows: Sequence[object]) -> list[int]:
    """The number on the screen of each entry that is kept."""
    return [n for n, row in enumerate(rows, start=1) if not (_blank(row) or _blank_example(row))]


def _foreign(seed: Seed, screen: Mapping[str, object]) -> Iterator[Problem]:
    """Texts that are clearly in another language than the one chosen."""
    language = OWN_NAMES.get(seed.language, seed.language)
    texts = {
        "description": seed.description,
        "domain_expert_prompt": seed.domain_expert_prompt,
        "topics": ". ".join(seed.topics),
        "perspectives": ". ".join(seed.perspectives),
        "rules": "\n".join(seed.rules),
    }
    for field, text in texts.items():
        if _in_language(text, seed.language) is False:
            yield _problem(field, "foreign", Level.ADVICE, language=language)
    numbers = _places(_rows(screen["examples"]))
    for number, example in zip(numbers, seed.examples, strict=True):
        if _in_language(f"{example.question}\n{example.answer}", seed.language) is False:
            values: dict[str, Value] = {"number": number, "language": language}
            yield _problem("examples", "foreign_example", Level.ADVICE, **values)


def warm_up() -> None:
    """Load what tells languages apart, which takes a second, before anybody waits for it."""
    in_language("These words are here so that the model is loaded.", "en")


@lru_cache(maxsize=1_024)
def _in_language(text: str, language: str) -> bool | None:
    """Judged anew only when a text was changed: it is asked with every keystroke."""
    return in_language(text, language)


def _problem(field: str, code: str, level: Level, **values: Value) -> Problem:
    found = Problem(field, "", level, code, values)
    return replace(found, message=told("en", found))
