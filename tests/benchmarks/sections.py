"""What the benchmarks with several sections share: choosing them, and running one after another."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import fresh
from tests.benchmarks.processes import Failed


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


def among(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Reads some of the ``known`` names, with commas, in their own order."""

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
