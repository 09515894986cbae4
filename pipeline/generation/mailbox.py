"""Where letters from many processes wait for the one that reads them; a Ray actor.

It is a module of its own because its process imports it, and should not import distilabel.
"""

from __future__ import annotations

import asyncio


class Mailbox:
    """Holds at most ``room`` letters; senders wait while it is full."""

    def __init__(self, room: int) -> None:
        self._letters: asyncio.Queue[str] = asyncio.Queue(room)

    async def put(self, letter: str) -> None:
        """Return once the letter is here."""
        await self._letters.put(letter)

    async def take(self, patience: float) -> list[str]:
        """All letters that are here; waits for the first one, ``patience`` seconds at most."""
        letters = []
        try:
            async with asyncio.timeout(patience):
                letters.append(await self._letters.get())
        except TimeoutError:
            return []
        while not self._letters.empty():
            letters.append(self._letters.get_nowait())
        return letters
