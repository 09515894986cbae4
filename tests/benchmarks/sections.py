"""What benchmarks share: their command line, their sections one after another, their last line."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import fresh
from tests.benchmarks.processes import Failed


def tell(benchmark: Callable[[Path], dict[str, Any]]) -> None:
    """Run a benchmark in a folder of its own; the last line is its figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as folder:
        figures = benchmark(Path(folder))
    print(json.dumps(figures))


def machine() -> dict[str, Any]:
    """On what, and beside how much else, figures are measured."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def options(about: str | None, sections: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A command line whose help begins as the module does; ``--only`` chooses ``sections``."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0] if about else "")
    if sections:
        known = list(sections)
        parser.add_argument("--only", type=_among(known), default=known, help="with commas")
    return parser


def run_sections(
    figures: dict[str, Any],
    sections: Mapping[str, Callable[[], dict[str, Any]]],
    only: Sequence[str],
    folder: Path,
) -> dict[str, Any]:
    """Add to ``figures`` those of the sections in ``only``, each begun with ``folder`` empty."""
    for name, measure in sections.items():
        if name not in only:
            continue
        began = time.monotonic()
        print(f"{name} ...", flush=True)
        fresh(folder)
        try:
            figures[name] = measure()
        except Failed as error:
            figures[name] = {"error": str(error), "passed": False}
        _tell(name, figures[name], time.monotonic() - began)
    figures["passed"] = all(figures[name].get("passed", True) for name in only)
    return figures


def _among(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Reads some of the ``known`` names in their own order."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := sorted(set(names) - set(known)):
            raise argparse.ArgumentTypeError(f"there is no section {unknown[0]!r}: {known}")
        return [name for name in known if name in names]

    return read


def _tell(name: str, figures: dict[str, Any], seconds: float) -> None:
    for key, value in figures.items():
        print(f"  {key}: {value}")
    verdict = {True: "passed", False: "FAILED", None: "measured"}[figures.get("passed")]
    print(f"{name}: {verdict} in {seconds:.0f} s\n", flush=True)
