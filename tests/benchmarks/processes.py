"""Running a contender and watching it: wall time, memory with all its children, who is left."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.work import ROOT

_EVERY: Final = 0.1
"""Seconds between two looks at memory."""
_TOLD: Final = 2_000
"""Characters of a failed command's output that are shown."""


class Failed(Exception):
    """A contender did not do its work; the message ends with what it said last."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command went.

    Attributes:
        wall: Seconds from its start to its end.
        peak_mb: The most resident memory at one moment, summed over all its processes. Pages that
            several of them share are counted for each.
        processes: The most there were at one moment.
        output: What it printed to its standard output.
        code: How it ended.
    """

    wall: float
    peak_mb: float
    processes: int
    output: str
    code: int


class Running:
    """A command in a session of its own, watched from its start."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="seedbed-bench-")
        self._output = Path(self._folder.name) / "output"
        self._errors = Path(self._folder.name) / "errors"
        self._began = time.monotonic()
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        self._peak = 0.0
        self._most = 0
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def wait(self, at_most: float) -> Ran:
        """Wait for its end; whoever started it calls ``end`` all the same.

        Raises:
            Failed: It took longer, or ended with an error.
        """
        try:
            code = self.process.wait(at_most)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"not done after {at_most:.0f} s: {self.said()}") from error
        ran = self._ran(code)
        if code:
            raise Failed(f"ended with {code}: {self.said()}")
        return ran

    def kill(self) -> float:
        """Kill its first process, and no other, as ``kill -9`` does; the moment it was done."""
        moment = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return moment

    def left(self) -> int:
        """How many processes of its session are alive."""
        return len(_session(self.process.pid))

    def end(self) -> None:
        """Kill whatever is left of it."""
        for pid in _session(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        self._over.set()
        self._watcher.join()
        self._folder.cleanup()

    def said(self) -> str:
        """The end of what it printed."""
        said = self._output.read_bytes() + self._errors.read_bytes()
        return said.decode(errors="replace")[-_TOLD:]

    def _ran(self, code: int) -> Ran:
        wall = time.monotonic() - self._began
        self._over.set()
        self._watcher.join()
        output = self._output.read_text(encoding="utf-8", errors="replace")
        return Ran(wall, self._peak, self._most, output, code)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            alive = _session(self.process.pid)
            self._peak = max(self._peak, sum(map(resident_mb, alive)))
            self._most = max(self._most, len(alive))


def run(
    command: Sequence[str], *, at_most: float = 900, env: Mapping[str, str] | None = None
) -> Ran:
    """Run a command to its end.

    Raises:
        Failed: It took longer than ``at_most`` seconds, or ended with an error.
    """
    running = Running(command, env)
    try:
        return running.wait(at_most)
    finally:
        running.end()


def resident_mb(pid: int | str = "self") -> float:
    """Resident memory of one process now; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(found[0]) / 1024 if found else 0.0


def _session(leader: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        # After the name, which may hold anything: state, parent, group, session.
        state, _, _, session = stat.rpartition(")")[2].split()[:4]
        if int(session) == leader and state != "Z":
            found.append(int(entry.name))
    return found
