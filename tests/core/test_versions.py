"""Every save keeps a version, in a folder and on the Hub alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core import layout, versions
from pipeline.core.errors import Conflict, InvalidInput
from pipeline.core.projects import load_seed, make_project, save_seed
from pipeline.core.schema import Project, Seed
from pipeline.core.store import Content, Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.deploy import copy_project
from tests.factories import a_seed
from tests.hub_server import HubServer


@pytest.fixture(params=["folder", "hub"])
def store(request: pytest.FixtureRequest, folder: Path, hub: HubServer) -> Store:
    made: Store = FolderStore(folder)
    if request.param == "hub":
        made = HubStore("ana/farm", token=hub.add_user("ana"), hub=hub.url)
    made.create()
    return made


def save(store: Store, by: str = "", restored_from: str = "", **changes: object) -> Seed:
    saved = load_seed(store)
    seed = saved.seed.model_copy(update=changes)
    save_seed(store, seed, expect=saved.etag, message="S", by=by, restored_from=restored_from)
    return seed


def lines(store: Store, **page: int) -> list[versions.Entry]:
    return list(versions.history(store, load_seed(store).seed, **page).entries)


def test_each_save_is_kept_with_who_and_what(store: Store) -> None:
    make_project(store, a_seed(), Project())
    first = versions.names(store)
    save(store, by="ana", domain="Second", topics=["One"])
    save(store, by="bob", restored_from=first[0], domain=a_seed().domain, topics=a_seed().topics)
    told = [(e.saved_by, e.changed, e.restored_from, e.outside) for e in lines(store)]
    assert told[:2] == [
        ("bob", ("domain", "topics"), first[0], False),
        ("ana", ("domain", "topics"), "", False),
    ]
    assert "examples" in told[2][1]
    assert versions.names(store)[-1:] == first
    assert versions.read_version(store, first[0]).seed == a_seed()
    last = versions.last_saved(store, load_seed(store).seed)
    assert last is not None
    assert last.saved_by == "bob"


def test_a_version_and_its_seed_are_one_commit(hub: HubServer) -> None:
    store = HubStore("ana/farm", token=hub.add_user("ana"), hub=hub.url)
    make_project(store, a_seed(), Project())
    before = len(hub.commits("ana/farm"))
    save(store, domain="Second")
    assert len(hub.commits("ana/farm")) == before + 1


def test_an_empty_project_has_no_version_and_saving_nothing_new_makes_none(store: Store) -> None:
    make_project(store, Seed(), Project())
    assert lines(store) == []
    save(store, domain="First")
    save(store, domain="First")
    assert len(lines(store)) == 1


def test_who_comes_too_late_writes_nothing(store: Store) -> None:
    make_project(store, a_seed(), Project())
    old = load_seed(store)
    save(store, domain="Theirs")
    files = store.paths()
    with pytest.raises(Conflict):
        save_seed(store, Seed(domain="Mine"), expect=old.etag, message="S")
    assert store.paths() == files


def test_names_follow_the_order_of_saving_whatever_the_clock_says(
    folder: Path,
) -> None:
    store = FolderStore(folder)
    make_project(store, Seed(domain="0"), Project())
    name = versions.names(store)[0]
    future = f"2999{name[4:]}"
    (folder / layout.seed_version(name)).rename(folder / layout.seed_version(future))
    for number in range(1, 6):
        save(store, domain=str(number))
    newest = [versions.read_version(store, name).seed.domain for name in versions.names(store)]
    assert newest == ["5", "4", "3", "2", "1", "0"]


def test_what_was_changed_outside_is_told_and_kept(store: Store) -> None:
    make_project(store, a_seed(), Project())
    outside = a_seed().model_copy(update={"domain": "By hand", "unknown": 1})
    store.commit({layout.SEED: outside.to_json()}, message="By hand")
    page = versions.history(store, load_seed(store).seed)
    assert page.outside == ("domain", "other")
    assert len(page.entries) == 1
    assert versions.last_saved(store, load_seed(store).seed) is None
    save(store, by="ana", description="New words.")
    page = versions.history(store, load_seed(store).seed)
    assert page.outside == ()
    assert [(e.saved_by, e.changed, e.outside) for e in page.entries[:2]] == [
        ("ana", ("description",), False),
        ("", ("domain", "other"), True),
    ]
    kept = versions.read_version(store, page.entries[1].name).seed
    assert kept == Seed.from_json(outside.to_json())


def test_a_seed_from_elsewhere_is_kept_when_it_is_first_saved_over(folder: Path) -> None:
    folder.mkdir()
    old = {"domain": "farming", "topics": ["land"], "perspectives": ["Agribusiness"]}
    (folder / layout.SEED).write_text(json.dumps(old))
    store = FolderStore(folder)
    assert versions.history(store, load_seed(store).seed).outside == (
        "domain",
        "topics",
        "perspectives",
    )
    save(store, domain="Farming")
    newest, before = lines(store)
    assert (newest.changed, before.outside) == (("domain",), True)
    assert versions.read_version(store, before.name).seed.domain == "farming"


def test_pages_follow_each_other_and_read_one_version_each(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, Seed(domain="0"), Project())
    for number in range(1, 45):
        save(store, domain=str(number))
    current = load_seed(store).seed
    read: list[str] = []

    class Counting(FolderStore):
        def read(self, path: str) -> Content:
            read.append(path)
            return super().read(path)

    counting = Counting(folder)
    pages = [versions.history(counting, current, start) for start in (0, 20, 40)]
    assert [len(page.entries) for page in pages] == [20, 20, 5]
    assert [page.more for page in pages] == [True, True, False]
    assert [e.name for page in pages for e in page.entries] == versions.names(store)
    assert len(read) == 3


def test_the_hub_is_not_asked_once_for_each_version(hub: HubServer) -> None:
    token = hub.add_user("ana")
    store = HubStore("ana/farm", token=token, hub=hub.url)
    make_project(store, Seed(domain="0"), Project())
    asked = []
    for number in range(1, 9):
        save(store, domain=str(number))
        fresh = HubStore("ana/farm", token=token, hub=hub.url)
        current = load_seed(store).seed
        before = len(hub.requests)
        assert len(versions.history(fresh, current).entries) == number + 1
        asked.append(len(hub.requests) - before)
    assert len(set(asked)) == 1
    assert asked[0] <= 8


def test_a_version_that_cannot_be_read_is_told_and_hides_nothing(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, Seed(domain="0"), Project())
    save(store, domain="1")
    newest, oldest = versions.names(store)
    (folder / layout.seed_version(newest)).write_text("{broken")
    for strange in ("notes.txt", "x.json", "99999999T999999Z-0000000000000000.json"):
        (folder / layout.SEEDS / strange).write_text("{}")
    told = lines(store)
    assert [(e.name, e.readable) for e in told] == [(newest, False), (oldest, True)]
    assert told[0].saved_at[:4].isdigit()
    with pytest.raises(InvalidInput, match="is not JSON"):
        versions.read_version(store, newest)
    for name in ("../project", "x", newest[:-1] + "g"):
        with pytest.raises(InvalidInput):
            versions.read_version(store, name)
    save(store, domain="2")  # and what was in seed_data.json is not lost
    assert [e.outside for e in lines(store)] == [False, True, False, False]


def test_a_copy_takes_the_history_along(folder: Path, hub: HubServer) -> None:
    source = FolderStore(folder)
    make_project(source, a_seed(), Project())
    save(source, by="ana", domain="Second")
    target = HubStore("ana/farm", token=hub.add_user("ana"), hub=hub.url)
    copy_project(source, target)
    assert lines(target) == lines(source)
