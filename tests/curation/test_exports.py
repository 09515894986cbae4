"""Exports: TRL's columns, one row for each clear judgement, none for any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.layout import ExportFormat
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Sample, Span
from pipeline.core.store import Data, Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.curation import shards
from pipeline.curation.card import update_card
from pipeline.curation.exports import Exports, Options, export, into_project
from pipeline.curation.filters import Filters
from pipeline.curation.record import read_record
from pipeline.places import move_exports
from tests.factories import a_sample, a_seed, fill, pair, thumb
from tests.hub_server import HubServer

SAMPLES = [a_sample(number) for number in range(4)]
ALL: list[ExportFormat] = ["sft", "preference", "kto", "reward", "spin", "exam", "feedback"]
PLAIN = Options(test_share=0)
Make = Callable[..., Exports]
Row = dict[str, Any]


@pytest.fixture
def store(folder: Path) -> FolderStore:
    made = FolderStore(folder)
    fill(made, SAMPLES)
    return made


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes all exports in a folder of its own."""
    count = iter(range(99))

    def exports(store: Store, options: Options = PLAIN, only: list[ExportFormat] = ALL) -> Exports:
        place = tmp_path / f"made-{next(count)}"
        place.mkdir()
        return export(store, only, options, place)

    return exports


def given(store: Store, *events: FeedbackEvent, name: str = "a") -> None:
    lines = "".join(event.to_line() + "\n" for event in events)
    store.commit({f"feedback/2026/01/01/{name}-000001.jsonl": lines.encode()}, message="Add")


def edit(sample: Sample, index: int, text: str, annotator: str = "ana") -> FeedbackEvent:
    return thumb(sample, index, None, annotator, task="edit", status="submitted", text=text)


def rows(made: Exports, name: ExportFormat) -> list[Row]:
    found: list[Row] = []
    for path, file in made.files.items():
        if path.startswith(f"data/{name}/"):
            found += pq.read_table(file).to_pylist()
    assert made.record.made[name].rows() == len(found)
    return found


def user(sample: Sample) -> list[dict[str, str]]:
    return [{"role": "user", "content": sample.instruction}]


def says(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def assistant(sample: Sample, index: int) -> list[dict[str, str]]:
    return says(sample.completions[index].text)


def test_kto_has_a_label_for_each_completion_with_clear_thumbs(
    store: FolderStore, make: Make
) -> None:
    first, second, third, _ = SAMPLES
    given(
        store,
        thumb(first, 0, True),
        thumb(first, 1, False),
        thumb(second, 0, True),
        thumb(second, 0, False, "bob"),
        thumb(third, 0, None),
    )
    made = rows(make(store), "kto")
    assert [(r["prompt"], r["completion"], r["label"], r["source"]) for r in made] == [
        (user(first), assistant(first, 0), True, "thumbs"),
        (user(first), assistant(first, 1), False, "thumbs"),
    ]


def test_kto_takes_a_completion_from_pairs_only_without_thumbs_on_it(
    store: FolderStore, make: Make
) -> None:
    first, second, third, _ = SAMPLES
    given(
        store,
        pair(first, "left"),
        pair(second, "left"),
        thumb(second, 0, False),
        pair(third, "left"),
        thumb(third, 1, True),
        thumb(third, 1, False, "bob"),
    )
    made = rows(make(store), "kto")
    assert [(r["completion"], r["label"], r["source"]) for r in made] == [
        (assistant(first, 0), True, "pair"),
        (assistant(first, 1), False, "pair"),
        (assistant(second, 0), False, "thumbs"),
        (assistant(second, 1), False, "pair"),
        (assistant(third, 0), True, "pair"),
    ]


def test_a_completion_that_won_and_lost_has_no_label(folder: Path, make: Make) -> None:
    store, sample = FolderStore(folder), a_sample(1, ("one", "two", "three"))
    fill(store, [sample])
    ids = [completion.completion_id for completion in sample.completions]
    given(
        store,
        pair(sample, "left", left_id=ids[0], right_id=ids[1]),
        pair(sample, "left", left_id=ids[1], right_id=ids[2]),
    )
    made = rows(make(store), "kto")
    assert [(r["completion"][0]["content"], r["label"]) for r in made] == [
        ("one", True),
        ("three", False),
    ]


def test_preference_has_winners_and_never_ties(store: FolderStore, make: Make) -> None:
    first, second, third, fourth = SAMPLES
    given(
        store,
        pair(first, "left", swap=True),
        pair(second, "tie"),
        pair(third, "both_bad"),
        pair(fourth, "left"),
        pair(fourth, "right", "bob"),
        pair(fourth, "left", "eva"),
    )
    made = rows(make(store), "preference")
    assert [(r["prompt"], r["chosen"], r["rejected"]) for r in made] == [
        (user(first), assistant(first, 1), assistant(first, 0)),
        (user(fourth), assistant(fourth, 0), assistant(fourth, 1)),
    ]
    assert [(r["votes"], round(r["margin"], 3)) for r in made] == [(1, 1.0), (3, 0.333)]


def test_reward_holds_the_prompt_in_both_and_no_margin_of_trls(
    store: FolderStore, make: Make
) -> None:
    first = SAMPLES[0]
    given(store, pair(first, "left"))
    (row,) = rows(make(store), "reward")
    assert row["chosen"] == user(first) + assistant(first, 0)
    assert row["rejected"] == user(first) + assistant(first, 1)
    assert row["lead"] == 1.0
    assert not {"prompt", "margin"} & row.keys()


def test_sft_has_what_was_found_good_or_won(store: FolderStore, make: Make) -> None:
    first, second, third, _ = SAMPLES
    given(
        store,
        thumb(first, 0, True),
        pair(second, "right"),
        pair(third, "left"),
        thumb(third, 0, False),  # better than the other, and still not good
    )
    made = rows(make(store), "sft")
    assert [(r["prompt"], r["completion"], r["source"]) for r in made] == [
        (user(first), assistant(first, 0), "thumbs"),
        (user(second), assistant(second, 1), "pair"),
    ]


def test_an_edit_takes_the_place_of_what_it_corrects_and_is_preferred_to_it(
    store: FolderStore, make: Make
) -> None:
    first, second, *_ = SAMPLES
    given(
        store,
        thumb(first, 0, True),
        thumb(first, 1, True),
        edit(first, 0, "Better."),
        edit(first, 0, " Better. ", "bob"),
        edit(second, 1, second.completions[1].text),  # changed nothing
    )
    made = make(store)
    assert [(r["completion"], r["source"], r["model"]) for r in rows(made, "sft")] == [
        (says("Better."), "edit", None),
        (assistant(first, 1), "thumbs", "maker/model-1"),
        (assistant(second, 1), "edit", None),
    ]
    for name in ("preference", "spin"):
        good, bad = ("chosen", "rejected") if name == "preference" else ("real", "generated")
        found = [(r[good][-1:], r[bad][-1:], r["source"]) for r in rows(made, name)]
        assert (says("Better."), assistant(first, 0), "edit") in found
        assert all(source == "edit" and "Better" in one[0]["content"] for one, _, source in found)


def test_an_experts_example_is_real_where_models_answered_the_same(
    folder: Path, make: Make
) -> None:
    store, example = FolderStore(folder), a_seed().examples[0]
    sample = a_sample(1, instruction=example.question.upper())
    fill(store, [sample])
    made = rows(make(store), "spin")
    assert [(r["real"][-1]["content"], r["generated"][-1:], r["source"]) for r in made] == [
        (example.answer, assistant(sample, 0), "example"),
        (example.answer, assistant(sample, 1), "example"),
    ]


def test_plain_text_ends_the_prompt_with_an_empty_line(store: FolderStore, make: Make) -> None:
    first = SAMPLES[0]
    given(store, thumb(first, 0, True), pair(first, "left"), edit(first, 1, "Mine."))
    made = make(store, replace(PLAIN, form="text"))
    asked, answer = f"{first.instruction}\n\n", first.completions[0].text
    assert [rows(made, "kto")[0][name] for name in ("prompt", "completion")] == [asked, answer]
    assert rows(made, "reward")[0]["chosen"] == asked + answer
    assert rows(made, "spin")[0]["real"] == asked + "Mine."
    assert rows(made, "preference")[0]["rejected"] == first.completions[1].text


def exam_sample(number: int, **changes: object) -> Sample:
    fields: dict[str, object] = {
        "kind": "exam",
        "completions": (),
        "instruction": f"What is {number} and {number}?",
        "question": f"What is {number} and {number}?",
        "answer": "right",
        "distractors": ("wrong", "worse", "worst"),
        "document": f"book-{number}.txt",
        "span": Span(start=1, end=9),
    }
    return Sample.model_validate(a_sample(number).model_dump() | fields | changes)


def review(sample: Sample, option: str | None, **changes: object) -> FeedbackEvent:
    fields: dict[str, object] = {
        "event_id": f"review {sample.sample_id}",
        "sample_id": sample.sample_id,
        "task": "exam",
        "annotator": "ana",
        "status": "submitted",
        "option": option,
        "received_at": "2026-01-01T00:00:00.000Z",
    }
    return FeedbackEvent.model_validate({**fields, **changes})


def test_exam_has_what_was_reviewed_with_its_corrections(folder: Path, make: Make) -> None:
    store = FolderStore(folder)
    samples = [exam_sample(number) for number in range(6)]
    fill(store, samples)
    corrected = {"question": "Better?", "answer": "yes", "distractors": ["no", "perhaps", "never"]}
    twice = corrected | {"distractors": ["no", "No ", "never"]}
    given(
        store,
        review(samples[0], "right"),
        review(samples[1], "worse"),
        review(samples[2], "yes", text=json.dumps(corrected)),
        review(samples[3], None, status="flagged", reason="no sense"),
        review(samples[4], "yes", text=json.dumps(twice)),
    )
    made = rows(make(store), "exam")
    assert [(r["question"], r["answer"], r["distractors"], r["corrected"]) for r in made] == [
        ("What is 0 and 0?", "right", ["wrong", "worse", "worst"], False),
        ("What is 1 and 1?", "worse", ["right", "wrong", "worst"], True),
        ("Better?", "yes", ["no", "perhaps", "never"], True),
    ]
    assert (made[0]["document"], made[0]["span"]) == ("book-0.txt", {"start": 1, "end": 9})


def test_withdrawn_votes_are_gone_from_the_next_export(store: FolderStore, make: Make) -> None:
    vote = thumb(SAMPLES[0], 0, True, received_at="2026-01-01T00:00:00Z")
    given(store, vote)
    made = make(store)
    assert len(rows(made, "kto")) == len(rows(made, "sft")) == 1
    back = thumb(SAMPLES[0], 0, True, status="withdrawn", received_at="2026-01-01T00:00:01Z")
    given(store, back, vote, name="b")
    made = make(store)
    assert rows(made, "kto") == rows(made, "sft") == []
    assert len(rows(made, "feedback")) == 2


def test_feedback_for_samples_that_are_gone_is_left_out(store: FolderStore, make: Make) -> None:
    given(store, thumb(a_sample(77), 0, True), pair(a_sample(78), "left"))
    made = make(store)
    assert rows(made, "kto") == rows(made, "preference") == rows(made, "sft") == []


def test_an_export_is_the_same_bytes_when_nothing_changed(store: FolderStore, make: Make) -> None:
    given(store, thumb(SAMPLES[0], 0, True), pair(SAMPLES[1], "left"))
    one, other = make(store), make(store)
    assert one.record == other.record
    assert [p.read_bytes() for p in one.files.values()] == [
        p.read_bytes() for p in other.files.values()
    ]


def test_unreadable_feedback_is_reported_and_the_rest_exported(
    store: FolderStore, make: Make
) -> None:
    given(store, thumb(SAMPLES[0], 0, True))
    store.commit({"feedback/2026/01/01/z-000001.jsonl": b"rubbish\n"}, message="Add")
    made = make(store)
    assert len(rows(made, "kto")) == 1
    assert [str(bad).split(": ")[0] for bad in made.bad_lines] == [
        "feedback/2026/01/01/z-000001.jsonl:1"
    ]


def test_each_filter_says_how_many_rows_it_left_out(folder: Path, make: Make) -> None:
    rated = [
        s.model_copy(
            update={
                "completions": tuple(
                    c.model_copy(update={"judge_rating": rating}) for c in s.completions
                )
            }
        )
        for s, rating in zip(SAMPLES, (5.0, 2.0, None, 5.0), strict=True)
    ]
    rated[3] = rated[3].model_copy(
        update={"flags": (f"truncated:{rated[3].completions[0].completion_id}",), "topic": "Other"}
    )
    store = FolderStore(folder)
    fill(store, rated)
    for number, sample in enumerate(rated):
        given(store, thumb(sample, 0, True), thumb(sample, 1, False), name=f"f{number}")
    more = [thumb(rated[0], 0, True, "bob"), thumb(rated[0], 1, True, "bob")]
    given(store, *more, edit(rated[1], 0, "Mine."), name="more")

    def removed(**wanted: Any) -> tuple[dict[str, int], dict[str, int]]:  # noqa: ANN401
        made = make(store, replace(PLAIN, filters=Filters(**wanted))).record.made
        assert {name: one.filters for name, one in made.items()}["kto"] != {}
        return made["sft"].removed, made["kto"].removed

    assert removed(min_votes=2) == ({"min_votes": 2}, {"min_votes": 6})
    # A rating is asked of what shall be learnt, not of what a person wrote or what was found bad.
    assert removed(min_judge=4.0) == ({"min_judge": 1}, {"min_judge": 2})
    assert removed(without_flags=frozenset({"truncated"})) == (
        {"without_flag": 1},
        {"without_flag": 1},
    )
    assert removed(models=frozenset({"maker/model-1"})) == ({"model": 3}, {"model": 4})
    assert removed(topics=frozenset({"CLAY soils"})) == ({"topic": 1}, {"topic": 2})


def test_agreement_below_what_is_asked_leaves_a_row_out(store: FolderStore, make: Make) -> None:
    votes = [(True, "a"), (True, "b"), (False, "c")]
    given(store, *(thumb(SAMPLES[0], 0, up, who) for up, who in votes))
    for least, left in ((0.667, 1), (0.7, 0)):
        made = make(store, replace(PLAIN, filters=Filters(min_agreement=least)))
        assert len(rows(made, "kto")) == left


def test_no_instruction_is_in_both_splits_of_any_config(folder: Path, make: Make) -> None:
    store = FolderStore(folder)
    samples = [a_sample(n, instruction=f"What of field {n % 40}?") for n in range(120)]
    fill(store, samples)
    given(
        store,
        *(thumb(s, 0, True) for s in samples),
        *(pair(s, "right") for s in samples[::2]),
        *(edit(s, 1, "Mine.") for s in samples[::3]),
    )
    made = make(store, Options(test_share=0.3))
    where: dict[str, set[str]] = {"train": set(), "test": set()}
    for path, file in made.files.items():
        if "feedback" not in path:
            split = "train" if "/train-" in path else "test"
            ids = {row["sample_id"] for row in pq.read_table(file).to_pylist()}
            where[split] |= {s.instruction for s in samples if s.sample_id in ids}
    assert where["train"]
    assert where["test"]
    assert not where["train"] & where["test"]


def test_large_exports_are_cut_into_parts_that_take_the_place_of_earlier_ones(
    folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(folder)
    samples = [a_sample(number) for number in range(30)]
    fill(store, samples)
    (folder / "data/kto").mkdir(parents=True)
    (folder / "data/kto/train.parquet").write_bytes(b"as an earlier version named it")
    given(store, *(thumb(s, 0, True) for s in samples))
    monkeypatch.setattr(shards, "_ROWS", 10)
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)
    into_project(store, make(store))
    assert store.paths("data/kto") == [f"data/kto/train-0000{n}-of-00003.parquet" for n in range(3)]
    monkeypatch.setattr(shards, "SHARD_BYTES", 10**9)
    into_project(store, make(store))
    assert store.paths("data/kto") == ["data/kto/train-00000-of-00001.parquet"]


class Overtaken(FolderStore):
    """A project in which somebody else does something just before our first commit."""

    def __init__(self, path: Path, first: Callable[[], None]) -> None:
        super().__init__(path)
        self._first: Callable[[], None] | None = first

    def commit(
        self,
        files: Mapping[str, Data],
        *,
        message: str,
        expect: Mapping[str, str | None] | None = None,
        remove: Collection[str] = (),
    ) -> None:
        first, self._first = self._first, None
        if first is not None:
            first()
        super().commit(files, message=message, expect=expect, remove=remove)


def test_of_two_exports_at_once_the_project_holds_the_whole_of_one(
    folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(folder)
    samples = [a_sample(number) for number in range(20)]
    fill(store, samples)
    given(store, *(thumb(s, 0, True) for s in samples))
    ours = make(store)
    with monkeypatch.context() as small:
        small.setattr(shards, "_ROWS", 10)
        small.setattr(shards, "SHARD_BYTES", 1)
        theirs = make(store)
    into_project(Overtaken(folder, lambda: into_project(store, theirs)), ours)
    assert store.paths("data/kto") == ["data/kto/train-00000-of-00001.parquet"]
    record = read_record(store)
    assert record is not None
    assert list(record.made["kto"].files) == store.paths("data/kto")


def test_an_export_during_an_update_of_the_card_is_in_the_card(folder: Path, make: Make) -> None:
    store = FolderStore(folder)
    fill(store, SAMPLES)
    given(store, thumb(SAMPLES[0], 0, True))
    update_card(Overtaken(folder, lambda: into_project(store, make(store))))
    assert b"config_name: kto" in store.read("README.md").data


def test_of_two_exports_at_once_a_folder_holds_the_whole_of_one(tmp_path: Path) -> None:
    to = tmp_path / "out"
    to.mkdir()

    def written(name: str, parts: int) -> dict[str, Path]:
        place = tmp_path / name
        place.mkdir()
        made = {}
        for number in range(parts):
            made[f"data/kto/train-{number:05d}-of-{parts:05d}.parquet"] = place / str(number)
            (place / str(number)).write_text(name)
        return made

    for turn in range(5):
        both = [written(f"{turn}-{parts}", parts) for parts in (30, 40)]
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(move_exports, files, to, ["kto"]) for files in both]:
                done.result()
        found = {path.relative_to(to).as_posix() for path in to.glob("kto/*")}
        assert found in [{path.removeprefix("data/") for path in files} for files in both]


def test_exports_and_card_reach_the_hub_in_one_commit(hub: HubServer, make: Make) -> None:
    token = hub.add_user("ana")
    store = HubStore("ana/farming", token=token, hub=hub.url)
    fill(store, SAMPLES)
    given(store, thumb(SAMPLES[0], 0, True))
    before = store.commits_since(3_600)
    into_project(store, make(store))
    assert store.commits_since(3_600) == before + 1
    given(store, thumb(SAMPLES[0], 0, True, status="withdrawn"), name="b")
    into_project(store, make(store))
    assert store.paths("data/kto") == []
    record = read_record(store)
    assert record is not None
    assert record.made["kto"].rows() == 0


def test_some_formats_alone_keep_the_others_and_their_split(store: FolderStore, make: Make) -> None:
    given(store, thumb(SAMPLES[0], 0, True), pair(SAMPLES[1], "left"))
    into_project(store, make(store))
    into_project(store, make(store, PLAIN, ["kto"]))
    record = read_record(store)
    assert record is not None
    assert record.made["preference"].rows() == 1
    with pytest.raises(InvalidInput, match=r"sft, preference, reward, spin, exam of .* keep 0 of"):
        into_project(store, make(store, Options(test_share=0.5), ["kto"]))
    into_project(store, make(store, Options(test_share=0.5)))


def test_names_are_not_recorded_where_people_have_pseudonyms(
    store: FolderStore, make: Make
) -> None:
    given(store, thumb(SAMPLES[0], 0, True), thumb(SAMPLES[0], 1, True, "bob"))
    assert make(store, replace(PLAIN, named=True)).record.people.names == {"ana": 1, "bob": 1}
    people = make(store).record.people
    assert (people.names, people.annotators, people.judgements) == ({}, 2, {"thumbs": 2})


def test_samples_that_come_later_change_no_earlier_split(folder: Path, make: Make) -> None:
    store = FolderStore(folder)
    early = [a_sample(n, created_at="2026-01-01T00:00:00.000Z") for n in range(40)]
    fill(store, early)
    given(store, *(thumb(s, 0, True) for s in early))
    options = Options(test_share=0.3)
    before = {r["sample_id"]: r["group"] for r in rows(make(store, options), "kto")}
    late = [
        a_sample(n + 100, instruction=early[n].instruction, created_at="2026-02-01T00:00:00.000Z")
        for n in range(20)
    ]
    store.commit({"samples/a-first/00000.parquet": to_parquet(late)}, message="Add")
    given(store, *(thumb(s, 0, True) for s in late), name="late")
    after = {r["sample_id"]: r["group"] for r in rows(make(store, options), "kto")}
    assert {name: after[name] for name in before} == before
    assert all(after[s.sample_id] == before[e.sample_id] for s, e in zip(late, early, strict=False))
