"""What a lead is told about the last hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from annotate_space.recent import Recent
from pipeline.core.feedback import FeedbackEvent, timestamp
from tests.factories import a_sample, pair, thumb

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


def at(event: FeedbackEvent, minutes_ago: float, **changes: object) -> FeedbackEvent:
    moment = timestamp(START - timedelta(minutes=minutes_ago))
    return event.model_copy(update={"received_at": moment, **changes})


def vote(number: int, minutes_ago: float, **changes: object) -> FeedbackEvent:
    return at(thumb(a_sample(number), 0, True), minutes_ago, **changes)


def test_pace_counts_the_votes_of_the_last_hour_and_ten_minutes() -> None:
    clock = Clock()
    recent = Recent(clock=clock)
    assert recent.pace().per_minute == 0
    for number in range(30):
        recent.note(vote(number, number * 2 + 0.5))
    for number, minutes in ((90, 61), (91, 5000)):
        recent.note(vote(number, minutes))
    recent.note(vote(92, 1, repeat=True))
    recent.note(thumb(a_sample(93), 0, None, received_at=timestamp(START)))
    pace = recent.pace()
    assert (pace.hour, pace.ten_minutes) == (30, 5)
    assert 0.45 < pace.per_minute < 0.55
    clock.now += timedelta(minutes=30)
    assert recent.pace().hour == 15
    assert recent.pace().ten_minutes == 0
    clock.now += timedelta(hours=5)
    assert recent.pace().per_minute == 0


def test_the_first_votes_of_an_hour_do_not_promise_a_pace() -> None:
    recent = Recent(clock=Clock())
    recent.note(vote(1, 0))
    assert recent.pace().per_minute == 0.1


def test_minutes_long_past_are_forgotten() -> None:
    clock = Clock()
    recent = Recent(clock=clock)
    for number in range(500):
        clock.now = START + timedelta(minutes=number)
        recent.note(vote(number, -number))
    assert recent.pace().hour == 60
    assert len(recent._minutes) <= 121


def test_seconds_are_the_median_of_a_persons_answers() -> None:
    recent = Recent(clock=Clock())
    assert recent.seconds("ana") is None
    for number, milliseconds in enumerate((1000, 2000, 60_000)):
        recent.note(vote(number, 1, duration_ms=milliseconds))
    recent.note(vote(9, 1))
    assert recent.seconds("ana") == 2.0
    assert recent.seconds("bo") is None


def test_flags_are_the_newest_that_stand() -> None:
    recent = Recent(clock=Clock())

    def flag(number: int, minutes_ago: float, **changes: object) -> FeedbackEvent:
        fields = {"status": "flagged", "reason": "unsafe", **changes}
        return at(pair(a_sample(number), "tie"), minutes_ago, **fields)

    for number in range(30):
        recent.note(flag(number, 60 - number, comment=f"no {number}"))
    recent.note(flag(29, 1, status="withdrawn"))
    recent.note(flag(28, 1, status="submitted", reason=None))
    recent.note(flag(28, 50))
    found = recent.flagged(3)
    assert [one.comment for one in found] == ["no 27", "no 26", "no 25"]
    assert found[0].annotator == "ana"
    for number in range(1000):
        recent.note(flag(number + 100, -number))
    assert len(recent._flagged) == 200
    assert recent.flagged(1)[0].sample_id == a_sample(1099).sample_id
