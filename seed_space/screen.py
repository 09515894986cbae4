"""What is on the screen, and the seed it amounts to.

A screen may hold anything a person can type or paste; a seed is what can be kept. Reading one as
the other never loses text: what does not fit is told, and stays on the screen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from pipeline.core.checks import Level, Problem, check
from pipeline.core.errors import InvalidInput
from pipeline.core.schema import LANGUAGES, Example, Seed, describe, normalized

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

LABELS: Final = {
    "domain": "Name of the domain",
    "description": "Description",
    "language": "Language",
    "domain_expert_prompt": "The expert",
    "topics": "Topics",
    "perspectives": "Perspectives",
    "examples": "Examples",
    "rules": "Rules",
    "quotas": "Numbers of samples",
}
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

_LONG_ROW: Final = 300
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

    def require(self) -> Seed:
        """The seed.

        Raises:
            InvalidInput: Something does not fit; the message names it all.
        """
        if self.seed is None:
            raise InvalidInput(
                " ".join(problem.message for problem in self.problems),
                "Everything you typed is still here.",
            )
        return self.seed


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
    found = check(seed)
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
    """The code of a language given by its code or its English name."""
    if not isinstance(value, str):
        return value or ""
    names = {normalized(name): code for code, name in LANGUAGES.items()}
    return names.get(normalized(value), value.strip())


def _row_advice(screen: Mapping[str, object]) -> list[Problem]:
    """Rows and examples that are empty, and so not saved, or far too long."""
    found = []
    for field in ("topics", "perspectives"):
        count = sum(map(_blank, _rows(screen[field])))
        if count:
            rows = "1 row is empty and is" if count == 1 else f"{count} rows are empty and are"
            found.append(Problem(field, f"{rows} left out when you save.", Level.ADVICE))
        for number, row in enumerate(_rows(screen[field]), start=1):
            if isinstance(row, str) and len(row) > _LONG_ROW:
                message = (
                    f"Row {number} has {len(row):,} characters. A {field[:-1]} is a short name; "
                    "put the rest elsewhere."
                )
                found.append(Problem(field, message, Level.ADVICE))
    for number, item in enumerate(_rows(screen["examples"]), start=1):
        if _blank_example(item):
            message = f"Example {number} is empty and is left out when you save."
            found.append(Problem("examples", message, Level.ADVICE))
    return found


def _plain(error: ValidationError, language: object) -> list[Problem]:
    """Validation errors in words for somebody who has never seen one."""
    found = []
    for item in error.errors(include_url=False):
        field = str(item["loc"][0])
        name = _name_of(item["loc"])
        limit = item.get("ctx", {}).get("max_length", 0)
        if field == "language":
            message = (
                f"“{str(language)[:40]}” is not a language code. Choose one from the list, or type "
                "a code such as ca (Catalan) or pt-BR."
            )
        elif item["type"] == "string_too_long":
            message = (
                f"{name} has {len(str(item['input'])):,} characters; at most {limit:,} can be "
                "kept. Shorten it."
            )
        elif item["type"] == "too_long":
            actual = item["ctx"]["actual_length"] or "too many"
            message = f"{name}: there are {actual}; at most {limit:,} can be kept. Remove some."
        elif item["type"] == "string_unicode":
            message = f"{name} holds a broken character. Delete it and type it again."
        else:
            message = f"{describe(error, at_most=1)}."
        found.append(Problem(field, message, Level.BLOCKS_SAVING))
    return found


def _name_of(location: tuple[int | str, ...]) -> str:
    field, *inside = location
    if field == "examples" and inside:
        part = str(inside[1]) if len(inside) > 1 else "entry"
        return f"The {part} of example {int(inside[0]) + 1}"
    if inside:
        return f"{LABELS[str(field)]}, row {int(inside[0]) + 1}"
    return LABELS.get(str(field), str(field))
