"""The other end: answers what the server asks, each question in a thread of its own."""

from __future__ import annotations

import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Final

from annotate_space.study import disputes, figures, history, search
from annotate_space.study.material import Material
from pipeline.core.errors import SeedbedError
from pipeline.core.projects import open_store
from pipeline.core.settings import Settings

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 4
_NICE: Final = 10
"""Votes come first."""

Answer = Callable[[Material, dict[str, Any]], dict[str, Any]]

ANSWERS: Final[dict[str, Answer]] = {
    "figures": figures.figures,
    "disputes": disputes.disputes,
    "votes": disputes.votes,
    "search": search.search,
    "sample": search.sample,
    "history": history.history,
}


def main() -> None:
    """Answer until the server closes the pipe or is gone."""
    os.nice(_NICE)
    questions = sys.stdin.buffer
    # Whatever is printed goes where the server's own messages go, not into an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings, journal = pickle.load(questions)  # noqa: S301 - from the process that started this
    serve(questions, answers, settings, journal)
    os._exit(0)  # nobody waits any more for what is still being worked out


def serve(questions: BinaryIO, answers: BinaryIO, settings: Settings, journal: Path) -> None:
    """Answer the pickled ``(number, name, payload)`` that come, until there are no more.

    An answer is ``(number, reply)``: a dict, or the ``SeedbedError`` that prevented it.
    """
    material = Material(open_store(settings), journal)
    writing = threading.Lock()

    def answer(number: int, name: str, payload: dict[str, Any]) -> None:
        data = pickle.dumps((number, _reply(material, name, payload)))
        with writing:
            answers.write(data)
            answers.flush()

    pool = ThreadPoolExecutor(_AT_ONCE)
    while True:
        try:
            question = pickle.load(questions)  # noqa: S301 - as above
        except EOFError:
            return
        pool.submit(answer, *question)


def _reply(material: Material, name: str, payload: dict[str, Any]) -> dict[str, Any] | SeedbedError:
    try:
        return ANSWERS[name](material, payload)
    except SeedbedError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whoever waits for it is told
        _log.exception("%s could not be answered", name)
        return SeedbedError(
            f"This could not be worked out: {type(error).__name__}.",
            "The Space's log tells more.",
        )
