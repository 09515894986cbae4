"""Which rows are good enough for an export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.core.flags import Flag
from pipeline.core.schema import normalized
from pipeline.curation.picking import Picked

_GOOD: Final = ("completion", "chosen")
"""Columns whose text a model shall learn to write."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a row needs.

    Attributes:
        min_votes: People who decided. What a lead settled and what a person wrote needs none.
        min_agreement: The share of them that said the same; likewise.
        min_judge: Rating by the judge of what a model wrote and shall be learnt; without a rating
            it is not good enough. What is labelled bad or rejected may have any.
        without_flags: Names of marks that neither the instruction nor a text of the row may have.
        models: Only what these wrote, and people; all if empty.
        topics: Only these, whatever their case; all if empty.
    """

    min_votes: int = 1
    min_agreement: float = 0.0
    min_judge: float | None = None
    without_flags: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()

    def against(self, row: Picked) -> str | None:
        """The first filter that the row does not pass, by its name in settings; None if all."""
        for name, passes in self._tests(row):
            if not passes:
                return name
        return None

    def _tests(self, row: Picked) -> Iterator[tuple[str, bool]]:
        counted = row.votes is not None and row.source != "lead"
        yield "min_votes", not counted or (row.votes or 0) >= self.min_votes
        # A share such as 2/3 is written as 0.667 by people.
        agreed = (row.agreement or 0.0) >= self.min_agreement - 5e-4
        yield "min_agreement", not counted or agreed
        yield "min_judge", self.min_judge is None or self._rated(row, self.min_judge)
        yield "without_flag", not (self.without_flags and self._marks(row) & self.without_flags)
        writers = {text.model for text in row.texts.values() if text.model is not None}
        yield "model", not self.models or writers <= self.models
        about = normalized(row.sample.topic) if self.topics else ""
        yield "topic", not self.topics or about in map(normalized, self.topics)

    def _rated(self, row: Picked, least: float) -> bool:
        if row.facts.get("label") is False:
            return True
        shown = [row.texts[name] for name in _GOOD if name in row.texts]
        return all(
            text.model is None or (text.judge_rating is not None and text.judge_rating >= least)
            for text in shown
        )

    def _marks(self, row: Picked) -> set[str]:
        # What a person wrote has none of the marks of the completion that it replaces.
        meant = {text.completion_id for text in row.texts.values() if text.model is not None}
        marks = (Flag.parse(mark) for mark in row.sample.flags)
        return {m.name for m in marks if m.completion_id is None or m.completion_id in meant}
