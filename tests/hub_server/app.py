"""The ASGI application: who calls, which handler answers, and what goes wrong on the way."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.hub_server import lfs, managing, openid, reading, spaces, writing
from tests.hub_server.accounts import Caller
from tests.hub_server.faults import Fault
from tests.hub_server.state import Hub, Record
from tests.hub_server.wire import Call, HubError, Route

ROUTES = [
    (re.compile(route.pattern), route)
    for module in (managing, reading, writing, lfs, spaces, openid)
    for route in module.ROUTES
]


@dataclass(frozen=True, slots=True)
class HubApp:
    """Answers requests from a `Hub`, one at a time, unless a fault has it otherwise."""

    hub: Hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        # A revision or a directory is one percent-encoded segment, so the path is matched raw.
        path = scope["raw_path"].decode("ascii")
        route, params = _route(request.method, path)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        operation = route.operation if route else "unknown"
        faults = self.hub.strike(operation, request.method, path)
        if delay := sum(fault.latency for fault in faults):
            await asyncio.sleep(delay)
        failure = next((fault for fault in faults if fault.fails), None)
        caller = self._caller(request)
        response: Response | None = None
        if failure is None or failure.applied:
            query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
            base = f"http://{request.headers.get('host', '')}"
            call = Call(request.method, path, query, request.headers, body, base, caller, params)
            response = await asyncio.to_thread(self._answer, route, call)
        if failure is not None:
            response = _failed(failure)
        self.hub.record(
            Record(
                time=self.hub.now(),
                method=request.method,
                path=path,
                query=scope["query_string"].decode(),
                operation=operation,
                user=caller.name if caller else None,
                status=response.status_code if response else None,
            )
        )
        if response is None:
            await _abort(send)
        else:
            response.headers["X-Request-Id"] = uuid4().hex
            await response(scope, receive, send)

    def _caller(self, request: Request) -> Caller | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.hub.accounts.callers.get(token)

    def _answer(self, route: Route | None, call: Call) -> Response:
        headers: dict[str, str] = {}
        try:
            headers = self.hub.rate_headers(call.caller, _bucket(call.path))
            if call.caller is None and call.headers.get("authorization", "").startswith("Bearer "):
                raise HubError(401, "Invalid credentials in Authorization header")
            if route is None:
                raise HubError(404, f"No route for {call.method} {call.path}")
            with self.hub.lock:
                response = route.handler(self.hub, call)
        except HubError as error:
            response = error.response()
        except Exception as error:  # noqa: BLE001 - a slip must reach the test that caused it
            response = JSONResponse({"error": f"test server: {error!r}"}, 500)
        response.headers.update(headers)
        return response


def _route(method: str, path: str) -> tuple[Route | None, Mapping[str, str]]:
    wanted = "GET" if method == "HEAD" else method
    for pattern, route in ROUTES:
        match = pattern.fullmatch(path)
        if match is not None and route.method == wanted:
            found = match.groupdict()
            return route, {key: unquote(value) for key, value in found.items() if value}
    return None, {}


def _bucket(path: str) -> str:
    if path.startswith("/api/"):
        return "api"
    return "resolvers" if "/resolve/" in path or path.startswith("/lfs/") else "pages"


def _failed(fault: Fault) -> Response | None:
    if fault.status is None:
        return None
    wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return JSONResponse({"error": f"Injected {fault.status}"}, fault.status, wait)


async def _abort(send: Send) -> None:
    """Reset the connection. ASGI has no word for it, so this reaches for uvicorn's transport."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
