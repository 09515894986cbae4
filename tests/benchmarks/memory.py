"""Rows per second and memory with a model that takes no time: what the pipeline itself costs.

    python -m tests.benchmarks.memory FOLDER ROWS

is the run that ``measure`` watches: the pipeline in-process over a model that answers at once.
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
from pipeline.core.schema import ModelChoice, Project, Seed
from pipeline.core.store_folder import FolderStore
from pipeline.generation import chain
from pipeline.generation.access import ModelAccess
from pipeline.generation.bases import AsyncLLM
from pipeline.generation.prompting import Messages
from pipeline.generation.run import RunSummary, generate
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


class Instant(AsyncLLM):
    """Answers at once, as the loopback server would."""

    model: str

    @property
    def model_name(self) -> str:
        """The name on its rows."""
        return self.model

    async def agenerate(
        self,
        input: Messages,
        num_generations: int = 1,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
    ) -> dict[str, Any]:
        """Answer; of the parameters only ``seed`` matters.

        Args:
            input: The messages.
            num_generations: How many answers.
            temperature: Not used.
            top_p: Not used.
            max_tokens: Not used.
            seed: Another number gives another answer.
        """
        parameters = {} if seed is None else {"seed": seed}
        received = Received(input, self.model, parameters, {})
        text = reply(received) or ""
        if not (received.wanted or received.rated):
            text += f" {text}" * (_LENGTH // len(text))
        return {
            "generations": [text] * num_generations,
            "statistics": {
                "input_tokens": [100] * num_generations,
                "output_tokens": [len(text) // 4] * num_generations,
            },
            "finish_reason": ["stop"] * num_generations,
        }

    async def aclose(self) -> None:
        """Nothing to close."""


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
    setattr(chain, "open_llm", _instant)  # noqa: B010 - its type is that of real models
    store, seed = FolderStore(folder), work.a_seed()
    settings = work.settings("http://127.0.0.1:9/v1")
    make_project(store, seed, Project(generation=settings))
    marks: dict[int, float] = {}

    def note(so_far: RunSummary) -> None:
        mark = so_far.samples * MARKS // rows * (rows // MARKS)
        if mark and mark not in marks:
            marks[mark] = round(resident_mb(), 1)

    began = time.monotonic()
    summary = generate(store, seed, settings, ModelAccess(), rows=rows, on_progress=note)
    seconds = time.monotonic() - began
    return {
        "rows": summary.samples,
        "seconds": round(seconds, 1),
        "rows_per_s": round(summary.samples / seconds, 1),
        "calls": summary.calls,
        "resident_mb": marks,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _instant(choice: ModelChoice, seed: Seed, access: ModelAccess, timeout: float) -> Instant:
    return Instant(model=choice.model)


if __name__ == "__main__":
    main()
