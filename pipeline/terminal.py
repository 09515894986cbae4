"""What the command line prints: plain lines, tables and a progress bar.

Text from a project is never taken for the terminal library's own markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pipeline.curation.coverage import Status
    from pipeline.curation.history import History, RunFacts
    from pipeline.generation.run import RunSummary

_out: Final = Console()
_err: Final = Console(stderr=True)

_MOST_SHOWN: Final = 10
_LONGEST_LINE: Final = 300
_STATES: Final = {"interrupted": "interrupted: the same command goes on"}


def say(*lines: str) -> None:
    """Print lines as they are."""
    for line in lines:
        _out.print(line, markup=False, highlight=False, soft_wrap=True)


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def fail(text: str) -> NoReturn:
    """Say why on standard error, and end with 1."""
    _err.print(text, markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


@contextmanager
def growing(*, quiet: bool) -> Iterator[Callable[[RunSummary], None]]:
    """Show a progress bar while samples grow; hands out what to call with each new state."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=_err, disable=quiet) as progress:
        bar = progress.add_task("Growing samples", total=None, visible=False)

        def show(state: RunSummary) -> None:
            failed = f", {state.missing} failed" if state.missing else ""
            progress.update(
                bar,
                total=state.wanted,
                completed=state.samples + state.missing,
                description=f"Growing samples{failed}",
                visible=True,
            )

        yield show


def show_summary(name: str, summary: RunSummary) -> None:
    """What a generation run did to the project ``name``."""
    if not summary.wanted:
        say(f"{name} has all the samples that were asked for; nothing to do.")
    else:
        say(f"{summary.samples} samples added to {name} in run {summary.run_id}.")
    for failure in summary.failures:
        say(f"{failure.count} x {failure.stage} failed ({failure.kind}): {failure.example}")
    if summary.missing:
        say(f"{summary.missing} samples are missing; the same command tries them again.")


def show_status(name: str, state: Status) -> None:
    """Where the project ``name`` stands."""
    say(f"{state.domain or name}: {state.samples} samples, {state.wanted} wanted")
    if state.coverage.topics:
        say("", "Samples in each cell, and how many of them are judged:")
        _out.print(_coverage(state))
    for task, count in state.judgements.items():
        say(f"{task}: {count}")
    say(
        f"{state.annotators} annotators; {state.accepted} completions found good, "
        f"{state.preferred} pairs with a winner"
    )
    _show_quality(state)
    _show_runs(state.history)
    for one in state.history.rounds:
        say(
            f"Round {one.number}, begun {_moment(one.made_at)}: builds on {one.good} good and "
            f"{one.bad} bad answers"
        )
    if state.stand_in():
        say("Some completions are by the offline stand-in, which is no language model.")
    for line in state.bad_lines:
        say(f"Unreadable feedback, skipped: {line}")
    for problem in state.history.unreadable:
        say(f"Unreadable record, skipped: {_line(problem)}")


def _coverage(state: Status) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("topic", overflow="fold")
    for view in state.coverage.perspectives:
        table.add_column(Text(view), justify="right", overflow="fold")
    rows = zip(state.coverage.topics, state.coverage.counts, state.judged.counts, strict=True)
    for topic, totals, judged in rows:
        cells = (f"{count} ({known})" for count, known in zip(totals, judged, strict=True))
        table.add_row(Text(topic), *cells)
    return table


def _show_quality(state: Status) -> None:
    ratings = state.analysis.ratings
    if ratings.mean is not None:
        unrated = f", {ratings.unrated} have no rating" if ratings.unrated else ""
        say(f"A judge rated {ratings.rated} completions: {ratings.mean:.2f} on average{unrated}")
    if state.analysis.flags:
        say("", f"{state.analysis.flagged} samples carry a flag:")
    for flag in state.analysis.flags[:_MOST_SHOWN]:
        say(f"  {flag.samples} x {_line(flag.name)}: {_line(flag.reason)}")


def _show_runs(history: History) -> None:
    """The last runs, the newest first, and what all of them cost."""
    if not history.runs:
        return
    recent = history.recent()
    older = len(history.runs) - len(recent)
    say("", "Runs, the newest first:" if not older else f"The last {len(recent)} runs:")
    for run in recent:
        _show_run(run)
    unpriced = ", ".join(map(_line, history.unpriced()))
    unknown = f"; the price of {unpriced} is not known" if unpriced else ""
    say(f"Cost of all {len(history.runs)} runs: {history.price()}{unknown}", "")


def _show_run(run: RunFacts) -> None:
    record = run.record
    state = _STATES.get(run.state, run.state)
    number = "" if record.round is None else f", round {record.round}"
    missing = f", {record.missing} missing" if record.missing else ""
    incomplete = f", {record.incomplete} incomplete" if record.incomplete else ""
    say(
        f"  {_line(record.run_id)}{number}, {_moment(record.started_at)}: {state}",
        f"    {record.samples} of {record.wanted} samples{missing}{incomplete} in {run.duration()}",
        f"    {record.calls} calls paid, {record.cached} from cache; {record.tokens_in:,} tokens "
        f"in, {record.tokens_out:,} out; {run.price()}",
    )
    if record.why:
        say(f"    {_line(record.why)}")
    for failure in record.failures[:_MOST_SHOWN]:
        say(
            f"    {failure.count} x {_line(failure.stage)} failed ({_line(failure.kind)}): "
            f"{_line(failure.example)}"
        )
    for flag, count in list(record.dropped.items())[:_MOST_SHOWN]:
        say(f"    {count} x not kept: {_line(flag)}")


def _line(text: str) -> str:
    """Text of others on one line of bearable length, which cannot steer the terminal."""
    shown = "".join(char for char in " ".join(text.split()) if char.isprintable())
    return shown if len(shown) <= _LONGEST_LINE else f"{shown[: _LONGEST_LINE - 1]}…"


def _moment(text: str) -> str:
    """A stored time to the minute; UTC, as it is stored."""
    return f"{_line(text)[:16].replace('T', ' ')} UTC"
