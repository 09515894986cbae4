"""Speed without trouble: the pipeline against a bare client that does the same chains."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.benchmarks import rivals
from tests.benchmarks.contenders import Measured, Options, plain, ratio, seedbed

TARGET: Final = 1.1
"""The pipeline's wall time by that of the faster bare client, at most."""


def measure(options: Options, home: Path | None = None) -> dict[str, Any]:
    """Figures of the pipeline and of both bare clients.

    With ``home``, a folder for environments, distilabel's own DAG is measured beside them.

    Raises:
        Failed: One of them did not do its work.
    """
    one_by_one = plain(options, gather=False)
    at_once = plain(options, gather=True)
    ours = seedbed(options, options.load, "chain")
    beside = rivals.stock(options, home) if home else None
    return {**compared(ours, one_by_one, at_once, options), "stock_distilabel": beside}


def compared(
    ours: Measured, one_by_one: Measured, at_once: Measured, options: Options
) -> dict[str, Any]:
    """The comparison."""
    faster = min(one_by_one.ran.wall, at_once.ran.wall)
    found = ratio(ours.ran.wall, faster)
    return {
        "rows": options.rows,
        "in_flight": options.in_flight,
        "plain_sequential": one_by_one.figures(),
        "plain_gathered": at_once.figures(),
        "pipeline": ours.figures(),
        "wall_to_plain": found,
        "target": TARGET,
        "passed": found is not None
        and found <= TARGET
        and ours.most_in_flight <= options.in_flight,
    }
