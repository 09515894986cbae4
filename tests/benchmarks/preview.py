"""The benchmark of the preview: the first sample on the screen, and editing beside previews.

    python tests/benchmarks/preview.py
    python tests/benchmarks/preview.py --only crowd --visitors 40

Its last line is one JSON object of figures; README.md beside this file explains them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

# Run as a file, its own folder would be searched for modules in place of the checkout.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from tests.benchmarks.previewing import crowd, first
from tests.benchmarks.sections import machine, options, run_sections, tell

SECTIONS: Final = ("first", "crowd")


def main() -> None:
    """Run the sections that are asked for."""
    tell(partial(benchmark, _arguments()))


def benchmark(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of all sections that are asked for."""
    figures: dict[str, Any] = {"machine": machine()}
    latency = arguments.latency
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "first": lambda: first.measure(folder, runs=arguments.runs, latency=latency),
        "crowd": lambda: crowd.measure(
            folder, visitors=arguments.visitors, edits=arguments.edits, latency=latency
        ),
    }
    return run_sections(figures, sections, arguments.only, folder)


def _arguments() -> argparse.Namespace:
    parser = options(__doc__, SECTIONS)
    parser.add_argument("--runs", type=int, default=20, help="previews of the first section")
    parser.add_argument("--visitors", type=int, default=20, help="who preview in the crowd")
    parser.add_argument("--edits", type=int, default=100, help="by somebody else, each time")
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of each answer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
