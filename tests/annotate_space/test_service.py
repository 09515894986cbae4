"""Serving samples and keeping answers, without a screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate_space.service import MAX_EVENTS, AnnotateService
from pipeline.core.errors import InvalidInput, ProjectNotFound
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback, read_feedback, work_folder
from pipeline.core.samples import to_parquet
from pipeline.core.schema import STAND_INS, Project, Sample, Task
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill, pair, thumb

Start = Callable[[], AnnotateService]
SAMPLES = [a_sample(number) for number in range(20)]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts servers on one folder project."""
    fill(FolderStore(folder), SAMPLES)
    started: list[AnnotateService] = []

    def begin() -> AnnotateService:
        started.append(AnnotateService(Settings(project=str(folder))))
        return started[-1]

    yield begin
    for service in started:
        service.close()


def sent(event: FeedbackEvent) -> dict[str, Any]:
    """An event as a browser sends it."""
    fields: dict[str, Any] = event.model_dump()
    del fields["annotator"], fields["received_at"]
    return fields


def in_order(service: AnnotateService, annotator: str, task: Task = "thumbs") -> list[str]:
    return [item["id"] for item in service.upcoming(annotator, task, 50)]


def test_each_annotator_has_an_order_of_their_own_and_keeps_it(start: Start) -> None:
    service = start()
    ana, bob = in_order(service, "ana"), in_order(service, "bob")
    assert len(ana) == 40
    assert sorted(ana) == sorted(bob)
    assert ana != bob
    assert in_order(start(), "ana") == ana


def test_an_answer_counts_and_its_question_does_not_come_back(start: Start) -> None:
    service = start()
    first = service.upcoming("ana", "thumbs", 1)[0]
    sample = next(s for s in SAMPLES if s.sample_id == first["sample_id"])
    index = [c.completion_id for c in sample.completions].index(
        first["answers"][0]["completion_id"]
    )
    receipt = service.submit("ana", [sent(thumb(sample, index, True))])
    assert receipt.rejected == {}
    assert first["id"] not in in_order(service, "ana")
    assert first["id"] in in_order(service, "bob")
    assert service.progress("ana", "thumbs")[0].done == 1
    assert service.progress("ana", "pairwise")[0].done == 0


def test_answers_are_there_after_a_restart_and_in_the_dataset(start: Start, folder: Path) -> None:
    service = start()
    service.submit("ana", [sent(thumb(SAMPLES[0], 0, True)), sent(pair(SAMPLES[1], "tie"))])
    service.close()
    events = list(load_feedback(FolderStore(folder)).current())
    assert {(e.annotator, e.task, e.label, e.preference) for e in events} == {
        ("ana", "thumbs", True, None),
        ("ana", "pairwise", None, "tie"),
    }
    assert start().progress("ana", "thumbs")[0].done == 1


def test_a_server_that_died_before_committing_loses_nothing(start: Start, folder: Path) -> None:
    service = start()
    service._syncer.halt()
    service._syncer._thread.join()
    service.submit("ana", [sent(thumb(SAMPLES[0], 0, True))])
    service._journal.abandon()
    service._closed = True
    heir = start()
    assert heir.progress("ana", "thumbs")[0].done == 1
    heir.close()
    assert len(list(read_feedback(FolderStore(folder)))) == 1


def test_the_same_event_sent_again_is_one_event(start: Start, folder: Path) -> None:
    service = start()
    event = sent(thumb(SAMPLES[0], 0, True))
    for _ in range(3):
        assert service.submit("ana", [event, event]).received == (event["event_id"],) * 2
    service.close()
    assert len(list(read_feedback(FolderStore(folder)))) == 1
    assert start().submit("ana", [event]).received == (event["event_id"],)


def test_an_undo_in_the_same_message_as_its_answer_wins(start: Start) -> None:
    service = start()
    answer = sent(thumb(SAMPLES[0], 0, True))
    back = {**answer, "event_id": "0-sorts-first", "status": "withdrawn"}
    service.submit("ana", [answer, back])
    assert service.progress("ana", "thumbs")[0].done == 0
    assert len(in_order(service, "ana")) == 40


def test_skipping_moves_on(start: Start) -> None:
    service = start()
    service.submit("ana", [sent(thumb(SAMPLES[0], 0, None))])
    assert len(in_order(service, "ana")) == 39


def test_sides_are_random_between_people_and_fixed_for_each(start: Start) -> None:
    service = start()

    def sides(annotator: str) -> dict[str, str]:
        items = service.upcoming(annotator, "pairwise", 50)
        return {item["sample_id"]: item["answers"][0]["completion_id"] for item in items}

    first = {sample.sample_id: sample.completions[0].completion_id for sample in SAMPLES}
    shown_first = sum(
        sides(f"person {n}")[s.sample_id] == first[s.sample_id] for n in range(20) for s in SAMPLES
    )
    assert 140 < shown_first < 260  # of 400
    assert sides("ana") == sides("ana")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sample_id": "unknown"}, "no sample unknown"),
        ({"completion_id": "unknown"}, "no answer unknown"),
        ({"task": "rate", "rating": 3}, "does not ask for rate"),
        ({"label": "yes"}, "label"),
        ({"label": None}, "label"),
        ({"comment": "x" * 10_000}, "comment"),
        ({"event_id": ""}, "event_id"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_alone(
    start: Start, changes: dict[str, Any], why: str
) -> None:
    service = start()
    bad = {**sent(thumb(SAMPLES[0], 0, True)), **changes}
    good = sent(thumb(SAMPLES[1], 0, True))
    receipt = service.submit("ana", [bad, good])
    assert receipt.received == (good["event_id"],)
    assert why in receipt.rejected[bad["event_id"]]


def test_nobody_answers_for_somebody_else_or_at_another_time(start: Start, folder: Path) -> None:
    service = start()
    event = {
        **sent(thumb(SAMPLES[0], 0, True)),
        "annotator": "bob",
        "received_at": "2001-01-01T00:00:00Z",
    }
    service.submit("ana", [event])
    service.close()
    (kept,) = load_feedback(FolderStore(folder)).current()
    assert kept.annotator == "ana"
    assert not kept.received_at.startswith("2001")


def test_too_many_events_at_once_are_refused_whole(start: Start) -> None:
    event = sent(thumb(SAMPLES[0], 0, True))
    with pytest.raises(InvalidInput, match="201 events"):
        start().submit("ana", [event] * (MAX_EVENTS + 1))


def test_new_samples_appear_without_a_restart(
    start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate_space.service._LOOK_AGAIN", 0)
    service = start()
    assert len(in_order(service, "ana")) == 40
    new = to_parquet([a_sample(99)])
    FolderStore(folder).commit({"samples/run2/00000.parquet": new}, message="Add")
    assert len(in_order(service, "ana")) == 42


def test_hostile_text_reaches_the_browser_as_text(folder: Path) -> None:
    hostile = "<script>x</script> <img src=x onerror=x> [a](javascript:x) ![i](http://x/y.png)"
    fill(FolderStore(folder), [a_sample(1, [hostile, hostile], instruction=hostile)])
    service = AnnotateService(Settings(project=str(folder)))
    (item,) = service.upcoming("ana", "pairwise", 1)
    for html in (item["instruction"], item["answers"][0]["html"]):
        assert "<script" not in html
        assert "<img" not in html
        assert 'href="javascript' not in html
    service.close()


def test_the_stand_in_is_named_on_the_screen(folder: Path) -> None:
    plain: Sample = a_sample(1)
    stand_in = [c.model_copy(update={"model": STAND_INS[0]}) for c in plain.completions]
    fill(FolderStore(folder), [plain.model_copy(update={"completions": tuple(stand_in)})])
    service = AnnotateService(Settings(project=str(folder)))
    assert service.upcoming("ana", "pairwise", 1)[0]["stand_in"] is True
    service.close()


def test_topics_are_hidden_where_the_project_says_so(folder: Path) -> None:
    project = Project()
    project.annotation.show_topic = False
    project.annotation.tasks = ["pairwise"]
    fill(FolderStore(folder), [a_sample(1)], project)
    service = AnnotateService(Settings(project=str(folder)))
    assert service.upcoming("ana", "pairwise", 1)[0]["topic"] == ""
    service.close()


def test_a_space_without_a_project_says_what_to_set(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="SEEDBED_PROJECT"):
        AnnotateService(Settings())
    with pytest.raises(ProjectNotFound, match="python -m pipeline init"):
        AnnotateService(Settings(project=str(folder)))


def test_an_answer_replaces_one_from_a_server_whose_clock_is_ahead(
    start: Start, folder: Path
) -> None:
    ahead = thumb(SAMPLES[0], 0, True, received_at="2099-01-01T00:00:00Z")
    line = ahead.to_line().encode()
    FolderStore(folder).commit({"feedback/2099/01/01/b-000001.jsonl": line}, message="Add")
    service = start()
    service.submit("ana", [{**sent(ahead), "event_id": "back", "status": "withdrawn"}])
    assert service.progress("ana", "thumbs")[0].done == 0
    service.close()
    assert list(load_feedback(FolderStore(folder)).current()) == []


def test_a_server_that_cannot_save_says_why(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("an error nobody thought of")

    monkeypatch.setattr(service._store, "commit", refuse)
    service.submit("ana", [sent(thumb(SAMPLES[0], 0, True))])
    deadline = time.monotonic() + 20
    while service.trouble() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert service.trouble() == "an error nobody thought of"
    monkeypatch.undo()
    while service.trouble() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert service.trouble() is None


def test_projects_with_similar_names_never_share_a_journal(tmp_path: Path) -> None:
    settings = Settings(work_dir=tmp_path)
    folders = {
        work_folder(HubStore(name, token=None, hub=settings.hub), settings)
        for name in ("ana/farm-ing", "ana-farm/ing", "ana/farm.ing")
    }
    assert len(folders) == 3
