"""The Seed Space's events over HTTP, as its page sends them, at little cost to the machine."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

import httpx2

from seed_space.screen import FIELDS

TIMEOUT: Final = 120.0
CELLS: Final = [
    {"topic": "Clay soils", "perspective": "Agronomist"},
    {"topic": "Clay soils", "perspective": "Beginner"},
    {"topic": "Cover crops", "perspective": "Agronomist"},
]


class Away(Exception):
    """The Space did not answer as one."""


class Visitor:
    """One open page of the Seed Space."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=f"{url}/gradio_api", timeout=TIMEOUT)
        self._url = url
        self._session = uuid.uuid4().hex[:12]
        self._events: dict[tuple[str, str], dict[str, Any]] = {}
        self.screen: list[Any] = []

    async def open(self) -> None:
        """Open the page, as a browser does.

        Raises:
            Away: There is no such page, or its project cannot be opened.
        """
        config = (await self._http.get(f"{self._url}/config")).json()
        names = {one["id"]: one["props"].get("elem_id") or "" for one in config["components"]}
        for event in config["dependencies"]:
            for component, name in event["targets"]:
                self._events.setdefault((names.get(component, ""), name), event)
        shown = await self.send("", "load", [None])
        self.screen = shown[2 : 2 + len(FIELDS)]

    async def edit(self, name: str) -> None:
        """Type a name for the domain, and wait until the Space has looked it over."""
        self.screen[FIELDS.index("domain")] = name
        await self.send("keeper", "input", [None, *self.screen])

    async def preview(self) -> list[Any]:
        """Have samples written, and wait for the last; the cards."""
        shown = await self.send("preview-make", "click", [None, CELLS, {}, *self.screen])
        cards: list[Any] = shown[0]["cards"]
        return cards

    async def send(self, element: str, name: str, data: list[Any]) -> list[Any]:
        """Trigger an event, and wait for the last of what comes of it.

        Raises:
            Away: It failed.
        """
        event = self._events[element, name]
        body = {"data": data, "fn_index": event["id"], "session_hash": self._session}
        joined = (await self._http.post("/queue/join", json=body)).json()
        last: list[Any] = []
        where = {"session_hash": self._session}
        async with self._http.stream("GET", "/queue/data", params=where) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                said = json.loads(line.removeprefix("data:"))
                if said.get("event_id") != joined["event_id"]:
                    continue
                if said["msg"] == "process_completed":
                    if not said["success"]:
                        raise Away(f"{element} {name}: {str(said)[:300]}")
                    return list(said["output"]["data"]) or last
        raise Away(f"{element} {name} never ended")

    async def close(self) -> None:
        """Leave."""
        await self._http.aclose()
