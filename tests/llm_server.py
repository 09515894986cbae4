"""A loopback chat server that speaks OpenAI's protocol over real HTTP, with faults to switch on.

    with LlmServer(key="k") as server:
        server.fail(Fault(status=429, retry_after="1", every=10))
        ...  # base_url=server.url
        server.requests[0].messages

By hand: `python -m tests.llm_server --port 8000 --latency 0.5`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import random
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from tests.loopback import HOST, Loopback

Messages = list[dict[str, str]]

SENT_BACK = "That reply cannot be read"
"""How a message begins that asks for the same once more, in another form."""


@dataclass(frozen=True)
class Received:
    """One chat request as it arrived."""

    messages: Messages
    model: str
    parameters: dict[str, Any]
    headers: dict[str, str]

    @property
    def wanted(self) -> int:
        """How many instructions it asks for; 0 if it is to be answered."""
        found = re.search(r"Write exactly (\d+) new ", self.asked)
        return int(found[1]) if found else 0

    @property
    def rated(self) -> int:
        """How many answers it asks to rate; 0 if none."""
        found = re.search(r"^Rate each of the (\d+) answers", self.asked, re.MULTILINE)
        return int(found[1]) if found else 0

    @property
    def asked(self) -> str:
        """What its last message says; when that sends a reply back, what was asked before."""
        last = self.messages[-1]["content"]
        return self.messages[-3]["content"] if last.startswith(SENT_BACK) else last

    @property
    def digest(self) -> str:
        """The same for the same body, however its fields are ordered."""
        body = {"messages": self.messages, "model": self.model, **self.parameters}
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


Script = Callable[[Received], str | None]


@dataclass(slots=True)
class Call:
    """What became of one chat request; moments are of ``time.monotonic``, one clock for a machine.

    Attributes:
        name: What is asked for, the same at each attempt.
        digest: Of its body.
        arrived: When it was read.
        latency: Seconds it was made to wait.
        outcome: ``answered``, or what went wrong; empty while it waits.
        sent: When the reply had been sent in full; None if it never was.
    """

    name: str
    digest: str
    arrived: float
    latency: float = 0.0
    outcome: str = ""
    sent: float | None = None

    @property
    def answered(self) -> bool:
        """Whether whoever asked has been sent what was asked for."""
        return self.outcome == "answered" and self.sent is not None

    def note_sent(self) -> None:
        """Its reply has just been sent."""
        self.sent = time.monotonic()


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and for which requests.

    A `share` of them, `every` n-th, the `first` n, or all of them; `when` narrows it further.
    One of `status`, `drop` (the connection breaks in the answer) and `body` (sent as it is)
    applies, else the model answers `text`, where None is a null.
    """

    status: int = 200
    retry_after: str | None = None
    message: str = "fault"
    drop: bool = False
    body: bytes | None = None
    text: str | None = None
    media_type: str = "application/json"
    share: float | None = None
    every: int | None = None
    first: int | None = None
    when: Callable[[Received], bool] = lambda _: True


@dataclass(frozen=True)
class Latency:
    """Seconds an answer takes: lognormal around `mean` with the tail of `sigma`, at most `cap`."""

    mean: float = 0.0
    sigma: float = 0.0
    cap: float = 10.0

    def draw(self, dice: random.Random) -> float:
        """The next one."""
        if self.mean <= 0:
            return 0.0
        middle = math.log(self.mean) - self.sigma**2 / 2
        return min(self.cap, dice.lognormvariate(middle, self.sigma))


def reply(request: Received) -> str | None:
    """A list with an introduction, ratings or some sentences, whichever is asked for.

    It depends on the request alone. The questions of a list are numbered on from those that the
    request names as existing, or from its place in a series.
    """
    if request.rated:
        return _ratings(request)
    asked = request.asked
    if request.wanted:
        about = _about(request)
        start = _first_number(request) - 1
        numbers = range(start + 1, start + request.wanted + 1)
        lines = [f"{n - start}. Question {n} about {about}: what now?" for n in numbers]
        return f"Sure! Here are {request.wanted} questions:\n\n" + "\n".join(lines)
    seed = request.parameters.get("seed", 0)
    return f"{request.model} says ({seed}): it depends. You asked: {asked}"


def call_name(request: Received) -> str:
    """What a request asks for, however it is worded and however often it is asked.

    Two clients that make the same rows of ``reply``'s questions share the names of their calls. Of
    several answers to one question each is an attempt, whichever model gives it.
    """
    if request.wanted:
        return f"instruction {_first_number(request)} {_about(request)}"
    question = re.search(r"Question \d+ about .*: what now\?", request.asked)
    subject = question[0] if question else request.digest
    return f"judge {subject}" if request.rated else f"answer {subject}"


def _about(request: Received) -> str:
    topic = re.search(r"^Topic: (.*)$", request.asked, re.MULTILINE)
    view = re.search(r"^Perspective: (.*)$", request.asked, re.MULTILINE)
    return f"{topic[1] if topic else ''}, {view[1] if view else ''}"


def _first_number(request: Received) -> int:
    """The number of the first question that is asked for."""
    if place := re.search(r"^Request (\d+) of a series", request.asked, re.MULTILINE):
        return (int(place[1]) - 1) * request.wanted + 1
    named = rf"^- Question (\d+) about {re.escape(_about(request))}"
    return max(map(int, re.findall(named, request.asked, re.MULTILINE)), default=0) + 1


def _ratings(request: Received) -> str:
    """Ratings from 1 to 5 that differ from answer to answer, as a JSON object."""
    first = int(request.digest, 16) % 5
    ratings = [
        {
            "answer": chr(ord("A") + index),
            "rating": (first + index) % 5 + 1,
            "rationale": f"Answer {chr(ord('A') + index)} says what it depends on.",
        }
        for index in range(request.rated)
    ]
    return json.dumps({"ratings": ratings})


class LlmServer:
    """Serves from a thread of its own inside a `with`; a test sets it and looks at it.

    Latency and the shares of faults are drawn as requests come. With `named` they depend on
    nothing but the seed, the name of a call and how often it has been asked, so that two clients
    that do the same work in another order wait for the same latencies.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str | None = None,
        models: tuple[str, ...] | None = None,
        latency: Latency | None = None,
        script: Script = reply,
        seed: int = 0,
        named: Callable[[Received], str] | None = None,
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        self.key = key
        self.models = models
        self.latency = latency or Latency()
        self.script = script
        self.requests: list[Received] = []
        self.calls: list[Call] = []
        self.most_in_flight = 0
        self.slept = 0.0
        """Seconds of latency given so far, all answers together."""
        self._in_flight = 0
        self._clients: set[tuple[str, int]] = set()
        self._faults: list[tuple[Fault, list[int]]] = []
        self._seed = seed
        self._dice = random.Random(seed)
        self._named = named
        self._attempts: Counter[str] = Counter()
        chat = Route("/v1/chat/completions", self._chat, methods=["POST"])
        offered = Route("/v1/models", self._list, methods=["GET"])
        self._loopback = Loopback(Starlette(routes=[chat, offered, *routes]), port)

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://{HOST}:{self._loopback.port}/v1"

    @property
    def connections(self) -> int:
        """How many connections requests have come through."""
        return len(self._clients)

    def fail(self, fault: Fault) -> None:
        """Switch a fault on; the first one that applies to a request wins."""
        self._faults.append((fault, [0]))

    def heal(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    def start(self) -> Self:
        """Begin to serve."""
        self._loopback.start()
        return self

    def stop(self, *, wait: bool = True) -> None:
        """Refuse connections; without `wait` that takes effect a moment later."""
        self._loopback.stop(wait=wait)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def _list(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        names = self.models or ("any",)
        return JSONResponse(
            {"object": "list", "data": [{"id": n, "object": "model"} for n in names]}
        )

    async def _chat(self, request: Request) -> Response:
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return await self._answer(request)
        finally:
            self._in_flight -= 1

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        if not body["messages"]:
            return _error(400, "There must be at least one message.")
        received = Received(
            messages=[_plain(message) for message in body.pop("messages")],
            model=body.pop("model"),
            parameters=body,
            headers=dict(request.headers),
        )
        self.requests.append(received)
        if request.client is not None:
            self._clients.add((request.client.host, request.client.port))
        name = self._named(received) if self._named else ""
        dice = self._dice_for(name)
        delay = self.latency.draw(dice)
        call = Call(name, received.digest, time.monotonic(), delay)
        self.calls.append(call)
        self.slept += delay
        await asyncio.sleep(delay)
        refused = self._refused(request)
        fault = None if refused else self._fault(received, dice)
        response = refused or self._response(received, fault)
        call.outcome = _outcome(response, fault)
        if await request.is_disconnected():
            call.outcome = "gone"
        response.background = BackgroundTask(call.note_sent)
        return response

    def _dice_for(self, name: str) -> random.Random:
        """The dice of the next attempt at the call ``name``."""
        if self._named is None:
            return self._dice
        self._attempts[name] += 1
        return random.Random(f"{self._seed} {self._attempts[name]} {name}")

    def _response(self, received: Received, fault: Fault | None) -> Response:
        if fault is not None and (broken := _response(fault)):
            return broken
        if self.models is not None and received.model not in self.models:
            return _error(404, f"The model `{received.model}` does not exist.")
        text = self.script(received) if fault is None else fault.text
        if received.parameters.get("stream"):
            return StreamingResponse(_events(received, text), media_type="text/event-stream")
        return JSONResponse(_completion(received, text))

    def _refused(self, request: Request) -> Response | None:
        if self.key is None or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        return _error(401, f"Incorrect API key provided: {sent}.")

    def _fault(self, received: Received, dice: random.Random) -> Fault | None:
        for fault, seen in self._faults:
            if not fault.when(received):
                continue
            seen[0] += 1
            if fault.share is not None and dice.random() >= fault.share:
                continue
            if fault.every is not None and seen[0] % fault.every:
                continue
            if fault.first is not None and seen[0] > fault.first:
                continue
            return fault
        return None


def _plain(message: dict[str, Any]) -> dict[str, str]:
    """A message whose content may come in parts, as text."""
    content = message["content"]
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return {**message, "content": content}


def _outcome(response: Response, fault: Fault | None) -> str:
    """What a call is noted to have come to, if its reply arrives."""
    if response.status_code != 200:
        return f"HTTP {response.status_code}"
    if fault is None:
        return "answered"
    return "dropped" if fault.drop else "malformed"


def elsewhere(server: LlmServer) -> str:
    """The base URL of ``server`` by an address that does not tell that it is this machine."""
    return server.url.replace(HOST, "0.0.0.0")


def _response(fault: Fault) -> Response | None:
    """What is sent instead of a completion; None if the fault is in the completion's text."""
    if fault.status != 200:
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else None
        return _error(fault.status, fault.message, headers)
    if fault.drop:
        return StreamingResponse(_broken(), headers={"Content-Length": "1000"})
    if fault.body is not None:
        return Response(fault.body, media_type=fault.media_type)
    return None


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"message": message, "code": status}}, status, headers)


async def _broken() -> AsyncIterator[bytes]:
    yield b'{"choices": ['
    raise ConnectionAbortedError


def _completion(received: Received, text: str | None) -> dict[str, Any]:
    words = sum(len(message["content"].split()) for message in received.messages)
    used = len((text or "").split())
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": received.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": words,
            "completion_tokens": used,
            "total_tokens": words + used,
        },
    }


async def _events(received: Received, text: str | None) -> AsyncIterator[str]:
    for word in re.findall(r"\S+\s*", text or ""):
        chunk = {
            "object": "chat.completion.chunk",
            "model": received.model,
            "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}],
        }
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.llm_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a free one by default")
    parser.add_argument("--key", help="the bearer key to insist on")
    parser.add_argument("--latency", type=float, default=0.0, help="mean seconds of an answer")
    parser.add_argument("--sigma", type=float, default=0.0, help="how heavy its tail is")
    arguments = parser.parse_args()
    latency = Latency(arguments.latency, arguments.sigma)
    with LlmServer(port=arguments.port, key=arguments.key, latency=latency) as server:
        print(server.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
