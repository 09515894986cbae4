"""The command line: ``python -m pipeline <command> PROJECT``.

A command does one thing, shows progress when it takes long, and ends with 0, or with 1 and one
line that says why and what to do next.
"""

from __future__ import annotations

import logging
import re
import signal
import sys
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from pipeline import __version__
from pipeline.commands.documents import documents
from pipeline.commands.examining import exam
from pipeline.commands.exporting import export
from pipeline.commands.growing import generate
from pipeline.commands.inviting import invite
from pipeline.commands.projects import init, status
from pipeline.commands.serving import demo, deploy, serve
from pipeline.core.errors import SeedbedError
from pipeline.terminal import fail, quiet_libraries, say

app = typer.Typer(
    help="Grow a training dataset with domain experts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _command in (
    demo, init, generate, status, export, serve, invite, documents, exam, deploy
):  # fmt: skip
    app.command()(_command)

_RAY_ADDRESS: Final = re.compile(r"auto|local|ray://\S+|[\w.-]+:\d+")
_INTERRUPTED: Final = 130  # how Typer ends when a command raised KeyboardInterrupt


def _version(wanted: bool) -> None:
    if wanted:
        say(f"seedbed {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; the only place that turns errors into exit codes."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    quiet_libraries()
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _stop)  # the terminal was closed
    try:
        app(_words(sys.argv[1:]))
    except SeedbedError as error:
        fail(str(error))
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            fail("Stopped. What was finished is kept; the same command goes on from there.")
        sys.exit(1 if end.code else 0)


@app.callback()
def seedbed(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """What comes before a command."""


def _words(words: list[str]) -> list[str]:
    """The words of the command line, with the address that ``--ray`` alone means."""
    for place, word in enumerate(words):
        after = words[place + 1] if place + 1 < len(words) else ""
        if word == "--ray" and not _RAY_ADDRESS.fullmatch(after):
            return [*words[: place + 1], "local", *words[place + 1 :]]
    return words


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
