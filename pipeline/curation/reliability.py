"""How reliably each annotator answers, and what is right when votes weigh accordingly.

A. P. Dawid, A. M. Skene: Maximum Likelihood Estimation of Observer Error-Rates Using the EM
Algorithm. Applied Statistics 28 (1979), 20-28. Written here because the packages that hold it bring
scikit-learn and more. We depart from the paper in two ways, both for questions that few answer:

- Everybody starts as if they had answered ``EARLIER_RIGHT`` questions rightly and
  ``EARLIER_WRONG`` wrongly (a Dirichlet prior), so that nobody is taken for infallible, or for
  always wrong, after a handful of answers, and the answers keep their meaning.
- All answers are held equally likely beforehand. With the paper's estimated shares a single vote
  for a rare answer would be overruled by its rarity alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

EARLIER_RIGHT: Final = 4.0
EARLIER_WRONG: Final = 1.0

_MOST_ROUNDS: Final = 200
_STILL: Final = 1e-7
"""Change of the probabilities below which they have settled."""

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is most likely.

    Attributes:
        probability: Of each answer being right; shape questions by answers.
        confusion: How likely an annotator says an answer when another is right; shape annotators
            by right answer by given answer.
        rounds: How often probabilities and confusions were estimated in turn.
        settled: Whether they had ceased to change.
    """

    probability: Floats
    confusion: Floats
    rounds: int
    settled: bool

    @property
    def reliability(self) -> Floats:
        """How likely each annotator gives the right answer, all answers being as frequent."""
        mean: Floats = np.trace(self.confusion, axis1=1, axis2=2) / self.confusion.shape[1]
        return mean


def dawid_skene(
    questions: Codes, annotators: Codes, answers: npt.NDArray[np.int8], kinds: int
) -> Estimate:
    """Estimate from votes, one in each place of the three arrays.

    Args:
        questions: 0, 1 and so on, each at least once.
        annotators: Likewise, though some may have no vote.
        answers: Each below ``kinds``.
        kinds: How many answers there are.
    """
    people = int(annotators.max(initial=-1)) + 1
    count = int(questions.max(initial=-1)) + 1
    given = annotators.astype(np.int64) * kinds + answers
    prior = np.full((kinds, kinds), EARLIER_WRONG / (kinds - 1))
    np.fill_diagonal(prior, EARLIER_RIGHT)
    probability = np.stack(
        [np.bincount(questions[answers == kind], minlength=count) for kind in range(kinds)], axis=1
    ).astype(np.float64)
    probability /= np.maximum(probability.sum(axis=1, keepdims=True), 1)
    confusion = np.zeros((people, kinds, kinds))
    for done in range(1, _MOST_ROUNDS + 1):
        for kind in range(kinds):
            seen = np.bincount(given, probability[questions, kind], people * kinds)
            confusion[:, kind] = seen.reshape(people, kinds) + prior[kind]
        confusion /= confusion.sum(axis=2, keepdims=True)
        told = np.log(confusion)
        score: Floats = np.stack(
            [
                np.bincount(questions, told[annotators, kind, answers], count)
                for kind in range(kinds)
            ],
            axis=1,
            dtype=np.float64,
        )
        before, probability = probability, _normalised(score)
        if not count or np.abs(probability - before).max() < _STILL:
            return Estimate(probability, confusion, done, True)
    return Estimate(probability, confusion, _MOST_ROUNDS, False)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What is most likely where each question has answers of its own.

    Attributes:
        probability: For each candidate.
        reliability: How likely each annotator gives the right answer.
    """

    probability: Floats
    reliability: Floats


def one_coin(
    votes: Codes, annotators: Codes, question_of: Codes, kinds: npt.NDArray[np.int64]
) -> Likelihood:
    """As ``dawid_skene`` with one number for each annotator: how often they are right.

    For questions whose answers have nothing to do with each other's, such as an exam's options;
    whoever is wrong is taken to choose any of the wrong answers.

    Args:
        votes: The candidate voted for: an answer that somebody gave to a question.
        annotators: Who voted.
        question_of: For each candidate its question.
        kinds: For each question how many answers it has, at least 2 and those given.
    """
    people = int(annotators.max(initial=-1)) + 1
    count = len(kinds)
    candidates = len(question_of)
    per_question = np.bincount(question_of, minlength=count)
    cast = np.bincount(votes, minlength=candidates).astype(np.float64)
    probability = cast / np.maximum(np.bincount(question_of, cast, count), 1)[question_of]
    answered = np.bincount(annotators, minlength=people)
    wrong_kinds = (kinds - 1).astype(np.float64)[question_of[votes]]
    right: Floats = np.zeros(people)
    for _ in range(_MOST_ROUNDS):
        found = np.bincount(annotators, probability[votes], people) + EARLIER_RIGHT
        right = found / (answered + EARLIER_RIGHT + EARLIER_WRONG)
        weight = np.log(right / (1 - right))[annotators] + np.log(wrong_kinds)
        score = np.bincount(votes, weight, candidates)
        top = np.zeros(count)  # answers that nobody gave have score 0
        np.maximum.at(top, question_of, score)
        raised = np.exp(score - top[question_of])
        unseen = (kinds - per_question) * np.exp(-top)
        total = np.bincount(question_of, raised, count) + unseen
        before, probability = probability, raised / total[question_of]
        if not candidates or np.abs(probability - before).max() < _STILL:
            break
    return Likelihood(probability, right)


def _normalised(score: Floats) -> Floats:
    raised = np.exp(score - score.max(axis=1, keepdims=True, initial=-np.inf))
    normalised: Floats = raised / raised.sum(axis=1, keepdims=True)
    return normalised
