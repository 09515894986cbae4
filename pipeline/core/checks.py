"""What is wrong, or could be better, with a seed, in words for the person who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from pydantic import ValidationError

from pipeline.core.errors import InvalidInput
from pipeline.core.quotas import strays
from pipeline.core.schema import MAX_SEED_BYTES, Seed, describe, normalized


class Level(IntEnum):
    """How much a problem stands in the way."""

    ADVICE = 1
    BLOCKS_GENERATING = 2
    BLOCKS_SAVING = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at.

    Attributes:
        field: The seed field it is about, such as ``topics``.
        message: A sentence with the offending value and what to do.
        level: What it prevents.
    """

    field: str
    message: str
    level: Level


def check(seed: Seed) -> list[Problem]:
    """Every problem of ``seed``, the gravest first."""
    found = [
        *_missing(seed),
        *_repeated("topics", seed.topics, Level.BLOCKS_SAVING),
        *_repeated("perspectives", seed.perspectives, Level.BLOCKS_SAVING),
        *_repeated("examples", [example.question for example in seed.examples], Level.ADVICE),
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
        yield Problem("domain", "The domain has no name yet.", Level.BLOCKS_GENERATING)
    if not any(topic.strip() for topic in seed.topics):
        yield Problem("topics", "There is no topic yet: add at least one.", Level.BLOCKS_GENERATING)
    if not any(view.strip() for view in seed.perspectives):
        yield Problem(
            "perspectives",
            "There is no perspective yet: add at least one.",
            Level.BLOCKS_GENERATING,
        )
    if not seed.domain_expert_prompt.strip():
        yield Problem(
            "domain_expert_prompt",
            "The expert is not described yet; answers will be generic.",
            Level.ADVICE,
        )
    if not seed.examples:
        yield Problem(
            "examples",
            "There is no example yet; two or three good ones improve every sample.",
            Level.ADVICE,
        )


def _repeated(field: str, texts: Sequence[str], level: Level) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, text in enumerate(texts, start=1):
        key = normalized(text)
        if not key:
            continue
        first = seen.setdefault(key, number)
        if first != number:
            yield Problem(
                field,
                f"{field.capitalize()} {first} and {number} are the same: "
                f"“{_short(text)}”. Keep one of them.",
                level,
            )


def _examples(seed: Seed) -> Iterator[Problem]:
    topics = {normalized(topic) for topic in seed.topics}
    perspectives = {normalized(view) for view in seed.perspectives}
    for number, example in enumerate(seed.examples, start=1):
        if not example.question.strip() or not example.answer.strip():
            missing = "question" if not example.question.strip() else "answer"
            yield Problem(
                "examples", f"Example {number} has no {missing}; it is not used.", Level.ADVICE
            )
        for kind, value, known in (
            ("topic", example.topic, topics),
            ("perspective", example.perspective, perspectives),
        ):
            if value.strip() and normalized(value) not in known:
                yield Problem(
                    "examples",
                    f"Example {number} names the {kind} “{_short(value)}”, which is not in "
                    "your list.",
                    Level.ADVICE,
                )


def _stray_quotas(seed: Seed) -> Iterator[Problem]:
    lost = list(strays(seed))
    if lost:
        names = ", ".join(f"{_short(one.topic)} · {_short(one.perspective)}" for one in lost[:3])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        yield Problem(
            "quotas",
            f"A number of samples is set for what is not in your lists: {names}{more}. It has no "
            "effect.",
            Level.ADVICE,
        )


def _too_large(seed: Seed) -> Iterator[Problem]:
    try:
        data = seed.to_json()
        Seed.model_validate(seed.model_dump())
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        yield Problem(field, f"{describe(error)}.", Level.BLOCKS_SAVING)
        return
    except UnicodeEncodeError as error:
        yield Problem(
            "seed",
            f"There is a broken character at {error.start}; delete it and type it again.",
            Level.BLOCKS_SAVING,
        )
        return
    if len(data) > MAX_SEED_BYTES:
        yield Problem(
            "seed",
            f"The seed is {len(data) / 1e6:.1f} MB; at most {MAX_SEED_BYTES / 1e6:.0f} MB can be "
            "kept. Shorten the examples or the descriptions.",
            Level.BLOCKS_SAVING,
        )


def seed_from_fields(fields: dict[str, object]) -> Seed:
    """Build a seed from what a screen holds.

    Raises:
        InvalidInput: Names every field that is wrong.
    """
    try:
        return Seed.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(
            f"The seed cannot be kept as it is: {describe(error)}.",
            "What you typed is still on the screen: correct these fields and save again.",
        ) from error


def _short(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
