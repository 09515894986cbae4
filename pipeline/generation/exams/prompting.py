"""The messages that exam questions are made with; the templates are in this package's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.core.schema import Seed, stable_id
from pipeline.generation.exams.items import Item
from pipeline.generation.exams.slots import Slot
from pipeline.generation.grounding import Passage, fenced
from pipeline.generation.prompting import Messages

_PACKAGE: Final = "pipeline.generation.exams"

Options = Sequence[tuple[str, str]]
"""Letters and what they stand for, in the order shown."""


class ExamPrompts:
    """Every message about the exam of one seed."""

    def __init__(self, seed: Seed) -> None:
        self._language = seed.language_name()
        self._system = _message(
            "system",
            _render(
                "write_system",
                domain=" ".join(seed.domain.split()),
                description=seed.description.strip(),
                language=self._language,
            ),
        )

    def write(self, slot: Slot) -> Messages:
        """Ask for the question of a place."""
        passage = slot.passage
        text = _render(
            "write_user",
            title=_title(passage),
            passage=passage.fenced(),
            kind=_kind(slot),
            number=slot.number + 1,
            many=slot.room if slot.room > 1 else 0,
            language=self._language,
        )
        return [self._system, _message("user", text)]

    def mend(self, messages: Messages, reply: str, why: str) -> Messages:
        """Ask once more, because ``reply`` cannot be kept for the reason ``why``."""
        again = _message("user", _render("mend", why=why))
        return [*messages, _message("assistant", reply), again]

    def improve(self, passage: Passage, item: Item) -> Messages:
        """Ask for a better wording of ``item``."""
        text = _render(
            "improve_user",
            passage=passage.fenced(),
            item=fenced(item.to_json()),
            language=self._language,
        )
        return [self._system, _message("user", text)]

    def support(self, passage: Passage, question: str, options: Options) -> Messages:
        """Ask which options the passage makes right."""
        text = _render(
            "support_user",
            passage=passage.fenced(),
            question=fenced(question),
            options=[(letter, fenced(option)) for letter, option in options],
        )
        return [_message("user", text)]

    def closed_book(self, question: str, options: Options) -> Messages:
        """Ask the question itself, without the passage."""
        return [_message("user", _render("closed_book_user", question=question, options=options))]


def sources() -> Iterator[str]:
    """Everything but the seed that decides what a request for a question says."""
    folder = files(_PACKAGE).joinpath("prompts")
    for name in ("write_system.jinja2", "write_user.jinja2", "mend.jinja2", "kinds.json"):
        yield f"{name}\n{folder.joinpath(name).read_text(encoding='utf-8')}"


def improving_sources() -> Iterator[str]:
    """The same for a request to improve one."""
    name = "improve_user.jinja2"
    yield f"{name}\n{files(_PACKAGE).joinpath('prompts', name).read_text(encoding='utf-8')}"


def passage_of(messages: Messages) -> str:
    """The passage that a request rests on; empty if there is none."""
    content = messages[0 if messages[0]["role"] == "user" else 1]["content"]
    before, _, rest = content.partition("<passage>\n")
    return rest.partition("\n</passage>")[0] if rest or before else ""


def _kind(slot: Slot) -> str:
    """What a place's question is about: each number of a passage asks for another kind."""
    kinds = _kinds()
    span = slot.passage.span
    return kinds[(int(stable_id(slot.digest, span.start), 16) + slot.number) % len(kinds)]


@cache
def _kinds() -> list[str]:
    path = files(_PACKAGE).joinpath("prompts", "kinds.json")
    kinds: list[str] = json.loads(path.read_text(encoding="utf-8"))
    return kinds


def _title(passage: Passage) -> str:
    return fenced(" ".join(passage.title.split()))


def _render(name: str, **variables: object) -> str:
    return _environment().get_template(f"{name}.jinja2").render(variables).strip()


@cache
def _environment() -> Environment:
    return Environment(  # noqa: S701 - plain text for a model, where escaping would do harm
        loader=PackageLoader(_PACKAGE, "prompts"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}
