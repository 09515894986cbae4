"""Samples found by words, meaning, and what was said of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from annotate_space.study import indexing
from annotate_space.study import search as searching
from annotate_space.study.index import Index, no_rows
from annotate_space.study.material import Material
from annotate_space.study.query import Query
from annotate_space.study.search import ON_A_PAGE, Searcher, Wanted
from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Project, Sample
from pipeline.core.store_folder import FolderStore
from tests.annotate_space.test_browser import wait_for
from tests.embeddings import a_static_model
from tests.factories import a_run, a_sample, fill, pair, thumb

CLAY = a_sample(
    0,
    ["Wait until the clay crumbles.", "Plough at once."],
    instruction="When is clay soil dry enough to plough?",
    created_at="2026-01-03T00:00:00.000Z",
)
COVER = a_sample(
    1,
    ["Rye and vetch survive. Even maïs may.", "None."],
    instruction="Which cover crops survive a dry autumn?",
    topic="Cover crops",
    perspective="Beginner",
    created_at="2026-01-02T00:00:00.000Z",
)
EXAM = a_sample(
    2,
    [],
    kind="exam",
    instruction="x",
    question="What does a smear of clay show?",
    answer="That it is wet",
    distractors=("Its age", "Its worms", "Its lime"),
    created_at="2026-01-01T00:00:00.000Z",
)
SAMPLES = [CLAY, COVER, EXAM]


def make(folder: Path, samples: Sequence[Sample] = SAMPLES, **quality: object) -> Material:
    store = FolderStore(folder)
    project = Project.model_validate({"generation": {"quality": quality}})
    fill(store, samples, project)
    return Material(store, store.work_folder / "journal")


def say(material: Material, *events: FeedbackEvent) -> None:
    """Put votes into the project."""
    data = "".join(event.to_line() + "\n" for event in events).encode()
    material.store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Add votes")


@pytest.fixture
def material(folder: Path) -> Material:
    return make(folder)


def found(material: Material | Searcher, **wanted: Any) -> list[str]:  # noqa: ANN401
    searcher = material if isinstance(material, Searcher) else Searcher(material)
    reply = searcher.page(Wanted(**wanted))
    assert reply["count"] >= len(reply["results"])
    return [one["sample_id"] for one in reply["results"]]


def ids(*samples: Sample) -> list[str]:
    return [sample.sample_id for sample in samples]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [CLAY, COVER, EXAM]),
        ("clay", [EXAM, CLAY]),
        ("clay plough", [CLAY]),
        ("plou", [CLAY]),
        ('"clay soil"', [CLAY]),
        ('"soil clay"', []),
        ("MAIS", [COVER]),
        ("worms", [EXAM]),
        ("clay -worms", [CLAY]),
        ("-clay", [COVER]),
        ("*", [CLAY, COVER, EXAM]),
        ('") OR x:(', []),
    ],
)
def test_samples_are_found_by_their_words(
    material: Material, text: str, expected: list[Sample]
) -> None:
    assert sorted(found(material, text=text)) == sorted(ids(*expected))


def test_a_word_in_the_question_says_more_than_one_in_an_answer(folder: Path) -> None:
    inside = a_sample(5, ["All about clay here.", "b"], instruction="What is there to know?")
    asked = a_sample(6, ["All about it here.", "b"], instruction="What is clay to know?")
    assert found(make(folder, [inside, asked]), text="clay") == ids(asked, inside)


def test_what_is_found_is_told_with_what_people_say(material: Material) -> None:
    say(
        material,
        thumb(CLAY, 0, True, "ana"),
        thumb(CLAY, 0, True, "bo", comment="<b>Yes</b>"),
        thumb(CLAY, 1, False, "ana"),
    )
    (one,) = Searcher(material).page(Wanted(text="plough", annotator="ana"))["results"]
    assert one["question"] == [
        ["When is clay soil dry enough to ", False], ["plough", True], ["?", False],
    ]  # fmt: skip
    first, second = one["answers"]
    assert (first["up"], first["down"], first["good"], first["mine"]) == (2, 0, True, True)
    assert (second["up"], second["down"], second["good"], second["mine"]) == (0, 1, False, False)
    whole = searching.sample(material, {"sample_id": CLAY.sample_id, "text": "plou"})
    assert whole["found"] == ["plough", "Plough"]
    assert whole["models"] == ["maker/model-0", "maker/model-1"]
    assert {(vote["annotator"], *vote["about"], vote["value"]) for vote in whole["votes"]} == {
        ("ana", 1, True), ("bo", 1, True), ("ana", 2, False),
    }  # fmt: skip
    assert "<b>Yes</b>" in [vote["comment"] for vote in whole["votes"]]


def test_a_pair_is_told_by_the_numbers_of_its_answers(material: Material) -> None:
    say(material, pair(CLAY, "left", "ana"), pair(CLAY, "left", "bo", swap=True))
    told = Searcher(material).whole(CLAY.sample_id, Query())["votes"]
    better = {
        vote["annotator"]: vote["about"][vote["value"] == "second"] for vote in told
    }  # fmt: skip
    assert better == {"ana": 1, "bo": 2}


def test_a_sample_that_is_not_there_cannot_be_opened(material: Material) -> None:
    Searcher(material).page(Wanted())
    with pytest.raises(InvalidInput, match="cannot be read"):
        searching.sample(material, {"sample_id": "none", "text": ""})


def test_texts_come_as_html_that_can_do_nothing(folder: Path) -> None:
    hostile = a_sample(1, ["<img src=x onerror=alert(1)> **clay**", "b"])
    searcher = Searcher(make(folder, [hostile]))
    (one,) = searcher.page(Wanted(text="clay"))["results"]
    assert one["answers"][0]["text"][0] == ["<img src=x onerror=alert(1)> ", False]
    whole = searcher.whole(hostile.sample_id, Query())
    assert "<img" not in whole["answers"][0]
    assert "<strong>clay</strong>" in whole["answers"][0]


def test_filters_by_what_was_said(material: Material) -> None:
    say(
        material,
        thumb(CLAY, 0, True, "ana"),
        thumb(CLAY, 0, False, "bo"),
        thumb(CLAY, 1, False, "bo"),
        thumb(COVER, 1, None, "bo", status="flagged", reason="odd"),
        pair(COVER, "left", "bo"),
    )
    searcher = Searcher(material)
    assert found(searcher, state="unjudged") == ids(EXAM)
    assert found(searcher, state="good") == ids(COVER)
    assert found(searcher, state="bad") == ids(CLAY)
    assert found(searcher, state="disputed") == ids(CLAY)
    assert found(searcher, state="flagged") == ids(COVER)
    assert found(searcher, state="bad", text="rye") == []


def test_filters_by_where_samples_come_from(folder: Path) -> None:
    rated = [
        completion.model_copy(update={"judge_rating": rating, "model": f"maker/{rating}"})
        for completion, rating in zip(CLAY.completions, (4.5, 2.0), strict=True)
    ]
    clay = CLAY.model_copy(update={"completions": tuple(rated), "run_id": "second"})
    material = make(folder, [clay, COVER, EXAM])
    record = {layout.run_record("second"): a_run("second", round=2).to_json()}
    material.store.commit(record, message="Add a run")
    searcher = Searcher(material)
    assert found(searcher, topic="Cover crops") == ids(COVER)
    assert found(searcher, topic="Cover crops", perspective="Agronomist") == []
    assert found(searcher, topic="Nowhere") == []
    assert found(searcher, model="maker/2.0") == ids(clay)
    assert found(searcher, model="maker/model-1") == ids(COVER)
    assert found(searcher, rating=3) == found(searcher, rating=1) == ids(clay)
    assert found(searcher, rating=0) == []
    assert found(searcher, rating=4) == ids(COVER)
    assert found(searcher, round=2) == ids(clay)
    assert found(searcher, round=1) == ids(COVER, EXAM)
    choices = searcher.page(Wanted())["choices"]
    assert choices["topic"] == ["Clay soils", "Cover crops"]
    assert choices["model"] == ["maker/2.0", "maker/4.5", "maker/model-0", "maker/model-1"]
    assert (choices["round"], choices["rating"]) == ([1, 2], [1, 3, 4])


def test_the_order_is_what_was_asked_for(folder: Path) -> None:
    def rated(sample: Sample, rating: float) -> Sample:
        first, *rest = sample.completions
        first = first.model_copy(update={"judge_rating": rating})
        return sample.model_copy(update={"completions": (first, *rest)})

    good, bad = rated(CLAY, 5), rated(COVER, 1)
    searcher = Searcher(make(folder, [bad, EXAM, good]))
    assert found(searcher, sort="newest") == ids(good, bad, EXAM)
    assert found(searcher, sort="rating") == ids(good, bad, EXAM)
    assert found(searcher, sort="rating_low") == ids(bad, good, EXAM)
    assert found(searcher, text="clay", sort="rating_low") == ids(good, EXAM)


def test_pages_have_everything_once(folder: Path) -> None:
    samples = [a_sample(number) for number in range(2 * ON_A_PAGE + 3)]
    searcher = Searcher(make(folder, samples))
    first = searcher.page(Wanted(text="field"))
    assert (first["count"], first["pages"]) == (len(samples), 3)
    pages = [found(searcher, text="field", page=page) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [ON_A_PAGE, ON_A_PAGE, 3]
    assert sorted(one for page in pages for one in page) == sorted(ids(*samples))
    assert searcher.page(Wanted(text="field", page=99))["page"] == 3


def test_an_empty_project_says_so(folder: Path) -> None:
    reply = Searcher(make(folder, [])).page(Wanted(text="clay"))
    assert (reply["count"], reply["results"], reply["working"]) == (0, [], False)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keep(folder: Path, clock: Clock) -> Iterator[Callable[[], indexing.Indexing]]:
    """Opens the index of a project as a process does that was just started."""
    store = FolderStore(folder)
    yield lambda: indexing.Indexing(store, store.work_folder, clock=clock)


def counted(keeper: indexing.Indexing, expected: int) -> None:
    """Wait until so many samples are in the index."""
    wait_for(lambda: not keeper.look(None).working)
    assert keeper.look(None).done == expected


def test_new_shards_are_added_and_the_rest_is_kept(
    folder: Path, clock: Clock, keep: Callable[[], indexing.Indexing]
) -> None:
    make(folder)
    keeper = keep()
    counted(keeper, 3)
    with keeper.index.reading() as reader:
        born, rows = reader.told("born"), reader.rows(no_rows())
    store = FolderStore(folder)
    more = [a_sample(7), CLAY]
    store.commit({layout.sample_shard("run", 1): to_parquet(more)}, message="Add more")
    counted(keeper, 3)  # it is not looked all the time
    clock.now += 60
    counted(keeper, 4)
    again = keep()
    counted(again, 4)
    with again.index.reading() as reader:
        assert reader.told("born") == born
        assert reader.rows(rows).ids.to_pylist() == ids(*SAMPLES, more[0])


def test_an_index_that_does_not_fit_is_made_anew(
    folder: Path, keep: Callable[[], indexing.Indexing]
) -> None:
    make(folder)
    counted(keep(), 3)
    shard = folder / layout.sample_shard("run", 0)
    shard.write_bytes(to_parquet([COVER]))
    keeper = keep()
    counted(keeper, 1)
    for damage in (b"no index", b""):
        keeper.index.path.write_bytes(damage)
        counted(keep(), 1)
    with sqlite3.connect(keeper.index.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    counted(keep(), 1)
    shard.unlink()
    counted(keep(), 0)


def test_a_shard_that_was_begun_is_finished(
    folder: Path, keep: Callable[[], indexing.Indexing], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [a_sample(number) for number in range(600)]
    make(folder, many)
    monkeypatch.setattr(indexing, "_ROWS_A_COMMIT", 250)
    read = indexing.samples_in
    groups: list[int] = []

    def until_killed(path: Path, group: int) -> Iterator[tuple[int, Sample]]:
        if len(groups) == 2:
            raise OSError("killed")
        groups.append(group)
        return read(path, group)

    monkeypatch.setattr(indexing, "samples_in", until_killed)
    keeper = keep()
    wait_for(lambda: keeper.look(None).trouble == "killed")
    monkeypatch.setattr(indexing, "samples_in", read)
    counted(keep(), 600)
    with Index(keeper.index.path).reading() as reader:
        numbers, _ = reader.find(Query.of("field"), ranked=False)
        assert sorted(numbers.tolist()) == list(range(1, 601))


def test_what_cannot_be_read_is_left_out(
    folder: Path, keep: Callable[[], indexing.Indexing]
) -> None:
    material = make(folder)
    (folder / layout.sample_shard("run", 1)).write_bytes(b"no parquet")
    counted(keep(), 3)
    os.truncate(folder / layout.sample_shard("run", 0), 10)
    assert found(material, text="clay") == []


def test_samples_are_found_by_meaning(folder: Path, tmp_path: Path) -> None:
    asked = [
        a_sample(0, instruction="When is the soil dry enough to plough"),
        a_sample(1, instruction="Which crops survive"),
        a_sample(2, instruction="Quite unknown words"),
    ]
    material = make(folder, asked, embedding_model=a_static_model(tmp_path / "model"))
    searcher = Searcher(material)
    wanted = Wanted(text="whenever is the ground parched enough to till", meaning=True)
    wait_for(lambda: searcher.page(wanted)["count"] > 0)
    assert found(searcher, text=wanted.text, meaning=True)[0] == asked[0].sample_id
    assert asked[2].sample_id not in found(searcher, text=wanted.text, meaning=True)
    assert found(searcher, text="crops", meaning=True, topic="Nowhere") == []
    reply = searcher.page(wanted)
    assert reply["meaning"]["state"] == "ready"
    assert reply["results"][0]["question"] == [[asked[0].instruction, False]]
    # In another process the vectors are there already.
    searcher = Searcher(material)
    path = folder / ".seedbed" / "search.vectors"
    before = path.stat().st_mtime_ns
    wait_for(lambda: found(searcher, text="crops", meaning=True) == [asked[1].sample_id])
    assert path.stat().st_mtime_ns == before


def test_why_nothing_can_be_searched_by_meaning_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher = Searcher(make(folder, embedding_model=str(folder / "none")))
    assert searcher.page(Wanted())["meaning"]["state"] == "ready"
    wait_for(lambda: searcher.page(Wanted(text="x", meaning=True))["meaning"]["state"] == "failed")
    monkeypatch.setattr(searching, "find_spec", lambda name: None)
    assert searcher.page(Wanted())["meaning"]["state"] == "missing"


def test_without_a_model_nothing_is_searched_by_meaning(material: Material) -> None:
    reply = Searcher(material).page(Wanted(text="clay", meaning=True))
    assert (reply["meaning"]["state"], reply["count"]) == ("unset", 0)
