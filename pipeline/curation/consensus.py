"""What the annotators together say: majorities, with ties left as ties.

A judgement counts when it is the newest of its annotator and was submitted; skipped, flagged and
withdrawn ones do not count, and neither do repeats.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pipeline.core.feedback import Feedback, FeedbackEvent


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
