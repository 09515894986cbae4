"""The benchmark of generation: speed, faults, a kill, peers and memory.

    python tests/benchmarks/generation.py
    python tests/benchmarks/generation.py --only chain,kill --rows 100

Its last line is one JSON object of figures; README.md beside this file explains them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

# Run as a file, its own folder would be searched for modules in place of the checkout.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])

from tests.benchmarks import chain, faults, kill, memory, rivals, work
from tests.benchmarks.contenders import Options
from tests.benchmarks.sections import machine, options, run_sections, tell
from tests.benchmarks.server import Load

SECTIONS: Final = ("chain", "faults", "kill", "peers", "memory")


def main() -> None:
    """Run the sections that are asked for."""
    tell(partial(benchmark, _arguments()))


def benchmark(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of all sections that are asked for."""
    load = Load(mean=arguments.mean, cap=arguments.cap, seed=arguments.seed)
    asked = Options(folder, arguments.rows, arguments.in_flight, load)
    figures: dict[str, Any] = {
        "rows": arguments.rows,
        "in_flight": arguments.in_flight,
        "calls_per_row": work.CALLS,
        "latency": {"mean": load.mean, "cap": load.cap, "sigma": load.sigma, "seed": load.seed},
        "machine": machine(),
    }

    def calm_wall() -> float | None:
        measured = figures.get("chain", {}).get("pipeline", {}).get("wall_s")
        return float(measured) if measured else None

    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "chain": lambda: chain.measure(asked, arguments.peers_dir),
        "faults": lambda: faults.measure(asked, calm_wall()),
        "kill": lambda: kill.measure(asked),
        "peers": lambda: rivals.measure(asked, arguments.peers_dir, figures),
        "memory": lambda: memory.measure(folder / "memory", arguments.big_rows),
    }
    return run_sections(figures, sections, arguments.only, folder)


def _arguments() -> argparse.Namespace:
    parser = options(__doc__, SECTIONS)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--big-rows", type=int, default=100_000, help="of the memory section")
    parser.add_argument("--in-flight", type=int, default=work.IN_FLIGHT)
    parser.add_argument("--mean", type=float, default=Load.mean, help="seconds of mean latency")
    parser.add_argument("--cap", type=float, default=Load.cap, help="seconds of latency at most")
    parser.add_argument("--seed", type=int, default=0, help="of latencies and faults")
    parser.add_argument(
        "--peers-dir",
        type=Path,
        default=Path(__file__).parent / ".peers",
        help="where others are installed, once",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
