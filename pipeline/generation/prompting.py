"""The messages that models are sent; the templates are in ``prompts/``.

The batch, the preview and whoever wants to show a prompt get the messages here, so that what is
shown is what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.core.schema import Cell, Example, Seed, normalized

Messages: TypeAlias = list[dict[str, str]]

QUESTIONS_SHOWN: Final = 5
"""Example questions in the prompt that asks for instructions."""
ANSWERS_SHOWN: Final = 3
"""Examples that precede a question as earlier turns."""
EXAMPLE_CHARACTERS: Final = 12_000
"""Examples stop being added beyond this; the most relevant one is always there."""
AVOIDED: Final = 60
"""Existing instructions named in a prompt, the newest; repeats of older ones are caught later."""

_PACKAGE: Final = "pipeline.generation"


def instruction_messages(seed: Seed, cell: Cell, count: int, avoid: Sequence[str]) -> Messages:
    """Ask for ``count`` instructions for ``cell`` that are none of ``avoid``."""
    facts = _facts(seed, cell)
    shown = relevant_examples(seed, cell, QUESTIONS_SHOWN)
    user = _render(
        "instructions_user", **facts, examples=shown, avoid=avoid[-AVOIDED:], count=count
    )
    system = _render("instructions_system", **facts)
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def answer_messages(seed: Seed, cell: Cell, instruction: str) -> Messages:
    """Ask the expert of ``seed`` to answer ``instruction``, which is sent as it is."""
    messages = [{"role": "system", "content": answer_system(seed, cell)}]
    for example in relevant_examples(seed, cell, ANSWERS_SHOWN):
        messages.append({"role": "user", "content": example.question.strip()})
        messages.append({"role": "assistant", "content": example.answer.strip()})
    return [*messages, {"role": "user", "content": instruction}]


def answer_system(seed: Seed, cell: Cell) -> str:
    """The system prompt under which questions of ``cell`` are answered."""
    shown = relevant_examples(seed, cell, ANSWERS_SHOWN)
    return _render("answer_system", **_facts(seed, cell), examples=shown)


def usable_examples(seed: Seed) -> list[Example]:
    """The examples that have both a question and an answer."""
    return [e for e in seed.examples if e.question.strip() and e.answer.strip()]


def relevant_examples(seed: Seed, cell: Cell, at_most: int) -> list[Example]:
    """The examples closest to ``cell``, the closest first; equally close ones in the seed's order.

    One that is tied to the cell's topic comes before one tied to its perspective, and one that is
    tied to nothing before one that is tied to another topic.
    """
    topic, perspective = normalized(cell.topic), normalized(cell.perspective)

    def distance(example: Example) -> int:
        about = normalized(example.topic)
        same_topic = about == topic or (
            not about and topic in normalized(f"{example.question} {example.answer}")
        )
        same_view = normalized(example.perspective) == perspective
        return -(4 * same_topic + 2 * same_view + (not about))

    chosen: list[Example] = []
    size = 0
    for example in sorted(usable_examples(seed), key=distance)[:at_most]:
        size += len(example.question) + len(example.answer)
        if chosen and size > EXAMPLE_CHARACTERS:
            break
        chosen.append(example)
    return chosen


def sources() -> Iterator[str]:
    """Everything but the seed that decides what a prompt says: templates and limits."""
    folder = files(_PACKAGE).joinpath("prompts")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".jinja2"):
            yield f"{file.name}\n{file.read_text(encoding='utf-8')}"
    yield f"{QUESTIONS_SHOWN} {ANSWERS_SHOWN} {EXAMPLE_CHARACTERS} {AVOIDED}"


def _facts(seed: Seed, cell: Cell) -> dict[str, str]:
    return {
        "domain": _oneline(seed.domain),
        "description": seed.description.strip(),
        "expert": seed.domain_expert_prompt.strip(),
        "language": seed.language_name(),
        "topic": _oneline(cell.topic),
        "perspective": _oneline(cell.perspective),
    }


def _render(name: str, **variables: object) -> str:
    return _environment().get_template(f"{name}.jinja2").render(variables).strip()


@cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - plain text for a model, where escaping would do harm
        loader=PackageLoader(_PACKAGE, "prompts"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["oneline"] = _oneline
    return environment


def _oneline(text: str) -> str:
    return " ".join(text.split())
