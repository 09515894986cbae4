"""What a round takes from votes: the clearest first, from every cell, and frozen."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import FeedbackEvent, now
from pipeline.core.rounds import Round
from pipeline.core.schema import Sample, stable_id
from pipeline.core.store import Data, Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.curation import rounds
from pipeline.curation.rounds import make_round, open_round, round_numbers
from tests.factories import a_sample, fill, pair, thumb
from tests.hub_server import HubServer


def edit(
    sample: Sample, index: int, text: str, annotator: str = "ana", **changes: object
) -> FeedbackEvent:
    fields: dict[str, object] = {
        "event_id": stable_id("edit", sample.sample_id, index, text, annotator, changes),
        "sample_id": sample.sample_id,
        "task": "edit",
        "annotator": annotator,
        "status": "submitted",
        "completion_id": sample.completions[index].completion_id,
        "text": text,
        "received_at": now(),
    }
    return FeedbackEvent.model_validate({**fields, **changes})


def add(store: Store, *events: FeedbackEvent, name: str = "a-000001") -> None:
    lines = "".join(event.to_line() + "\n" for event in events).encode()
    store.commit({f"feedback/2026/01/01/{name}.jsonl": lines}, message="Add")


def project(folder: Path, samples: Sequence[Sample], *events: FeedbackEvent) -> FolderStore:
    store = FolderStore(folder)
    fill(store, samples)
    add(store, *events)
    return store


def test_edits_come_first_then_good_ones_and_bad_ones_with_their_reasons(folder: Path) -> None:
    samples = [a_sample(number) for number in range(5)]
    made = make_round(
        project(
            folder,
            samples,
            thumb(samples[0], 0, True, "ana"),
            thumb(samples[0], 0, True, "bob"),
            pair(samples[1], "right"),
            edit(samples[2], 0, "Written by hand.", comment="It was too vague."),
            thumb(samples[3], 1, False, "ana", reason="wrong", comment="Clay is not sand."),
            thumb(samples[3], 1, False, "bob", reason="Wrong"),
        ),
        2,
    )
    assert [(judged.text, judged.why) for judged in made.good] == [
        ("Written by hand.", "It was too vague."),
        (samples[0].completions[0].text, ""),
        (samples[1].completions[1].text, ""),
    ]
    assert [(judged.text, judged.why) for judged in made.bad] == [
        (samples[3].completions[1].text, "wrong; Clay is not sand.")
    ]
    assert made.good[0].instruction == samples[2].instruction
    assert [cell.model_dump() for cell in made.accepted] == [
        {"topic": "Clay soils", "perspective": "Agronomist", "accepted": 3}
    ]


def test_thumbs_decide_over_pairs_and_an_edit_over_a_thumb_down(folder: Path) -> None:
    samples = [a_sample(number) for number in range(3)]
    made = make_round(
        project(
            folder,
            samples,
            pair(samples[0], "left"),
            thumb(samples[0], 0, False),
            thumb(samples[1], 0, False),
            edit(samples[1], 0, "Better."),
            thumb(samples[2], 0, True, "ana"),
            thumb(samples[2], 0, False, "bob"),
        ),
        2,
    )
    assert [judged.text for judged in made.good] == ["Better."]
    assert [judged.text for judged in made.bad] == [samples[0].completions[0].text]
    assert [cell.accepted for cell in made.accepted] == [1]


def test_only_the_newest_edit_that_stands_counts(folder: Path) -> None:
    samples = [a_sample(number) for number in range(3)]
    made = make_round(
        project(
            folder,
            samples,
            edit(samples[0], 0, "First.", received_at="2026-01-01T00:00:00Z"),
            edit(samples[0], 0, "Second.", received_at="2026-01-02T00:00:00Z"),
            edit(samples[1], 0, "Taken back.", status="withdrawn"),
            edit(samples[2], 0, "  "),
        ),
        2,
    )
    assert [judged.text for judged in made.good] == ["Second."]


def test_cells_take_turns_and_the_clearest_go_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "MOST", 4)
    many = [a_sample(number) for number in range(6)]
    few = [a_sample(number, topic="Cover crops") for number in range(10, 12)]
    events = [thumb(sample, 0, True) for sample in [*many, *few]]
    events += [thumb(many[4], 0, True, f"person {n}") for n in range(3)]
    events += [thumb(many[5], 0, True, f"person {n}") for n in range(3)]
    events += [thumb(many[5], 0, False, "dee")]
    made = make_round(project(folder, [*many, *few], *events), 2)
    assert [judged.topic for judged in made.good] == [
        "Clay soils", "Cover crops", "Clay soils", "Cover crops",
    ]  # fmt: skip
    assert made.good[0].text == many[4].completions[0].text
    assert made.good[2].text == many[5].completions[0].text


def test_the_order_of_files_does_not_matter(folder: Path, tmp_path: Path) -> None:
    samples = [a_sample(number) for number in range(20)]
    events = [thumb(s, n % 2, n % 3 > 0, w) for n, s in enumerate(samples) for w in ("ana", "bob")]
    events += [thumb(samples[0], 0, False, w, reason=f"{w} says no") for w in ("cyd", "dee", "eve")]
    one = make_round(project(folder, samples, *events), 2)
    other = make_round(project(tmp_path / "other", samples[::-1], *events[::-1]), 2)
    assert one.model_dump(exclude={"made_at"}) == other.model_dump(exclude={"made_at"})


def test_a_round_never_grows_beyond_what_can_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [a_sample(number, [f"{number}" + "é\n" * 4_000, "b" * 9_000]) for number in range(30)]
    events = [thumb(s, n, n == 0) for s in samples for n in (0, 1)]
    store = project(folder, samples, *events)
    assert len(make_round(store, 2).to_json()) < Round.MOST_BYTES
    monkeypatch.setattr(Round, "MOST_BYTES", 100_000)
    made = make_round(store, 2)
    assert len(made.to_json()) < 100_000
    assert made.good
    assert made.bad


@pytest.mark.parametrize("judged", ["nothing", "tie", "skip"])
def test_without_a_clear_judgement_it_says_what_to_do(folder: Path, judged: str) -> None:
    sample = a_sample(1)
    events = {"nothing": [], "tie": [pair(sample, "tie")], "skip": [thumb(sample, 0, None)]}
    store = project(folder, [sample], *events[judged])
    with pytest.raises(InvalidInput, match="python -m pipeline serve"):
        open_round(store, 2)
    assert round_numbers(store) == []


@pytest.mark.parametrize("number", [-1, 0, 1, 10_000])
def test_a_number_that_is_no_rounds_is_refused(folder: Path, number: int) -> None:
    store = project(folder, [a_sample(1)])
    for use in (open_round, make_round):
        with pytest.raises(InvalidInput, match="numbered from 2"):
            use(store, number)


def test_rounds_follow_one_another(folder: Path) -> None:
    sample = a_sample(1)
    store = project(folder, [sample], thumb(sample, 0, True))
    with pytest.raises(InvalidInput, match=r"next round of .* is 2"):
        open_round(store, 3)
    open_round(store, 2)
    with pytest.raises(InvalidInput, match="Begin round 3 first"):
        open_round(store, 4)
    assert open_round(store, 3).number == 3
    assert round_numbers(store) == [2, 3]


@pytest.mark.parametrize("kind", ["folder", "hub"])
def test_a_round_is_frozen_when_it_begins(kind: str, request: pytest.FixtureRequest) -> None:
    store: Store
    if kind == "folder":
        store = FolderStore(request.getfixturevalue("folder"))
    else:
        hub: HubServer = request.getfixturevalue("hub")
        store = HubStore("ana/farming", token=hub.add_user("ana"), hub=hub.url)
    sample = a_sample(1)
    fill(store, [sample])
    add(store, thumb(sample, 0, True))
    begun = open_round(store, 2)
    add(store, thumb(sample, 1, True), name="b-000001")
    assert open_round(store, 2) == begun
    assert len(open_round(store, 3).good) == 2


def test_of_two_who_begin_a_round_both_get_the_same(folder: Path) -> None:
    class Overtaken(FolderStore):
        def commit(
            self,
            files: Mapping[str, Data],
            *,
            message: str,
            expect: Mapping[str, str | None] | None = None,
            remove: Collection[str] = (),
        ) -> None:
            open_round(FolderStore(folder), 2)
            super().commit(files, message=message, expect=expect, remove=remove)

    sample = a_sample(1)
    project(folder, [sample], thumb(sample, 0, True))
    mine = open_round(Overtaken(folder), 2)
    assert mine == Round.from_json((folder / "rounds/0002.json").read_bytes())


def test_a_broken_round_is_named_and_not_written_over(folder: Path) -> None:
    sample = a_sample(1)
    store = project(folder, [sample], thumb(sample, 0, True))
    open_round(store, 2)
    file = folder / "rounds/0002.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "number": 7}))
    with pytest.raises(InvalidInput, match=r"rounds/0002\.json holds round 7"):
        open_round(store, 2)
    file.write_text("{")
    with pytest.raises(InvalidInput, match=r"rounds/0002\.json is not JSON"):
        open_round(store, 2)
    assert file.read_text() == "{"
