"""Many annotators in one process: each does what the card does, and keeps what the card keeps.

    python -m tests.benchmarks.annotating.annotators WORK.json

They vote until a line comes on standard input; then they wait until everything is saved, or for so
long. What they did goes into a file.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.annotating.wire import Away, Connection

AHEAD: Final = 12
REFILL_BELOW: Final = 6
_GROUP: Final = 100
_SOONEST, _LATEST = 1.0, 10.0
_ANSWERS: Final[dict[str, tuple[dict[str, object], ...]]] = {
    "thumbs": ({"label": True}, {"label": False}),
    "pairwise": tuple({"preference": side} for side in ("left", "right", "tie", "both_bad")),
    "rate": tuple({"rating": number} for number in range(1, 6)),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What the annotators shall do.

    Attributes:
        url: Of the Space.
        who: One for each, as the card says who is there.
        every: Seconds from one vote of a person to the next.
        arrive: Seconds within which everybody comes.
        patience: Seconds to wait at the end until all is saved.
        reloads: How often, of votes, somebody reloads the page: then the cards in hand are asked
            for again, while the votes are kept.
        result: The file for what they did.
    """

    url: str
    who: list[dict[str, Any]]
    every: float
    arrive: float
    patience: float
    reloads: float
    result: str


@dataclass(slots=True)
class Done:
    """What they did.

    Attributes:
        given: Every vote, by its id: by which annotator, on which question.
        left: Votes that they still keep, because nobody said that they are saved.
        rejected: Votes that the server refused, and why.
        asked_twice: Questions that came again to somebody who had answered them.
        resent: Votes that the server had received, and then knew nothing of.
        away: Calls without an answer, by what was wrong.
        errors: Replies that told one, by what they said.
        waits: Calls by name, in milliseconds.
        idle: Turns without a card to vote on.
    """

    given: dict[str, tuple[str, str]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    asked_twice: int = 0
    resent: int = 0
    away: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    waits: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    idle: int = 0


class Annotator:
    """One person in one tab."""

    def __init__(self, work: Work, who: dict[str, Any], done: Done, chance: random.Random) -> None:
        self.outbox: dict[str, dict[str, Any]] = {}
        self._work = work
        self._who = who
        self._done = done
        self._chance = chance
        self._connection = Connection(work.url)
        self._tab = uuid.uuid4().hex
        self._session: dict[str, Any] | None = None
        self._hand: list[dict[str, Any]] = []
        self._on_server: set[str] = set()
        self._answered: set[str] = set()
        self._rest_until = 0.0
        self._look_at = 0.0
        self._pause = _SOONEST

    async def live(self, stop: asyncio.Event) -> None:
        """Vote until ``stop``, then wait until everything is saved."""
        turn = time.monotonic() + self._chance.random() * self._work.arrive
        while not stop.is_set():
            await _until(turn)
            turn = max(turn + self._work.every, time.monotonic())
            await self._turn(vote=True)
        deadline = time.monotonic() + self._work.patience
        while self.outbox and time.monotonic() < deadline:
            await self._turn(vote=False)
            await asyncio.sleep(0.5 + self._chance.random())
        self._connection.close()

    async def _turn(self, *, vote: bool) -> None:
        if time.monotonic() < self._rest_until:
            return
        try:
            if self._session is None:
                self._session = await self._ask("hello", {})
            if vote:
                await self._refill()
                self._vote()
            await self._send()
            await self._check()
        except Away as away:
            self._done.away[str(away)] += 1
            self._rest_until = time.monotonic() + 1 + self._chance.random()
        except _Told as told:
            self._done.errors[told.kind] += 1
            self._rest_until = time.monotonic() + told.retry_after

    async def _refill(self) -> None:
        if len(self._hand) >= REFILL_BELOW:
            return
        held = [item["ticket"] for item in self._hand]
        reply = await self._ask(
            "next",
            {"tab": self._tab, "task": None, "count": AHEAD, "holding": held, "again": False},
        )
        unsent = {self._done.given[name][1] for name in self.outbox if name not in self._on_server}
        for item in reply["items"]:
            if item["ticket"] in held or item["ticket"] in unsent:
                continue
            self._done.asked_twice += item["ticket"] in self._answered
            self._hand.append(item)

    def _vote(self) -> None:
        if not self._hand:
            self._done.idle += 1
            return
        assert self._session is not None
        item = self._hand.pop(0)
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {
            "event_id": uuid.uuid4().hex,
            "ticket": item["ticket"],
            "status": "submitted",
            **self._chance.choice(_ANSWERS[item["task"]]),
            "shown_at": moment,
            "answered_at": moment,
            "duration_ms": 1_000,
            "guidelines_version": self._session["guidelines_version"],
        }
        self._done.given[event["event_id"]] = (self._session["annotator"], item["ticket"])
        self._answered.add(item["ticket"])
        self.outbox[event["event_id"]] = event
        if self._chance.random() < self._work.reloads:
            self._hand, self._session = [], None
            self._connection.close()

    async def _send(self) -> None:
        while group := [e for name, e in self.outbox.items() if name not in self._on_server]:
            reply = await self._ask("submit", {"tab": self._tab, "events": group[:_GROUP]})
            self._settle(reply)

    async def _check(self) -> None:
        waiting = [name for name in self.outbox if name in self._on_server]
        if not waiting or time.monotonic() < self._look_at:
            return
        before = len(self.outbox)
        self._settle(await self._ask("check", {"event_ids": waiting[:200]}))
        gone = len(self.outbox) < before
        self._pause = _SOONEST if gone else min(self._pause * 1.5, _LATEST)
        self._look_at = time.monotonic() + self._pause

    def _settle(self, reply: dict[str, Any]) -> None:
        self._on_server.update(reply.get("received", ()))
        for name in reply.get("forgotten", ()):
            self._done.resent += name in self._on_server
            self._on_server.discard(name)
        for name, why in reply.get("rejected", {}).items():
            self._done.rejected[name] = why
            self._drop(name)
        for name, moment in reply["saved"].items():
            if moment is not None:
                self._drop(name)

    def _drop(self, name: str) -> None:
        self.outbox.pop(name, None)
        self._on_server.discard(name)

    async def _ask(self, function: str, payload: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        reply = await self._connection.call(function, {**payload, "who": self._who})
        self._done.waits[function].append(1_000 * (time.perf_counter() - began))
        if "error" in reply:
            raise _Told(reply)
        return reply


class _Told(Exception):
    """The server told of an error."""

    def __init__(self, reply: dict[str, Any]) -> None:
        super().__init__(reply["error"])
        self.kind = f"{reply.get('kind')}: {reply['error']}"
        self.retry_after = float(reply.get("retry_after") or 2)


async def crowd(work: Work, stop: asyncio.Event) -> Done:
    """Let everybody live until ``stop`` and a little longer; what they did."""
    done = Done()
    people = [
        Annotator(work, who, done, random.Random(number)) for number, who in enumerate(work.who)
    ]
    await asyncio.gather(*(person.live(stop) for person in people))
    done.left = [name for person in people for name in person.outbox]
    return done


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def _main(work: Work) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    done = await crowd(work, stop)
    told = {name: getattr(done, name) for name in Done.__slots__}
    Path(work.result).write_text(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(_main(Work(**json.loads(Path(sys.argv[1]).read_text()))))
