"""A run that is killed: nobody goes on calling, and the next run pays for nothing twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.core.schema import Sample
from tests.benchmarks import work
from tests.benchmarks.contenders import TOO_LONG, Options, ratio, seedbed
from tests.benchmarks.faults import problems
from tests.benchmarks.processes import Failed, Running, run
from tests.benchmarks.server import Server
from tests.llm_server import Call

AT: Final = 0.6
"""The share of calls that are answered when the process is killed."""
SILENCE: Final = 5.0
"""Seconds for which nobody may call after the kill."""
_SETTLED: Final = 0.5
"""Seconds after the kill until the server has read what had been sent before it."""
ON_ITS_WAY: Final = 0.1
"""Seconds before the kill in which a reply that was sent may not have been read yet."""


def measure(options: Options, silence: float = SILENCE) -> dict[str, Any]:
    """Figures of a killed run, of its rerun, and of one that was left alone.

    Raises:
        Failed: A command did, or it was over before it could be killed.
    """
    project = options.folder / "killed"
    with Server(options.load) as server:
        work.make_project(project, server.url, options.in_flight)
        command = work.generate_command(project, options.rows)
        moment, left = kill_at(server, command, AT * options.rows * work.CALLS, silence=silence)
        first = server.calls()
        rerun = run(command, at_most=TOO_LONG)
        second = server.calls()[len(first) :]
    alone = seedbed(options, options.load, "alone")
    rows = work.samples(project)
    paid = paid_again(first, second, moment, Counter(call.digest for call in alone.calls))
    same = contents(rows) == contents(work.samples(options.folder / "alone"))
    after = sum(call.arrived > moment + _SETTLED for call in first)
    wrong = problems(rows, options.rows)
    return {
        "answered_at_kill": sum(call.answered for call in first),
        "rerun_calls": len(second),
        "processes_left": left,
        "calls_after_kill": after,
        **paid,
        "same_rows_as_uninterrupted": same,
        "problems": wrong,
        "rerun_wall_s": round(rerun.wall, 2),
        "rerun_to_uninterrupted": ratio(rerun.wall, alone.ran.wall),
        "target": "no process left, no call after the kill, no answered call again, the same rows",
        "passed": not (left or after or paid["paid_again"] or wrong) and same,
    }


def kill_at(
    server: Server,
    command: Sequence[str],
    answered: float,
    *,
    env: Mapping[str, str] | None = None,
    silence: float = SILENCE,
) -> tuple[float, int]:
    """Run a command until so many calls are answered, kill its first process, and listen.

    Returns:
        The moment, and how many of its processes were still alive after the silence.

    Raises:
        Failed: It was over before.
    """
    running = Running(command, env)
    try:
        patience = time.monotonic() + TOO_LONG
        while server.counts().answered < answered:
            if running.process.poll() is not None or time.monotonic() > patience:
                raise Failed(f"not killed, for want of {answered:.0f} answers: {running.said()}")
            time.sleep(0.05)
        moment = running.kill()
        time.sleep(silence)
        return moment, running.left()
    finally:
        running.end()


def paid_again(
    first: Sequence[Call], second: Sequence[Call], moment: float, alone: Mapping[str, int]
) -> dict[str, int]:
    """Answered calls of the first life whose very body was sent again without need.

    Args:
        first: Calls until the kill.
        second: Calls after it.
        moment: Of the kill.
        alone: How often an uninterrupted run sends each body.

    Returns:
        How many; those whose reply left the server just before the kill are counted apart, because
        nobody can keep what is still on its way.
    """
    asked = Counter(call.digest for call in second)
    answered: dict[str, list[float]] = {}
    for call in first:
        if call.sent is not None and call.answered:
            answered.setdefault(call.digest, []).append(call.sent)
    repeated, on_its_way = 0, 0
    for digest, sent in answered.items():
        needless = len(sent) + asked[digest] - max(1, alone.get(digest, 0))
        for when in sorted(sent, reverse=True)[: max(0, min(needless, len(sent)))]:
            if when > moment - ON_ITS_WAY:
                on_its_way += 1
            else:
                repeated += 1
    return {"paid_again": repeated, "paid_again_sent_at_the_kill": on_its_way}


def contents(samples: Sequence[Sample]) -> set[tuple[object, ...]]:
    """What a dataset says, without when and by which run."""
    return {
        (
            sample.sample_id,
            sample.instruction,
            *((c.text, c.model, c.judge_rating) for c in sample.completions),
        )
        for sample in samples
    }
