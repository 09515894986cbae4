"""The last answers, kept whole in bounded memory."""

from __future__ import annotations

import pytest

from annotate_space import lately
from annotate_space.lately import Lately
from tests.factories import a_sample, thumb

SAMPLES = [a_sample(number) for number in range(6)]


def moment(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}.000Z"


def test_the_newest_of_each_question_is_kept_in_any_order() -> None:
    made = Lately()
    old, new = (thumb(SAMPLES[0], 0, label, received_at=moment(label)) for label in (False, True))
    other = thumb(SAMPLES[0], 0, True, "bo", received_at=moment(0))
    for event in (new, old, other):
        made.note(event)
    assert made.of("ana") == [new]
    assert made.get(old.key()) == new
    assert made.of("bo") == [other]
    assert made.of("nobody") == []


def test_the_oldest_goes_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lately, "MOST_OF_ONE", 2)
    monkeypatch.setattr(lately, "MOST", 3)
    monkeypatch.setattr(lately, "MOST_LETTERS", 10)
    made = Lately()
    for number, sample in enumerate(SAMPLES[:3]):
        made.note(thumb(sample, 0, True, received_at=moment(number)))
    assert [event.sample_id for event in made.of("ana")] == [s.sample_id for s in SAMPLES[1:3]]
    for sample in SAMPLES[:2]:
        made.note(thumb(sample, 0, True, "bo"))
    assert [event.sample_id for event in made.of("ana")] == [SAMPLES[2].sample_id]
    made.note(thumb(SAMPLES[3], 0, True, "cy", comment="nine more"))
    assert len(made.of("bo")) == 2
    made.note(thumb(SAMPLES[4], 0, True, "cy", comment="nine more"))
    assert made.of("bo") == []
    assert [event.sample_id for event in made.of("cy")] == [SAMPLES[4].sample_id]
