"""A TCP proxy that makes the way longer, as a network does, and not narrower."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

HOST: Final = "127.0.0.1"
_PIECE: Final = 1 << 16


class DelayProxy:
    """Passes on what comes for a port of this machine, in order, each byte ``seconds`` later.

    Args:
        target: The port of the server.
        seconds: Each way; a reply takes twice as long, besides what the server needs.
    """

    def __init__(self, target: int, seconds: float) -> None:
        self.port = 0
        self._target = target
        self._seconds = seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, HOST, 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it returns
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            there = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.close()  # the server is not there: neither are we
        else:
            ways = (self._pass(reader, there[1]), self._pass(there[0], writer))
            await asyncio.gather(*ways)
        finally:
            self._connections.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        deliver = asyncio.create_task(self._deliver(under_way, writer))
        try:
            while data := await reader.read(_PIECE):
                under_way.put_nowait((self._loop.time() + self._seconds, data))
        except OSError:
            pass  # the other end broke off, which is passed on as an end
        finally:
            under_way.put_nowait((self._loop.time() + self._seconds, b""))
            await deliver

    async def _deliver(
        self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        data = b"anything"
        try:
            while data:
                due, data = await under_way.get()
                await asyncio.sleep(due - self._loop.time())
                writer.write(data)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()

    async def _end(self) -> None:
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
