"""How many calls are let through: in order, within every limit, and back up after trouble."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.generation.traffic import Lane, Traffic


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _run(body: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(_wrap(body), 20))


async def _wrap(body: Callable[[], Awaitable[None]]) -> None:
    await body()


def test_calls_start_in_order_and_never_more_than_allowed() -> None:
    async def body() -> None:
        traffic = Traffic(3)
        lanes = [traffic.lane("here", "a"), traffic.lane("here", "b")]
        started: list[int] = []
        most = 0

        async def call(number: int) -> None:
            nonlocal most
            async with lanes[number % 2].slot(1):
                started.append(number)
                most = max(most, traffic.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(call(number) for number in range(30)))
        assert started == list(range(30))
        assert most == 3
        assert traffic.in_flight == 0

    _run(body)


def test_of_those_that_wait_a_smaller_rank_goes_first() -> None:
    async def body() -> None:
        traffic = Traffic(1)
        lanes = [traffic.lane("here", "a"), traffic.lane("here", "b")]
        started: list[tuple[int, int]] = []

        async def call(number: int, rank: int) -> None:
            async with lanes[number % 2].slot(1, rank):
                started.append((rank, number))
                await asyncio.sleep(0.001)

        await asyncio.gather(call(0, 0), *(call(number, number % 3) for number in range(1, 12)))
        assert started == [(0, 0), *sorted((number % 3, number) for number in range(1, 12))]

    _run(body)


def test_whoever_gives_up_waiting_leaves_no_gap() -> None:
    async def body() -> None:
        traffic = Traffic(1)
        lane = traffic.lane("here", "a")
        done: list[int] = []

        async def call(number: int) -> None:
            async with lane.slot(1):
                await asyncio.sleep(0.005)
                done.append(number)

        calls = [asyncio.create_task(call(number)) for number in range(6)]
        await asyncio.sleep(0)
        for number in (0, 2, 3):
            calls[number].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert done == [1, 4, 5]
        assert traffic.in_flight == 0

    _run(body)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_no_place_is_ever_lost(acts: list[int], most: int) -> None:
    async def body() -> None:
        traffic = Traffic(most)
        dice = random.Random(str(acts))

        async def call(act: int, lane: Lane) -> None:
            async with lane.slot(1):
                await asyncio.sleep(dice.random() / 1_000)
                if act == 1:
                    lane.refused()
                    raise ValueError

        calls = [
            asyncio.create_task(call(act, traffic.lane("here", str(number % 2))))
            for number, act in enumerate(acts)
        ]
        await asyncio.sleep(0.001)
        for act, one in zip(acts, calls, strict=True):
            if act == 2:
                one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert traffic.in_flight == 0
        async with asyncio.timeout(5), traffic.lane("here", "0").slot(1):
            pass

    _run(body)


def _lane(most: int, clock: Clock) -> Lane:
    return Traffic(most, clock).lane("here", "a")


def _serve(lane: Lane, clock: Clock, seconds: int, capacity: int, share: float = 0.0) -> float:
    """Simulate ``seconds`` of full load, one answer a second each; gives calls answered a second.

    A server that takes ``capacity`` calls refuses the rest, and a ``share`` of all besides.
    """
    dice = random.Random(7)
    answered = 0
    for _ in range(seconds):
        attempts = lane.limit
        clock.now += 1
        for number in range(attempts):
            if number >= capacity or dice.random() < share:
                lane.refused()
            else:
                lane.answered(1.0, 10, 10)
                answered += 1
    return answered / seconds


def test_the_limit_follows_an_overloaded_server_down_and_recovers_fast() -> None:
    clock = Clock()
    lane = _lane(50, clock)
    _serve(lane, clock, 30, capacity=10)
    assert 8 <= lane.limit <= 16
    assert _serve(lane, clock, 30, capacity=10) > 8.5
    _serve(lane, clock, 20, capacity=1_000)
    assert lane.limit == 50


@pytest.mark.parametrize("share", [0.04, 0.1])
def test_refusals_that_are_not_about_load_cost_little(share: float) -> None:
    clock = Clock()
    lane = _lane(50, clock)
    assert _serve(lane, clock, 60, capacity=1_000, share=share) > 50 * (1 - share) * 0.85


def test_one_model_that_is_refused_does_not_slow_another() -> None:
    clock = Clock()
    traffic = Traffic(50, clock)
    slow, quick = traffic.lane("here", "slow"), traffic.lane("here", "quick")
    for _ in range(20):
        clock.now += 2
        slow.refused()
    assert slow.limit < 25
    assert quick.limit == 50


def test_requests_and_tokens_a_minute_are_kept() -> None:
    async def body() -> None:
        traffic = Traffic(100)
        lane = traffic.lane("here", "a", requests_per_minute=1_200)
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def call() -> None:
            async with lane.slot(1):
                pass

        await asyncio.gather(*(call() for _ in range(130)))
        # A tenth of a minute's allowance at once, the other ten at twenty a second.
        assert 0.4 < loop.time() - began < 3

    _run(body)
    clock = Clock()
    lane = Traffic(100, clock).lane("here", "a", tokens_per_minute=6_000)
    lane.start(600)
    assert lane.opens_in(100) == pytest.approx(1.0)
    lane.answered(1.0, 600, 100)
    assert lane.opens_in(100) == 0


def test_a_call_larger_than_a_minutes_burst_is_let_through_once_the_bucket_is_full() -> None:
    clock = Clock()
    lane = Traffic(10, clock).lane("here", "a", tokens_per_minute=600)
    assert lane.opens_in(5_000) == 0
    lane.start(5_000)
    wait = lane.opens_in(5_000)
    assert wait is not None
    assert wait > 400
    clock.now += wait
    assert lane.opens_in(5_000) == pytest.approx(0)


def test_an_endpoint_that_asks_to_wait_is_left_alone_by_all() -> None:
    async def body() -> None:
        traffic = Traffic(10)
        lane, other = traffic.lane("here", "a"), traffic.lane("here", "b")
        lane.hold(0.3)
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def call(lane: Lane) -> float:
            async with lane.slot(1):
                return loop.time() - began

        held, free = await asyncio.gather(call(lane), call(other))
        assert held >= 0.3
        assert free < 0.2
        assert traffic.held_for() == 0

    _run(body)
