"""The way from the journal into the dataset, on a Hub that fails in every way it can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate_space.journal import Journal
from annotate_space.sync import HUB_INTERVAL, Syncer
from pipeline.core.errors import RateLimited, StoreUnavailable
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback, read_feedback
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


def syncer(store: HubStore, journal: Journal, saved: list[FeedbackEvent]) -> Syncer:
    return Syncer(store, journal, interval=HUB_INTERVAL, saved=saved.extend)


def in_dataset(store: HubStore) -> list[str]:
    return sorted(e.event_id for e in read_feedback(store) if isinstance(e, FeedbackEvent))


def ids(events: list[FeedbackEvent]) -> list[str]:
    return sorted(event.event_id for event in events)


def test_a_batch_is_one_commit(hub: HubServer, store: HubStore, journal: Journal) -> None:
    saved: list[FeedbackEvent] = []
    sync = syncer(store, journal, saved)
    before = len(hub.commits(NAME))
    journal.append(EVENTS)
    sync.flush()
    sync.flush()
    assert len(hub.commits(NAME)) == before + 1
    assert in_dataset(store) == ids(EVENTS) == ids(saved)
    assert journal.pending() is None
    assert sync.saved_at is not None


@pytest.mark.parametrize(
    "fault",
    [
        Fault("commit", drop=True, applied=True, times=6),
        Fault("commit", status=500, applied=True, times=6),
        Fault("commit", drop=True, times=6),
        Fault("commit", status=429, retry_after=3600),
    ],
    ids=str,
)
def test_after_a_failure_the_next_attempt_adds_each_event_once(
    hub: HubServer, store: HubStore, journal: Journal, fault: Fault
) -> None:
    saved: list[FeedbackEvent] = []
    sync = syncer(store, journal, saved)
    journal.append(EVENTS[:2])
    hub.fail(Fault(**{f: getattr(fault, f) for f in fault.__slots__ if f != "hits"}))
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


def test_an_outage_and_a_restart_lose_nothing(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    sync = syncer(store, journal, [])
    journal.append(EVENTS)
    with hub.outage(), pytest.raises(StoreUnavailable):
        sync.stop()
    journal.close()
    heir = Journal(journal._folder)
    heir.take_over()
    syncer(store, heir, []).flush()
    heir.close()
    assert in_dataset(store) == ids(EVENTS)


def test_a_quota_that_is_used_up_is_waited_for(
    hub: HubServer, store: HubStore, journal: Journal
) -> None:
    hub.commit_quota = 3  # as many as making the project took
    sync = syncer(store, journal, [])
    journal.append(EVENTS)
    with pytest.raises(RateLimited) as caught:
        sync.flush()
    assert sync._pause_after(caught.value) >= HUB_INTERVAL
    hub.advance(3_601)
    sync.flush()
    assert in_dataset(store) == ids(EVENTS)


def test_two_servers_on_one_dataset_never_overwrite_each_other(
    store: HubStore, tmp_path: Path
) -> None:
    first, second = Journal(tmp_path / "a"), Journal(tmp_path / "b")
    first.append(EVENTS[:2])
    second.append(EVENTS[2:])
    for journal in (first, second):
        syncer(store, journal, []).flush()
        journal.close()
    assert in_dataset(store) == ids(EVENTS)
    assert len(store.files("feedback")) == 2
    assert len(list(load_feedback(store).current())) == 5


def test_at_the_usual_pace_two_servers_stay_within_the_quota() -> None:
    assert 2 * 3_600 / HUB_INTERVAL <= 128
