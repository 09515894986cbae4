"""The benchmark of annotation: latency, a crowd, a million samples, and everything going wrong.

    python tests/benchmarks/annotate.py
    python tests/benchmarks/annotate.py --only latency,crowd --people 50 --minutes 2

Its last line is one JSON object of figures; README.md beside this file explains them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
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
from tests.benchmarks.processes import Failed

SECTIONS: Final = ("latency", "crowd", "million", "chaos")


def main() -> None:
    """Run the sections that are asked for."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as folder:
        figures = benchmark(arguments, Path(folder))
    print(json.dumps(figures))


def benchmark(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of all sections that are asked for."""
    figures: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()}
    }
    minutes = arguments.minutes
    sections: dict[str, Callable[[Path], dict[str, Any]]] = {
        "latency": lambda place: latency.measure(place, votes=arguments.votes),
        "crowd": lambda place: crowd.measure(place, people=arguments.people, minutes=minutes),
        "million": lambda place: million.run(place, samples=arguments.samples),
        "chaos": lambda place: chaos.measure(place, people=arguments.people // 4, minutes=minutes),
    }
    for name in SECTIONS:
        if name not in arguments.only:
            continue
        began = time.monotonic()
        print(f"{name} ...", flush=True)
        place = folder / name
        place.mkdir()
        try:
            figures[name] = sections[name](place)
        except Failed as error:
            figures[name] = {"error": str(error), "passed": False}
        _tell(name, figures[name], time.monotonic() - began)
    figures["passed"] = all(figures[name].get("passed", True) for name in arguments.only)
    return figures


def _tell(name: str, figures: dict[str, Any], seconds: float) -> None:
    for key, value in figures.items():
        print(f"  {key}: {value}")
    verdict = {True: "passed", False: "FAILED", None: "measured"}[figures.get("passed")]
    print(f"{name}: {verdict} in {seconds:.0f} s\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", type=_sections, default=list(SECTIONS), help="with commas")
    parser.add_argument("--minutes", type=float, default=10, help="of the crowd and of the chaos")
    parser.add_argument("--people", type=int, default=200, help="in the crowd; a quarter in chaos")
    parser.add_argument("--votes", type=int, default=200, help="at each pace of latency")
    parser.add_argument("--samples", type=int, default=1_000_000, help="of the million")
    return parser.parse_args()


def _sections(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := sorted(set(names) - set(SECTIONS)):
        raise argparse.ArgumentTypeError(f"there is no section {unknown[0]!r}: {SECTIONS}")
    return [name for name in SECTIONS if name in names]


if __name__ == "__main__":
    main()
