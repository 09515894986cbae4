"""Serving questions and keeping answers, without a screen."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from annotate_space.people import AskName, Person
from annotate_space.service import MAX_EVENTS, AnnotateService, Receipt
from pipeline.core import controls, invitations, layout
from pipeline.core.errors import InvalidInput, ProjectNotFound, StoreUnavailable
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback, read_feedback, work_folder
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Project, Task
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill, thumb

Start = Callable[[], AnnotateService]
SAMPLES = [a_sample(number) for number in range(20)]
ANA = Person("Ana~0a1b2c3d", "Ana", "guest")
BOB = Person("bob", "bob", "hub")


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


def change(folder: Path, **annotation: object) -> None:
    """Change the project's settings as they are stored."""
    store = FolderStore(folder)
    project = Project.from_json(store.read(layout.PROJECT).data)
    changed = project.annotation.model_copy(update=annotation)
    project = project.model_copy(update={"annotation": changed})
    store.commit({layout.PROJECT: project.to_json()}, message="Change settings")


def ask(
    service: AnnotateService, person: Person = ANA, task: Task = "thumbs", count: int = 1
) -> list[dict[str, Any]]:
    return service.next(person, "tab", count, task=task)


def about(card: dict[str, Any]) -> tuple[str, ...]:
    """What tells a question from others, whoever it is asked of."""
    texts = sorted(answer["text"] for answer in card["answers"])
    return (card["task"], card["instruction"], *texts)


def up(card: dict[str, Any], event_id: str = "e1", **changes: object) -> dict[str, Any]:
    """A thumb up as a browser sends it."""
    return {"event_id": event_id, "ticket": card["ticket"], "label": True, **changes}


def stored(folder: Path) -> list[FeedbackEvent]:
    return [e for e in read_feedback(FolderStore(folder)) if isinstance(e, FeedbackEvent)]


def wait_for(check: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def test_an_answer_counts_and_its_question_does_not_come_back(start: Start) -> None:
    service = start()
    card = ask(service)[0]
    assert service.submit(ANA, [up(card)]).rejected == {}
    assert service.progress(ANA)["thumbs"] == {"done": 1, "left": 39}
    assert service.progress(ANA)["pairwise"] == {"done": 0, "left": 20}
    assert about(card) not in map(about, ask(service, count=50))


def test_with_an_overlap_of_two_each_question_is_asked_of_two_people(
    start: Start, folder: Path
) -> None:
    change(folder, overlap=2)
    service = start()
    card = ask(service)[0]
    service.submit(ANA, [up(card)])
    same = next(c for c in ask(service, BOB, count=50) if about(c) == about(card))
    service.submit(BOB, [up(same, "e2")])
    carl = Person("carl", "carl", "hub")
    assert about(card) not in map(about, ask(service, carl, count=50))


def test_a_changed_overlap_takes_effect_without_a_restart(start: Start, folder: Path) -> None:
    service = start()
    for number, card in enumerate(ask(service, count=40)):
        service.submit(ANA, [up(card, f"e{number}")])
    assert ask(service, BOB) == []
    change(folder, overlap=2)
    wait_for(lambda: service.progress(BOB)["thumbs"]["left"] == 40)
    assert len(ask(service, BOB, count=50)) == 40


def test_answers_are_there_after_a_restart_and_in_the_dataset(start: Start, folder: Path) -> None:
    service = start()
    pair = ask(service, task="pairwise")[0]
    tie = {"event_id": "e2", "ticket": pair["ticket"], "preference": "tie"}
    service.submit(ANA, [up(ask(service)[0]), tie])
    service.close()
    events = list(load_feedback(FolderStore(folder)).current())
    assert {(e.annotator, e.task, e.label, e.preference) for e in events} == {
        (ANA.annotator, "thumbs", True, None),
        (ANA.annotator, "pairwise", None, "tie"),
    }
    assert start().progress(ANA)["thumbs"]["done"] == 1


def test_a_server_that_died_before_committing_loses_nothing(start: Start, folder: Path) -> None:
    service = start()
    card = ask(service)[0]
    service.syncer.halt()
    service.submit(ANA, [up(card)])
    service.journal.abandon()
    service._closed = True
    heir = start()
    assert heir.progress(ANA)["thumbs"]["done"] == 1
    assert heir.submit(ANA, [up(card)]).received == ["e1"]
    heir.close()
    assert len(stored(folder)) == 1


def test_what_died_after_its_commit_is_not_committed_again(
    start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()
    card = ask(service)[0]
    service.syncer.halt()

    def power_cut(*_: object) -> None:
        raise StoreUnavailable("The power is gone.", "Wait.")

    monkeypatch.setattr(service.journal, "mark", power_cut)
    service.submit(ANA, [up(card)])
    with pytest.raises(StoreUnavailable):
        service.syncer.flush()
    assert len(stored(folder)) == 1
    service.journal.abandon()
    service._closed = True
    heir = start()
    heir.close()
    assert len(stored(folder)) == 1


def test_a_ticket_is_good_on_another_server_too(start: Start) -> None:
    card = ask(start())[0]
    assert start().submit(ANA, [up(card)]).received == ["e1"]


def test_the_same_event_sent_again_is_one_event(start: Start, folder: Path) -> None:
    service = start()
    event = up(ask(service)[0])
    for _ in range(3):
        assert service.submit(ANA, [event, event]).received == ["e1", "e1"]
    service.close()
    assert len(stored(folder)) == 1
    assert start().submit(ANA, [event]).received == ["e1"]


def test_the_same_event_sent_twice_at_once_is_one_event(start: Start, folder: Path) -> None:
    service = start()
    event = up(ask(service)[0])
    receipts: list[Receipt] = []
    threads = [
        threading.Thread(target=lambda: receipts.append(service.submit(ANA, [event])))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [receipt.received for receipt in receipts] == [["e1"]] * 16
    service.close()
    assert len(stored(folder)) == 1


def test_an_undo_in_the_same_message_as_its_answer_wins(start: Start) -> None:
    service = start()
    card = ask(service)[0]
    back = {"event_id": "0-sorts-first", "ticket": card["ticket"], "status": "withdrawn"}
    service.submit(ANA, [up(card), back])
    assert service.progress(ANA)["thumbs"] == {"done": 0, "left": 40}


def test_an_answer_is_taken_back_by_its_id_once_and_by_its_owner_only(start: Start) -> None:
    service = start()
    card = ask(service)[0]
    service.submit(ANA, [up(card)])
    assert "no such answer" in str(service.withdraw(BOB, ["e1"]).rejected["e1"])
    assert "no such answer" in str(service.withdraw(ANA, ["e9"]).rejected["e9"])
    for _ in range(2):
        assert service.withdraw(ANA, ["e1"]).received == ["e1"]
        assert service.progress(ANA)["thumbs"]["done"] == 0
    service.submit(ANA, [up(card, "e2"), up(card, "e3", label=False)])
    assert "replaced" in str(service.withdraw(ANA, ["e2"]).rejected["e2"])


def test_an_answer_from_before_the_last_start_is_taken_back_by_its_id(start: Start) -> None:
    service = start()
    service.submit(ANA, [up(ask(service)[0])])
    service.close()
    heir = start()
    assert heir.withdraw(ANA, ["e1"]).received == ["e1"]
    assert heir.progress(ANA)["thumbs"]["done"] == 0


def test_a_skipped_question_is_asked_again_when_wanted(start: Start) -> None:
    service = start()
    card = ask(service)[0]
    service.submit(ANA, [{"event_id": "e", "ticket": card["ticket"], "status": "skipped"}])
    assert service.progress(ANA)["thumbs"] == {"done": 0, "left": 39}
    assert about(card) not in map(about, ask(service, count=50))
    assert [about(c) for c in service.next(ANA, "tab", 9, again=True)] == [about(card)]


def test_what_one_skips_another_is_asked(start: Start) -> None:
    service = start()
    card = ask(service)[0]
    service.submit(ANA, [{"event_id": "e", "ticket": card["ticket"], "status": "skipped"}])
    assert about(card) in map(about, ask(service, BOB, count=50))


def test_who_wrote_the_answers_is_told_after_the_vote(start: Start, folder: Path) -> None:
    service = start()
    card = ask(service, task="pairwise")[0]
    assert "maker/" not in json.dumps(card)
    vote = {"event_id": "e", "ticket": card["ticket"], "preference": "left"}
    wrote = service.submit(ANA, [vote]).wrote["e"]
    assert sorted(wrote) == ["maker/model-0", "maker/model-1"]
    change(folder, show_models=False)
    service.reload()
    other = ask(service, task="pairwise")[0]
    assert service.submit(ANA, [{**vote, "event_id": "f", "ticket": other["ticket"]}]).wrote == {}


def test_an_answer_that_does_not_fit_is_refused_alone(start: Start) -> None:
    service = start()
    first, second = ask(service, count=2)
    receipt = service.submit(ANA, [up(first, "bad", label="yes"), up(second, "good")])
    assert receipt.received == ["good"]
    assert "label" in str(receipt.rejected["bad"])


def test_only_what_was_handed_out_can_be_answered(start: Start) -> None:
    service = start()
    card = ask(service)[0]
    for person, event in ((BOB, up(card)), (ANA, {"event_id": "e", "label": True})):
        receipt = service.submit(person, [event])
        assert receipt.received == []
        assert "not belong to a question" in str(next(iter(receipt.rejected.values())))


def test_an_id_that_somebody_else_used_is_told_and_nothing_is_lost(start: Start) -> None:
    service = start()
    service.submit(ANA, [up(ask(service)[0])])
    card = ask(service, BOB)[0]
    receipt = service.submit(BOB, [up(card)])
    assert receipt.received == []
    assert "new one" in str(receipt.rejected["e1"])
    assert service.saved(BOB, ["e1"]) == {}
    assert service.forgotten(BOB, ["e1"]) == ["e1"]
    assert service.submit(BOB, [up(card, "e2")]).received == ["e2"]


def test_an_id_that_is_too_long_is_refused(start: Start) -> None:
    service = start()
    receipt = service.submit(ANA, [up(ask(service)[0], "x" * 201)])
    assert "event_id" in str(receipt.rejected["x" * 200])


def test_a_control_looks_like_any_other_question(start: Start, folder: Path) -> None:
    first = SAMPLES[0].completions[0].completion_id
    known = controls.control(
        task="thumbs", sample_id=SAMPLES[0].sample_id, completion_ids=(first,), label=True
    )
    controls.add(FolderStore(folder), known)
    change(folder, controls=0.5)
    service = start()
    given = ask(service, count=20)
    assert any([card.pop("control") for card in given])
    assert len({frozenset(card) for card in given}) == 1
    assert first not in json.dumps(given)


def test_damaged_lists_stop_nobody_and_let_nobody_in(start: Start, folder: Path) -> None:
    store = FolderStore(folder)
    day = timedelta(days=1)
    token = invitations.make(store, "Ana", day, pseudonyms=False, made_by="lead").token
    store.commit({layout.CONTROLS: b"{oops"}, message="Damage")
    service = start()
    assert any("controls.json" in trouble for trouble in service.troubles())
    assert service.admit({"invite": token}, None).name == "Ana"
    invitations.revoke(store, invitations.load(store).invitations[0].id)
    service.reload()
    with pytest.raises(AskName, match="taken back"):
        service.admit({"invite": token}, None)
    store.commit({layout.INVITATIONS: b"{oops"}, message="Damage")
    service.reload()
    with pytest.raises(AskName):
        service.admit({"invite": token}, None)


def test_too_many_events_at_once_are_refused_whole(start: Start) -> None:
    service = start()
    with pytest.raises(InvalidInput, match="201 events"):
        service.submit(ANA, [up(ask(service)[0])] * (MAX_EVENTS + 1))


def test_new_samples_appear_without_a_restart(start: Start, folder: Path) -> None:
    service = start()
    new = to_parquet([a_sample(99)])
    FolderStore(folder).commit({"samples/run2/00000.parquet": new}, message="Add")
    wait_for(lambda: service.progress(ANA)["thumbs"]["left"] == 42)


def test_answers_of_another_server_count_here(start: Start) -> None:
    first, second = start(), start()
    for number, card in enumerate(ask(first, count=40)):
        first.submit(ANA, [up(card, f"e{number}")])
    wait_for(lambda: second.progress(ANA)["thumbs"] == {"done": 40, "left": 0}, 40)


def test_settings_that_cannot_be_used_leave_the_old_ones_in_force(
    start: Start, folder: Path
) -> None:
    service = start()
    FolderStore(folder).commit({layout.PROJECT: b'{"annotation": {"overlap": 0}}'}, message="x")
    wait_for(lambda: any("annotation.overlap" in text for text in service.troubles()))
    assert len(ask(service, count=50)) == 40
    change_back = Project().to_json()
    FolderStore(folder).commit({layout.PROJECT: change_back}, message="y")
    wait_for(lambda: not service.troubles())


def test_instructions_are_asked_for_by_cell(folder: Path) -> None:
    project = Project()
    project.annotation.tasks = ["instruction"]
    project.annotation.instructions = 2
    fill(FolderStore(folder), [a_sample(1)], project)
    service = AnnotateService(Settings(project=str(folder)))
    items = ask(service, task="instruction", count=50)
    assert len(items) == 8  # two topics, two perspectives, two each
    text = {"event_id": "e", "ticket": items[0]["ticket"], "text": "How deep is topsoil?"}
    assert service.submit(ANA, [text]).received == ["e"]
    service.close()
    (event,) = stored(folder)
    assert (event.topic, event.perspective) == (items[0]["topic"], items[0]["perspective"])


def test_a_space_without_a_project_says_what_to_set(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="SEEDBED_PROJECT"):
        AnnotateService(Settings())
    with pytest.raises(ProjectNotFound, match="python -m pipeline init"):
        AnnotateService(Settings(project=str(folder)))


def test_an_answer_replaces_one_from_a_server_whose_clock_is_ahead(
    start: Start, folder: Path
) -> None:
    card = ask(start())[0]
    sample = next(s for s in SAMPLES if s.instruction == card["instruction"])
    for index in range(2):
        ahead = thumb(sample, index, True, ANA.annotator, received_at="2099-01-01T00:00:00Z")
        path = f"feedback/2099/01/01/b-{index:06d}.jsonl"
        FolderStore(folder).commit({path: ahead.to_line().encode()}, message="Add")
    service = start()
    assert service.progress(ANA)["thumbs"]["done"] == 2
    back = {"event_id": "back", "ticket": card["ticket"], "status": "withdrawn"}
    service.submit(ANA, [back])
    assert service.progress(ANA)["thumbs"]["done"] == 1
    service.close()
    assert len(list(load_feedback(FolderStore(folder)).current())) == 1


def test_an_undo_by_id_wins_over_a_clock_that_is_ahead(start: Start, folder: Path) -> None:
    ahead = thumb(SAMPLES[0], 0, True, ANA.annotator, received_at="2099-01-01T00:00:00Z")
    ahead = ahead.model_copy(update={"event_id": "e1"})
    store = FolderStore(folder)
    store.commit({"feedback/2099/01/01/b-1.jsonl": ahead.to_line().encode()}, message="Add")
    service = start()
    assert service.progress(ANA)["thumbs"]["done"] == 1
    assert service.withdraw(ANA, ["e1"]).received == ["e1"]
    assert service.progress(ANA)["thumbs"]["done"] == 0


@pytest.mark.parametrize("year", ["2099", "9999"])
def test_answers_in_one_message_keep_their_order_behind_such_a_clock(
    start: Start, folder: Path, year: str
) -> None:
    card = ask(start())[0]
    sample = next(s for s in SAMPLES if s.instruction == card["instruction"])
    moment = f"{year}-12-31T23:59:59.{'999' if year == '9999' else '000'}Z"
    for index in range(2):
        ahead = thumb(sample, index, True, ANA.annotator, received_at=moment)
        path = f"feedback/2099/01/01/b-{index:06d}.jsonl"
        FolderStore(folder).commit({path: ahead.to_line().encode()}, message="Add")
    service = start()
    back = {"event_id": "0-sorts-first", "ticket": card["ticket"], "status": "withdrawn"}
    receipt = service.submit(ANA, [up(card, "z-sorts-last", label=False), back])
    assert receipt.received == ["z-sorts-last", "0-sorts-first"]
    if year == "2099":
        assert service.progress(ANA)["thumbs"]["done"] == 1


def test_a_server_that_cannot_save_says_why(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    card = ask(service)[0]

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("an error nobody thought of")

    monkeypatch.setattr(service.store, "commit", refuse)
    service.submit(ANA, [up(card)])
    wait_for(lambda: service.syncer.trouble is not None)
    assert service.syncer.trouble == "an error nobody thought of"
    assert service.saved(ANA, ["e1"]) == {}
    monkeypatch.undo()
    wait_for(lambda: service.syncer.trouble is None)
    wait_for(lambda: service.saved(ANA, ["e1"]).get("e1") is not None)


def test_projects_with_similar_names_never_share_a_journal(tmp_path: Path) -> None:
    settings = Settings(work_dir=tmp_path)
    folders = {
        work_folder(HubStore(name, token=None, hub=settings.hub), settings)
        for name in ("ana/farm-ing", "ana-farm/ing", "ana/farm.ing")
    }
    assert len(folders) == 3
