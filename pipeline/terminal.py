"""What the command line prints: plain lines, tables and a progress bar.

Text from a project is never taken for the terminal library's own markup.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, NoReturn

from huggingface_hub import constants
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import disable_progress_bars
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from pipeline.core.runs import dollars, duration

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.core.documents.kept import Documents, Kept
    from pipeline.core.invitations import Invitation
    from pipeline.core.runs import RunRecord
    from pipeline.curation.agreement import Agreement, AnnotatorFigures
    from pipeline.curation.coverage import Status
    from pipeline.curation.exports import Exports
    from pipeline.curation.history import History, RunFacts
    from pipeline.curation.lighteval import Written
    from pipeline.generation.estimate import Estimate, Range
    from pipeline.generation.exams.run import Trial
    from pipeline.generation.running import Progress

_out: Final = Console()
_err: Final = Console(stderr=True)

_LOGGED_EVERY: Final = 30.0
"""Seconds between two lines of progress in a log."""
_MOST_SHOWN: Final = 10
_LONGEST_LINE: Final = 300
_STATES: Final = {"interrupted": "interrupted: the same command goes on"}


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
def growing(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show how samples grow; hands out what to call with each new state.

    In a log, where nothing can be overwritten, that is a line now and then.
    """
    if quiet:
        yield lambda _: None
        return
    if not _err.is_terminal:
        yield _log_lines()
        return
    bar = Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )
    task = bar.add_task("Growing samples", total=None)

    def show(now: Progress) -> None:
        record = now.record
        bar.update(
            task,
            description="Writing questions" if record.kind == "exam" else "Growing samples",
            total=record.wanted,
            completed=record.samples + record.missing,
        )
        live.update(Group(bar, *map(Text, _progress_lines(now))))

    with Live(console=_err, refresh_per_second=5, transient=True) as live:
        yield show


def _log_lines() -> Callable[[Progress], None]:
    told = time.monotonic()

    def show(now: Progress) -> None:
        nonlocal told
        if time.monotonic() - told >= _LOGGED_EVERY:
            told = time.monotonic()
            record = now.record
            rows = f"{record.samples} of {record.wanted} {_rows(record)}"
            _err.print(
                f"{rows} · {' · '.join(_progress_lines(now))}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    return show


def _progress_lines(now: Progress) -> Iterator[str]:
    """What the bar cannot say, in one or two lines that fit a terminal."""
    record = now.record
    calls = f"{record.calls} calls" + (f" + {record.cached} kept" if record.cached else "")
    parts = [
        calls,
        f"{_short(record.tokens_in)} tokens in, {_short(record.tokens_out)} out",
        record.price(),
        f"{now.in_flight} of {now.limit} under way",
    ]
    if now.held > 1:
        parts.append(f"asked to wait {duration(now.held)}")
    if now.left is not None:
        parts.append(f"about {duration(now.left)} left")
    yield " · ".join(parts)
    failed = [f"{one.count} {one.stage} {one.kind}" for one in record.failures[:4]]
    dropped = [f"{count} dropped as {name}" for name, count in record.dropped.items()]
    if failed or dropped:
        yield "Failed: " + ", ".join([*failed, *dropped])


def _rows(record: RunRecord) -> str:
    """What a run makes."""
    return "questions" if record.kind == "exam" else "samples"


def _short(number: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:.0f}"


def show_export(name: str, exports: Exports, to: Path | None) -> None:
    """What was made, what was left out and what is missing."""
    from pipeline.curation.card_text import LEFT_OUT  # noqa: PLC0415 - slow import

    for config, made in exports.record.made.items():
        told = f"{config}: {made.rows()} rows"
        if made.rows() and config != "feedback":
            told += f", {made.rows('train')} to train and {made.rows('test')} to test"
        if made.removed:
            left = (f"{count} for {LEFT_OUT.get(why, why)}" for why, count in made.removed.items())
            told += f"; left out: {', '.join(left)}"
        say(told)
    for line in exports.bad_lines:
        say(f"Unreadable feedback, skipped: {line}")
    trained = {c: one for c, one in exports.record.made.items() if c != "feedback"}
    filled = next((config for config, one in trained.items() if one.rows()), None)
    if filled is not None:
        _say_how_to_train(exports)
        split = "train" if trained[filled].rows("train") else "test"
        where = f'"{name}", "{filled}"' if to is None else f'"{to / filled}"'
        say(f'Read it with: datasets.load_dataset({where}, split="{split}")')
    elif not any(one.removed for one in trained.values()):
        say(
            "Nothing can be trained on yet: there is no clear judgement.",
            f"Open the Annotate Space with: python -m pipeline serve {name}",
        )


def show_task(made: Written) -> None:
    """What LightEval can run now."""
    tasks = [name for name in made.tasks if name != made.best]
    say(
        f"Wrote {made.path} for {made.rows} questions, version {made.version}.",
        f'Run it with: lighteval accelerate "model_name=MODEL" "{made.best}|0" '
        f"--custom-tasks {quote(made.path)}",
        f"Others: {', '.join(tasks)}",
    )


def _say_how_to_train(exports: Exports) -> None:
    from pipeline.curation.card_text import weighing  # noqa: PLC0415 - slow import
    from pipeline.curation.record import balance, enough  # noqa: PLC0415 - slow import

    weights = balance(exports.record)
    if weights is not None:
        say(re.sub(r"\[(.*?)\]\(.*?\)", r"\1", weighing(weights)).replace("`", ""))
    for one in enough(exports.record):
        if one.missing:
            say(
                f"{one.way}: {one.rows} of the {one.wanted} rows that were published as enough; "
                f"{one.missing} are missing."
            )


def show_invitations(invitations: Sequence[Invitation]) -> None:
    """Who was invited, and which links still let somebody in."""
    if not invitations:
        say("Nobody has been invited yet.")
        return
    now = datetime.now(UTC)
    table = Table(box=SIMPLE_HEAD)
    for heading in ("id", "name", "made", "good until", ""):
        table.add_column(heading)
    for one in invitations:
        state = "taken back" if one.revoked_at else "expired" if one.ended(now) else ""
        until = one.expires_at[:16].replace("T", " ")
        cells = (one.id, one.name, one.made_at[:10], f"{until} UTC", state)
        table.add_row(*map(Text, cells))
    _out.print(table)


def show_documents(name: str, documents: Documents) -> None:
    """The documents of the project ``name``, removed ones last."""
    if not documents.documents:
        say(
            f"{name} has no documents yet. Samples rest on passages of them, once there are any.",
            f"Add some: python -m pipeline documents {name} --add FILE",
        )
        return
    table = Table(box=SIMPLE_HEAD)
    for heading in ("name", "title", "added", "by", "pages", "characters", ""):
        right = heading in ("pages", "characters")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for one in sorted(documents.documents, key=lambda one: one.removed_at is not None):
        figures = ("" if one.pages is None else f"{one.pages:,}", f"{one.characters:,}")
        state = "removed" if one.removed_at else ""
        cells = (one.name, one.title, one.added_at[:10], one.added_by, *figures, state)
        table.add_row(*map(Text, cells))
    _out.print(table)


def documents_line(kept: Kept) -> str:
    """What became of a file that was to be added."""
    one = kept.document
    if kept.outcome == "there":
        return f"{_line(one.name)} is there already."
    if kept.outcome == "again":
        return f"{_line(one.name)} had been removed, and is used again."
    pages = "" if one.pages is None else f"{one.pages:,} pages, "
    beside = (
        f" {kept.beside} stays in use too; remove it if this one replaces it."
        if kept.beside
        else ""
    )
    return f"Added {one.name}: {pages}{one.characters:,} characters.{beside}"


@contextmanager
def reading(files: int, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A progress bar for files that are read one after the other."""
    with Bar(console=_out, transient=True, disable=quiet or files < 2) as progress:
        task = progress.add_task("Reading", total=files)

        def step(name: str) -> None:
            progress.update(task, advance=1, description=_line(name))

        yield step


def show_run(name: str, record: RunRecord) -> None:
    """What a run did to the project ``name``."""
    rows = _rows(record)
    if not record.wanted:
        say(f"{name} has all the {rows} that were asked for; nothing to do.")
    else:
        paid = f"{record.calls} calls, {record.price()}" if record.calls else ""
        kept = f"{record.cached} answers kept from before" if record.cached else ""
        told = ", ".join(filter(None, [paid, kept, duration(record.seconds)]))
        say(f"{record.samples} {rows} added to {name} in run {record.run_id}: {told}.")
    if record.other:
        say(
            f"{record.other} {rows} that were made from other words, models or prompts are kept "
            "and do not count."
        )
    for failure in record.failures:
        say(f"{failure.count} x {failure.stage} failed ({failure.kind}): {failure.example}")
    if record.flags:
        marks = ", ".join(_mark(flag, count) for flag, count in record.flags.items())
        say(f"Marked, and kept: {marks}.")
    if record.dropped:
        marks = ", ".join(f"{flag} {count}" for flag, count in record.dropped.items())
        say(f"Dropped, as the settings ask: {marks}.")
    if record.state == "stopped":
        say(f"Stopped: {record.why} The same command goes on from there.")
    elif record.missing:
        again = "" if record.kind == "exam" else "; the same command tries them again"
        say(f"{record.missing} {rows} are missing{again}.")


def _mark(flag: str, count: int) -> str:
    if flag == "answerable_closed_book":
        return f"{count} that a model answers without the document"
    return f"{flag} {count}"


def show_trial(name: str, trial: Trial) -> None:
    """What an exam run would take."""
    if not trial.rows:
        say(f"{name} has all the questions that were asked for; nothing to do.")
        return
    _show_facts(
        {
            "questions to add": f"{trial.rows:,}",
            "room in the documents": f"{trial.room:,}",
            "calls": _short(trial.calls),
            "tokens in": _short(trial.tokens_in),
            "tokens out": _short(trial.tokens_out),
            "cost": "unknown: no price in project.json"
            if trial.cost is None
            else dollars(trial.cost),
            "time": duration(trial.seconds),
        }
    )
    _say_tried(
        f"{trial.sampled} questions kept of {trial.tried} that were tried",
        trial.spent,
        trial.failures,
    )


def show_estimate(name: str, expected: Estimate) -> None:
    """What a run would take."""
    if not expected.rows:
        say(f"{name} has all the samples that were asked for; nothing to do.")
        return

    def between(found: Range, write: Callable[[float], str]) -> str:
        low, high = write(found.low), write(found.high)
        return low if low == high else f"{low} to {high}"

    _show_facts(
        {
            "samples to add": str(expected.rows),
            "calls": between(expected.calls, _short),
            "tokens in": between(expected.tokens_in, _short),
            "tokens out": between(expected.tokens_out, _short),
            "cost": between(expected.cost, dollars)
            if expected.cost
            else f"unknown: no price for {', '.join(expected.unpriced)} in project.json",
            "time": between(expected.seconds, duration),
        }
    )
    _say_tried(f"{expected.sampled} samples that were tried", expected.spent, expected.failures)


def _show_facts(facts: dict[str, str]) -> None:
    table = Table(box=SIMPLE_HEAD, show_header=False)
    for label, text in facts.items():
        table.add_row(label, Text(text))
    _out.print(table)


def _say_tried(what: str, spent: float | None, failures: Sequence[str]) -> None:
    """From what it is judged what a run would take."""
    paid = f" for ${spent:.4f}" if spent else ""
    say(f"Judged from {what}{paid}; the answers are kept, and the run does not pay for them again.")
    for failure in failures:
        say(f"Failed while trying: {failure}")


def show_status(name: str, state: Status) -> None:
    """Where the project ``name`` stands."""
    say(f"{state.domain or name}: {state.samples} samples, {state.wanted} wanted")
    if state.documents:
        several = "document" if state.documents == 1 else "documents"
        say(f"{state.documents} {several}, {state.resting} samples rest on a passage of one")
    if state.coverage.topics:
        of = " of those wanted" if state.uneven else ""
        say("", f"Samples in each cell{of}, and how many of them are judged:")
        _out.print(_coverage(state))
    for task, count in state.judgements.items():
        say(f"{task}: {count}")
    say(
        f"{state.annotators} annotators; {state.accepted} completions found good, "
        f"{state.preferred} pairs with a winner"
    )
    _show_agreement(state.agreement)
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
    grids = (state.coverage.counts, state.judged.counts, state.aim.counts)
    for topic, *figures in zip(state.coverage.topics, *grids, strict=True):
        cells = (
            f"{count}/{aim} ({known})" if state.uneven else f"{count} ({known})"
            for count, known, aim in zip(*figures, strict=True)
        )
        table.add_row(Text(topic), *cells)
    return table


def _show_agreement(found: Agreement) -> None:
    """What the figures about judgements mean, and who gave them."""
    readings = found.readings()
    if readings:
        say("", "How far the judgements can be trusted:")
    for reading in readings:
        say(f"  {reading.message}")
    if len(found.annotators) > 1:
        _out.print(_annotators(found.annotators))


def _annotators(people: Sequence[AnnotatorFigures]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("annotator", overflow="fold")
    for heading in ("votes", "skipped", "agrees with others", "same again", "controls", "seconds"):
        table.add_column(heading, justify="right")
    for one in people[:_MOST_SHOWN]:
        table.add_row(
            Text(_line(one.name)),
            f"{one.votes:,}",
            f"{one.skipped:,}",
            "" if one.with_rest.value is None else f"{one.with_rest.value:.2f}",
            *(
                "" if figure.value is None else f"{100 * figure.value:.0f} %"
                for figure in (one.with_self, one.controls)
            ),
            "" if one.seconds is None else f"{one.seconds:.1f}",
        )
    if len(people) > _MOST_SHOWN:
        table.add_row(f"and {len(people) - _MOST_SHOWN} more", *[""] * 6)
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
        f"    {record.samples} of {record.wanted} {_rows(record)}{missing}{incomplete} in "
        f"{duration(record.seconds)}",
        f"    {record.calls} calls paid, {record.cached} from cache; {record.tokens_in:,} tokens "
        f"in, {record.tokens_out:,} out; {record.price()}",
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
