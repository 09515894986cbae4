"""Where the bars of a chart go; the page's template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.curation.grid import Grid
from pipeline.curation.measures import Distribution

WIDTH: Final = 440
HEIGHT: Final = 132
_GAP: Final = 2
_MOST_TOPICS: Final = 60
_MOST_PERSPECTIVES: Final = 20


@dataclass(frozen=True, slots=True)
class Bar:
    """One upright bar, in units of the chart.

    Attributes:
        label: What it stands for.
        middle: Where its label goes.
        ticked: Whether there is room for the label under the axis.
    """

    label: str
    tick: str
    count: int
    x: float
    y: float
    width: float
    height: float
    middle: float
    ticked: bool


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart of upright bars.

    Attributes:
        most: The count of the highest bar.
        told: The same as a sentence, for those who cannot see it.
        counted: Whether there is room for a figure on each bar.
    """

    bars: tuple[Bar, ...]
    most: int
    told: str
    counted: bool


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One cell of a map.

    Attributes:
        samples: How many samples it has.
        judged: How many of them people judged.
        accepted: How many of them have an accepted completion.
        heat: Samples in hundredths of the fullest cell's.
        wanted: How many it shall have; None where every cell has an even share.
    """

    samples: int
    judged: int
    accepted: int
    heat: int
    wanted: int | None = None


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One topic of a map."""

    topic: str
    cells: tuple[HeatCell, ...]
    samples: int


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Coverage as a table to be coloured.

    Attributes:
        topics_left_out: How many rows there was no room for.
        perspectives_left_out: How many columns there was no room for.
        empty: Cells without a sample, those left out included.
        all_cells: How many cells there are.
    """

    perspectives: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    topics_left_out: int
    perspectives_left_out: int
    empty: int
    all_cells: int


def histogram(spread: Distribution) -> Columns:
    """How lengths are spread."""
    told = (
        f"Half of them have {spread.p25:,} to {spread.p75:,} words, the median is "
        f"{spread.median:,}, the shortest has {spread.least:,}, the longest {spread.most:,}."
    )
    bins = [
        (f"{bar.label()} words", f"{bar.start:,}{'+' if bar.end is None else ''}", bar.count)
        for bar in spread.bins
    ]
    return _columns(bins, told)


def stars(counts: Sequence[tuple[int, int]]) -> Columns:
    """How ratings are spread."""
    rated = sum(count for _, count in counts)
    told = ", ".join(f"{count:,} rated {star}" for star, count in counts if count)
    bars = [(f"rated {star}", str(star), count) for star, count in counts]
    return _columns(bars, f"Of {rated:,} completions {told}.")


def heat_map(samples: Grid, judged: Grid, accepted: Grid, aim: Grid | None = None) -> HeatMap:
    """Coverage, the first topics and perspectives if there are many; ``aim`` if it is uneven."""
    fullest = max((count for row in samples.counts for count in row), default=0)
    nothing = [(None,) * len(row) for row in samples.counts]
    aims: Sequence[Sequence[int | None]] = aim.counts if aim else nothing
    grids = (samples.counts, judged.counts, accepted.counts, aims)
    every = zip(samples.topics, *grids, strict=True)
    rows = [
        HeatRow(
            topic,
            tuple(
                HeatCell(has, known, good, round(100 * has / fullest) if fullest else 0, wanted)
                for has, known, good, wanted in zip(row, known_row, good_row, aim_row, strict=True)
            )[:_MOST_PERSPECTIVES],
            sum(row),
        )
        for topic, row, known_row, good_row, aim_row in list(every)[:_MOST_TOPICS]
    ]
    return HeatMap(
        perspectives=samples.perspectives[:_MOST_PERSPECTIVES],
        rows=tuple(rows),
        topics_left_out=max(0, len(samples.topics) - _MOST_TOPICS),
        perspectives_left_out=max(0, len(samples.perspectives) - _MOST_PERSPECTIVES),
        empty=sum(count == 0 for row in samples.counts for count in row),
        all_cells=len(samples.topics) * len(samples.perspectives),
    )


def _columns(bars: Sequence[tuple[str, str, int]], told: str) -> Columns:
    most = max((count for _, _, count in bars), default=0)
    step = WIDTH / max(1, len(bars))
    every = max(1, -(-len(bars) // 8))
    placed = []
    for place, (label, tick, count) in enumerate(bars):
        height = HEIGHT * count / most if most else 0.0
        height = max(height, 1.5) if count else 0.0  # a rare value is still one that can be seen
        placed.append(
            Bar(
                label=label,
                tick=tick,
                count=count,
                x=round(place * step + _GAP / 2, 2),
                y=round(HEIGHT - height, 2),
                width=round(step - _GAP, 2),
                height=round(height, 2),
                middle=round((place + 0.5) * step, 2),
                ticked=place % every == 0,
            )
        )
    return Columns(tuple(placed), most, told, counted=len(bars) <= 12)
