"""Each contender at the same work, on a server of its own, with what the server saw of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks import work
from tests.benchmarks.processes import Ran, run
from tests.benchmarks.server import Load, Server, outcomes, span
from tests.llm_server import Call

TOO_LONG: Final = 15 * 60.0
"""Seconds after which a contender is given up."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender's run.

    Attributes:
        ran: The process.
        calls: What the server saw.
        ideal: Seconds it takes if the permitted number of calls is always under way.
        most_in_flight: Calls under way at one moment, at most.
    """

    ran: Ran
    calls: Sequence[Call]
    ideal: float
    most_in_flight: int

    def figures(self) -> dict[str, object]:
        """What is worth telling of it."""
        return {
            "wall_s": round(self.ran.wall, 2),
            "calls_span_s": round(span(self.calls), 2),
            "ideal_s": round(self.ideal, 2),
            "wall_to_ideal": ratio(self.ran.wall, self.ideal),
            "peak_mb": round(self.ran.peak_mb),
            "processes": self.ran.processes,
            "calls": len(self.calls),
            "outcomes": outcomes(self.calls),
            "most_in_flight": self.most_in_flight,
        }


@dataclass(frozen=True, slots=True)
class Options:
    """How large a run is, and where.

    Attributes:
        folder: For projects and other files; emptied by nobody but the caller.
        rows: Samples.
        in_flight: Calls at once.
        load: Of the server; a section adds its faults.
    """

    folder: Path
    rows: int
    in_flight: int
    load: Load


def seedbed(options: Options, load: Load, name: str) -> Measured:
    """The pipeline, by its command; the project is ``name`` in the options' folder.

    Raises:
        Failed: The command did.
    """
    project = options.folder / name
    with Server(load) as server:
        work.make_project(project, server.url, options.in_flight)
        ran = run(work.generate_command(project, options.rows), at_most=TOO_LONG)
        return measured(server, ran, options.in_flight)


def plain(options: Options, *, gather: bool) -> Measured:
    """The bare client."""
    extra = ["--gather"] if gather else []
    return ordered(options, [sys.executable, "-m", "tests.benchmarks.plain"], extra)


def ordered(
    options: Options,
    command: Sequence[str],
    words: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Measured:
    """A contender that takes its work from a file.

    Raises:
        Failed: It did.
    """
    with Server(options.load) as server:
        order = options.folder / "order.json"
        work.write_order(order, server.url, options.rows, options.in_flight)
        ran = run([*command, str(order), *words], at_most=TOO_LONG, env=env)
        return measured(server, ran, options.in_flight)


def measured(server: Server, ran: Ran, in_flight: int) -> Measured:
    """What a run on ``server`` came to."""
    counts = server.counts()
    return Measured(ran, server.calls(), counts.slept / in_flight, counts.most_in_flight)


def fresh(folder: Path) -> Path:
    """An empty folder at ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def ratio(value: float, to: float) -> float | None:
    """Rounded for reading; None where there is nothing to compare with."""
    return round(value / to, 3) if to else None
