"""The messages that models are sent; the templates are in ``prompts/``.

The batch, the preview and whoever wants to show a prompt get the messages here, so that what is
shown is what is sent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.core.rounds import Judged, Round
from pipeline.core.schema import Cell, Example, Seed, normalized, stable_id, unique
from pipeline.generation import grounding
from pipeline.generation.grounding import Passage

Messages: TypeAlias = list[dict[str, str]]

QUESTIONS_SHOWN: Final = 5
"""Example questions in the prompt that asks for instructions."""
ANSWERS_SHOWN: Final = 3
"""Examples that precede a question as earlier turns."""
EXAMPLE_CHARACTERS: Final = 12_000
"""Examples stop being added beyond this; the most relevant one is always there."""
AVOIDED: Final = 60
"""Existing instructions named in a prompt, the newest; repeats of older ones are caught later."""

REJECTED_SHOWN: Final = 2
"""Answers that people rejected in the prompt for answers."""
LONGEST_EVOLVED: Final = 120
"""Words of a rewritten question."""
STAND_IN_PHRASES: Final = "stand_in.json"
GROUNDED: Final = "grounded"
"""Folder of what comes before a request that rests on a passage."""

_FENCES: Final = re.compile(r"<(/?)\s*(question|answer)\b", re.IGNORECASE)
_REJECTED_LENGTH: Final = 1_500
_CELLS_KEPT: Final = 2_000
_PACKAGE: Final = "pipeline.generation"


class Prompts:
    """Every message of one seed, and of the round that builds on votes, if there is one.

    A message with a ``passage`` is the same message with the passage before it.
    """

    def __init__(self, seed: Seed, after: Round | None = None) -> None:
        self._seed = seed
        self._good = [_example(item) for item in after.good] if after else []
        self._bad = after.bad if after else ()
        self._examples = [*usable_examples(seed), *self._good]
        self._cells: dict[Cell, _Background] = {}

    def instructions(
        self,
        cell: Cell,
        count: int,
        avoid: Sequence[str],
        number: int,
        passage: Passage | None = None,
    ) -> Messages:
        """Ask for ``count`` instructions that are none of ``avoid``; the ``number``-th such call.

        Calls of a series differ in what they mostly ask for, so that they can be made side by side.
        """
        about = self._background(cell)
        user = _render(
            "instructions_user",
            **about.facts,
            examples=about.questions,
            good=about.good,
            avoid=avoid[-AVOIDED:],
            angle=_angle(cell, number),
            number=number,
            count=count,
        )
        return [_system(about.writer), _user(self._resting_on(passage, "instructions", user))]

    def answer(self, cell: Cell, instruction: str, passage: Passage | None = None) -> Messages:
        """Ask the expert of the seed to answer ``instruction``, which is sent as it is."""
        about = self._background(cell)
        messages = [_system(about.expert)]
        for example in about.answers:
            messages += [_user(example.question.strip()), _assistant(example.answer.strip())]
        return [*messages, _user(self._resting_on(passage, "answer", instruction))]

    def answer_system(self, cell: Cell) -> str:
        """The system prompt under which questions of ``cell`` are answered."""
        return self._background(cell).expert

    def evolved_instruction(
        self, cell: Cell, instruction: str, way: str, passage: Passage | None = None
    ) -> Messages:
        """Ask to rewrite ``instruction`` in one of ``evolutions("instruction")``."""
        facts = self._background(cell).facts
        system = _render("evolve_instruction_system", **facts, longest=LONGEST_EVOLVED)
        how = _ways("instruction")[way]
        user = _render("evolve_instruction_user", **facts, instruction=instruction, how=how)
        user = self._resting_on(passage, "evolve_instruction", user)
        return [_system(system), _user(user)]

    def evolved_answer(
        self, cell: Cell, instruction: str, text: str, way: str, passage: Passage | None = None
    ) -> Messages:
        """Ask to rewrite the answer ``text`` in one of ``evolutions("completion")``."""
        how = _ways("completion")[way]
        user = _render("evolve_answer_user", language=self._seed.language_name(), how=how)
        return [*self.answer(cell, instruction, passage), _assistant(text), _user(user)]

    def judgement(
        self,
        cell: Cell,
        instruction: str,
        answers: Sequence[tuple[str, str]],
        aspect: str,
        passage: Passage | None = None,
    ) -> Messages:
        """Ask to rate ``answers``, pairs of a label and a text in the order shown."""
        facts = self._background(cell).facts
        user = _render(
            "judge_user",
            **facts,
            instruction=_inside(instruction),
            answers=[(label, _inside(text)) for label, text in answers],
            **_aspects()[aspect],
        )
        user = self._resting_on(passage, "judge", user)
        return [_system(_render("judge_system", **facts)), _user(user)]

    def _resting_on(self, passage: Passage | None, request: str, text: str) -> str:
        """The text of a request with the passage that it rests on before it, if there is one."""
        if passage is None:
            return text
        before = _render(
            f"{GROUNDED}/{request}",
            title=grounding.fenced(_oneline(passage.title)),
            passage=passage.fenced(),
            language=self._seed.language_name(),
        )
        return f"{before}\n\n{text}"

    def _background(self, cell: Cell) -> _Background:
        found = self._cells.get(cell)
        if found is None:
            if len(self._cells) >= _CELLS_KEPT:
                self._cells.clear()
            found = self._cells[cell] = self._make_background(cell)
        return found

    def _make_background(self, cell: Cell) -> _Background:
        facts = _facts(self._seed, cell)
        answers = relevant_examples(self._examples, cell, ANSWERS_SHOWN)
        good = relevant_examples(self._good, cell, QUESTIONS_SHOWN)
        rejected = {_example(item).question: item for item in self._bad}
        worst = relevant_examples(map(_example, rejected.values()), cell, REJECTED_SHOWN)
        return _Background(
            facts=facts,
            questions=relevant_examples(usable_examples(self._seed), cell, QUESTIONS_SHOWN),
            answers=answers,
            good=[example.question for example in good],
            writer=_render("instructions_system", **facts),
            expert=_render(
                "answer_system",
                **facts,
                examples=answers,
                bad=[rejected[example.question] for example in worst],
            ),
        )


@dataclass(frozen=True, slots=True)
class _Background:
    """What all prompts of a cell have in common."""

    facts: dict[str, Any]
    questions: list[Example]
    answers: list[Example]
    good: list[str]
    writer: str
    expert: str


def mend_messages(messages: Messages, reply: str, why: str) -> Messages:
    """Ask once more, because ``reply`` to ``messages`` cannot be read for the reason ``why``."""
    return [*messages, _assistant(reply), _user(_render("mend", why=why))]


def evolutions(what: Literal["instruction", "completion"]) -> list[str]:
    """The names of the ways in which an instruction or a completion can be rewritten."""
    return list(_ways(what))


def usable_examples(seed: Seed) -> list[Example]:
    """The examples that have both a question and an answer."""
    return [e for e in seed.examples if e.question.strip() and e.answer.strip()]


def usable_rules(seed: Seed) -> list[str]:
    """The rules in one line each, without blanks and repeats."""
    return [_oneline(rule) for rule in unique(seed.rules)]


def relevant_examples(examples: Iterable[Example], cell: Cell, at_most: int) -> list[Example]:
    """The examples closest to ``cell``, the closest first; equally close ones in their order.

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
    for example in sorted(examples, key=distance)[:at_most]:
        size += len(example.question) + len(example.answer)
        if chosen and size > EXAMPLE_CHARACTERS:
            break
        chosen.append(example)
    return chosen


def sources() -> Iterator[str]:
    """Everything but the seed that decides what a prompt says: templates and limits."""
    folder = files(_PACKAGE).joinpath("prompts")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith((".jinja2", ".json")) and file.name != STAND_IN_PHRASES:
            yield f"{file.name}\n{file.read_text(encoding='utf-8')}"
    limits = (QUESTIONS_SHOWN, ANSWERS_SHOWN, REJECTED_SHOWN, EXAMPLE_CHARACTERS, AVOIDED)
    yield f"{limits} {LONGEST_EVOLVED}"


def grounded_sources() -> Iterator[str]:
    """The same for requests that rest on a passage."""
    folder = files(_PACKAGE).joinpath("prompts", GROUNDED)
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        yield f"{file.name}\n{file.read_text(encoding='utf-8')}"
    yield f"{grounding.limits()}"


def question_of(content: str) -> tuple[str, str]:
    """The passage before a request, or an empty text, and the request itself."""
    if "<passage>\n" not in content or "\n</passage>" not in content:
        return "", content
    before, _, rest = content.partition("<passage>\n")
    passage, _, rest = rest.partition("\n</passage>\n\n")
    if before.count("\n") > 1:
        return "", content  # it is within what a person wrote
    return passage, rest.partition("\n\n")[2]


def _facts(seed: Seed, cell: Cell) -> dict[str, Any]:
    return {
        "domain": _oneline(seed.domain),
        "description": seed.description.strip(),
        "expert": seed.domain_expert_prompt.strip(),
        "language": seed.language_name(),
        "topic": _oneline(cell.topic),
        "perspective": _oneline(cell.perspective),
        "rules": usable_rules(seed),
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
    environment.filters["shortened"] = _shortened
    return environment


def _angle(cell: Cell, number: int) -> str:
    """What the ``number``-th call of a cell mostly asks for; all kinds come before one repeats."""
    angles: dict[str, list[str]] = _data("angles")
    total = math.prod(len(kinds) for kinds in angles.values())
    # 29 shares no factor with the number of combinations, so that steps of 29 visit each once.
    turn = (int(stable_id(cell.topic, cell.perspective), 16) + 29 * number) % total
    chosen = []
    for kinds in angles.values():
        turn, index = divmod(turn, len(kinds))
        chosen.append(kinds[index])
    return "; ".join(chosen)


def _example(item: Judged) -> Example:
    return Example(
        question=item.instruction[:4_000],
        answer=item.text[:20_000],
        topic=item.topic,
        perspective=item.perspective,
    )


def _ways(what: str) -> dict[str, str]:
    ways: dict[str, str] = _data("evolving")[what]
    return ways


def _aspects() -> dict[str, dict[str, Any]]:
    aspects: dict[str, dict[str, Any]] = _data("judging")
    return aspects


@cache
def _data(name: str) -> Any:  # noqa: ANN401 - each file has a shape of its own
    return json.loads(prompt_text(f"{name}.json"))


def prompt_text(name: str) -> str:
    """One of the files beside the templates."""
    return files(_PACKAGE).joinpath("prompts", name).read_text(encoding="utf-8")


def _system(text: str) -> dict[str, str]:
    return {"role": "system", "content": text}


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _shortened(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _REJECTED_LENGTH else text[:_REJECTED_LENGTH] + " ..."


def _inside(text: str) -> str:
    """Text that cannot end the tags it is put between."""
    return _FENCES.sub(r"&lt;\1\2", text)


def _oneline(text: str) -> str:
    return " ".join(text.split())
