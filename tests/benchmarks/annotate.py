"""The benchmark of annotation: latency, a crowd, a million samples, and everything going wrong.

    python tests/benchmarks/annotate.py
    python tests/benchmarks/annotate.py --only latency,crowd --people 50 --minutes 2

Its last line is one JSON object of figures; README.md beside this file explains them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

# Run as a file, its own folder would be searched for modules in place of the checkout.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    # The Hub's client reads these when it is first imported, which is below.
    _HOME = tempfile.TemporaryDirectory(prefix="seedbed-bench-home-")
    os.environ.update(
        HF_HOME=_HOME.name,
        HF_TOKEN_PATH=f"{_HOME.name}/token",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        GRADIO_ANALYTICS_ENABLED="False",
    )

from tests.benchmarks.annotating import chaos, crowd, latency, million
from tests.benchmarks.sections import machine, options, run_sections, tell

SECTIONS: Final = ("latency", "crowd", "million", "chaos")


def main() -> None:
    """Run the sections that are asked for."""
    tell(partial(benchmark, _arguments()))


def benchmark(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of all sections that are asked for."""
    figures: dict[str, Any] = {"machine": machine()}
    minutes = arguments.minutes
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "latency": lambda: latency.measure(folder, votes=arguments.votes),
        "crowd": lambda: crowd.measure(folder, people=arguments.people, minutes=minutes),
        "million": lambda: million.run(folder, samples=arguments.samples),
        "chaos": lambda: chaos.measure(folder, people=arguments.people // 4, minutes=minutes),
    }
    return run_sections(figures, sections, arguments.only, folder)


def _arguments() -> argparse.Namespace:
    parser = options(__doc__, SECTIONS)
    parser.add_argument("--minutes", type=float, default=10, help="of the crowd and of the chaos")
    parser.add_argument("--people", type=int, default=200, help="in the crowd; a quarter in chaos")
    parser.add_argument("--votes", type=int, default=200, help="at each pace of latency")
    parser.add_argument("--samples", type=int, default=1_000_000, help="of the million")
    return parser.parse_args()


if __name__ == "__main__":
    main()
