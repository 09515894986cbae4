"""Serving an ASGI app on this machine from a thread, for the test servers."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import uvicorn

HOST = "127.0.0.1"
_START_TIMEOUT = 10.0


class Loopback:
    """One app on one port; started again after a stop it has the same port.

    Args:
        app: An ASGI application.
        port: A free one is taken when 0.
    """

    def __init__(self, app: Any, port: int = 0) -> None:  # noqa: ANN401 - ASGI is untyped
        self.port = port
        self._app = app
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve, and return when it answers."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            # A client must never meet a connection that was closed for being idle.
            timeout_keep_alive=24 * 3600,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError(f"the server did not start on port {self.port}")
            time.sleep(0.005)

    def stop(self, *, wait: bool = True) -> None:
        """Refuse connections from now on; without ``wait`` from a moment later on."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            if wait:
                self._thread.join()
        self._server = self._thread = None
