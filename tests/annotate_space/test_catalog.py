"""The catalog: every sample once, whatever the shards are like, and its texts when asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate_space.catalog import RETRY_SECONDS, Catalog
from pipeline.core import layout
from pipeline.core.errors import InvalidInput, ProjectNotFound
from pipeline.core.samples import ROWS_IN_GROUP, read_samples, to_parquet
from pipeline.core.schema import Completion, Sample
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill
from tests.hub_server import Fault, HubServer


class Project:
    """A folder whose shards are written behind the store's back, as other tools do."""

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder)
        self.folder = folder
        fill(self.store, [])

    def write(self, run: str, samples: Sequence[Sample] | bytes | pa.Table, shard: int = 0) -> Path:
        path = self.folder / layout.sample_shard(run, shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(samples, pa.Table):
            pq.write_table(samples, path)
        else:
            path.write_bytes(samples if isinstance(samples, bytes) else to_parquet(samples))
        return path

    def catalog(self, text_bytes: int = 10_000_000) -> Catalog:
        catalog = Catalog(self.store, text_bytes=text_bytes)
        catalog.refresh()
        return catalog


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def cell(catalog: Catalog, number: int) -> tuple[str, str]:
    return catalog.cells[int(catalog.index.cell[number])]


def table(samples: Sequence[Sample]) -> pa.Table:
    return pq.read_table(pa.BufferReader(to_parquet(samples)))


def test_a_sample_comes_with_its_texts_and_its_cell(project: Project) -> None:
    samples = [a_sample(n, topic=f"Ökologie {n % 3}", perspective="农民") for n in range(10)]
    project.write("a", samples)
    catalog = project.catalog()
    assert len(catalog) == 10
    assert [catalog.sample(s.sample_id) for s in samples] == samples
    assert cell(catalog, 4) == ("Ökologie 1", "农民")
    for missing in ("", "no such sample", samples[0].sample_id + " "):
        with pytest.raises(KeyError):
            catalog.sample(missing)


def test_making_one_touches_no_disk(tmp_path: Path) -> None:
    catalog = Catalog(FolderStore(tmp_path / "nowhere"))
    assert len(catalog) == 0
    with pytest.raises(ProjectNotFound):
        catalog.refresh()


def test_only_new_shards_are_taken_in(project: Project) -> None:
    project.write("a", [a_sample(n) for n in range(3)])
    catalog = project.catalog()
    assert catalog.refresh() == 0
    project.write("a", [a_sample(n) for n in range(3, 8)], 1)
    assert catalog.refresh() == 5
    assert catalog.sample(a_sample(6).sample_id).instruction == a_sample(6).instruction
    assert catalog.sample(a_sample(1).sample_id).instruction == a_sample(1).instruction


def test_an_id_that_comes_twice_is_the_first_shards(project: Project) -> None:
    first, second = a_sample(1, instruction="first"), a_sample(1, instruction="second")
    project.write("b", [second, a_sample(2), a_sample(2), a_sample(3)])
    project.write("a", [first])
    catalog = project.catalog()
    assert len(catalog) == 3
    assert catalog.sample(first.sample_id).instruction == "first"
    project.write("c", [a_sample(3), a_sample(4)])
    assert catalog.refresh() == 1
    assert catalog.sample(a_sample(4).sample_id).instruction == a_sample(4).instruction


IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(st.lists(st.lists(IDS, max_size=6), min_size=1, max_size=5), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_any_ids_are_found_as_read_samples_tells(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[str]], groups: int
) -> None:
    """Also when several share a shard, a row group, or a name with another shard's."""
    project = Project(tmp_path_factory.mktemp("p"))
    number = 0
    for at, ids in enumerate(shards):
        made = []
        for sample_id in ids:
            number += 1
            made.append(a_sample(number).model_copy(update={"sample_id": sample_id}))
        path = project.write("run", made, at)
        pq.write_table(table(made), path, row_group_size=groups)
    catalog = project.catalog(text_bytes=1)
    every = list(read_samples(project.store))
    assert len(catalog) == len(every)
    assert [catalog.sample(s.sample_id) for s in every] == every


def test_a_torn_shard_is_named_and_taken_in_once_it_is_whole(project: Project) -> None:
    project.write("a", [a_sample(1)])
    data = to_parquet([a_sample(2)])
    torn = project.write("b", data[: len(data) // 2])
    catalog = project.catalog()
    assert len(catalog) == 1
    assert len(catalog.trouble) == 1
    assert "samples/b/00000.parquet" in catalog.trouble[0]
    assert catalog.refresh() == 0
    torn.write_bytes(data)
    assert catalog.refresh() == 1
    assert catalog.trouble == []
    project.write("c", b"")
    catalog.refresh()
    assert "samples/c" in catalog.trouble[0]
    (project.folder / layout.sample_shard("c", 0)).unlink()
    catalog.refresh()
    assert catalog.trouble == []


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.drop_columns(["completions"]),
        lambda t: t.drop_columns(["sample_id"]),
        lambda t: t.set_column(4, "completions", pa.array([1, 2])),
        lambda t: t.set_column(4, "completions", pa.array([[1], [2]])),
        lambda t: t.set_column(0, "sample_id", pa.array([[1], [2]])),
        lambda t: t.set_column(t.column_names.index("topic"), "topic", pa.array([{"a": 1}] * 2)),
        lambda t: t.set_column(
            4, "completions", pa.array([[{"a": {"completion_id": "x"}}], [{"a": None}]])
        ),
        lambda t: t.set_column(
            4, "completions", pa.array([[{"completion_id": {"completion_id": "x"}}], []])
        ),
        lambda t: t.set_column(4, "completions", pa.array([{"completion_id": "x"}] * 2)),
        lambda t: t.append_column("sample_id", pa.array(["x", "y"])),
        lambda t: t.append_column("topic", pa.array(["x", "y"])),
        lambda t: t.append_column("completions", t["completions"]),
        lambda t: t.set_column(0, "sample_id", pa.array([b"\xff", b"\xfe"]).cast(pa.binary())),
    ],
)
def test_a_file_with_other_columns_is_left_out(project: Project, change: object) -> None:
    assert callable(change)
    project.write("a", change(table([a_sample(1), a_sample(2)])))
    project.write("b", [a_sample(3)])
    catalog = project.catalog()
    assert len(catalog) == 1
    assert "samples/a" in catalog.trouble[0]


def test_other_types_for_the_same_text_are_read(project: Project) -> None:
    samples = [a_sample(n) for n in range(4)]
    strings = table(samples)
    at = strings.column_names.index("topic")
    inner = strings["completions"].combine_chunks()
    other = pa.large_list(pa.field("item", inner.type.value_type))
    strings = strings.set_column(4, "completions", inner.cast(other))
    strings = strings.set_column(0, "sample_id", strings["sample_id"].cast(pa.large_string()))
    strings = strings.set_column(at, "topic", strings["topic"].combine_chunks().dictionary_encode())
    project.write("a", strings)
    catalog = project.catalog()
    assert [catalog.sample(s.sample_id) for s in samples] == samples
    assert cell(catalog, 0) == ("Clay soils", "Agronomist")


def test_rows_that_no_answer_could_name_are_left_out(project: Project) -> None:
    good = a_sample(1)
    twice = (a_sample(2).completions[0],) * 2
    long = Completion.model_validate(
        {**good.completions[0].model_dump(), "completion_id": "x" * 201}
    )
    project.write(
        "a",
        [
            good,
            a_sample(2).model_copy(update={"completions": twice}),
            a_sample(3).model_copy(update={"completions": (long,)}),
            a_sample(4).model_copy(update={"sample_id": ""}),
            a_sample(5).model_copy(update={"sample_id": "é" * 201}),
            a_sample(6).model_copy(update={"completions": ()}),
        ],
    )
    catalog = project.catalog()
    assert len(catalog) == 2
    assert "4 rows" in catalog.trouble[0]
    assert catalog.sample(a_sample(6).sample_id).completions == ()
    assert catalog.sample(good.sample_id) == good


def test_texts_that_cannot_be_read_are_told_and_read_once_they_can(project: Project) -> None:
    samples = [a_sample(n) for n in range(3)]
    path = project.write("a", samples)
    catalog = project.catalog()
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(InvalidInput, match="samples/a"):
        catalog.sample(samples[0].sample_id)
    assert not catalog.readable(1)
    assert "samples/a" in catalog.trouble[0]
    path.write_bytes(whole)
    catalog.refresh()
    assert (catalog.trouble, catalog.readable(1)) == ([], True)
    assert catalog.sample(samples[0].sample_id) == samples[0]


def test_a_shard_that_holds_other_rows_than_before_is_noticed(project: Project) -> None:
    path = project.write("a", [a_sample(1), a_sample(2)])
    catalog = project.catalog()
    path.write_bytes(to_parquet([a_sample(2)]))
    os.utime(path, (1, 1))
    for number in (1, 2):
        with pytest.raises(InvalidInput, match="samples/a"):
            catalog.sample(a_sample(number).sample_id)


def test_a_row_that_is_no_sample_fails_alone(project: Project) -> None:
    rows = table([a_sample(1), a_sample(2)])
    at = rows.column_names.index("instruction")
    project.write("a", rows.set_column(at, "instruction", pa.array([None, "What?"])))
    catalog = project.catalog()
    with pytest.raises(InvalidInput, match="instruction"):
        catalog.sample(a_sample(1).sample_id)
    assert catalog.sample(a_sample(2).sample_id).instruction == "What?"
    assert (catalog.readable(0), catalog.readable(1)) == (False, True)


def test_texts_in_memory_stay_within_their_bytes(project: Project) -> None:
    samples = [a_sample(n, ["x" * 1_000]) for n in range(ROWS_IN_GROUP * 4)]
    project.write("a", samples)
    catalog = project.catalog(text_bytes=700_000)
    for sample in samples:
        catalog.sample(sample.sample_id)
    assert catalog.warm() == [2, 3]
    small = project.catalog(text_bytes=1)
    small.warm_up(1)
    small.warm_up(3)
    assert small.warm() == [3]
    small.warm_up(1)
    assert small.sample(samples[0].sample_id) == samples[0]


def test_reading_ahead_what_cannot_be_read_is_no_failure(project: Project) -> None:
    project.write("a", [a_sample(1)]).unlink()
    path = project.write("b", [a_sample(2)])
    catalog = project.catalog()
    path.unlink()
    catalog.warm_up(0)
    assert (catalog.warm(), catalog.readable(0)) == ([], False)


def test_exam_items_are_told_apart(project: Project) -> None:
    exam = a_sample(2, [], kind="exam", question="Q", answer="A", distractors=("B", "C"))
    project.write("a", [a_sample(1), exam])
    catalog = project.catalog()
    assert catalog.index.exam.tolist() == [False, True]
    assert catalog.sample(exam.sample_id) == exam


def test_a_row_that_does_not_fit_costs_its_sample_only_and_is_named(project: Project) -> None:
    samples = [a_sample(n) for n in range(6)]
    rows = table(samples).to_pylist()
    whole = table(samples)
    rows[0]["completions"][1]["text"] = None
    rows[1]["kind"] = None
    rows[2]["sample_id"] = "x" * 10
    project.write("a", whole)
    catalog = project.catalog()
    project.write("a", pa.Table.from_pylist(rows, schema=whole.schema))
    for sample in samples[:3]:
        with pytest.raises(InvalidInput, match=sample.sample_id):
            catalog.sample(sample.sample_id)
    assert [catalog.sample(s.sample_id) for s in samples[3:]] == samples[3:]
    assert [catalog.readable(n) for n in range(6)] == [False] * 3 + [True] * 3
    (told,) = catalog.trouble
    assert samples[0].sample_id in told
    assert "2 more" in told


def on_the_hub(hub: HubServer) -> HubStore:
    """A project with two shards."""
    store = HubStore("ana/farming", token=hub.add_user("ana", "hf_ana"), hub=hub.url)
    store.create()
    fill(store, [a_sample(1)])
    store.commit({layout.sample_shard("run", 1): to_parquet([a_sample(2)])}, message="More")
    return store


def test_commits_of_other_files_do_not_make_it_look_at_every_shard(hub: HubServer) -> None:
    store = on_the_hub(hub)
    catalog = Catalog(store)
    assert catalog.refresh() == 2
    store.commit({"feedback/2026/01/01/x-1.jsonl": b"{}\n"}, message="Answers")
    counted = hub.fail(Fault("resolve", latency=0.001, times=None))
    assert catalog.refresh() == 0
    assert counted.hits == 0
    store.commit({layout.sample_shard("run", 2): to_parquet([a_sample(3)])}, message="More")
    assert catalog.refresh() == 1
    assert counted.hits > 0
    assert catalog.sample(a_sample(1).sample_id).sample_id == a_sample(1).sample_id


def test_texts_that_were_swept_from_the_disk_are_fetched_again(hub: HubServer) -> None:
    now = 0.0
    store = on_the_hub(hub)
    catalog = Catalog(store, clock=lambda: now)
    catalog.refresh()
    shutil.rmtree(store.checkout(layout.SAMPLES).parents[1])
    with pytest.raises(InvalidInput):
        catalog.sample(a_sample(1).sample_id)
    assert not catalog.mend_due()
    now += RETRY_SECONDS
    assert catalog.mend_due()
    catalog.mend()
    assert (catalog.trouble, catalog.mend_due()) == ([], False)
    assert catalog.sample(a_sample(1).sample_id).sample_id == a_sample(1).sample_id


def test_texts_that_could_not_be_read_for_a_moment_are_tried_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    project.write("a", [a_sample(1)])
    catalog = Catalog(project.store, clock=lambda: now)
    catalog.refresh()

    def fail(path: Path) -> None:
        raise OSError(f"Too many open files: {path}")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "ParquetFile", fail)
        with pytest.raises(InvalidInput):
            catalog.sample(a_sample(1).sample_id)
    catalog.refresh()
    assert not catalog.readable(0)
    now += RETRY_SECONDS
    catalog.refresh()
    assert catalog.readable(0)
