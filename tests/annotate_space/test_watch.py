"""What others add to a project arrives, each file once, and costs little to look for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from annotate_space import watch
from annotate_space.journal import Journal
from annotate_space.sync import Syncer
from annotate_space.watch import Inbox, Watcher
from pipeline.core import layout
from pipeline.core.errors import StoreUnavailable
from pipeline.core.feedback import BadLine, FeedbackEvent, Parsed
from pipeline.core.projects import read_feedback
from pipeline.core.store import Content, Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill, thumb
from tests.hub_server import Fault, HubServer

NAME = "ana/farming"
EVENTS = [thumb(a_sample(number), 0, True) for number in range(6)]


@pytest.fixture(params=["folder", "hub"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made: Store = FolderStore(tmp_path / "project")
    if request.param == "hub":
        hub: HubServer = request.getfixturevalue("hub")
        made = HubStore(NAME, token=hub.add_user("ana"), hub=hub.url)
    fill(made, [a_sample(0)])
    return made


@pytest.fixture
def on_hub(hub: HubServer) -> HubStore:
    made = HubStore(NAME, token=hub.add_user("ana"), hub=hub.url)
    fill(made, [a_sample(0)])
    return made


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_AT_MOST_EVERY", 0.0)


def add(store: Store, events: list[FeedbackEvent], name: str = "other", number: int = 1) -> str:
    path = layout.feedback_file(datetime.now(UTC), name, number)
    store.commit({path: b"".join(e.to_line().encode() + b"\n" for e in events)}, message="Add")
    return path


class Told:
    """What a watcher told."""

    def __init__(self) -> None:
        self.arrived: list[Parsed] = []
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1


def watching(store: Store, told: Told, inbox: Inbox | None = None) -> Watcher:
    return Watcher(
        store,
        inbox or Inbox(store),
        interval=0.02,
        arrived=told.arrived.extend,
        changed=told.changed,
    )


def test_everything_comes_first_and_then_only_what_is_new(store: Store) -> None:
    add(store, EVENTS[:2])
    inbox = Inbox(store)
    assert list(inbox.read_new()) == EVENTS[:2]
    assert list(inbox.read_new()) == []
    add(store, EVENTS[2:4], number=2)
    store.commit({"feedback/by-another-tool.jsonl": b"{}\n"}, message="Add")
    new = list(inbox.read_new())
    assert [item for item in new if isinstance(item, FeedbackEvent)] == EVENTS[2:4]
    assert [str(item.file) for item in new if isinstance(item, BadLine)] == [
        "feedback/by-another-tool.jsonl"
    ]
    assert list(inbox.read_new()) == []


def test_a_project_without_feedback_has_none(store: Store) -> None:
    inbox = Inbox(store)
    assert list(inbox.read_new()) == []
    add(store, EVENTS)
    assert list(inbox.read_new()) == EVENTS


def test_a_folder_that_is_named_like_a_file_is_none(store: Store) -> None:
    store.commit({"feedback/x.jsonl/note.txt": b"x"}, message="Add")
    add(store, EVENTS[:2])
    inbox = Inbox(store)
    assert list(inbox.read_new()) == list(read_feedback(store)) == EVENTS[:2]
    store.commit({"feedback/y.jsonl/z.jsonl/note.txt": b"x"}, message="Add")
    add(store, EVENTS[2:], number=2)
    assert list(inbox.read_new()) == EVENTS[2:]
    assert list(read_feedback(store)) == EVENTS


def test_our_own_files_are_not_read_again(store: Store, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    inbox = Inbox(store)
    assert list(inbox.read_new()) == []
    inbox.instance = journal.instance
    journal.append(EVENTS[:3])
    Syncer(store, journal, interval=1, saved=lambda events, at: None).flush()
    journal.close()
    add(store, EVENTS[3:])
    assert list(inbox.read_new()) == EVENTS[3:]


def test_what_nobody_came_to_is_new_the_next_time(store: Store) -> None:
    add(store, EVENTS[:2], number=1)
    add(store, EVENTS[2:], number=2)
    inbox = Inbox(store)
    new = inbox.read_new()
    assert [next(new) for _ in range(3)] == EVENTS[:3]
    new.close()  # type: ignore[attr-defined]
    assert list(inbox.read_new()) == EVENTS[2:]


def test_a_failure_half_way_leaves_the_rest_for_the_next_time(
    hub: HubServer, on_hub: HubStore
) -> None:
    inbox = Inbox(on_hub)
    with hub.outage(), pytest.raises(StoreUnavailable):
        list(inbox.read_new())
    assert list(inbox.read_new()) == []
    for number in range(3):
        add(on_hub, EVENTS[2 * number : 2 * number + 2], number=number)
    read: list[Parsed] = []
    hub.fail(Fault("resolve", drop=True, skip=2, times=None))
    with pytest.raises(StoreUnavailable):
        read.extend(inbox.read_new())
    hub.clear_faults()
    read.extend(inbox.read_new())
    assert {e.event_id for e in read if isinstance(e, FeedbackEvent)} == {
        e.event_id for e in EVENTS
    }


def test_a_look_tells_what_arrived_and_that_something_changed(store: Store) -> None:
    told = Told()
    watcher = watching(store, told)
    watcher.look()
    assert told.changes == 1
    watcher.look()
    assert told.changes == 1
    add(store, EVENTS)
    watcher.look()
    assert told.arrived == EVENTS
    assert told.changes == 2
    store.commit({"project.json": b"{}"}, message="Change")
    watcher.look()
    assert told.changes == 3
    assert told.arrived == EVENTS


def test_a_look_at_a_project_that_did_not_change_is_one_request(
    hub: HubServer, on_hub: HubStore
) -> None:
    watcher = watching(on_hub, Told())
    watcher.look()
    hub.clear_requests()
    watcher.look()
    assert [request.operation for request in hub.requests] == ["info"]


def test_many_looks_at_once_are_one(
    hub: HubServer, on_hub: HubStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_AT_MOST_EVERY", 60.0)
    watcher = watching(on_hub, Told())
    watcher.look()
    hub.clear_requests()
    for _ in range(5):
        watcher.look()
    assert hub.requests == []


def test_what_the_listener_could_not_take_is_given_again(store: Store) -> None:
    add(store, EVENTS)
    told = Told()
    watcher = watching(store, told)

    def refuse(events: list[Parsed]) -> None:
        raise StoreUnavailable("Not now.", "")

    watcher._arrived = refuse
    with pytest.raises(StoreUnavailable):
        watcher.look()
    assert watcher.trouble is not None
    watcher._arrived = told.arrived.extend
    watcher.look()
    assert told.arrived == EVENTS
    assert told.changes == 1
    assert watcher.trouble is None


def test_what_was_read_before_a_failure_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path / "project")
    fill(store, [a_sample(0)])
    told = Told()
    watcher = watching(store, told)
    watcher.look()
    add(store, EVENTS[:2], number=1)
    second = add(store, EVENTS[2:], number=2)
    read = store.read

    def refuse(path: str) -> Content:
        if path == second:
            raise StoreUnavailable("Not now.", "")
        return read(path)

    monkeypatch.setattr(store, "read", refuse)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            watcher.look()
    assert told.arrived == EVENTS[:2]
    monkeypatch.setattr(store, "read", read)
    watcher.look()
    assert told.arrived == EVENTS


def test_nobody_waits_long_for_a_look_of_somebody_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_PATIENCE", 0.05)
    told = Told()
    watcher = watching(store, told)
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait(30)

    watcher._changed = hang
    slow = threading.Thread(target=watcher.look)
    slow.start()
    assert begun.wait(30)
    before = time.monotonic()
    watcher.look()
    assert time.monotonic() - before < 5
    assert slow.is_alive()
    go_on.set()
    slow.join()
    watcher._changed = told.changed
    add(store, EVENTS)
    watcher.look()
    assert told.changes == 1


def test_the_thread_goes_on_after_an_outage(hub: HubServer, on_hub: HubStore) -> None:
    told = Told()
    watcher = watching(on_hub, told)
    with hub.outage():
        watcher.start()
        wait_for(lambda: watcher.trouble is not None)
    hub.write(NAME, {"feedback/x.jsonl": EVENTS[0].to_line().encode()})
    wait_for(lambda: told.arrived == EVENTS[:1])
    wait_for(lambda: watcher.trouble is None)
    watcher.stop()
    watcher._thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
