"""Leads' decisions as they come."""

from __future__ import annotations

import pytest

from annotate_space.verdicts import Verdicts
from pipeline.core.feedback import FeedbackEvent
from tests.factories import a_sample, pair, thumb

ONE, TWO = a_sample(1), a_sample(2)


def at(second: int, event: FeedbackEvent, **changes: object) -> FeedbackEvent:
    moment = f"2026-01-01T00:00:{second:02d}.000Z"
    return event.model_copy(update={"verdict": True, "received_at": moment, **changes})


GOOD = at(1, thumb(ONE, 0, True, "lea"))
BAD = at(2, thumb(ONE, 0, False, "lea"))
BACK = at(3, GOOD, event_id="back", status="withdrawn")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_newest_counts_whatever_the_order(order: tuple[int, ...]) -> None:
    verdicts, events = Verdicts(), (GOOD, BAD, BACK)
    for place in order:
        verdicts.record(events[place])
    assert verdicts.newest(GOOD.key()) == BACK.received_at
    assert not verdicts.stands(GOOD.key())
    assert verdicts.standing() == []
    (change,) = verdicts.changes()
    assert (change.settled, change.differ) == (False, False)


def test_what_stands_is_listed_newest_first() -> None:
    verdicts = Verdicts()
    tie = at(5, pair(TWO, "tie", "lea"))
    for event in (GOOD, tie):
        verdicts.record(event)
    assert verdicts.standing() == [tie, GOOD]
    assert verdicts.standing("thumbs") == [GOOD]
    assert verdicts.stands(tie.key())
    assert verdicts.newest(at(1, thumb(TWO, 0, True, "lea")).key()) is None


def test_two_leads_agree_or_differ_on_a_pair_whichever_side_it_was_on() -> None:
    verdicts = Verdicts()
    verdicts.record(at(1, pair(ONE, "left", "lea")))
    verdicts.record(at(2, pair(ONE, "right", "lou", swap=True)))
    (change,) = verdicts.changes()
    assert (change.settled, change.differ) == (True, False)
    assert list(change.completion_ids) == sorted(one.completion_id for one in ONE.completions)
    verdicts.record(at(3, pair(ONE, "left", "lou", swap=True), event_id="later"))
    (change,) = verdicts.changes()
    assert (change.settled, change.differ) == (False, True)


def test_old_verdicts_are_forgotten_but_for_whether_they_stand() -> None:
    verdicts = Verdicts(remembered=2)
    events = [at(second, thumb(a_sample(second), 0, True, "lea")) for second in range(1, 5)]
    for event in events:
        verdicts.record(event)
    assert verdicts.standing() == [events[3], events[2]]
    assert verdicts.stands(events[0].key())
    verdicts.record(at(0, events[0]))
    assert verdicts.newest(events[0].key()) == events[0].received_at
