"""The benchmark of curation: a large project's votes, folded and exported.

    python tests/benchmarks/curation.py
    python tests/benchmarks/curation.py --events 100000

Its last line is one JSON object of figures; README.md beside this file explains them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

# Run as a file, its own folder would be searched for modules in place of the checkout.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

from tests.benchmarks.contenders import ratio
from tests.benchmarks.curating import votes
from tests.benchmarks.processes import run
from tests.benchmarks.sections import machine, options, tell

TARGET_MB: Final = 1_000
TOO_LONG: Final = 3_600


def main() -> None:
    """Make the project, export it in both ways, and print figures."""
    parser = options(__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="of feedback")
    parser.add_argument("--samples", type=int, help="by default, one for four events")
    parser.add_argument("--seed", type=int, default=0, help="of texts and votes")
    asked = parser.parse_args()
    tell(lambda folder: measure(folder, asked.events, asked.samples, seed=asked.seed))


def measure(
    folder: Path, events: int, samples: int | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """Figures of a project with so many events."""
    busy = machine()
    project = folder / "project"
    made = votes.make(project, samples or max(1, events // 4), events, seed=seed)
    print(f"made {made} samples and {events} events", flush=True)
    ours = _measured(["tests.benchmarks.curating.ours", project, folder / "ours"])
    print(f"ours: {ours}", flush=True)
    plain = _measured(["tests.benchmarks.curating.plain", project, folder / "plain"])
    print(f"plain: {plain}", flush=True)
    return {
        "events": events,
        "samples": made,
        "ours": ours,
        "plain": plain,
        "wall_to_plain": ratio(ours["wall_s"], plain["wall_s"]),
        "cpu_to_plain": ratio(ours["cpu_s"], plain["cpu_s"]),
        "peak_to_plain": ratio(ours["peak_mb"], plain["peak_mb"]),
        "peak_target_mb": TARGET_MB,
        "same_rows_of_preference": ours["rows"]["preference"] == plain["rows"]["preference"],
        "passed": ours["peak_mb"] < TARGET_MB
        and ours["rows"]["preference"] == plain["rows"]["preference"],
        "machine": busy,
    }


def _measured(words: list[str | Path]) -> dict[str, Any]:
    ran = run([sys.executable, "-m", *map(str, words)], at_most=TOO_LONG)
    told: dict[str, Any] = json.loads(ran.output.splitlines()[-1])
    rows = sum(told["rows"].values())
    return {
        **told,
        "wall_s": round(ran.wall, 1),
        "rows_per_s": round(rows / ran.wall),
        "events_per_s": round(told["rows"]["feedback"] / ran.wall),
        "peak_mb": round(ran.peak_mb),
    }


if __name__ == "__main__":
    main()
