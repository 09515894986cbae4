"""Spaces in processes of their own, for tests that start, kill and restart them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests import forks

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningSpace:
    """One Space on a port that stays the same when it is restarted.

    Args:
        package: ``seed_space`` or ``annotate_space``.
        env: Laid over this process's environment.
        folder: Where it starts; by default the checkout.
        command: What starts it; by default the package's ``app.py`` as a module.
    """

    def __init__(
        self,
        package: str,
        env: Mapping[str, str],
        *,
        folder: Path = ROOT,
        command: list[str] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._package = package
        self._command = command or [sys.executable, "-m", f"{package}.app"]
        self._env = dict(env)
        self._folder = folder
        self._forks = command is None and folder == ROOT and forks.possible(env)
        self._output = forks.place()
        self._process: subprocess.Popen[bytes] | ForkServerProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._output.unlink(missing_ok=True)

    def start(self) -> None:
        """Start it and wait until its port answers."""
        self._output.write_bytes(b"")
        process = self._process = self._fork() if self._forks else self._launch()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if _ended(process):
                raise AssertionError(f"it stopped: {self.stop()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"it did not start: {self.stop()}")

    def stop(self, number: int = signal.SIGTERM) -> str:
        """End it with a signal and return what it printed."""
        process, self._process = self._process, None
        if process is None:
            return ""
        if not _ended(process):
            os.kill(process.pid or 0, number)
        deadline = time.monotonic() + 60
        while not _ended(process):
            if time.monotonic() > deadline:
                process.kill()
                raise AssertionError(f"it does not stop: {self._output.read_text()}")
            time.sleep(0.02)
        return self._output.read_text()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.stop(signal.SIGKILL)

    def _fork(self) -> ForkServerProcess:
        # Gradio reads the port from the environment when it is imported.
        env = {**self._env, "SEEDBED_TEST_PORT": str(self.port)}
        return forks.start(f"{self._package}.app", (), env, self._folder, self._output)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self._output.open("ab") as output:
            return subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**os.environ, **self._env, "GRADIO_SERVER_PORT": str(self.port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )


def _ended(process: subprocess.Popen[bytes] | ForkServerProcess) -> bool:
    if isinstance(process, ForkServerProcess):
        return process.exitcode is not None
    return process.poll() is not None


def write_files(files: Mapping[str, bytes], folder: Path) -> Path:
    """Lay out the files of a Space in an empty folder."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def start(package: str, folder: Path, env: Mapping[str, str]) -> RunningSpace:
    """A laid out Space as the Hub starts it: ``python app.py``, this checkout out of reach."""
    return RunningSpace(
        package,
        {**env, "PYTHONPATH": str(folder)},
        folder=folder,
        command=alone("import runpy; runpy.run_path('app.py', run_name='__main__')"),
    )


def alone(code: str) -> list[str]:
    """The command that runs ``code`` with installed packages but without this checkout."""
    # -S leaves out what an editable install of this checkout would add to the path.
    site = sysconfig.get_paths()["purelib"]
    return [sys.executable, "-S", "-c", f"import sys; sys.path.append({site!r}); {code}"]
