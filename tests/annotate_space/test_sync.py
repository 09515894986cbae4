"""The way from the journal into the dataset, on a Hub that fails in every way it can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotate_space.journal import Journal
from annotate_space.sync import Syncer
from pipeline.core.errors import RateLimited, SeedbedError, StoreUnavailable
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback, read_feedback
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill, thumb
from tests.hub_server import Fault, HubServer

NAME = "ana/farming"
EVENTS = [thumb(a_sample(number), 0, True) for number in range(5)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal")
    yield made
    made.abandon()


@pytest.fixture
def store(hub: HubServer) -> HubStore:
    made = HubStore(NAME, token=hub.add_user("ana"), hub=hub.url)
    fill(made, [a_sample(number) for number in range(5)])
    return made


class Saved(list[FeedbackEvent]):
    """What a syncer told to be saved."""

    def __call__(self, events: object, at: str) -> None:
        assert at.endswith("Z")
        assert isinstance(events, tuple)
        self.extend(events)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def syncer(
    store: Store,
    journal: Journal,
    saved: Saved | None = None,
    *,
    interval: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> Syncer:
    told = Saved() if saved is None else saved
    return Syncer(store, journal, interval=interval, saved=told, clock=clock)


def in_dataset(store: Store) -> list[str]:
    return sorted(e.event_id for e in read_feedback(store) if isinstance(e, FeedbackEvent))


def ids(events: list[FeedbackEvent]) -> list[str]:
    return sorted(event.event_id for event in events)


def copy(fault: Fault) -> Fault:
    return Fault(**{name: getattr(fault, name) for name in fault.__slots__ if name != "hits"})


def test_a_batch_is_one_commit(hub: HubServer, store: HubStore, journal: Journal) -> None:
    saved = Saved()
    sync = syncer(store, journal, saved)
    before = len(hub.commits(NAME))
    journal.append(EVENTS)
    assert sync.waiting == len(EVENTS)
    sync.flush()
    sync.flush()
    assert len(hub.commits(NAME)) == before + 1
    assert in_dataset(store) == ids(EVENTS) == ids(saved)
    assert journal.pending() is None
    assert sync.saved_at is not None
    assert sync.waiting == 0


FAULTS = [
    Fault("commit", drop=True, applied=True, times=6),
    Fault("commit", status=500, applied=True, times=6),
    Fault("commit", drop=True, times=6),
    Fault("commit", status=412, times=6),
    Fault("commit", status=412, applied=True, times=6),
    Fault("commit", status=429, retry_after=3600),
    Fault("commit", status=429, applied=True),
    Fault("commits", status=503, times=None),
    Fault("info", status=502, times=1),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_after_a_failure_the_next_attempt_adds_each_event_once(
    hub: HubServer, store: HubStore, journal: Journal, fault: Fault
) -> None:
    saved = Saved()
    sync = syncer(store, journal, saved)
    journal.append(EVENTS[:2])
    hub.fail(copy(fault))
    try:
        sync.flush()
    except StoreUnavailable as error:
        assert sync.trouble == str(error)
        assert saved == []
    journal.append(EVENTS[2:])  # people go on meanwhile
    hub.clear_faults()
    sync.flush()
    assert in_dataset(store) == ids(EVENTS)
    assert ids(saved) == ids(EVENTS)
    assert sync.trouble is None


def test_what_was_committed_before_a_kill_is_not_committed_again(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    journal.append(EVENTS[:3])
    hub.fail(Fault("commit", drop=True, applied=True))
    hub.fail(Fault("info", status=503, times=None, skip=1))  # so that nobody learns of it
    with pytest.raises(StoreUnavailable):
        syncer(store, journal).flush()
    hub.clear_faults()
    journal.append(EVENTS[3:])
    journal.abandon()  # killed
    heir = Journal(journal._folder)
    assert heir.take_over() == EVENTS
    saved = Saved()
    syncer(store, heir, saved).flush()
    heir.close()
    assert in_dataset(store) == ids(EVENTS) == ids(saved)


def test_an_outage_and_a_restart_lose_nothing(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    sync = syncer(store, journal)
    journal.append(EVENTS)
    with hub.outage(), pytest.raises(StoreUnavailable):
        sync.stop()
    journal.close()
    heir = Journal(journal._folder)
    heir.take_over()
    syncer(store, heir).flush()
    heir.close()
    assert in_dataset(store) == ids(EVENTS)


def test_a_hub_that_is_silent_holds_up_the_end_only_so_long(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    sync = syncer(store, journal)
    sync.start()
    journal.append(EVENTS)
    fault = hub.fail(Fault("commit", latency=3))
    with pytest.raises(StoreUnavailable, match="in the journal"):
        sync.stop(0.2)
    journal.close()
    assert Journal(journal._folder).take_over() == EVENTS
    while not fault.hits:  # let the server come to its end in peace
        time.sleep(0.01)


def test_a_quota_that_is_used_up_is_waited_for(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    hub.commit_quota = 3  # as many as making the project took
    clock = Clock()
    sync = syncer(store, journal, clock=clock)
    journal.append(EVENTS)
    with pytest.raises(RateLimited):
        sync.flush()
    assert sync._due() >= clock() + 60
    hub.advance(3_601)
    sync.flush()
    assert in_dataset(store) == ids(EVENTS)


@pytest.mark.parametrize("told", [7, 3_600])
def test_the_hub_says_how_long_to_wait(
    hub: HubServer, store: HubStore, journal: Journal, told: int
) -> None:
    clock = Clock()
    sync = syncer(store, journal, interval=1, clock=clock)
    journal.append(EVENTS)
    hub.fail(Fault("commit", status=429, retry_after=told))
    with pytest.raises(RateLimited):
        sync.flush()
    assert sync._due() == clock() + told


def test_an_outage_is_asked_about_ever_less_often_but_every_five_minutes(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    clock = Clock()
    sync = syncer(store, journal, clock=clock)
    pauses = []
    for _ in range(12):
        sync._note(StoreUnavailable("The Hub cannot be reached.", ""))
        pauses.append(sync._due() - clock())
    assert pauses[0] <= 2
    assert max(pauses) <= 300
    assert min(pauses[9:]) >= 150
    assert len(set(pauses)) == len(pauses)


def test_two_servers_on_one_dataset_never_overwrite_each_other(
    store: HubStore, tmp_path: Path
) -> None:
    first, second = Journal(tmp_path / "a"), Journal(tmp_path / "b")
    first.append(EVENTS[:2])
    second.append(EVENTS[2:])
    for journal in (first, second):
        syncer(store, journal).flush()
        journal.close()
    assert in_dataset(store) == ids(EVENTS)
    assert len(store.paths("feedback")) == 2
    assert len(list(load_feedback(store).current())) == 5


def test_two_servers_that_commit_at_once_add_each_event_once(
    hub: HubServer, store: HubStore, tmp_path: Path
) -> None:
    hub.commit_quota = None
    hub.fail(Fault("preupload", latency=0.05, times=None))  # so that their commits cross
    failures: list[Exception] = []

    def serve(number: int) -> None:
        own = HubStore(NAME, token=hub.add_token("ana", "write"), hub=hub.url)
        journal = Journal(tmp_path / str(number))
        sync = syncer(own, journal)
        for turn in range(6):
            journal.append([thumb(a_sample(turn), 0, True, annotator=f"p{number}")])
            for _ in range(5):
                try:
                    sync.flush()
                    break
                except StoreUnavailable as error:
                    failures.append(error)
        journal.close()

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    added = in_dataset(store)
    assert len(added) == len(set(added)) == 12


def test_a_file_of_the_same_name_is_never_written_over(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    journal.append(EVENTS)
    batch = journal.pending()
    assert batch is not None
    hub.write(NAME, {batch.path: b"somebody's\n"})
    sync = syncer(store, journal)
    with pytest.raises(SeedbedError):
        sync.flush()
    sync.flush()
    assert hub.files(NAME)[batch.path] == b"somebody's\n"
    assert in_dataset(store) == ids(EVENTS)


def test_a_large_backlog_goes_in_several_commits_and_within_the_quota(
    hub: HubServer, store: HubStore, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate_space.journal.BATCH_EVENTS", 10)
    events = [thumb(a_sample(number), 0, True) for number in range(95)]
    journal.append(events)
    before = len(hub.commits(NAME))
    syncer(store, journal).flush()
    assert len(hub.commits(NAME)) == before + 10
    assert in_dataset(store) == ids(events)


def test_commits_of_others_count_and_the_rest_of_the_quota_is_left_to_them(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    for number in range(119):
        hub.write(NAME, {"documents/a.txt": b"%d" % number}, user="generation")
    sync = syncer(store, journal)
    journal.append(EVENTS)
    before = len(hub.commits(NAME))
    with pytest.raises(RateLimited, match="nearly what the Hub allows"):
        sync.flush()
    assert len(hub.commits(NAME)) == before
    assert sync.commits_in_last_hour >= 120
    assert sync.waiting == len(EVENTS)


def test_the_thread_commits_what_comes_and_nothing_when_nothing_came(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    saved = Saved()
    sync = syncer(store, journal, saved, interval=0.05)
    sync.start()
    before = len(hub.commits(NAME))
    journal.append(EVENTS[:2])
    wait_for(lambda: len(saved) == 2)
    hub.fail(Fault("commit", drop=True, times=1))
    journal.append(EVENTS[2:])
    wait_for(lambda: len(saved) == len(EVENTS))
    sync.stop()
    assert in_dataset(store) == ids(EVENTS)
    assert len(hub.commits(NAME)) <= before + 4


def test_a_folder_has_no_quota(tmp_path: Path, journal: Journal) -> None:
    store = FolderStore(tmp_path / "project")
    fill(store, [a_sample(0)])
    clock = Clock()
    sync = syncer(store, journal, interval=1, clock=clock)
    for number in range(200):
        journal.append([thumb(a_sample(number), 0, True)])
        sync.flush()
    assert sync._due() == clock() + 1


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
