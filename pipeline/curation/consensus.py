"""What people together say of each sample: majorities or weighted votes, with ties left as ties.

A judgement counts when it is the newest of its annotator and was submitted; skipped, flagged and
withdrawn ones do not count, and neither do repeats. The rules:

- A question is settled by an answer that has more than half of its votes; ties and both-bad are
  answers to a pair. So nothing is ever settled by chance, and a tie never makes a pair.
- With method ``weighted`` it is more than half of the probability that ``reliability`` finds.
- Where a lead has given a verdict, only verdicts count for that question, and one is enough. Two
  leads who differ settle nothing. What a lead votes as an annotator is a vote like any other.
- A completion without a thumb is good if it won a pair. Losing makes none bad: the other one may
  just be better.

Everything is computed from columns in the order of ids, so that it is the same whatever the order
of events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from pipeline.core.schema import CurationSettings, Task
from pipeline.curation.judgements import (
    BOTH_BAD,
    FIRST,
    SECOND,
    STATUSES,
    TIE,
    Codes,
    Flags,
    Judgements,
    Numbers,
)
from pipeline.curation.questions import DISCARD, SUBJECTS, Questions, candidates
from pipeline.curation.ranking import strengths
from pipeline.curation.reliability import dawid_skene, one_coin

Floats = npt.NDArray[np.float64]

EXAM_ANSWERS: Final = 5
"""Four options, or that the item is no good; more if more were given."""

_UNSETTLED: Final = -1
_EVEN: Final = 1e-9
"""A probability that is no further above one half is a tie."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a question is settled.

    Attributes:
        method: ``majority``: more than half of the votes. ``weighted``: more than half of the
            probability, votes weighing as reliably as their annotators are found to answer.
        min_votes: Fewer settle nothing.
        min_agreement: The least share of the votes that the settling answer needs.
    """

    method: Literal["majority", "weighted"] = "majority"
    min_votes: int = 1
    min_agreement: float = 0.0

    @classmethod
    def of(cls, settings: CurationSettings) -> Rules:
        """What a project's settings ask for."""
        return cls(settings.method, settings.min_votes, settings.min_agreement)


@dataclass(frozen=True, slots=True)
class CompletionVerdict:
    """What people say of one completion.

    Attributes:
        good: None when nothing settles it.
        up: Thumbs that say good; also those that a lead's verdict overrules.
        down: Thumbs that say not good.
        agreement: The share of the deciding thumbs that say what most of them say; None without.
            A lead's verdict decides alone.
        rating: The true mean of the stars that people gave; None without.
        ratings: How many gave stars.
        source: What settled ``good``: thumbs, a pair that it won, or a lead's verdict.
        probability: That it is good, with method ``weighted``; None without thumbs.
    """

    completion_id: str
    good: bool | None
    up: int
    down: int
    agreement: float | None
    rating: float | None
    ratings: int
    source: Literal["thumbs", "pair", "lead"] | None
    probability: float | None


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """A pair with a winner; ties and both bad never make one.

    Attributes:
        margin: The winner's share of the deciding votes less the loser's; with method ``weighted``
            of the probability. Above 0, at most 1.
        votes: How many votes there are, leads' verdicts included.
        first: Votes for the completion whose id sorts first.
        second: Votes for the other.
        agreement: The winner's share of the deciding votes; a lead's verdict decides alone.
    """

    chosen_id: str
    rejected_id: str
    margin: float
    votes: int
    first: int
    second: int
    ties: int
    both_bad: int
    agreement: float
    source: Literal["votes", "lead"]


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody wrote in place of a completion."""

    completion_id: str | None
    text: str
    annotator: str


@dataclass(frozen=True, slots=True)
class ExamVerdict:
    """What reviewers say of an exam item.

    Attributes:
        status: ``approved``: ``option`` is right. ``corrected``: ``correction`` takes its place.
            ``discarded``: it is no good. ``disputed``: no answer has more than half.
            ``open``: too few votes.
        option: The text of the option that is right, where approved or corrected.
        correction: The corrected item as a JSON object, as in ``FeedbackEvent.text``.
        votes: Reviews, also those that discard.
    """

    status: Literal["approved", "corrected", "discarded", "disputed", "open"]
    option: str | None = None
    correction: str | None = None
    votes: int = 0
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class SampleVerdict:
    """Everything people say of one sample.

    Attributes:
        completions: Those with thumbs or stars, or that won a pair, in the order of their ids.
        pairs: Those with a winner, in the order of their ids.
        ranking: Completion and strength, the best first, when more than two were compared; see
            ``ranking.strengths``. Equal strengths are ties, in the order of ids.
        edits: In the order of completion and annotator.
        exam: None unless it was reviewed as an exam item.
        flags: How many judgements flag it.
        agreement: Of all deciding votes on its questions the share that say what most say on that
            question; None without votes.
        votes: Submitted thumbs, pairs, ratings and exam reviews, repeats aside.
        disputed: A question has enough votes that differ and is not settled.
    """

    sample_id: str
    completions: tuple[CompletionVerdict, ...] = ()
    pairs: tuple[PairVerdict, ...] = ()
    ranking: tuple[tuple[str, float], ...] = ()
    edits: tuple[Edit, ...] = ()
    exam: ExamVerdict | None = None
    flags: int = 0
    agreement: float | None = None
    votes: int = 0
    disputed: bool = False

    def verdicts(self) -> dict[str, bool]:
        """Which completions were found good, and which not good."""
        return {one.completion_id: one.good for one in self.completions if one.good is not None}

    def judged(self) -> bool:
        """Tell whether anybody gave an answer."""
        return bool(self.votes or self.edits)

    def accepted(self) -> set[str]:
        """The completions that were found good or rewritten."""
        good = {name for name, verdict in self.verdicts().items() if verdict}
        return good | {edit.completion_id for edit in self.edits if edit.completion_id}


@dataclass(frozen=True, slots=True)
class Standing:
    """How every sample stands, by its place in ``Judgements.samples``.

    Attributes:
        judged: Anybody gave an answer, as ``SampleVerdict.judged``.
        good: A completion was found good or rewritten, or the exam item right.
        bad: A completion was found not good, or the exam item no good.
        disputed: As ``SampleVerdict.disputed``.
        flagged: A judgement flags it.
    """

    judged: Flags
    good: Flags
    bad: Flags
    disputed: Flags
    flagged: Flags


@dataclass(frozen=True, slots=True)
class TaskStanding:
    """How the questions of a task stand, one row for each.

    Attributes:
        sample: Places in ``Judgements.samples``.
        subjects: ``completion`` of thumbs, ``first`` and ``second`` of pairs: places in
            ``Judgements.completions``.
        answer: What settles it, as in ``Judgements.frame``; of an exam item the row of a judgement
            that says what is right, below 0 if the item is no good.
        settled: Where ``answer`` says something.
        disputed: Whether there are enough votes, which differ, and it is not settled.
    """

    sample: Numbers
    subjects: dict[str, Codes]
    answer: Numbers
    settled: Flags
    disputed: Flags


class Consensus:
    """What is settled, by sample.

    Attributes:
        judgements: What it was made of.
        rules: When a question is settled.
        reliability: With method ``weighted`` how likely each annotator gives the right answer, by
            task; only of tasks that they answered.
    """

    def __init__(self, judgements: Judgements, rules: Rules) -> None:
        self.judgements = judgements
        self.rules = rules
        self.reliability: dict[str, dict[str, float]] = {}
        self._thumbs = _settled(self, "thumbs", 2)
        self._pairs = _settled(self, "pairwise", 4)
        self._stars = _stars(judgements)
        self._exam = _exam(self)
        samples = judgements.column("sample", np.int32)
        flagged = judgements.codes("status") == STATUSES.index("flagged")
        flagged &= ~judgements.column("repeat", np.bool_)
        self._flags = np.bincount(samples[flagged], minlength=len(judgements.samples))
        written = judgements.votes & judgements.task("edit")
        written &= judgements.column("has_text", np.bool_)
        self._edits = np.flatnonzero(written)
        self._edits_from = _starts(samples[self._edits], len(judgements.samples))

    def of(self, sample_id: str) -> SampleVerdict:
        """What people say of a sample; nothing, if nobody has judged it."""
        found = self.judgements.find(sample_id)
        return SampleVerdict(sample_id) if found < 0 else self._of(sample_id, found)

    def __iter__(self) -> Iterator[SampleVerdict]:
        """Of every sample that anybody said anything of, in the order of ids."""
        for place, sample_id in enumerate(self.judgements.samples):
            yield self._of(sample_id.as_py(), place)

    def settled(self, task: Task) -> Flags:
        """Which questions of thumbs, pairwise or exam are settled, in the order of ``Questions``.

        Also as a tie, or as no good.
        """
        tables = {"thumbs": self._thumbs, "pairwise": self._pairs, "exam": self._exam}
        found: Flags = tables[task].answer != _UNSETTLED
        return found

    @cached_property
    def accepted_completions(self) -> int:
        """How many completions thumbs found good."""
        return int((self._thumbs.answer == 1).sum())

    @cached_property
    def settled_pairs(self) -> int:
        """How many pairs have a winner."""
        return int(np.isin(self._pairs.answer, (FIRST, SECOND)).sum())

    @cached_property
    def standing(self) -> Standing:
        """How every sample stands, without the cost of looking at each."""
        size = len(self.judgements.samples)
        judged, good, bad, disputed = np.zeros((4, size), np.bool_)
        thumbs, pairs, exam = self._thumbs, self._pairs, self._exam
        for table in (thumbs, pairs, exam):
            samples = _samples(table.starts)
            judged[samples] = True
            disputed[samples[table.disputed]] = True
        judged[_samples(self._stars.starts)] = True
        good[_samples(thumbs.starts)[thumbs.answer == 1]] = True
        bad[_samples(thumbs.starts)[thumbs.answer == 0]] = True
        first_won = np.where(pairs.answer == FIRST, pairs.subjects["first"], -1)
        winner = np.where(pairs.answer == SECOND, pairs.subjects["second"], first_won)
        # Of a completion with thumbs they say more than that it won.
        many = max(1, len(self.judgements.completions))
        thumbed = _samples(thumbs.starts) * many + thumbs.subjects["completion"]
        won = (winner >= 0) & ~np.isin(_samples(pairs.starts) * many + winner, thumbed)
        good[_samples(pairs.starts)[won]] = True
        good[_samples(exam.starts)[exam.answer >= 0]] = True
        bad[_samples(exam.starts)[exam.answer == DISCARD]] = True
        for place in np.unique(_samples(self._edits_from)).tolist():
            if any(self._edited(place)):
                judged[place] = good[place] = True
        return Standing(judged, good, bad, disputed, self._flags > 0)

    def of_task(self, task: Literal["thumbs", "pairwise", "exam"]) -> TaskStanding:
        """How the questions of a task stand, in the order of their ids."""
        table = {"thumbs": self._thumbs, "pairwise": self._pairs, "exam": self._exam}[task]
        per_sample = np.diff(table.starts)
        return TaskStanding(
            sample=np.repeat(np.arange(len(per_sample)), per_sample),
            subjects=table.subjects,
            answer=table.answer,
            settled=table.answer != _UNSETTLED,
            disputed=table.disputed,
        )

    @property
    def mean_stars(self) -> Floats:
        """The true mean of each completion that people gave stars."""
        return self._stars.total / self._stars.count

    def _of(self, sample_id: str, place: int) -> SampleVerdict:
        thumbs, pairs, stars, exam = (
            table.rows(place) for table in (self._thumbs, self._pairs, self._stars, self._exam)
        )
        deciding = most = votes = 0
        disputed = False
        for table, rows in ((self._thumbs, thumbs), (self._pairs, pairs), (self._exam, exam)):
            for row in rows:
                deciding += int(table.deciding[row])
                most += int(table.most[row])
                votes += int(table.votes[row])
                disputed = disputed or bool(table.disputed[row])
        won = list(self._won(pairs))
        return SampleVerdict(
            sample_id=sample_id,
            completions=tuple(self._completions(thumbs, stars, won)),
            pairs=tuple(won),
            ranking=self._ranking(pairs),
            edits=tuple(self._edited(place)),
            exam=self._reviewed(exam[0]) if exam else None,
            flags=int(self._flags[place]),
            agreement=most / deciding if deciding else None,
            votes=votes + sum(int(self._stars.all_votes[row]) for row in stars),
            disputed=disputed,
        )

    def _won(self, rows: range) -> Iterator[PairVerdict]:
        table = self._pairs
        for row in rows:
            answer = int(table.answer[row])
            if answer not in (FIRST, SECOND):
                continue
            ids = (
                self._name(table.subjects["first"][row]),
                self._name(table.subjects["second"][row]),
            )
            chosen, rejected = ids if answer == FIRST else ids[::-1]
            first, second, ties, both_bad = table.counts[row].tolist()
            yield PairVerdict(
                chosen_id=chosen,
                rejected_id=rejected,
                margin=table.share(row, answer) - table.share(row, SECOND - answer),
                votes=int(table.votes[row]),
                first=first,
                second=second,
                ties=ties,
                both_bad=both_bad,
                agreement=float(table.most[row] / table.deciding[row]),
                source="lead" if table.by_lead[row] else "votes",
            )

    def _completions(
        self, thumbs: range, stars: range, won: list[PairVerdict]
    ) -> Iterator[CompletionVerdict]:
        voted = {self._name(self._thumbs.subjects["completion"][row]): row for row in thumbs}
        rated = {self._name(self._stars.completion[row]): row for row in stars}
        winners = {pair.chosen_id for pair in won}
        for name in sorted({*voted, *rated, *winners}):
            mean, count = self._stars.of(rated.get(name))
            row = voted.get(name)
            if row is None:
                good = True if name in winners else None
                source: Literal["pair"] | None = "pair" if good else None
                yield CompletionVerdict(name, good, 0, 0, None, mean, count, source, None)
                continue
            table = self._thumbs
            answer = int(table.answer[row])
            lead = bool(table.by_lead[row])
            yield CompletionVerdict(
                completion_id=name,
                good=None if answer == _UNSETTLED else bool(answer),
                up=int(table.counts[row, 1]),
                down=int(table.counts[row, 0]),
                agreement=float(table.most[row] / table.deciding[row]),
                rating=mean,
                ratings=count,
                source=None if answer == _UNSETTLED else "lead" if lead else "thumbs",
                probability=table.probability_of(row, 1),
            )

    def _ranking(self, rows: range) -> tuple[tuple[str, float], ...]:
        """Of what its pairs compare, if that is more than one pair of completions."""
        if len(rows) < 2:
            return ()
        table = self._pairs
        wins: dict[tuple[str, str], float] = defaultdict(float)
        for row in rows:
            one, other = (self._name(table.subjects[name][row]) for name in ("first", "second"))
            counts = table.deciding_counts[row].tolist()
            even = (counts[TIE] + counts[BOTH_BAD]) / 2
            wins[one, other] += counts[FIRST] + even
            wins[other, one] += counts[SECOND] + even
        return strengths(wins)

    def _edited(self, place: int) -> Iterator[Edit]:
        for at in range(*self._edits_from[place : place + 2].tolist()):
            row = int(self._edits[at])
            text = self.judgements.text(row) or ""
            if text.strip():
                yield Edit(
                    self._name(self.judgements.value("completion", row)),
                    text,
                    self.judgements.value("annotator", row),
                )

    def _reviewed(self, row: int) -> ExamVerdict:
        table = self._exam
        votes, agreement = int(table.votes[row]), float(table.most[row] / table.deciding[row])
        answer = int(table.answer[row])
        if answer == _UNSETTLED:
            few = not table.by_lead[row] and votes < self.rules.min_votes
            return ExamVerdict("open" if few else "disputed", None, None, votes, agreement)
        if answer == DISCARD:
            return ExamVerdict("discarded", None, None, votes, agreement)
        text = self.judgements.text(answer)
        option = self.judgements.value("option", answer)
        status: Literal["approved", "corrected"] = "approved" if text is None else "corrected"
        return ExamVerdict(status, option, text, votes, agreement)

    def _name(self, code: int) -> str:
        return self.judgements.completion(int(code))


def settle(judgements: Judgements, rules: Rules | None = None) -> Consensus:
    """Settle every question that can be.

    Args:
        judgements: What people said.
        rules: When a question is settled; by majority if not told.
    """
    return Consensus(judgements, rules or Rules())


@dataclass(slots=True)
class _Table:
    """Questions of a task in the order of their ids, one row for each.

    Attributes:
        subjects: What each is about, as places in ``Judgements.completions``.
        answer: What settles it, or ``_UNSETTLED``.
        counts: Votes for each answer; of ``deciding_counts`` those that decide.
        votes: How many votes there are; of ``deciding`` those that decide.
        most: Deciding votes for what settles it, else for what most say.
        by_lead: Whether leads decide.
        disputed: Whether there are enough votes, which differ, and it is not settled.
        probability: Of each answer; shape (0, 0) without weights.
        starts: For each sample its first row, and one more.
    """

    subjects: dict[str, Codes]
    answer: Numbers
    counts: Codes
    deciding_counts: Codes
    votes: Numbers
    deciding: Numbers
    most: Numbers
    by_lead: Flags
    disputed: Flags
    probability: Floats
    starts: Numbers

    def rows(self, place: int) -> range:
        """Those of a sample."""
        return range(*self.starts[place : place + 2].tolist())

    def probability_of(self, row: int, answer: int) -> float | None:
        return float(self.probability[row, answer]) if len(self.probability) else None

    def share(self, row: int, answer: int) -> float:
        """Of the deciding votes; with weights of the probability, unless leads decide."""
        if len(self.probability) and not self.by_lead[row]:
            return float(self.probability[row, answer])
        return float(self.deciding_counts[row, answer] / self.deciding[row])


def _settled(consensus: Consensus, task: Task, kinds: int) -> _Table:
    """Settle the questions of a task whose answers are the same for all."""
    judgements, rules = consensus.judgements, consensus.rules
    asked = Questions.of(judgements, task)
    rows, question, size = asked.rows, asked.question, len(asked)
    answers = judgements.column("answer", np.int8)[rows]
    by_lead, decides = _deciding(judgements, asked)
    counts = _count(question, answers, size, kinds)
    deciding_counts = _count(question[decides], answers[decides], size, kinds)
    probability: Floats = np.zeros((0, 0))
    if rules.method == "weighted" and size:
        annotators = judgements.codes("annotator")[rows]
        estimate = dawid_skene(question, annotators, answers, kinds)
        probability = estimate.probability
        _tell(consensus, task, annotators, estimate.reliability)
    table = _decide(deciding_counts, counts, by_lead, probability, rules)
    table.subjects = {
        name: judgements.column(name, np.int32)[rows][asked.first] for name in SUBJECTS[task]
    }
    table.starts = asked.starts(len(judgements.samples))
    return table


def _deciding(judgements: Judgements, asked: Questions) -> tuple[Flags, Flags]:
    """Which questions have a lead's verdict, and which votes decide: those, or else all."""
    verdict = judgements.column("verdict", np.bool_)[asked.rows]
    if not len(asked):
        return verdict, verdict
    by_lead: Flags = np.logical_or.reduceat(verdict, asked.first)
    return by_lead, verdict | ~by_lead[asked.question]


def _decide(
    deciding_counts: Codes, counts: Codes, by_lead: Flags, probability: Floats, rules: Rules
) -> _Table:
    votes, deciding = counts.sum(axis=1), deciding_counts.sum(axis=1)
    answer = deciding_counts.argmax(axis=1)
    most = deciding_counts.max(axis=1)
    wins = 2 * most > deciding
    if len(probability):
        likely = probability.argmax(axis=1)
        by_weight = ~by_lead
        answer[by_weight] = likely[by_weight]
        wins[by_weight] = probability.max(axis=1)[by_weight] > 0.5 + _EVEN
        voted = np.take_along_axis(deciding_counts, answer[:, None], axis=1)[:, 0]
        most = np.where(wins, voted, most)
    enough = (votes >= rules.min_votes) | by_lead
    agrees = (most >= rules.min_agreement * deciding - _EVEN) | by_lead
    differ = (deciding_counts > 0).sum(axis=1) > 1
    settled = wins & enough & agrees
    return _Table(
        subjects={},
        answer=np.where(settled, answer, _UNSETTLED),
        counts=counts,
        deciding_counts=deciding_counts,
        votes=votes,
        deciding=deciding,
        most=most,
        by_lead=by_lead,
        disputed=differ & enough & ~settled,
        probability=probability,
        starts=np.zeros(0, np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Stars:
    """Completions with stars, in the order of their ids, with the deciding stars' sum and count."""

    completion: Codes
    total: Floats
    count: Numbers
    all_votes: Numbers
    starts: Numbers

    def rows(self, place: int) -> range:
        return range(*self.starts[place : place + 2].tolist())

    def of(self, row: int | None) -> tuple[float | None, int]:
        if row is None:
            return None, 0
        count = int(self.count[row])
        return float(self.total[row]) / count, count


def _stars(judgements: Judgements) -> _Stars:
    asked = Questions.of(judgements, "rate")
    question, size = asked.question, len(asked)
    _, decides = _deciding(judgements, asked)
    stars = judgements.column("answer", np.int8)[asked.rows].astype(np.float64)
    return _Stars(
        completion=judgements.column("completion", np.int32)[asked.rows][asked.first],
        total=np.asarray(np.bincount(question[decides], stars[decides], size), np.float64),
        count=np.bincount(question[decides], minlength=size),
        all_votes=np.bincount(question, minlength=size),
        starts=asked.starts(len(judgements.samples)),
    )


def _exam(consensus: Consensus) -> _Table:
    """Exam items: an answer is an option, a corrected item, or that it is no good."""
    judgements, rules = consensus.judgements, consensus.rules
    asked = Questions.of(judgements, "exam")
    question, size = asked.question, len(asked)
    by_lead, decides = _deciding(judgements, asked)
    given = candidates(judgements, asked)
    votes = given.vote
    cast = np.bincount(votes[decides], minlength=len(given.row)).astype(np.int32)
    order = np.lexsort((-cast, given.question))
    lead = np.searchsorted(given.question, np.arange(size))
    best = order[lead]
    deciding = np.bincount(question[decides], minlength=size)
    total = np.bincount(question, minlength=size)
    # As three kinds of votes: for the best answer, for others, and none.
    weights: Floats = np.zeros((0, 0))
    if rules.method == "weighted" and size:
        annotators = judgements.codes("annotator")[asked.rows]
        per_question = np.bincount(given.question, minlength=size)
        kinds = np.maximum(EXAM_ANSWERS, per_question)
        found = one_coin(votes, annotators, given.question, kinds)
        _tell(consensus, "exam", annotators, found.reliability)
        likely = np.lexsort((-found.probability, given.question))[lead]
        best = np.where(by_lead, best, likely)
        chance = found.probability[best]
        weights = np.stack([chance, 1 - chance], axis=1)
    for_best = np.bincount(question[votes == best[question]], minlength=size)
    deciding_best = cast[best] if size else np.zeros(0, np.int32)
    table = _decide(
        np.stack([deciding_best, deciding - deciding_best], axis=1).astype(np.int32),
        np.stack([for_best, total - for_best], axis=1).astype(np.int32),
        by_lead,
        weights,
        rules,
    )
    table.answer = np.where(table.answer == 0, given.row[best], _UNSETTLED)
    table.most = deciding_best.astype(np.int64)
    unanimous = deciding_best == deciding
    enough = (total >= rules.min_votes) | by_lead
    table.disputed = (table.answer == _UNSETTLED) & ~unanimous & enough
    table.starts = asked.starts(len(judgements.samples))
    return table


def _count(question: Codes, answers: npt.NDArray[Any], size: int, kinds: int) -> Codes:
    flat = np.bincount(question.astype(np.int64) * kinds + answers, minlength=size * kinds)
    return flat.reshape(size, kinds).astype(np.int32)


def _starts(samples: Codes, count: int) -> Numbers:
    """For each of ``count`` samples the first of its rows; at the end, how many there are."""
    return np.searchsorted(samples, np.arange(count + 1))


def _samples(starts: Numbers) -> Numbers:
    """The sample of each row, from what ``_starts`` returned."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def _tell(consensus: Consensus, task: str, annotators: Codes, reliability: Floats) -> None:
    names = consensus.judgements.frame["annotator"].cat.categories
    consensus.reliability[task] = {
        names[code]: float(reliability[code]) for code in np.unique(annotators).tolist()
    }
