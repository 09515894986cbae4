"""The server's end: starts the process that studies the project, asks it, and lets it go."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from pipeline.core.errors import SeedbedError, StoreUnavailable
from pipeline.core.settings import Settings

_ROOT: Final = Path(__file__).parents[2]
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from annotate_space.study.child import main; main()"
)
_PATIENCE: Final = 20.0
"""Seconds that a request waits for an answer; it is worked out further, and found next time."""
_IDLE: Final = 600.0
"""Seconds without a question after which the process is let go: its memory is of use to others."""


@dataclass(slots=True)
class _Waiting:
    """A question that is not answered yet; whoever asks the same waits for the same answer."""

    number: int
    what: bytes
    reply: Future[dict[str, Any]] = field(default_factory=Future)


class Study:
    """Asks about the project. Any thread may ask; nothing runs before somebody does.

    Args:
        settings: Where the project is.
        journal: The folder of the server's journal.
        patience: Seconds that ``ask`` waits.
        idle: Seconds without a question after which the process ends.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Path,
        *,
        patience: float = _PATIENCE,
        idle: float = _IDLE,
    ) -> None:
        self._start_with = (settings, journal)
        self._patience = patience
        self._idle = idle
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = itertools.count()
        self._asked = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        process = self._process
        return None if process is None else process.pid

    def ask(self, name: str, **payload: Any) -> dict[str, Any]:  # noqa: ANN401 - as asked
        """The answer to the question ``name`` of ``child.ANSWERS``.

        Raises:
            StoreUnavailable: It takes longer than a request may wait.
            SeedbedError: It cannot be answered.
        """
        reply = self._asking(name, payload)
        try:
            return reply.result(self._patience)
        except TimeoutError as error:
            raise StoreUnavailable(
                "This is still being worked out.", "The page asks again by itself."
            ) from error

    def close(self) -> None:
        """End the process, whatever it is at."""
        with self._guard:
            self._closed = True
            self._lost()

    def _asking(self, name: str, payload: dict[str, Any]) -> Future[dict[str, Any]]:
        what = pickle.dumps((name, payload))
        with self._guard:
            self._asked = time.monotonic()
            # Pages ask again while an answer is worked out, which shall not be done over and over.
            for one in self._waiting.values():
                if one.what == what:
                    return one.reply
            one = _Waiting(next(self._numbers), what)
            process = self._running()
            self._waiting[one.number] = one
            try:
                _send(process, (one.number, name, payload))
            except OSError:
                self._lost()
            return one.reply

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise StoreUnavailable("The server is stopping.", "Try again in a moment.")
        if self._process is not None and self._process.poll() is not None:
            self._lost()
        if self._process is None:
            self._process = process = subprocess.Popen(  # noqa: S603 - nothing of anybody's in it
                [sys.executable, "-c", _START, str(_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C is for the server, which then ends this.
                start_new_session=True,
            )
            ended = threading.Event()
            for what in (self._listen, self._let_go):
                threading.Thread(
                    target=what, args=(process, ended), name=f"study{what.__name__}", daemon=True
                ).start()
            try:
                _send(process, self._start_with)
            except OSError:
                self._lost()
                raise StoreUnavailable(*_INTERRUPTED) from None
        return self._process

    def _listen(self, process: subprocess.Popen[bytes], ended: threading.Event) -> None:
        with _pipe(process.stdout) as answers:
            while True:
                try:
                    number, reply = pickle.load(answers)  # noqa: S301 - from our own process
                except (EOFError, OSError, pickle.UnpicklingError):
                    break
                with self._guard:
                    one = self._waiting.pop(number, None)
                if one is None:
                    continue
                if isinstance(reply, SeedbedError):
                    one.reply.set_exception(reply)
                else:
                    one.reply.set_result(reply)
        with self._guard:
            if self._process is process:
                self._lost()
            with contextlib.suppress(OSError):  # what it did not read
                _pipe(process.stdin).close()
        ended.set()
        process.wait()

    def _lost(self) -> None:
        """Let the process go; who waits for it is told."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.reply.set_exception(StoreUnavailable(*_INTERRUPTED))

    def _let_go(self, process: subprocess.Popen[bytes], ended: threading.Event) -> None:
        wait = self._idle
        while not ended.wait(wait):
            with self._guard:
                wait = self._asked + self._idle - time.monotonic()
                if self._waiting:
                    wait = self._idle
                elif wait <= 0 and self._process is process:
                    self._lost()
                    return


_INTERRUPTED: Final = ("This was interrupted.", "The page asks again by itself.")


def _send(process: subprocess.Popen[bytes], what: object) -> None:
    pipe = _pipe(process.stdin)
    pipe.write(pickle.dumps(what))
    pipe.flush()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise RuntimeError("the process was started without a pipe")
    return end
