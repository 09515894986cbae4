"""The server's end: starts the process that studies the project, asks it, and lets it go."""

from __future__ import annotations

import itertools
import logging
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, Final

from pipeline.core.errors import SeedbedError, StoreUnavailable
from pipeline.core.settings import Settings

_log = logging.getLogger(__name__)

_ROOT: Final = Path(__file__).parents[2]
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from annotate_space.study.child import main; main()"
)
_PATIENCE: Final = 20.0
"""Seconds that a request waits for an answer; it is worked out further, and found next time."""
_IDLE: Final = 600.0
"""Seconds without a question after which the process is let go: its memory is of use to others."""


class Study:
    """Asks about the project. Any thread may ask; nothing runs before somebody does."""

    def __init__(self, settings: Settings, journal: Path) -> None:
        self._start_with = (settings, journal)
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._numbers = itertools.count()
        self._asked = 0.0
        self._closed = False

    def ask(self, name: str, **payload: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON
        """The answer to the question ``name`` of ``child.ANSWERS``.

        Raises:
            StoreUnavailable: It takes longer than a request may wait.
            SeedbedError: It cannot be answered.
        """
        with self._guard:
            number, future = next(self._numbers), Future[dict[str, Any]]()
            self._asked = time.monotonic()
            self._waiting[number] = future
            try:
                process = self._running()
                _send(process, (number, name, payload))
            except OSError:
                self._lost()
        try:
            return future.result(_PATIENCE)
        except TimeoutError as error:
            raise StoreUnavailable(
                "This is still being worked out.", "The page asks again by itself."
            ) from error

    def close(self) -> None:
        """End the process, whatever it is at."""
        with self._guard:
            self._closed = True
            self._lost()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise StoreUnavailable("The server is stopping.", "Try again in a moment.")
        if self._process is None or self._process.poll() is not None:
            self._process = process = subprocess.Popen(  # noqa: S603 - nothing of anybody's in it
                [sys.executable, "-c", _START, str(_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            threading.Thread(
                target=self._listen, args=(process,), name="study", daemon=True
            ).start()
            threading.Thread(
                target=self._let_go, args=(process,), name="study-idle", daemon=True
            ).start()
            _send(process, self._start_with)
        return self._process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        with _pipe(process.stdout) as answers:
            while True:
                try:
                    number, reply = pickle.load(answers)  # noqa: S301 - from our own process
                except (EOFError, OSError, pickle.UnpicklingError):
                    break
                future = self._waiting.pop(number, None)
                if future is None:
                    continue
                if isinstance(reply, SeedbedError):
                    future.set_exception(reply)
                else:
                    future.set_result(reply)
        with self._guard:
            if self._process is process:
                self._lost()
        process.wait()

    def _lost(self) -> None:
        """Let the process go; who waits for it is told."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(
                StoreUnavailable("This was interrupted.", "The page asks again by itself.")
            )

    def _let_go(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            time.sleep(max(1.0, self._asked + _IDLE - time.monotonic()))
            with self._guard:
                if self._process is process and time.monotonic() - self._asked >= _IDLE:
                    self._lost()


def _send(process: subprocess.Popen[bytes], what: object) -> None:
    pipe = _pipe(process.stdin)
    pickle.dump(what, pipe)
    pipe.flush()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise RuntimeError("the process was started without a pipe")
    return end
