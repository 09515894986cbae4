"""Both Spaces on this machine, each in a process of its own, started as on the Hub."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pipeline.core.errors import StoreUnavailable

_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 40


@dataclass(frozen=True, slots=True)
class Running:
    """A Space that answers.

    Attributes:
        package: Its top-level package.
        url: Where to open it.
    """

    package: str
    url: str


class LocalSpaces:
    """Starts Spaces on entering and stops them, flushed, on leaving.

    Args:
        ports: The wanted port of each package; the next free one is taken if it is busy.
        env: The environment of the processes.
    """

    def __init__(self, ports: Mapping[str, int], env: Mapping[str, str]) -> None:
        self._ports = ports
        self._env = env
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def start(self) -> list[Running]:
        """Start all and wait until each answers.

        Raises:
            StoreUnavailable: One stopped, or did not answer in time.
        """
        taken: set[int] = set()
        running = []
        for package, wanted in self._ports.items():
            port = _free_port(wanted, taken)
            taken.add(port)
            self._processes.append(
                subprocess.Popen(  # noqa: S603 - fixed arguments
                    [sys.executable, "-m", f"{package}.app"],
                    env={**self._env, "GRADIO_SERVER_PORT": str(port)},
                )
            )
            running.append((Running(package, f"http://127.0.0.1:{port}"), port))
        for (space, port), process in zip(running, self._processes, strict=True):
            _wait_for(space.package, port, process)
        return [space for space, _ in running]

    def wait(self) -> None:
        """Wait for ever.

        Raises:
            StoreUnavailable: One of them has stopped.
        """
        while all(process.poll() is None for process in self._processes):
            time.sleep(0.5)
        stopped = next(
            package
            for package, process in zip(self._ports, self._processes, strict=True)
            if process.poll() is not None
        )
        raise StoreUnavailable(
            f"{stopped} has stopped by itself.", "Votes are kept; start again to go on."
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(package: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise StoreUnavailable(
        f"{package} did not start on port {port}.",
        "Its own message is above; correct that and start again.",
    )


def _free_port(wanted: int, taken: set[int]) -> int:
    for port in range(wanted, wanted + 100):
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # busy; the next one may be free
            return port
    raise StoreUnavailable(
        f"No port between {wanted} and {wanted + 99} is free.",
        "Choose others with --seed-port and --annotate-port.",
    )
