"""Places for questions are even, and stay."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.schema import Span, stable_id
from pipeline.generation.exams.slots import MOST, Slot, room, slots, topic_of
from pipeline.generation.grounding import Passage, Source
from tests.generation.exams.material import PASSAGE, a_document


def source(number: int, passages: int) -> Source:
    text = a_document(number, passages)
    return Source(name=f"d{number}.md", title=f"D {number}", digest=stable_id(text), text=text)


def place(slot: Slot) -> tuple[str, int]:
    return slot.passage.document, slot.passage.span.start


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 40))
def test_any_beginning_is_spread_evenly(sizes: list[int], wanted: int) -> None:
    sources = [source(number, size) for number, size in enumerate(sizes)]
    found = list(slots(sources))
    assert len(found) == room(sources) == len({slot.sample_id("f") for slot in found})
    used = Counter(map(place, found[:wanted]))
    full = {place(slot): slot.room for slot in found}
    emptiest = min(used.get(at, 0) for at in full)
    # A passage has one more than another only if that one has no room left or is yet to come.
    assert all(count <= emptiest + 1 or full[at] > emptiest for at, count in used.items())
    assert max(used.values()) <= MOST


def test_documents_take_turns_and_their_first_passages_lie_apart() -> None:
    found = list(slots([source(0, 8), source(1, 8)]))
    assert [slot.passage.document for slot in found[:6]] == ["d0.md", "d1.md"] * 3
    starts = [slot.passage.span.start for slot in found[:8:2]]
    whole = len(a_document(0, 8))
    assert {start * 4 // whole for start in starts} >= {0, 2}
    assert len(set(starts)) == 4


def test_places_stay_when_documents_come() -> None:
    before = {slot.sample_id("f") for slot in slots([source(0, 3)])}
    after = {slot.sample_id("f") for slot in slots([source(7, 5), source(0, 3)])}
    assert before < after


def test_headings_and_blanks_are_not_asked_about() -> None:
    for text in ("", "   \n\n", "# A heading", "1 2 3\n" * 80, "la " * 200):
        assert room([Source(name="d.md", title="", digest="x", text=text)]) == 0


def test_a_passage_has_the_topic_whose_words_it_has() -> None:
    passage = Passage("d.md", "", Span(start=0, end=9), PASSAGE)
    assert topic_of(passage, ["Beekeeping", "Clay and drains", "Winter wheat"]) == "Clay and drains"
    assert topic_of(passage, ["Beekeeping"]) == ""
    assert topic_of(passage, []) == ""
