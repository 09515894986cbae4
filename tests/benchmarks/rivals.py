"""Others at the same work, on the same server: how fast, how large, and what a kill costs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import work
from tests.benchmarks.contenders import (
    TOO_LONG,
    Measured,
    Options,
    fresh,
    ordered,
    ratio,
    seedbed,
)
from tests.benchmarks.environments import (
    CURATOR,
    DATA_DESIGNER,
    STOCK,
    NotInstalled,
    Package,
    install,
)
from tests.benchmarks.kill import kill_at, paid_again
from tests.benchmarks.processes import Failed, run
from tests.benchmarks.server import Server, span
from tests.llm_server import Call

MATCHED: Final = 1.05
"""What counts as the same speed, for the noise of one run."""
_KILLED_AT: Final = 0.5
_SCRIPTS: Final = Path(__file__).parent / "peers"
_QUIET: Final = {"NEMO_TELEMETRY_ENABLED": "false", "TELEMETRY_ENABLED": "false"}
_BUFFER: Final = ("--resume", "--buffer", "100")
"""Data Designer goes on after the last group of rows that was whole; by default that is 1 000."""


def stock(options: Options, home: Path) -> dict[str, Any]:
    """Figures of distilabel's own DAG with its defaults, or why there are none."""
    return _attempt(STOCK, home, lambda python: _speed(options, python, "stock.py").figures())


def measure(options: Options, home: Path, so_far: dict[str, Any]) -> dict[str, Any]:
    """Figures of the peers; those of the pipeline are taken from the sections before, if there.

    Raises:
        Failed: The pipeline did.
    """
    ours = so_far.get("chain", {}).get("pipeline")
    if ours is None:
        ours = seedbed(options, options.load, "chain").figures()
    designer = _attempt(DATA_DESIGNER, home, lambda python: _data_designer(options, python))
    curator = _attempt(CURATOR, home, lambda python: _curator(options, python))
    return {
        "data_designer": designer,
        "curator": curator,
        **compared(ours, so_far.get("kill", {}), designer, curator),
    }


def compared(
    ours: dict[str, Any], kill: dict[str, Any], designer: dict[str, Any], curator: dict[str, Any]
) -> dict[str, Any]:
    """The pipeline against both; None where one side was not measured."""

    def faster(other: dict[str, Any]) -> float | None:
        theirs = other.get("speed", {}).get("calls_span_s")
        return ratio(ours["calls_span_s"], theirs) if theirs else None

    def cheaper(other: dict[str, Any], *, strictly: bool) -> bool | None:
        mine, theirs = kill.get("paid_again"), other.get("killed", {}).get("paid_again")
        if mine is None or theirs is None:
            return None
        return bool(mine < theirs if strictly else mine <= theirs)

    to_designer, to_curator = faster(designer), faster(curator)
    verdicts = {
        "matches_data_designer_speed": None if to_designer is None else to_designer <= MATCHED,
        "beats_curator_speed": None if to_curator is None else to_curator < 1,
        "matches_curator_resume": cheaper(curator, strictly=False),
        "beats_data_designer_resume": cheaper(designer, strictly=True),
    }
    return {
        "span_to_data_designer": to_designer,
        "span_to_curator": to_curator,
        **verdicts,
        "passed": False not in verdicts.values(),
    }


def _attempt(
    package: Package, home: Path, measured: Callable[[Path], dict[str, Any]]
) -> dict[str, Any]:
    try:
        python = install(package, home)
    except NotInstalled as error:
        return {"not_installed": str(error)}
    return _tried(lambda: measured(python))


def _tried(measured: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Figures, or the reason why there are none: a peer's trouble is not ours."""
    try:
        return measured()
    except Failed as error:
        return {"error": str(error)}


def _data_designer(options: Options, python: Path) -> dict[str, Any]:
    script = "data_designer_chain.py"
    one = _speed(options, python, script, "--pools", "1")
    two = _speed(options, python, script, "--pools", "2")
    best = min(one, two, key=lambda measured: span(measured.calls))
    return {
        "speed": best.figures(),
        "best_of": "one pool" if best is one else "two pools",
        "one_pool_wall_to_ideal": ratio(one.ran.wall, one.ideal),
        "two_pools_wall_to_ideal": ratio(two.ran.wall, two.ideal),
        "killed": _tried(lambda: _killed(options, python, one.calls, script, *_BUFFER)),
    }


def _curator(options: Options, python: Path) -> dict[str, Any]:
    script = "curator_chain.py"
    alone = _speed(options, python, script)
    return {
        "speed": alone.figures(),
        "killed": _tried(lambda: _killed(options, python, alone.calls, script)),
    }


def _speed(options: Options, python: Path, script: str, *words: str) -> Measured:
    folder = fresh(options.folder / "peer") / "made"
    command = [str(python), str(_SCRIPTS / script)]
    return ordered(options, command, [str(folder), *words], _QUIET)


def _killed(
    options: Options, python: Path, alone: Sequence[Call], script: str, *words: str
) -> dict[str, Any]:
    """What a kill at half costs: answered calls that the same command asks for again."""
    folder = fresh(options.folder / "peer") / "made"
    with Server(options.load) as server:
        order = folder.with_name("order.json")
        work.write_order(order, server.url, options.rows, options.in_flight)
        command = [str(python), str(_SCRIPTS / script), str(order), str(folder), *words]
        moment, left = kill_at(server, command, _KILLED_AT * len(alone), env=_QUIET)
        first = server.calls()
        try:
            rerun = run(command, at_most=TOO_LONG, env=_QUIET).output.splitlines()[-1]
        except Failed as error:
            rerun = str(error)
        second = server.calls()[len(first) :]
    return {
        "answered_at_kill": sum(call.answered for call in first),
        "processes_left": left,
        "rerun_calls": len(second),
        **paid_again(first, second, moment, Counter(call.digest for call in alone)),
        "rerun": rerun,
        "options": " ".join(words),
    }
