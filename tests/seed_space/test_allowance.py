"""What the owner pays for visitors: limits, giving back, days, and many visitors."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.settings import Settings
from pipeline.web.visitor import Visitor
from seed_space.allowance import Allowance, AllowanceUsed, allowance_of

ANA = Visitor("ana")


class Clock:
    """A day that a test moves on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 4, 22, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_visitor_has_so_many_and_no_more() -> None:
    allowance = Allowance(5, 100, clock=Clock())
    allowance.take(ANA, 3)
    assert allowance.left(ANA).samples == 2
    with pytest.raises(AllowanceUsed, match=r"asked for 3 .* 2 more"):
        allowance.take(ANA, 3)
    assert allowance.left(ANA).samples == 2, "a refusal counts nothing"
    allowance.take(ANA, 2)
    with pytest.raises(AllowanceUsed, match=r"used up.*after 00:00 UTC"):
        allowance.take(ANA, 1)
    assert allowance.left(Visitor("bo")).samples == 5


def test_all_visitors_together_have_a_limit_too() -> None:
    allowance = Allowance(5, 7, clock=Clock())
    allowance.take(ANA, 5)
    assert allowance.left(Visitor("bo")).samples == 2
    allowance.take(Visitor("bo"), 2)
    with pytest.raises(AllowanceUsed):
        allowance.take(Visitor("cy"), 1)


def test_what_was_not_called_is_given_back_once() -> None:
    allowance = Allowance(5, 5, clock=Clock())
    receipt = allowance.take(ANA, 5)
    receipt.give_back(2)
    assert allowance.left(ANA).samples == 2
    receipt.give_back(100)
    receipt.give_back(5)
    assert allowance.left(ANA).samples == 5
    assert len(allowance) == 0


def test_midnight_starts_anew_and_yesterdays_receipt_is_worth_nothing() -> None:
    clock = Clock()
    allowance = Allowance(5, 8, clock=clock)
    receipt = allowance.take(ANA, 5)
    assert allowance.left(ANA).until == datetime(2026, 3, 5, tzinfo=UTC)
    clock.now += timedelta(hours=2)
    assert allowance.left(ANA).samples == 5
    allowance.take(ANA, 4)
    receipt.give_back(5)
    assert allowance.left(ANA).samples == 1
    assert allowance.left(Visitor("bo")).samples == 4


def test_whoever_is_not_signed_in_is_the_network_they_come_from() -> None:
    allowance = Allowance(2, 100, clock=Clock())
    allowance.take(Visitor(address="2001:db8::1"), 2)
    assert allowance.left(Visitor(address="2001:db8::2")).samples == 0
    assert allowance.left(Visitor(address="198.51.100.7")).samples == 2
    assert allowance.left(Visitor("ANA", address="2001:db8::1")).samples == 2
    allowance.take(Visitor("ANA"), 2)
    assert allowance.left(ANA).samples == 0, "names are the same in any case of letters"


def test_memory_is_bounded_by_what_is_paid_for() -> None:
    allowance = Allowance(3, 50, clock=Clock())
    for number in range(1_000):
        who = Visitor(f"user{number}")
        allowance.left(who)
        try:
            allowance.take(who, 1)
        except AllowanceUsed:
            assert number >= 50
    assert len(allowance) == 50


def test_many_at_once_never_get_more_than_there_is() -> None:
    allowance = Allowance(10, 200, clock=Clock())
    got: list[int] = []
    start = threading.Barrier(20)

    def ask(number: int) -> None:
        start.wait()
        for _ in range(30):
            try:
                receipt = allowance.take(Visitor(f"user{number}"), 1)
            except AllowanceUsed:
                continue
            if number % 2:
                receipt.give_back(1)
            else:
                got.append(1)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 100
    assert len(allowance) == 10


def test_all_visitors_of_a_space_share_one() -> None:
    settings = Settings("ana/shared", on_space=True, visitor_samples=4, visitor_samples_total=6)
    allowance_of(settings).take(ANA, 3)
    assert allowance_of(settings).left(ANA).samples == 1
    assert allowance_of(settings).left(Visitor("bo")).samples == 3


@pytest.mark.parametrize(
    ("language", "words"), [("de", "aufgebraucht"), ("fr", "épuisés"), ("es", "agotado")]
)
def test_being_used_up_is_said_in_the_visitors_language(language: str, words: str) -> None:
    allowance = Allowance(0, 0, clock=Clock())
    with pytest.raises(AllowanceUsed, match=words):
        allowance.take(Visitor("ana", language=language), 1)
