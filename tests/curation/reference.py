"""What judgements come to, told as plainly as possible: the model that faster code must equal.

Nothing here is shared with the code that it checks, apart from the events themselves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from pipeline.core.feedback import FeedbackEvent


def standing(events: Iterable[FeedbackEvent]) -> list[FeedbackEvent]:
    """The newest event for each person and question, without those taken back."""
    newest: dict[object, FeedbackEvent] = {}
    for event in sorted(events, key=lambda event: (event.received_at, event.event_id)):
        sides = event.left_id and event.right_id
        about = frozenset((event.left_id, event.right_id)) if sides else event.completion_id
        kind = bool(event.repeat), bool(event.verdict)
        key = (event.annotator, event.sample_id, event.task, about, kind)
        newest[key] = event
    return [event for event in newest.values() if event.status != "withdrawn"]


@dataclass
class Told:
    """What people say of one sample.

    Attributes:
        good: By completion.
        pairs: Chosen, rejected, and the winner's lead as a share of the deciding votes.
        exam: Status, option and correction.
    """

    good: dict[str, bool] = field(default_factory=dict)
    up: Counter[str] = field(default_factory=Counter)
    down: Counter[str] = field(default_factory=Counter)
    pairs: set[tuple[str, str, Fraction]] = field(default_factory=set)
    stars: dict[str, Fraction] = field(default_factory=dict)
    edits: set[tuple[str, str, str]] = field(default_factory=set)
    exam: tuple[str, str | None, str | None] | None = None
    flags: int = 0
    votes: int = 0
    disputed: bool = False


def told(
    events: Iterable[FeedbackEvent],
    min_votes: int = 1,
    min_agreement: Fraction = Fraction(0),
) -> dict[str, Told]:
    """What people say of each sample, by majority."""
    found: dict[str, Told] = defaultdict(Told)
    questions: dict[tuple[str, str, object], list[FeedbackEvent]] = defaultdict(list)
    for event in standing(events):
        one = found[event.sample_id]
        if event.repeat:
            continue
        one.flags += event.status == "flagged"
        if event.task == "edit" and event.status == "submitted" and (event.text or "").strip():
            one.edits.add((event.completion_id or "", event.text or "", event.annotator))
        if _is_vote(event):
            one.votes += 1
            pair = frozenset((event.left_id, event.right_id))
            about = pair if event.task == "pairwise" else event.completion_id
            questions[event.sample_id, event.task, about].append(event)
    for (sample_id, _, _), votes in questions.items():
        _settle(found[sample_id], votes, min_votes, min_agreement)
    for one in found.values():
        for chosen, _, _ in one.pairs:
            if not one.up[chosen] + one.down[chosen]:
                one.good[chosen] = True
    return dict(found)


def _is_vote(event: FeedbackEvent) -> bool:
    if event.task == "exam":
        return event.status in ("submitted", "flagged")
    return event.task in ("thumbs", "pairwise", "rate") and event.status == "submitted"


def _settle(one: Told, votes: list[FeedbackEvent], min_votes: int, min_agreement: Fraction) -> None:
    task, name = votes[0].task, votes[0].completion_id or ""
    verdicts = [vote for vote in votes if vote.verdict]
    deciding = verdicts or votes
    if task == "rate":
        one.stars[name] = Fraction(sum(vote.rating or 0 for vote in deciding), len(deciding))
        return
    by_lead = deciding is not votes
    answers = Counter(_answer(vote) for vote in deciding)
    answer, most = answers.most_common(1)[0]
    enough = by_lead or len(votes) >= min_votes
    agree = by_lead or Fraction(most, len(deciding)) >= min_agreement
    settled = 2 * most > len(deciding) and enough and agree
    one.disputed |= len(answers) > 1 and enough and not settled
    if task == "thumbs":
        one.up[name] += sum(vote.label is True for vote in votes)
        one.down[name] += sum(vote.label is False for vote in votes)
        if settled:
            one.good[name] = answer == "good"
    elif task == "exam":
        one.exam = _exam(answer, deciding) if settled else _unsettled(enough)
    elif settled and answer not in ("tie", "both_bad"):
        (loser,) = {votes[0].left_id or "", votes[0].right_id or ""} - {answer}
        one.pairs.add((answer, loser, Fraction(most - answers[loser], len(deciding))))


def _answer(vote: FeedbackEvent) -> str:
    if vote.task == "thumbs":
        return "good" if vote.label else "bad"
    if vote.task == "pairwise":
        chosen = {"left": vote.left_id, "right": vote.right_id}.get(str(vote.preference))
        return chosen or str(vote.preference)
    if vote.task == "exam":
        if vote.status == "flagged":
            return "discard"
        return f"option {vote.option}" if vote.text is None else f"item {vote.text}"
    return str(vote.rating)


def _exam(answer: str, votes: list[FeedbackEvent]) -> tuple[str, str | None, str | None]:
    if answer == "discard":
        return "discarded", None, None
    vote = next(vote for vote in votes if _answer(vote) == answer)
    return ("approved" if vote.text is None else "corrected"), vote.option, vote.text


def _unsettled(enough: bool) -> tuple[str, str | None, str | None]:
    return ("disputed" if enough else "open"), None, None
