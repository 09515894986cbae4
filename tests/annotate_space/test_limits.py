"""Nobody is slowed down by doing their work, and nobody can swamp the others."""

from __future__ import annotations

import pytest

from annotate_space import limits
from annotate_space.limits import RATES, Limits, TooFast


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_day_offline_arrives_at_once_and_then_it_is_a_steady_rate() -> None:
    clock = Clock()
    people = Limits(clock=clock)
    people.spend("ana", "events", 200)
    people.spend("ana", "events", 200)
    with pytest.raises(TooFast) as caught:
        people.spend("ana", "events", 100)
    assert caught.value.retry_after == pytest.approx(20)
    assert "20 s" in str(caught.value)
    people.spend("bo", "events", 200)
    people.spend("ana", "questions", 12)
    clock.now += caught.value.retry_after
    people.spend("ana", "events", 100)


def test_what_was_refused_costs_nothing() -> None:
    people = Limits(clock=Clock())
    for _ in range(100):
        people.spend("ana", "calls")
    for _ in range(5):
        with pytest.raises(TooFast):
            people.spend("ana", "calls")
    with pytest.raises(TooFast) as caught:
        people.spend("ana", "calls")
    assert caught.value.retry_after == pytest.approx(0.1)


def test_more_than_a_burst_passes_when_nothing_was_taken() -> None:
    clock = Clock()
    people = Limits(clock=clock)
    people.spend("ana", "questions", 10_000)
    clock.now += 1
    with pytest.raises(TooFast):
        people.spend("ana", "questions", 10_000)
    people.spend("ana", "questions", -5)


def test_nobody_hoards_more_than_a_burst() -> None:
    clock = Clock()
    people = Limits(clock=clock)
    people.spend("ana", "calls", 100)
    clock.now += 1e6
    people.spend("ana", "calls", RATES["calls"].burst)
    with pytest.raises(TooFast):
        people.spend("ana", "calls")


def test_a_classroom_behind_one_address_works_and_invented_names_do_not_help() -> None:
    clock = Clock()
    people = Limits(clock=clock)
    for number in range(40):
        people.spend(f"pupil{number}", "events", 400, "192.0.2.1")
    with pytest.raises(TooFast) as caught:
        people.spend("invented", "events", 400, "192.0.2.1")
    assert caught.value.retry_after == pytest.approx(2)
    people.spend("invented", "events", 400, "192.0.2.2")
    people.spend("eva", "events", 400)
    clock.now += 2
    people.spend("another", "events", 400, "192.0.2.1")


def test_what_the_address_refuses_costs_the_person_nothing() -> None:
    people = Limits(clock=Clock())
    for number in range(40):
        people.spend(f"x{number}", "calls", 100, "192.0.2.1")
    with pytest.raises(TooFast):
        people.spend("ana", "calls", 100, "192.0.2.1")
    people.spend("ana", "calls", 100, "192.0.2.2")
    with pytest.raises(TooFast):
        people.spend("ana", "calls", 100, "192.0.2.3")
    for number in range(39):
        people.spend(f"y{number}", "calls", 100, "192.0.2.3")
    people.spend("z", "calls", 100, "192.0.2.3")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("testclient", "testclient", True),
    ],
)
def test_one_customer_of_a_provider_is_one_address(one: str, other: str, same: bool) -> None:
    people = Limits(clock=Clock())
    for number in range(40):
        people.spend(f"x{number}", "calls", 100, one)
    if same:
        with pytest.raises(TooFast):
            people.spend("ana", "calls", 100, other)
    else:
        people.spend("ana", "calls", 100, other)


def test_invented_names_take_a_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST_KEPT", 100)
    people = Limits(clock=Clock())
    for number in range(1_000):
        people.spend(f"x{number}", "calls", 1, f"a{number}")
    assert len(people._buckets) == len(people._addresses) == 100
