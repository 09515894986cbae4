"""What the annotators together say: majorities, with ties left as ties.

A judgement counts when it is the newest of its annotator and was submitted; skipped, flagged and
withdrawn ones do not count, and neither do repeats.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pipeline.core.feedback import Feedback, FeedbackEvent


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


@dataclass(frozen=True, slots=True)
class CompletionVerdict:
    """What people say of one completion.

    Attributes:
        good: None when nothing settles it.
        up: Thumbs that say good; also those that a lead's verdict overrules.
        down: Thumbs that say not good.
        agreement: The share of the deciding thumbs that say what most of them say; None without.
            The lead's decide alone where there are any.
        rating: The true mean of the stars that people gave; None without.
        ratings: How many gave stars.
        source: What settled ``good``: thumbs, a pair that it won, or a lead's thumb.
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
        votes: How many people chose.
        first: Votes for the completion whose id sorts first.
        second: Votes for the other.
        agreement: The winner's share of the deciding votes; a lead's decide alone.
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

    def accepted(self) -> bool:
        """Tell whether a completion was found good or rewritten."""
        return bool(self.edits) or any(one.good for one in self.completions)


@dataclass(slots=True)
class Thumbs:
    """Votes on one completion."""

    up: int = 0
    down: int = 0

    def verdict(self) -> bool | None:
        """What most say; None when as many say good as not good."""
        return None if self.up == self.down else self.up > self.down

    def lead(self) -> int:
        """By how many votes the majority leads."""
        return abs(self.up - self.down)


@dataclass(slots=True)
class Pair:
    """Choices between two completions, whichever side each was shown on.

    Attributes:
        first: Id of one completion, the smaller in order.
        second: Id of the other.
        choices: How often each answer was given.
    """

    first: str
    second: str
    choices: Counter[Literal["first", "second", "tie", "both_bad"]] = field(default_factory=Counter)

    def votes(self) -> int:
        """How many people chose."""
        return self.choices.total()

    def winner(self) -> str | None:
        """The completion that more than half of all chose.

        Ties and both-bad count as votes for neither, so they are never turned into a pair.
        """
        half = self.votes() / 2
        if self.choices["first"] > half:
            return self.first
        return self.second if self.choices["second"] > half else None


@dataclass(frozen=True, slots=True)
class Consensus:
    """Tallies by sample.

    Attributes:
        thumbs: By sample id, then completion id.
        pairs: By sample id, then the two completion ids in order.
    """

    thumbs: dict[str, dict[str, Thumbs]]
    pairs: dict[str, dict[tuple[str, str], Pair]]

    def verdicts(self, sample_id: str) -> dict[str, bool]:
        """Which completions of a sample people found good, and which not good.

        Thumbs decide, and tied ones leave a completion out; without thumbs on it, a completion is
        good that won a pair. Losing a pair makes none bad: the other one may just be better.
        """
        thumbs = self.thumbs.get(sample_id, {})
        found = {name: votes.verdict() for name, votes in thumbs.items()}
        for pair in self.pairs.get(sample_id, {}).values():
            winner = pair.winner()
            if winner is not None:
                found.setdefault(winner, True)
        return {name: verdict for name, verdict in found.items() if verdict is not None}


def tally(feedback: Feedback) -> Consensus:
    """Count every judgement that counts."""
    consensus = Consensus({}, {})
    for event in feedback.current():
        if event.status != "submitted" or event.repeat:
            continue
        if event.task == "thumbs" and event.completion_id is not None:
            votes = consensus.thumbs.setdefault(event.sample_id, {})
            thumbs = votes.setdefault(event.completion_id, Thumbs())
            thumbs.up += event.label is True
            thumbs.down += event.label is False
        elif event.task == "pairwise":
            _count_pair(consensus, event)
    return consensus


def _count_pair(consensus: Consensus, event: FeedbackEvent) -> None:
    if event.left_id is None or event.right_id is None or event.preference is None:
        return
    first, second = sorted((event.left_id, event.right_id))
    pairs = consensus.pairs.setdefault(event.sample_id, {})
    pair = pairs.setdefault((first, second), Pair(first, second))
    if event.preference in ("tie", "both_bad"):
        pair.choices[event.preference] += 1
        return
    chosen = event.left_id if event.preference == "left" else event.right_id
    pair.choices["first" if chosen == first else "second"] += 1
