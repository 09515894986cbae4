"""The prompts of the chain as distilabel Tasks: messages out, parsed answer in.

``format_output`` raises ``Unreadable`` where a reply is not in the form that was asked for; the
chain then asks once more with ``mended``.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.core.schema import Cell
from pipeline.generation import parsing, prompting
from pipeline.generation.bases import Task

Row = dict[str, Any]


class Unreadable(ValueError):
    """A reply is not in the form that was asked for; the text says why, for the model to read."""


class ChainTask(Task):
    """A task on one row of a cell: ``topic`` and ``perspective`` are always among its inputs.

    A row may have a ``passage``, a ``grounding.Passage`` that its request rests on.
    """

    prompts: prompting.Prompts = Field(exclude=True, repr=False)

    @property
    def inputs(self) -> list[str]:
        """The columns it reads."""
        return ["topic", "perspective", *self.reads]

    @property
    def outputs(self) -> list[str]:
        """The columns it adds."""
        return [*self.adds, "model_name"]

    @property
    def reads(self) -> list[str]:
        """The inputs besides the cell."""
        return ["instruction"]

    @property
    def adds(self) -> list[str]:
        """The outputs besides the model's name."""
        return ["completion"]


class WriteInstructions(ChainTask):
    """Writes ``count`` instructions that are none of ``avoid``, in the call ``number`` of a cell.

    Output: ``instructions``, which may be fewer than asked, but never none.
    """

    @property
    def reads(self) -> list[str]:
        """The inputs besides the cell."""
        return ["count", "avoid", "number"]

    @property
    def adds(self) -> list[str]:
        """The outputs besides the model's name."""
        return ["instructions"]

    def format_input(self, input: Row) -> prompting.Messages:
        """The messages for one row."""
        return self.prompts.instructions(
            _cell(input), input["count"], input["avoid"], input["number"], input.get("passage")
        )

    def format_output(self, output: str | None, input: Row | None = None) -> Row:
        """The instructions found in the answer."""
        found = parsing.parse_instructions(output or "")
        if not found:
            raise Unreadable("there is no list of questions in it")
        return {"instructions": found}


class EvolveInstruction(ChainTask):
    """Rewrites ``instruction`` in the ``way`` named; the output ``evolved`` differs from it."""

    @property
    def reads(self) -> list[str]:
        """The inputs besides the cell."""
        return ["instruction", "way"]

    @property
    def adds(self) -> list[str]:
        """The outputs besides the model's name."""
        return ["evolved"]

    def format_input(self, input: Row) -> prompting.Messages:
        """The messages for one row."""
        return self.prompts.evolved_instruction(
            _cell(input), input["instruction"], input["way"], input.get("passage")
        )

    def format_output(self, output: str | None, input: Row | None = None) -> Row:
        """The rewritten instruction."""
        original = input["instruction"] if input else ""
        found = parsing.parse_rewritten(output or "", original)
        if found is None:
            raise Unreadable("it is not one rewritten question")
        return {"evolved": found}


class Answer(ChainTask):
    """Answers ``instruction`` as the seed's expert.

    Output: ``completion``, None when there is no answer behind the model's thinking.
    """

    def format_input(self, input: Row) -> prompting.Messages:
        """The messages for one row."""
        return self.prompts.answer(_cell(input), input["instruction"], input.get("passage"))

    def format_output(self, output: str | None, input: Row | None = None) -> Row:
        """The answer without the thinking before it."""
        return {"completion": parsing.without_thinking(output or "") or None}


class EvolveCompletion(Answer):
    """Rewrites the ``completion`` of ``instruction`` in the ``way`` named."""

    @property
    def reads(self) -> list[str]:
        """The inputs besides the cell."""
        return ["instruction", "completion", "way"]

    def format_input(self, input: Row) -> prompting.Messages:
        """The messages for one row."""
        return self.prompts.evolved_answer(
            _cell(input),
            input["instruction"],
            input["completion"],
            input["way"],
            input.get("passage"),
        )


class Judge(ChainTask):
    """Rates ``answers``, pairs of a label and a text, in one ``aspect``.

    Output: ``ratings``, a ``parsing.Rating`` for each label.
    """

    @property
    def reads(self) -> list[str]:
        """The inputs besides the cell."""
        return ["instruction", "answers", "aspect"]

    @property
    def adds(self) -> list[str]:
        """The outputs besides the model's name."""
        return ["ratings"]

    def format_input(self, input: Row) -> prompting.Messages:
        """The messages for one row."""
        return self.prompts.judgement(
            _cell(input),
            input["instruction"],
            input["answers"],
            input["aspect"],
            input.get("passage"),
        )

    def format_output(self, output: str | None, input: Row | None = None) -> Row:
        """The ratings, one for each answer."""
        labels = [label for label, _ in input["answers"]] if input else []
        try:
            return {"ratings": parsing.parse_ratings(output or "", labels)}
        except ValueError as error:
            raise Unreadable(str(error)) from error


def _cell(row: Row) -> Cell:
    return Cell(topic=row["topic"], perspective=row["perspective"])
