"""Whether an export is enough to train on, and how to weigh it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.core.layout import ExportFormat

ENOUGH: Final[dict[str, tuple[ExportFormat, int]]] = {
    "SFT": ("sft", 10_000),
    "ORPO": ("preference", 7_000),
    "DPO": ("preference", 3_000),
    "SPIN": ("spin", 2_000),
}
"""Rows of which export public reproductions report as enough for each way of training."""

_LEAST: Final = 1.0
_MOST: Final = 4 / 3
_MIDDLE: Final = 7 / 6


@dataclass(frozen=True, slots=True)
class Balance:
    """Classes of ``kto`` and what weighs them well.

    Attributes:
        good: Rows labelled good, in train.
        bad: Rows labelled not good.
        desirable_weight: What TRL's KTOTrainer calls so; None if a class has no rows.
        undesirable_weight: Likewise.
    """

    good: int
    bad: int
    desirable_weight: float | None
    undesirable_weight: float | None


@dataclass(frozen=True, slots=True)
class Enough:
    """How far an export is from a published size.

    Attributes:
        way: The way of training.
        rows: Those in train.
        wanted: The published size.
    """

    way: str
    export: ExportFormat
    rows: int
    wanted: int

    @property
    def missing(self) -> int:
        """Rows."""
        return max(0, self.wanted - self.rows)


def balance(good: int, bad: int) -> Balance:
    """The weights that bring the classes into proportion; one of them is 1.

    Desirable weight times good rows shall be 1 to 4/3 times undesirable weight times bad rows
    (Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization", 2024, equation 8;
    TRL's KTOTrainer warns outside that range). The larger class keeps 1, so that no loss shrinks.
    """
    if not good or not bad:
        return Balance(good, bad, None, None)
    ratio = good / bad
    if _LEAST <= ratio <= _MOST:
        return Balance(good, bad, 1.0, 1.0)
    if ratio < _LEAST:
        return Balance(good, bad, round(_MIDDLE / ratio, 2), 1.0)
    return Balance(good, bad, 1.0, round(ratio / _MIDDLE, 2))


def enough(rows: dict[ExportFormat, int]) -> tuple[Enough, ...]:
    """How far each export named in ``rows`` (of train) is from what is published."""
    return tuple(
        Enough(way, export, rows[export], wanted)
        for way, (export, wanted) in ENOUGH.items()
        if export in rows
    )
