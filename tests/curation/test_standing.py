from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.feedback import FeedbackEvent
from pipeline.curation.consensus import Rules, SampleVerdict, settle
from pipeline.curation.judgements import Judgements
from tests.curation.histories import histories


def is_bad(verdict: SampleVerdict) -> bool:
    discarded = verdict.exam is not None and verdict.exam.status == "discarded"
    return discarded or not all(verdict.verdicts().values())


def is_good(verdict: SampleVerdict) -> bool:
    right = verdict.exam is not None and verdict.exam.status in ("approved", "corrected")
    return right or bool(verdict.edits) or any(verdict.verdicts().values())


@settings(deadline=None, max_examples=60)
@given(
    histories,
    st.sampled_from(
        [Rules(), Rules(min_votes=2), Rules(min_agreement=float(Fraction(2, 3))), Rules("weighted")]
    ),
)
def test_how_all_samples_stand_is_what_is_said_of_each(
    history: list[FeedbackEvent], rules: Rules
) -> None:
    consensus = settle(Judgements.of(history), rules)
    standing = consensus.standing
    for place, verdict in enumerate(consensus):
        assert standing.judged[place] == verdict.judged()
        assert standing.good[place] == is_good(verdict)
        assert standing.bad[place] == is_bad(verdict)
        assert standing.disputed[place] == verdict.disputed
        assert standing.flagged[place] == (verdict.flags > 0)
