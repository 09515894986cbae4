"""Visitors who preview again and again, in a process of their own: ``... URL NUMBER``.

Prints ``ready`` once all have opened the page, previews until its standard input ends, and then
prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.benchmarks.previewing.wire import CELLS, Away, Visitor


async def crowd(url: str, number: int) -> dict[str, object]:
    """Preview until somebody says to end."""
    visitors = [Visitor(url) for _ in range(number)]
    for visitor in visitors:
        await visitor.open()
    print("ready", flush=True)
    told = asyncio.Event()
    ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    ending.add_done_callback(lambda _: told.set())
    seconds: list[float] = []
    incomplete = 0
    errors: list[str] = []

    async def look(visitor: Visitor) -> None:
        nonlocal incomplete
        while not told.is_set():
            began = time.monotonic()
            try:
                cards = await visitor.preview()
            except (Away, OSError) as error:
                errors.append(f"{type(error).__name__}: {error}")
                return
            seconds.append(time.monotonic() - began)
            incomplete += len(cards) != len(CELLS)

    await asyncio.gather(*(look(visitor) for visitor in visitors))
    for visitor in visitors:
        await visitor.close()
    return {"seconds": seconds, "incomplete": incomplete, "errors": errors}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(crowd(sys.argv[1], int(sys.argv[2])))), flush=True)
