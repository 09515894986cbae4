"""What is wrong, or could be better, with a seed, in words for the person who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import IntEnum
from typing import Final

from pydantic import ValidationError

from pipeline.core.errors import InvalidInput
from pipeline.core.likeness import alike
from pipeline.core.quotas import strays
from pipeline.core.schema import MAX_SEED_BYTES, Seed, describe, normalized


class Level(IntEnum):
    """How much a problem stands in the way."""

    ADVICE = 1
    BLOCKS_GENERATING = 2
    BLOCKS_SAVING = 3


Value = str | int | float


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at.

    Attributes:
        field: The seed field it is about, such as ``topics``.
        message: An English sentence with the offending value and what to do.
        level: What it prevents.
        code: What it is, for saying it in another language.
        values: What the sentence is about: numbers, and what was typed.
    """

    field: str
    message: str
    level: Level
    code: str
    values: Mapping[str, Value] = attribute(default_factory=dict)


MESSAGES: Final[Mapping[str, str]] = {
    "domain_missing": "The domain has no name yet.",
    "topics_missing": "There is no topic yet: add at least one.",
    "perspectives_missing": "There is no perspective yet: add at least one.",
    "expert_missing": "The expert is not described yet; answers will be generic.",
    "examples_missing": "There is no example yet; two or three good ones improve every sample.",
    "topics_same": "Topics {first} and {second} are the same: “{text}”. Keep one of them.",
    "perspectives_same": (
        "Perspectives {first} and {second} are the same: “{text}”. Keep one of them."
    ),
    "stray_quotas": (
        "A number of samples is set for what is not in your lists: {names}. It has no effect."
    ),
    "rules_same": "Rules {first} and {second} are the same: “{text}”. Keep one of them.",
    "examples_same": ("Examples {first} and {second} ask the same: “{text}”. Keep one of them."),
    "topics_alike": (
        "Topics {first} and {second} look alike: “{one}” and “{other}”. If they mean the same, "
        "keep one of them."
    ),
    "perspectives_alike": (
        "Perspectives {first} and {second} look alike: “{one}” and “{other}”. If they mean the "
        "same, keep one of them."
    ),
    "rules_alike": (
        "Rules {first} and {second} look alike: “{one}” and “{other}”. If they mean the same, "
        "keep one of them."
    ),
    "examples_alike": (
        "Examples {first} and {second} ask nearly the same: “{one}” and “{other}”. Different "
        "questions teach more."
    ),
    "question_missing": "Example {number} has no question; it is not used.",
    "answer_missing": "Example {number} has no answer; it is not used.",
    "topic_unknown": "Example {number} names the topic “{text}”, which is not in your list.",
    "perspective_unknown": (
        "Example {number} names the perspective “{text}”, which is not in your list."
    ),
    "invalid": "{detail}.",
    "broken_seed": "There is a broken character at {place}; delete it and type it again.",
    "too_large": (
        "The seed is {size} MB; at most {limit} MB can be kept. Shorten the examples or the "
        "descriptions."
    ),
}
"""What each code of a problem stands for, in English."""


def check(seed: Seed) -> list[Problem]:
    """Every problem of ``seed``, the gravest first."""
    found = [
        *_missing(seed),
        *_repeated("topics", seed.topics, Level.BLOCKS_SAVING),
        *_repeated("perspectives", seed.perspectives, Level.BLOCKS_SAVING),
        *_repeated("rules", seed.rules, Level.ADVICE),
        *_repeated("examples", [example.question for example in seed.examples], Level.ADVICE),
        *_alike("topics", seed.topics),
        *_alike("perspectives", seed.perspectives),
        *_alike("rules", seed.rules),
        *_alike("examples", [example.question for example in seed.examples]),
        *_examples(seed),
        *_stray_quotas(seed),
        *_too_large(seed),
    ]
    return sorted(found, key=lambda problem: -problem.level)


def require(seed: Seed, level: Level) -> None:
    """Refuse a seed that has a problem of ``level`` or graver.

    Raises:
        InvalidInput: Names each of them.
    """
    grave = [problem.message for problem in check(seed) if problem.level >= level]
    if grave:
        raise InvalidInput(" ".join(grave), "Correct this in the Seed Space or in seed_data.json.")


def _missing(seed: Seed) -> Iterator[Problem]:
    if not seed.domain.strip():
        yield _problem("domain", "domain_missing", Level.BLOCKS_GENERATING)
    if not any(topic.strip() for topic in seed.topics):
        yield _problem("topics", "topics_missing", Level.BLOCKS_GENERATING)
    if not any(view.strip() for view in seed.perspectives):
        yield _problem("perspectives", "perspectives_missing", Level.BLOCKS_GENERATING)
    if not seed.domain_expert_prompt.strip():
        yield _problem("domain_expert_prompt", "expert_missing", Level.ADVICE)
    if not seed.examples:
        yield _problem("examples", "examples_missing", Level.ADVICE)


def _repeated(field: str, texts: Sequence[str], level: Level) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, text in enumerate(texts, start=1):
        key = normalized(text)
        if not key:
            continue
        first = seen.setdefault(key, number)
        if first != number:
            yield _problem(
                field, f"{field}_same", level, first=first, second=number, text=_short(text)
            )


def _alike(field: str, texts: Sequence[str]) -> Iterator[Problem]:
    for pair in alike(texts):
        yield _problem(
            field,
            f"{field}_alike",
            Level.ADVICE,
            first=pair.first + 1,
            second=pair.second + 1,
            one=_short(texts[pair.first]),
            other=_short(texts[pair.second]),
        )


def _examples(seed: Seed) -> Iterator[Problem]:
    topics = {normalized(topic) for topic in seed.topics}
    perspectives = {normalized(view) for view in seed.perspectives}
    for number, example in enumerate(seed.examples, start=1):
        if not example.question.strip() or not example.answer.strip():
            missing = "question" if not example.question.strip() else "answer"
            yield _problem("examples", f"{missing}_missing", Level.ADVICE, number=number)
        for kind, value, known in (
            ("topic", example.topic, topics),
            ("perspective", example.perspective, perspectives),
        ):
            if value.strip() and normalized(value) not in known:
                yield _problem(
                    "examples", f"{kind}_unknown", Level.ADVICE, number=number, text=_short(value)
                )


def _stray_quotas(seed: Seed) -> Iterator[Problem]:
    lost = list(strays(seed))
    if lost:
        names = [f"{_short(one.topic)} · {_short(one.perspective)}" for one in lost[:3]]
        more = ["…"] if len(lost) > 3 else []
        yield _problem("quotas", "stray_quotas", Level.ADVICE, names=", ".join([*names, *more]))


def _too_large(seed: Seed) -> Iterator[Problem]:
    try:
        data = seed.to_json()
        Seed.model_validate(seed.model_dump())
    except ValidationError as error:
        where = str(error.errors()[0]["loc"][0])
        yield _problem(where, "invalid", Level.BLOCKS_SAVING, detail=describe(error))
        return
    except UnicodeEncodeError as error:
        yield _problem("seed", "broken_seed", Level.BLOCKS_SAVING, place=error.start)
        return
    if len(data) > MAX_SEED_BYTES:
        yield _problem(
            "seed",
            "too_large",
            Level.BLOCKS_SAVING,
            size=len(data) / 1e6,
            limit=MAX_SEED_BYTES / 1e6,
        )


def _problem(field: str, code: str, level: Level, **values: Value) -> Problem:
    shown = {
        name: f"{value:,.1f}".removesuffix(".0") if isinstance(value, int | float) else value
        for name, value in values.items()
    }
    return Problem(field, MESSAGES[code].format_map(shown), level, code, values)


def _short(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
