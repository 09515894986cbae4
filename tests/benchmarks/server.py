"""The chat server of the benchmarks, in a process of its own so that no contender waits for it.

``/calls`` tells what became of every request; ``/counts`` tells it in four numbers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.benchmarks.work import ROOT
from tests.llm_server import Call, Fault, Latency, LlmServer, Received, call_name

_TRUNCATED: Final = b'{"id": "chatcmpl-0", "choices": [{"index": 0, "message": {"role": "assis'
_CHATTER: Final = "I would rather talk about something else."


@dataclass(frozen=True)
class Load:
    """How the server behaves.

    Attributes:
        mean: Seconds of the mean latency.
        cap: Seconds of the longest.
        sigma: How heavy the tail between is.
        faults: The share of calls that fail, an equal part each by 429, by 500, by a connection
            that breaks and by a reply that is not what was asked for.
        seed: Of latencies and faults.
    """

    mean: float = 1.0
    cap: float = 10.0
    sigma: float = 1.0
    faults: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the server has seen so far; ``slept`` is the sum of all latencies in seconds."""

    arrived: int
    answered: int
    most_in_flight: int
    slept: float


class Server:
    """A server process for the length of a ``with``."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._process: subprocess.Popen[str] | None = None
        self._http = httpx2.Client(timeout=30)
        self.url = ""

    def __enter__(self) -> Self:
        options = [f"--{name}={value!r}" for name, value in asdict(self._load).items()]
        command = [sys.executable, "-m", "tests.benchmarks.server", *options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if self._process.stdout is None:
            raise RuntimeError("the server has no output")
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the server did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def counts(self) -> Counts:
        """The state of affairs."""
        return Counts(**self._get("counts"))

    def calls(self) -> list[Call]:
        """Every call so far, in the order of arrival."""
        return [Call(**fields) for fields in self._get("calls")]

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return self._http.get(f"{self.url.removesuffix('/v1')}/{path}").json()


def outcomes(calls: Sequence[Call]) -> dict[str, int]:
    """How often calls came to what."""
    return dict(Counter(call.outcome or "in flight" for call in calls))


def span(calls: Sequence[Call]) -> float:
    """Seconds from the first request to the last reply: the wall time without start and end."""
    sent = [call.sent for call in calls if call.sent is not None]
    return max(sent) - min(call.arrived for call in calls) if sent else 0.0


def main() -> None:
    """Serve until killed, or until whoever started it is gone."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.server", description=__doc__)
    for name, value in asdict(Load()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    load = Load(**vars(parser.parse_args()))
    server = LlmServer(
        latency=Latency(load.mean, load.sigma, load.cap),
        seed=load.seed,
        named=call_name,
        routes=[
            Route("/calls", lambda request: _calls(request, server)),
            Route("/counts", lambda request: _counts(request, server)),
        ],
    )
    for fault in _faults(load.faults):
        server.fail(fault)
    with server:
        print(server.url, flush=True)
        threading.Event().wait()


def _faults(share: float) -> list[Fault]:
    if not share:
        return []
    part = share / 4
    return [
        Fault(status=429, share=part),
        Fault(status=500, share=part),
        Fault(drop=True, share=part),
        Fault(text=_CHATTER, share=part / 2, when=_wants_json),
        Fault(body=_TRUNCATED, share=part / 2, when=_wants_json),
        Fault(body=_TRUNCATED, share=part, when=lambda request: not _wants_json(request)),
    ]


def _wants_json(request: Received) -> bool:
    return bool(request.wanted or request.rated)


def _calls(request: Request, server: LlmServer) -> Response:
    return Response(json.dumps([asdict(call) for call in server.calls]))


def _counts(request: Request, server: LlmServer) -> Response:
    answered = sum(call.answered for call in server.calls)
    counts = Counts(len(server.calls), answered, server.most_in_flight, server.slept)
    return JSONResponse(asdict(counts))


if __name__ == "__main__":
    main()
