"""Rows per second and memory with a model that takes no time: what the pipeline itself costs.

    python -m tests.benchmarks.memory FOLDER ROWS

is the run that ``measure`` watches: the whole pipeline but for the network, which answers at once.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

from pipeline.core.projects import make_project
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from pipeline.generation.access import ModelAccess
from pipeline.generation.cache import Reply
from pipeline.generation.chat import ChatClient
from pipeline.generation.run import generate
from pipeline.generation.running import Progress
from tests.benchmarks import work
from tests.benchmarks.contenders import TOO_LONG, ratio
from tests.benchmarks.processes import resident_mb, run
from tests.llm_server import Received, reply

TARGET_MB: Final = 600
FLAT: Final = 1.1
"""Memory at the end by memory after a fifth of the rows, at most."""
MARKS: Final = 10
"""How often memory is noted."""

_LENGTH: Final = 800
"""Characters an answer has at least, as answers have."""


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Figures of one run of ``rows`` rows in a process of its own.

    Raises:
        Failed: The run did.
    """
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(folder), str(rows)]
    ran = run(command, at_most=4 * TOO_LONG)
    figures: dict[str, Any] = json.loads(ran.output.splitlines()[-1])
    marks = list(figures["resident_mb"].values())
    warm = marks[MARKS // 5 - 1 :]
    growth = ratio(warm[-1], warm[0]) if warm else None
    peak = max(ran.peak_mb, figures["peak_mb"])
    return {
        **figures,
        "peak_mb": round(peak),
        "peak_target_mb": TARGET_MB,
        "growth": growth,
        "growth_target": FLAT,
        "passed": figures["rows"] == rows
        and peak < TARGET_MB
        and growth is not None
        and growth <= FLAT,
    }


def main() -> None:
    """Make the rows, and print what it took as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    arguments = parser.parse_args()
    print(json.dumps(_make(arguments.folder, arguments.rows)))


def _make(folder: Path, rows: int) -> dict[str, Any]:
    setattr(ChatClient, "_ask_once", _answer)  # noqa: B010 - all but the network stays as it is
    store, seed = FolderStore(folder), work.a_seed()
    settings = work.settings("http://127.0.0.1:9/v1")
    make_project(store, seed, Project(generation=settings))
    marks: dict[int, float] = {}

    def note(so_far: Progress) -> None:
        mark = so_far.record.samples * MARKS // rows * (rows // MARKS)
        if mark and mark not in marks:
            marks[mark] = round(resident_mb(), 1)

    began = time.monotonic()
    summary = generate(
        store,
        seed,
        settings,
        ModelAccess(),
        rows=rows,
        work=store.work_folder,
        on_progress=note,
    )
    seconds = time.monotonic() - began
    return {
        "rows": summary.samples,
        "seconds": round(seconds, 1),
        "rows_per_s": round(summary.samples / seconds, 1),
        "calls": summary.calls,
        "resident_mb": marks,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _answer(client: ChatClient, body: dict[str, Any], began: float, /) -> Reply:
    """What the loopback server would answer, at once."""
    parameters = {name: body[name] for name in ("seed",) if name in body}
    received = Received(body["messages"], body["model"], parameters, {})
    text = reply(received) or ""
    if not (received.wanted or received.rated):
        text += f" {text}" * (_LENGTH // len(text))
    return Reply(text, "stop", 100, len(text) // 4, time.monotonic() - began)


if __name__ == "__main__":
    main()
