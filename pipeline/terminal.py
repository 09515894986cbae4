"""What the command line prints: plain lines, tables and a progress bar.

Text from a project is never taken for the terminal library's own markup.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from huggingface_hub import constants
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import disable_progress_bars
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pipeline.curation.coverage import Status
    from pipeline.generation.run import RunSummary

_out: Final = Console()
_err: Final = Console(stderr=True)


def quiet_libraries() -> None:
    """Leave the screen to our own lines: the Hub's client shows bars and remarks of its own.

    Its errors are still seen, and so is all that somebody asked it for by its own variables.
    """
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None:
        disable_progress_bars()
    if hub_logging.get_verbosity() == logging.WARNING:
        hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]


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
    if len(state.coverage):
        say("", "Samples in each cell, and how many of them are judged:")
        _out.print(_coverage(state))
    for task, count in state.judgements.items():
        say(f"{task}: {count}")
    say(
        f"{state.annotators} annotators; {state.accepted} completions found good, "
        f"{state.preferred} pairs with a winner"
    )
    if state.stand_in():
        say("Some completions are by the offline stand-in, which is no language model.")
    for line in state.bad_lines:
        say(f"Unreadable feedback, skipped: {line}")


def _coverage(state: Status) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("topic", overflow="fold")
    for view in state.coverage.columns:
        table.add_column(Text(str(view)), justify="right", overflow="fold")
    for topic in state.coverage.index:
        counts = zip(state.coverage.loc[topic], state.judged.loc[topic], strict=True)
        table.add_row(Text(str(topic)), *(f"{total} ({judged})" for total, judged in counts))
    return table
