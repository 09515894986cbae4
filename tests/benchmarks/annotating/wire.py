"""The calls of the annotation card over HTTP, at little cost to the machine that is measured."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any, Final
from urllib.parse import urlsplit

TIMEOUT: Final = 30.0
"""Seconds until the card gives up on a call."""


class Away(Exception):
    """The server did not answer as one."""


class Connection:
    """One browser's connection to the Space, kept open between calls."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._host, self._port = where.hostname or "", where.port or 80
        self._session = uuid.uuid4().hex[:12]
        self._component: int | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, function: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Call one of the card's server functions.

        Raises:
            Away: There is no server, or it broke off.
        """
        if self._component is None:
            self._component = await self._find()
        body = {
            "session_hash": self._session,
            "component_id": self._component,
            "fn_name": function,
            "data": payload,
        }
        reply = await self._ask("POST", "/gradio_api/component_server/", json.dumps(body).encode())
        if not isinstance(reply, dict):
            raise Away(f"{function} answered {str(reply)[:100]}")
        return reply

    def close(self) -> None:
        """Break off."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _find(self) -> int:
        """The component that has the card's functions."""
        config = await self._ask("GET", "/config", b"")
        for component in config["components"]:
            if "submit" in component["props"].get("server_fns", ()):
                return int(component["id"])
        raise Away("the page has no card")

    async def _ask(self, method: str, path: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        try:
            async with asyncio.timeout(TIMEOUT):
                status, data = await self._exchange(method, path, body)
            if status != 200:
                raise Away(f"{path} answered {status}: {data[:200]!r}")
            return json.loads(data)
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError) as error:
            self.close()
            raise Away(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()  # a reply that is read half would be taken for the next one's
            raise

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if fields.get("transfer-encoding") == "chunked":
            return status, await self._chunks(self._reader)
        return status, await self._reader.readexactly(int(fields.get("content-length", 0)))

    @staticmethod
    async def _chunks(reader: asyncio.StreamReader) -> bytes:
        data = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            data += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return data
