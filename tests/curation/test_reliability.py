"""Weights: the formulae word for word, unreliable people count less, one vote is never lost."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from pipeline.core.feedback import FeedbackEvent
from pipeline.curation.consensus import Rules, settle
from pipeline.curation.judgements import Judgements
from pipeline.curation.ranking import AGAINST_AVERAGE, strengths
from pipeline.curation.reliability import EARLIER_RIGHT, EARLIER_WRONG, dawid_skene, one_coin
from tests.factories import a_sample, thumb

Vote = tuple[int, int, int]


def some_votes(seed: int, kinds: int, items: int = 40, people: int = 6) -> list[Vote]:
    """Item, annotator and answer; the last annotators answer without looking."""
    draw = np.random.default_rng(seed)
    votes = []
    for item in range(items):
        truth = int(draw.integers(kinds))
        for person in sorted(draw.choice(people, 4, replace=False).tolist()):
            looks = draw.random() < (0.9 if person < people - 2 else 0.0)
            votes.append((item, person, truth if looks else int(draw.integers(kinds))))
    return votes


def literal(votes: list[Vote], kinds: int, rounds: int) -> list[list[float]]:
    """Dawid and Skene's two steps with the prior, one number at a time."""
    said: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for item, person, answer in votes:
        said[item].append((person, answer))
    people = 1 + max(person for _, person, _ in votes)
    belief = [
        [sum(a == k for _, a in said[item]) / len(said[item]) for k in range(kinds)]
        for item in sorted(said)
    ]
    for _ in range(rounds):
        confusion = [
            [
                [EARLIER_RIGHT if k == a else EARLIER_WRONG / (kinds - 1) for a in range(kinds)]
                for k in range(kinds)
            ]
            for _ in range(people)
        ]
        for item, person, answer in votes:
            for k in range(kinds):
                confusion[person][k][answer] += belief[item][k]
        for one in confusion:
            for row in one:
                total = sum(row)
                row[:] = [value / total for value in row]
        for item in range(len(belief)):
            likely = [math.prod(confusion[p][k][a] for p, a in said[item]) for k in range(kinds)]
            belief[item] = [value / sum(likely) for value in likely]
    return belief


def arrays(votes: list[Vote]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    items, people, answers = (np.array(column) for column in zip(*votes, strict=True))
    return items.astype(np.int32), people.astype(np.int32), answers.astype(np.int8)


@pytest.mark.parametrize("kinds", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_the_paper_says(seed: int, kinds: int) -> None:
    votes = some_votes(seed, kinds)
    found = dawid_skene(*arrays(votes), kinds)
    assert found.settled
    expected = np.array(literal(votes, kinds, found.rounds))
    assert found.probability == pytest.approx(expected, abs=1e-9)
    assert found.reliability[:4].min() > found.reliability[4:].max()


def test_weights_are_right_more_often_than_majorities() -> None:
    draw = np.random.default_rng(5)
    samples = [a_sample(number) for number in range(150)]
    truth = draw.random(150) < 0.5
    right = {"ana": 0.95, "bob": 0.93, "u1": 0.5, "u2": 0.5, "u3": 0.5}
    events = [
        thumb(sample, 0, bool(truth[n] == (draw.random() < chance)), who)
        for n, sample in enumerate(samples)
        for who, chance in right.items()
    ]
    judgements = Judgements.of(events)
    correct = {}
    for method in ("majority", "weighted"):
        found = settle(judgements, Rules(method=method))
        verdicts = [found.of(s.sample_id).completions[0].good for s in samples]
        correct[method] = sum(v == t for v, t in zip(verdicts, truth, strict=True))
    assert correct["weighted"] > correct["majority"] + 10
    reliability = settle(judgements, Rules(method="weighted")).reliability["thumbs"]
    assert min(reliability["ana"], reliability["bob"]) > 0.8
    assert max(reliability[name] for name in ("u1", "u2", "u3")) < 0.7


def test_a_rare_answer_is_not_lost_where_only_one_person_gave_it() -> None:
    samples = [a_sample(number) for number in range(40)]
    events: list[FeedbackEvent] = [thumb(s, 0, n > 1, "ana") for n, s in enumerate(samples)]
    found = settle(Judgements.of(events), Rules(method="weighted"))
    assert [found.of(s.sample_id).completions[0].good for s in samples[:3]] == [False, False, True]


def test_answers_of_their_own_weigh_as_their_people_do() -> None:
    # Ana is right about nine items with Bob, Eva never; about the tenth they differ.
    votes, people, question = [], [], []
    for item in range(9):
        votes += [2 * item, 2 * item, 2 * item + 1]
        people += [0, 1, 2]
        question += [item, item]
    votes += [18, 19]
    people += [0, 2]
    question += [9, 9]
    found = one_coin(
        np.array(votes, np.int32), np.array(people, np.int32), np.array(question, np.int32),
        np.full(10, 5),
    )  # fmt: skip
    assert found.probability[18] > 0.9
    assert found.reliability[0] > 0.8
    assert found.reliability[2] < 0.5
    assert found.probability[18] + found.probability[19] < 1


def test_strengths_solve_their_equations() -> None:
    wins = {("a", "b"): 3.0, ("b", "a"): 1.0, ("b", "c"): 2.5, ("c", "b"): 1.5, ("c", "a"): 1.0}
    odds = {name: math.exp(strength) for name, strength in strengths(wins)}
    for name, own in odds.items():
        expected = AGAINST_AVERAGE + sum(count for (w, _), count in wins.items() if w == name)
        told = 2 * AGAINST_AVERAGE * own / (own + 1)
        for (winner, loser), count in wins.items():
            if name in (winner, loser):
                other = loser if name == winner else winner
                told += count * own / (own + odds[other])
        assert told == pytest.approx(expected, rel=1e-5)


def test_strengths_exist_for_any_results() -> None:
    always = strengths({("a", "b"): 5.0, ("b", "c"): 5.0})
    assert [name for name, _ in always] == ["a", "b", "c"]
    apart = dict(strengths({("a", "b"): 1.0, ("c", "d"): 1.0}))
    assert apart["a"] == apart["c"] > apart["b"] == apart["d"]
    even = strengths({("b", "a"): 1.0, ("a", "b"): 1.0, ("c", "a"): 0.5, ("a", "c"): 0.5})
    assert even == (("a", 0), ("b", 0), ("c", 0))
    assert strengths({}) == ()
