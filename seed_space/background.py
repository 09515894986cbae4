"""Long work in a thread of its own, so that no page waits for another visitor's samples."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

T = TypeVar("T")
_THREADS: Final = 6
_PATIENCE: Final = 10.0
"""Seconds within which work that is cancelled has to end."""


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing more will come; ``error`` is why, if that is not simply the end."""

    error: Exception | None = None


class Background:
    """Runs streams on an event loop of its own; the thread begins with the first of them."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: defaultdict[str, set[asyncio.Queue[Any]]] = defaultdict(set)

    async def stream(
        self, visitor: str, make: Callable[[], AsyncGenerator[T]]
    ) -> AsyncGenerator[T]:
        """What ``make()`` yields there, yielded here; what it raises is raised here.

        Closing this stream, or ``hang_up``, cancels the work and waits until it has ended.

        Args:
            visitor: For whom it is, by the name that ``hang_up`` is given.
            make: Called in the other thread.
        """
        here = asyncio.get_running_loop()
        ready: asyncio.Queue[T | _End] = asyncio.Queue()
        over = asyncio.Event()

        async def work() -> None:
            error: Exception | None = None
            try:
                async with aclosing(make()) as items:
                    async for item in items:
                        here.call_soon_threadsafe(ready.put_nowait, item)
            except Exception as caught:  # noqa: BLE001 - raised where the stream is read
                error = caught
            finally:
                here.call_soon_threadsafe(ready.put_nowait, _End(error))
                here.call_soon_threadsafe(over.set)

        under_way = asyncio.run_coroutine_threadsafe(work(), self._running())
        self._open[visitor].add(ready)
        try:
            while not isinstance(item := await ready.get(), _End):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            self._open[visitor].discard(ready)
            if not self._open[visitor]:
                del self._open[visitor]
            under_way.cancel()
            async with asyncio.timeout(_PATIENCE):
                await over.wait()

    def start(self, first: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin before anybody asks for anything, with ``first``; does nothing if it began."""
        if self._loop is None:
            asyncio.run_coroutine_threadsafe(first(), self._running())

    def hang_up(self, visitor: str) -> None:
        """End all streams of somebody who left; for use on the loop where they are read."""
        for ready in self._open.get(visitor, ()):
            ready.put_nowait(_End())

    @property
    def under_way(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._open.values()))

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # With a thread for each visitor, the page's own would seldom get its turn.
                self._loop.set_default_executor(ThreadPoolExecutor(_THREADS))
                threading.Thread(
                    target=self._loop.run_forever, name="previews", daemon=True
                ).start()
            return self._loop
