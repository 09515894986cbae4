"""What the lead's insights are told, and in which words."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from annotate_space import insights
from annotate_space.handlers import Caller, Opening
from pipeline.core.controls import add, control
from pipeline.core.errors import NotAllowed, NotSignedIn
from pipeline.core.projects import load_project
from pipeline.core.schema import Task
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.curation import readings
from pipeline.curation.biases import Length, Pace, Position
from pipeline.curation.kappas import Figure, Why, coin, share
from pipeline.curation.readings import Reading
from tests.factories import a_sample, fill, pair, thumb

WORDS = Path(__file__).parents[2] / "annotate_space/lead_view"


@pytest.fixture
def opening(folder: Path) -> Iterator[Opening]:
    """Two people gave thumbs on the same three samples; one chose between pairs as well."""
    samples = [a_sample(number) for number in range(4)]
    store = FolderStore(folder)
    fill(store, samples)
    events = [
        thumb(sample, 0, who == "ana" or number < 2, who, duration_ms=3_000)
        for number, sample in enumerate(samples[:3])
        for who in ("ana", "bob")
    ]
    events += [pair(sample, "left", "ana") for sample in samples]
    data = "".join(f"{event.to_line()}\n" for event in events).encode()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Add")
    first = samples[0]
    add(
        store,
        control(
            task="thumbs",
            sample_id=first.sample_id,
            completion_ids=[first.completions[0].completion_id],
            label=True,
        ),
    )
    made = Opening(Settings(project=str(folder)))
    yield made
    made.close()


def test_a_lead_is_told_everything_once(opening: Opening) -> None:
    found = insights.figures(opening, {}, Caller())
    assert (found["votes"], found["people"], found["samples"]) == (10, 2, 4)
    assert found["outcomes"]["tasks"] == {
        "thumbs": {"good": 2, "bad": 0, "disputed": 1, "open": 0},
        "pairwise": {"won": 4, "tie": 0, "both_bad": 0, "disputed": 0, "open": 0},
    }
    assert [one["task"] for one in found["tasks"]] == ["thumbs", "pairwise"]
    assert found["controls"]["value"] == 1
    assert [one["topic"] for one in found["topics"]] == ["Clay soils"]
    assert {one["name"]: one["votes"] for one in found["annotators"]} == {"ana": 7, "bob": 3}
    assert found["seconds"]["counts"] == [0, 6, 0, 0, 0, 0, 0]
    assert {one["way"]: one["rows"] for one in found["enough"]}["DPO"] == 4
    codes = {one["code"] for one in found["readings"]}
    assert {"agreement.one_annotator", "pace.calm"} <= codes
    assert insights.figures(opening, {"has": found["mark"]}, Caller()) == {"same": True}


def test_nobody_else_is(folder: Path) -> None:
    fill(FolderStore(folder), [a_sample(0)])
    assert load_project(FolderStore(folder)).access.leads == []
    opening = Opening(Settings(project=str(folder), on_space=True))
    with pytest.raises((NotAllowed, NotSignedIn)):
        insights.figures(opening, {}, Caller())
    assert opening.service().study.pid is None
    opening.close()


def every_reading() -> Iterator[Reading | None]:
    """Whatever a figure may be."""
    tasks: tuple[Task, ...] = ("thumbs", "pairwise", "rate", "exam")
    shares = [
        share(part, whole)
        for part, whole in itertools.product((0, 3, 7, 17, 20, 300, 999), (20, 1_000))
        if part <= whole
    ]
    for why in ("no_data", "one_annotator", "no_overlap", "all_equal", "too_few"):
        yield readings.of_agreement("rate", Figure(None, why=why))
    for task, value, half in itertools.product(tasks, (-0.1, 0.3, 0.7, 0.9), (0.01, 0.4)):
        yield readings.of_agreement(task, Figure(value, value - half, value + half, 30))
    for one in shares:
        chance = coin(round((one.value or 0) * one.count), one.count)
        yield readings.of_judge("thumbs", one)
        yield readings.of_oneself(one)
        yield readings.of_controls(one)
        yield readings.of_position(Position(one, chance))
        yield readings.of_length(Length(one, one, chance))
        yield readings.of_pace(Pace(4.2, one))


def test_every_reading_has_words_in_five_languages() -> None:
    words = json.loads((WORDS / "insights.json").read_text(encoding="utf-8"))
    found = [one for one in every_reading() if one is not None]
    codes = {one.code for one in found}
    assert len(codes) == 32
    wanted = {f"in_r_{code.removesuffix('_unsure').replace('.', '_')}" for code in codes}
    unsure = {"in_r_unsure", "in_r_unsure_cases"}
    assert {key for key in words if key.startswith("in_r_")} == wanted | unsure
    for one in found:
        # A figure that is not sure is told with its interval, or not at all.
        assert one.code.endswith("_unsure") == ("be sure of it" in one.message), one


def test_every_word_is_there_in_five_languages() -> None:
    words = json.loads((WORDS / "insights.json").read_text(encoding="utf-8"))
    script = (WORDS / "insights.js").read_text(encoding="utf-8")
    for key, said in words.items():
        assert list(said) == ["en", "es", "pt", "fr", "de"], key
        assert all(said.values()), key
        places = {tuple(sorted(set(re.findall(r"\{\w+\}", text)))) for text in said.values()}
        assert len(places) == 1, key
    used = set(re.findall(r'"(in_\w+)"', script))
    used |= {f"in_why_{why}" for why in get_args(Why) if why}
    cards = re.findall(r'"(\w+)"', script.split("const INSIGHTS = ")[1].split(";")[0])
    used |= {f"in_{card}{part}" for card in cards for part in ("", "_hint")}
    others = json.loads((WORDS / "words.json").read_text(encoding="utf-8"))
    assert used <= words.keys() | others.keys()
