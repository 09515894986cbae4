"""Orders and sides: each annotator's own, the same again, fair on the whole."""

from __future__ import annotations

from annotate_space import assignment
from annotate_space.assignment import Pool, Question, questions
from tests.factories import a_sample


def pool(count: int) -> Pool:
    made = Pool()
    made.add(q for number in range(count) for q in questions(a_sample(number), "pairwise"))
    return made


def order(made: Pool, annotator: str) -> list[str]:
    return [question.sample_id for question in made.upcoming(annotator, set())]


def test_new_questions_leave_the_order_of_the_old_ones() -> None:
    small, large = order(pool(50), "ana"), order(pool(80), "ana")
    assert [sample for sample in large if sample in small] == small


def test_over_many_people_every_question_comes_first_for_some() -> None:
    made = pool(10)
    first = {order(made, f"person {number}")[0] for number in range(200)}
    assert len(first) == 10


def test_an_order_that_was_dropped_is_made_again_the_same() -> None:
    made = pool(20)
    before = order(made, "ana")
    for number in range(assignment._KEPT_ORDERS + 1):
        order(made, f"person {number}")
    assert "ana" not in made._orders
    assert order(made, "ana") == before


def test_three_completions_make_three_pairs_and_three_thumbs() -> None:
    sample = a_sample(1, ["a", "b", "c"])
    assert len(list(questions(sample, "thumbs"))) == 3
    assert len({q.completion_ids for q in questions(sample, "pairwise")}) == 3
    assert list(questions(a_sample(1, ["alone"]), "pairwise")) == []


def test_a_pair_is_one_question_and_both_sides_come_up() -> None:
    there = Question("pairwise", "s", ("a", "b"))
    back = Question("pairwise", "s", ("b", "a"))
    assert there.key("ana") == back.key("ana")
    assert {there.sides(f"p{n}") for n in range(20)} == {("a", "b"), ("b", "a")}
