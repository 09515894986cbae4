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

from pipeline.core.errors import InvalidInput, StoreUnavailable

_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 40


@dataclass(frozen=True, slots=True)
class Port:
    """Where a Space is wanted.

    Attributes:
        number: The port.
        fixed: Whether no other will do.
    """

    number: int
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """A Space that answers.

    Attributes:
        package: Its top-level package.
        port: Where it listens.
        wanted: Where it was wanted; that port was busy if it is another one.
    """

    package: str
    port: int
    wanted: int

    @property
    def url(self) -> str:
        """Where to open it."""
        return f"http://127.0.0.1:{self.port}"


class LocalSpaces:
    """Starts Spaces on entering and stops them, flushed, on leaving.

    Args:
        ports: The wanted port of each package; if it is busy and not fixed, the next free one is
            taken.
        env: The environment of the processes.
    """

    def __init__(self, ports: Mapping[str, Port], env: Mapping[str, str]) -> None:
        self._ports = ports
        self._env = env
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def start(self) -> list[Running]:
        """Start all and wait until each answers.

        Raises:
            InvalidInput: A fixed port is busy; nothing was started.
            StoreUnavailable: One stopped, or did not answer in time.
        """
        spaces = _choose_ports(self._ports)
        for space in spaces:
            self._processes.append(
                subprocess.Popen(  # noqa: S603 - fixed arguments
                    [sys.executable, "-m", f"{space.package}.app"],
                    env={**self._env, "GRADIO_SERVER_PORT": str(space.port)},
                )
            )
        for space, process in zip(spaces, self._processes, strict=True):
            _wait_for(space.package, space.port, process)
        return spaces

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


def _choose_ports(ports: Mapping[str, Port]) -> list[Running]:
    """A free port for each package, the fixed ones first so that no other Space takes them."""
    chosen: dict[str, int] = {}
    for package, wanted in sorted(ports.items(), key=lambda item: not item[1].fixed):
        taken = set(chosen.values())
        if not wanted.fixed:
            chosen[package] = _free_port(wanted.number, taken)
            continue
        trouble = "the other Space has it" if wanted.number in taken else _trouble(wanted.number)
        if trouble:
            raise InvalidInput(
                f"Port {wanted.number} cannot be used for {package}: {trouble}.",
                "Choose another with --seed-port or --annotate-port, or stop what uses it.",
            )
        chosen[package] = wanted.number
    return [Running(package, chosen[package], wanted.number) for package, wanted in ports.items()]


def _free_port(wanted: int, taken: set[int]) -> int:
    for port in range(wanted, wanted + 100):
        if port not in taken and not _trouble(port):
            return port
    raise StoreUnavailable(
        f"No port between {wanted} and {wanted + 99} is free.",
        "Choose others with --seed-port and --annotate-port.",
    )


def _trouble(port: int) -> str:
    """Why nothing can listen on ``port``; empty when something can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""
