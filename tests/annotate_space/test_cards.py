"""What a card tells, and what it keeps to itself."""

from __future__ import annotations

from annotate_space.board import Question
from annotate_space.cards import authors, for_screen, options, passage_of, plain_card
from pipeline.core.schema import STAND_INS, AnnotationSettings, Span
from tests.factories import a_sample

SAMPLE = a_sample(1, document="guide.txt")
LEFT, RIGHT = (completion.completion_id for completion in SAMPLE.completions)
PAIR = Question(
    "pairwise", SAMPLE.sample_id, (RIGHT, LEFT), topic="Clay soils", perspective="Agronomist"
)


def test_answers_stand_in_the_order_of_the_question_and_do_not_tell_their_models() -> None:
    card = plain_card(PAIR, SAMPLE, "ana", AnnotationSettings())
    assert [a["text"] for a in card["answers"]] == [c.text for c in SAMPLE.completions[::-1]]
    for secret in ("maker/model", SAMPLE.sample_id, LEFT, RIGHT):
        assert secret not in str(card)
    assert authors(PAIR, SAMPLE) == ["maker/model-1", "maker/model-0"]


def test_topic_and_source_are_hidden_where_the_project_says_so() -> None:
    shown = plain_card(PAIR, SAMPLE, "ana", AnnotationSettings())
    assert (shown["topic"], shown["perspective"], shown["source"]) == (
        "Clay soils", "Agronomist", "guide.txt",
    )  # fmt: skip
    settings = AnnotationSettings(show_topic=False, show_source=False)
    hidden = plain_card(PAIR, SAMPLE, "ana", settings)
    assert (hidden["topic"], hidden["perspective"], hidden["source"]) == ("", "", "")
    assert (shown["passage"], hidden["passage"]) == (False, False)
    resting = SAMPLE.model_copy(update={"span": Span(start=0, end=9)})
    assert plain_card(PAIR, resting, "ana", AnnotationSettings())["passage"] is True
    assert plain_card(PAIR, resting, "ana", settings)["passage"] is False
    asked = Question("instruction", "slot", topic="Clay soils", perspective="Beginner")
    assert plain_card(asked, None, "ana", settings)["topic"] == "Clay soils"


def test_options_of_an_exam_have_an_order_for_each_person_and_mark_the_given_answer() -> None:
    exam = a_sample(2, [], kind="exam", question="When?", answer="Now", distractors=("A", "B", "C"))
    orders = {tuple(options(exam, f"person {number}")) for number in range(40)}
    assert len(orders) > 10
    assert {frozenset(order) for order in orders} == {frozenset(("Now", "A", "B", "C"))}
    assert len({order.index("Now") for order in orders}) == 4
    card = plain_card(Question("exam", exam.sample_id), exam, "ana", AnnotationSettings())
    assert card["options"][card["marked"]]["text"] == "Now"
    assert card["instruction"] == "When?"


def test_a_blind_exam_does_not_tell_which_option_is_marked() -> None:
    exam = a_sample(2, [], kind="exam", question="When?", answer="Now", distractors=("A", "B", "C"))
    asked, blind = Question("exam", exam.sample_id), AnnotationSettings(blind_exam=True)
    card = plain_card(asked, exam, "ana", blind)
    assert card["marked"] is None
    shown = plain_card(asked, exam, "ana", AnnotationSettings())
    assert card == shown | {"marked": None}


def test_whoever_reviews_an_exam_can_read_its_passage_unless_they_take_it_blind() -> None:
    place = Span(start=0, end=9)
    exam = a_sample(2, [], kind="exam", question="When?", answer="Now", distractors=("A",))
    exam = exam.model_copy(update={"document": "guide.txt", "span": place})
    asked = Question("exam", exam.sample_id)
    assert passage_of(asked, exam, AnnotationSettings()) == ("guide.txt", place)
    assert passage_of(asked, exam, AnnotationSettings(blind_exam=True)) is None
    assert plain_card(asked, exam, "ana", AnnotationSettings())["passage"] is True


def test_an_exam_question_of_the_stand_in_says_so() -> None:
    written = (f"written by:{STAND_INS[0]}",)
    exam = a_sample(
        2, [], kind="exam", question="When?", answer="Now", distractors=("A",), lineage=written
    )
    card = plain_card(Question("exam", exam.sample_id), exam, "ana", AnnotationSettings())
    assert card["stand_in"] is True


def test_hostile_text_reaches_the_browser_as_text() -> None:
    hostile = "<script>x</script> <img src=x onerror=x> [a](javascript:x) ![i](http://x/y.png)"
    sample = a_sample(1, [hostile, hostile], instruction=hostile)
    card = for_screen(plain_card(PAIR, sample, "ana", AnnotationSettings()))
    for html in (card["instruction"], card["answers"][0]["html"]):
        assert "<script" not in html
        assert "<img" not in html
        assert 'href="javascript' not in html
    assert card["answers"][0]["text"] == hostile


def test_the_stand_in_is_named() -> None:
    texts = [c.model_copy(update={"model": STAND_INS[0]}) for c in SAMPLE.completions]
    sample = SAMPLE.model_copy(update={"completions": tuple(texts)})
    assert plain_card(PAIR, sample, "ana", AnnotationSettings())["stand_in"] is True
    assert plain_card(PAIR, SAMPLE, "ana", AnnotationSettings())["stand_in"] is False
