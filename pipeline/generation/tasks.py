"""The two prompts of the chain as distilabel Tasks: messages out, parsed answer in."""

from __future__ import annotations

from typing import Any

from pipeline.core.schema import Cell, Seed
from pipeline.generation import prompting
from pipeline.generation.bases import Task
from pipeline.generation.parsing import parse_instructions, without_thinking


class WriteInstructions(Task):
    """Writes instructions for a cell.

    Input: ``topic``, ``perspective``, ``count`` (how many) and ``avoid`` (those that exist).
    Output: ``instructions``, which may be fewer than asked, or none.
    """

    seed: Seed

    @property
    def inputs(self) -> list[str]:
        """The columns it reads."""
        return ["topic", "perspective", "count", "avoid"]

    @property
    def outputs(self) -> list[str]:
        """The columns it adds."""
        return ["instructions", "model_name"]

    def format_input(self, input: dict[str, Any]) -> prompting.Messages:
        """The messages for one row."""
        return prompting.instruction_messages(
            self.seed, _cell(input), input["count"], input["avoid"]
        )

    def format_output(
        self,
        output: str | None,
        input: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The instructions found in the answer."""
        return {"instructions": parse_instructions(output or "")}


class Answer(Task):
    """Answers an instruction as the seed's expert.

    Input: ``topic``, ``perspective``, ``instruction``.
    Output: ``completion``, None when there is no answer behind the model's thinking.
    """

    seed: Seed

    @property
    def inputs(self) -> list[str]:
        """The columns it reads."""
        return ["topic", "perspective", "instruction"]

    @property
    def outputs(self) -> list[str]:
        """The columns it adds."""
        return ["completion", "model_name"]

    def format_input(self, input: dict[str, Any]) -> prompting.Messages:
        """The messages for one row."""
        return prompting.answer_messages(self.seed, _cell(input), input["instruction"])

    def format_output(
        self,
        output: str | None,
        input: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The answer without the thinking before it."""
        return {"completion": without_thinking(output or "") or None}


def _cell(row: dict[str, Any]) -> Cell:
    return Cell(topic=row["topic"], perspective=row["perspective"])
