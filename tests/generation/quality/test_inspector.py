from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.core.flags import Flag
from pipeline.core.schema import QualitySettings, Sample
from pipeline.generation.quality import Inspector
from tests.factories import a_sample, a_seed

GOOD = "Roll a handful of soil between your palms. If it crumbles you may plough; if not, wait."
REFUSAL = "I'm sorry, but I can't help with that."
ASKED = "How do I know that my field is ready for the plough?"


@pytest.fixture
def inspector(tmp_path: Path) -> Iterator[Callable[..., Inspector]]:
    """Makes inspectors that drop the named marks."""
    made: list[Inspector] = []

    def make(*drop: str) -> Inspector:
        settings = QualitySettings.model_validate({"drop": list(drop)})
        made.append(Inspector(a_seed(), settings, tmp_path / f"index{len(made)}"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def sample(number: int, *texts: str, instruction: str = ASKED, **changes: object) -> Sample:
    return a_sample(number, texts, instruction=instruction, **changes)


def test_a_good_sample_stays_as_it_is(inspector: Callable[..., Inspector]) -> None:
    good = sample(1, GOOD, GOOD)
    seen = inspector("refusal", "duplicate").inspect(good)
    assert seen.sample == good
    assert seen.flags == seen.dropped == ()


def test_marks_are_put_on_the_sample(inspector: Callable[..., Inspector]) -> None:
    poor = sample(1, GOOD, REFUSAL)
    flag = Flag("refusal", poor.completions[1].completion_id)
    seen = inspector().inspect(poor)
    assert seen.flags == (flag,)
    assert seen.dropped == ()
    assert seen.sample == poor.model_copy(update={"flags": (str(flag),)})


def test_a_marked_completion_goes_with_all_its_marks(inspector: Callable[..., Inspector]) -> None:
    poor = sample(1, GOOD, f"{REFUSAL} Lo", "Short.")
    first, second, third = (each.completion_id for each in poor.completions)
    poor = poor.model_copy(
        update={
            "completions": (
                poor.completions[0],
                poor.completions[1].model_copy(update={"finish_reason": "length"}),
                poor.completions[2],
            )
        }
    )
    seen = inspector("refusal").inspect(poor)
    assert seen.sample is not None
    assert [each.completion_id for each in seen.sample.completions] == [first, third]
    assert seen.sample.flags == (f"too_short:{third}",)
    assert set(seen.dropped) == {Flag("refusal", second), Flag("truncated", second)}
    assert set(seen.flags) == {*seen.dropped, Flag("too_short", third)}


def test_a_sample_without_completions_left_goes(inspector: Callable[..., Inspector]) -> None:
    seen = inspector("refusal").inspect(sample(1, REFUSAL, REFUSAL))
    assert seen.sample is None
    assert len(seen.dropped) == len(seen.flags) == 2


def test_a_sample_goes_with_its_instruction(inspector: Callable[..., Inspector]) -> None:
    spanish = "¿Cuándo está el suelo arcilloso bastante seco para poder ararlo?"
    seen = inspector("wrong_language").inspect(sample(1, GOOD, instruction=spanish))
    assert seen.sample is None
    assert seen.dropped == (Flag("wrong_language"),)


def test_duplicates_are_marked_or_dropped(inspector: Callable[..., Inspector]) -> None:
    for drops in (False, True):
        looking = inspector(*["duplicate"] * drops)
        assert looking.inspect(sample(1, GOOD)).flags == ()
        seen = looking.inspect(sample(2, GOOD))
        assert seen.flags == (Flag("duplicate"),)
        assert seen.match is not None
        assert seen.match.sample_id == sample(1).sample_id
        assert (seen.sample is None) is drops


def test_what_the_project_holds_already_counts(inspector: Callable[..., Inspector]) -> None:
    looking = inspector("duplicate")
    list(looking.remember_all([sample(2, GOOD)]))
    seen = looking.inspect(sample(1, GOOD))
    assert seen.sample is None
    assert seen.match is not None
    assert seen.match.sample_id == sample(2).sample_id
    assert not looking.knows_more()


def test_what_the_project_no_longer_holds_can_be_forgotten(
    inspector: Callable[..., Inspector],
) -> None:
    looking = inspector("duplicate")
    looking.inspect(sample(1, GOOD))
    assert looking.knows_more()
    looking.clear()
    assert not looking.knows_more()
    assert looking.inspect(sample(2, GOOD)).match is None


def test_nothing_is_dropped_in_favour_of_what_was_dropped(
    inspector: Callable[..., Inspector],
) -> None:
    looking = inspector("refusal", "duplicate")
    assert looking.inspect(sample(1, REFUSAL)).sample is None
    assert looking.inspect(sample(2, GOOD)).sample is not None
    assert looking.inspect(sample(3, GOOD)).sample is None


def test_looking_at_a_sample_again_gives_the_same(inspector: Callable[..., Inspector]) -> None:
    looking = inspector()
    samples = [sample(1, GOOD), sample(2, REFUSAL), sample(3, GOOD, REFUSAL)]
    first = [looking.inspect(each) for each in samples]
    assert [looking.inspect(each) for each in samples] == first
    marked = [seen.sample for seen in first if seen.sample is not None]
    assert [looking.inspect(each).sample for each in marked] == marked


def test_marks_of_others_stay(inspector: Callable[..., Inspector]) -> None:
    seen = inspector().inspect(sample(1, GOOD, flags=("by_hand", "refusal:gone")))
    assert seen.sample is not None
    assert seen.sample.flags == ("by_hand",)


def test_a_source_supports_its_references(inspector: Callable[..., Inspector]) -> None:
    cited = sample(1, f"{GOOD} (Smith et al., 2019)")
    assert [flag.name for flag in inspector().inspect(cited).flags] == ["unsupported_reference"]
    assert inspector().inspect(cited, "Smith, J. (2019), On clay.").flags == ()
