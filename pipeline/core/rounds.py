"""What a round of generation takes from the votes before it, frozen when the round begins.

Votes go on arriving while a round runs; a frozen file lets an interrupted round go on as it began.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.schema import Stored


class Judged(BaseModel):
    """An instruction with a completion that people found good or not good.

    Attributes:
        instruction: As it was asked.
        text: The completion, or what an expert wrote in its place.
        topic: Of the cell.
        perspective: Of the cell.
        why: What people said about it, if anything.
    """

    model_config = ConfigDict(frozen=True)

    instruction: str
    text: str
    topic: str
    perspective: str
    why: str = ""


class CellCount(BaseModel):
    """How many samples of a cell have a completion that people accepted."""

    model_config = ConfigDict(frozen=True)

    topic: str
    perspective: str
    accepted: int


class Round(Stored):
    """What round ``number`` builds on.

    Attributes:
        number: 2 or more; the first round has no votes to build on.
        made_at: ISO 8601, UTC.
        good: Few-shots: edits by experts first, then completions found good.
        bad: What to avoid.
        accepted: For every cell that has any; others have none.
    """

    model_config = ConfigDict(frozen=True)

    FILE = "the round"
    MOST_BYTES = 20_000_000

    number: int = Field(ge=2, le=9999)
    made_at: str
    good: tuple[Judged, ...] = ()
    bad: tuple[Judged, ...] = ()
    accepted: tuple[CellCount, ...] = ()
