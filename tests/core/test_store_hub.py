"""What only the Hub can do to a commit: lose its reply, refuse it, ask to wait, go away."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import unquote

import pytest

from pipeline.core.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    ProjectNotFound,
    RateLimited,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.store import ABSENT
from pipeline.core.store_hub import HubStore
from tests.hub_server import Fault, HubServer
from tests.loopback import Loopback

NAME = "ana/farming"


@pytest.fixture
def store(hub: HubServer) -> HubStore:
    made = HubStore(NAME, token=hub.add_user("ana", "hf_ana"), hub=hub.url)
    made.create()
    return made


@pytest.mark.parametrize(
    "fault",
    [
        Fault("commit", drop=True),
        Fault("commit", drop=True, applied=True),
        Fault("commit", status=500, applied=True),
        Fault("commit", status=503),
        Fault("preupload", drop=True),
        Fault("paths_info", status=502),
        Fault("commit", latency=0.3),
    ],
    ids=str,
)
def test_a_commit_goes_in_exactly_once(hub: HubServer, store: HubStore, fault: Fault) -> None:
    before = len(hub.commits(NAME))
    hub.fail(Fault(**{f: getattr(fault, f) for f in fault.__slots__ if f != "hits"}))
    path = "feedback/2026/01/01/x-000001.jsonl"
    try:
        store.commit({path: b"{}\n"}, message="Add", expect={path: ABSENT})
    except StoreUnavailable:
        store.commit({path: b"{}\n"}, message="Add", expect={path: ABSENT})
    assert hub.files(NAME)[path] == b"{}\n"
    assert len(hub.commits(NAME)) == before + 1


def test_a_412_for_another_file_is_tried_again(hub: HubServer, store: HubStore) -> None:
    store.commit({"seed_data.json": b"1"}, message="Add")
    etag = store.read("seed_data.json").etag
    hub.fail(Fault("commit", status=412))
    store.commit({"seed_data.json": b"2"}, message="Save", expect={"seed_data.json": etag})
    assert hub.files(NAME)["seed_data.json"] == b"2"


def test_a_change_between_look_and_commit_is_not_overwritten(
    hub: HubServer, store: HubStore
) -> None:
    store.commit({"seed_data.json": b"1"}, message="Add")
    etag = store.read("seed_data.json").etag
    hub.fail(Fault("preupload", latency=0.5))

    import threading

    other = threading.Timer(0.2, lambda: hub.write(NAME, {"seed_data.json": b"theirs"}))
    other.start()
    with pytest.raises(Conflict):
        store.commit({"seed_data.json": b"mine"}, message="Save", expect={"seed_data.json": etag})
    other.join()
    assert hub.files(NAME)["seed_data.json"] == b"theirs"


@pytest.mark.parametrize("retry_after", [None, 3600])
def test_a_429_is_passed_on_without_waiting(
    hub: HubServer, store: HubStore, retry_after: int | None
) -> None:
    hub.fail(Fault("commit", status=429, retry_after=retry_after))
    started = time.monotonic()
    with pytest.raises(RateLimited) as caught:
        store.commit({"a.txt": b"1"}, message="Add")
    assert time.monotonic() - started < 5
    assert caught.value.retry_after == retry_after


def test_an_hour_to_wait_for_a_preupload_is_refused(hub: HubServer, store: HubStore) -> None:
    hub.fail(Fault("preupload", status=429, retry_after=3600))
    started = time.monotonic()
    with pytest.raises(RateLimited):
        store.commit({"a.txt": b"1"}, message="Add")
    assert time.monotonic() - started < 5


def test_writing_what_is_there_makes_no_commit(hub: HubServer, store: HubStore) -> None:
    store.commit({"a.txt": b"1"}, message="Add")
    before = len(hub.commits(NAME))
    store.commit({"a.txt": b"1"}, message="Add")
    assert len(hub.commits(NAME)) == before


def test_a_read_during_an_outage_fails_instead_of_serving_an_old_copy(
    hub: HubServer, store: HubStore
) -> None:
    store.commit({"seed_data.json": b"1", "samples/r/0.parquet": b"PAR1\0"}, message="Add")
    store.read("seed_data.json")
    store.checkout("samples")
    with hub.outage():
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            store.read("seed_data.json")
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            store.checkout("samples")


def test_a_checkout_that_breaks_off_is_an_error(hub: HubServer, store: HubStore) -> None:
    store.commit({"samples/r/0.parquet": b"PAR1\0", "seed_data.json": b"{}"}, message="Add")
    store.read("seed_data.json")  # so that a partial snapshot of this commit is in the cache
    hub.fail(Fault("info", drop=True, skip=1, times=None))
    hub.fail(Fault("tree", drop=True, skip=1, times=None))
    with pytest.raises(StoreUnavailable):
        store.checkout("samples")


def test_the_repository_is_private(hub: HubServer, store: HubStore) -> None:
    assert hub.repo(NAME).visibility == "private"
    with pytest.raises(ProjectNotFound, match=r"or it is private .* set HF_TOKEN"):
        HubStore(NAME, token=None, hub=hub.url).read("seed_data.json")


def test_a_wrong_token_says_so(hub: HubServer, store: HubStore) -> None:
    bad = HubStore(NAME, token="hf_wrong", hub=hub.url)
    for use in (bad.exists, bad.can_write, bad.create, lambda: bad.read("seed_data.json")):
        with pytest.raises(NotSignedIn, match="does not accept this token"):
            use()


def test_a_read_only_token_may_read_but_not_write(hub: HubServer, store: HubStore) -> None:
    store.commit({"seed_data.json": b"{}"}, message="Add")
    reader = HubStore(NAME, token=hub.add_token("ana", "read"), hub=hub.url)
    assert reader.read("seed_data.json").data == b"{}"
    assert not reader.can_write()
    with pytest.raises(NotAllowed, match="write permission"):
        reader.commit({"seed_data.json": b"2"}, message="Save")
    assert hub.files(NAME)["seed_data.json"] == b"{}"


@pytest.mark.parametrize(
    ("role", "may", "surely"),
    [
        ("admin", True, True),
        ("write", True, True),
        ("contributor", True, False),
        ("read", False, False),
        (None, True, False),
    ],
)
def test_a_member_of_an_organisation_may_write_by_their_role(
    hub: HubServer, role: str | None, may: bool, surely: bool
) -> None:
    token = hub.add_user("di", orgs=["growers"], org_role=role)
    member = HubStore("growers/farming", token=token, hub=hub.url)
    assert (member.can_write(), member.surely_writes()) == (may, surely)
    reader = HubStore("growers/farming", token=hub.add_token("di", "read"), hub=hub.url)
    assert not reader.can_write()
    assert not reader.surely_writes()
    assert not HubStore("growers/farming", token=None, hub=hub.url).surely_writes()


def test_a_stranger_does_not_see_a_private_project(hub: HubServer, store: HubStore) -> None:
    stranger = HubStore(NAME, token=hub.add_user("bob"), hub=hub.url)
    assert not stranger.exists()
    assert not stranger.can_write()


@pytest.mark.parametrize("name", ["", "farming", "a/b/c", "a/..", "https://x/y", "a b/c", "ä/b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="names no project"):
        HubStore(name, token=None, hub="http://127.0.0.1:9")


def test_a_page_in_place_of_the_hub_says_so() -> None:
    async def page(scope: object, receive: object, send: Any) -> None:  # noqa: ANN401
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<html>Maintenance</html>"})

    proxy = Loopback(page)
    proxy.start()
    store = HubStore(NAME, token="hf_x", hub=f"http://127.0.0.1:{proxy.port}")
    for use in (store.exists, lambda: store.commit({"a": b"1"}, message="Add")):
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            use()
    proxy.stop()


def test_an_unreachable_hub_says_so() -> None:
    store = HubStore(NAME, token="hf_x", hub="http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable, match="cannot be reached for ana/farming"):
        store.exists()


def test_commits_of_the_last_hour_are_counted_as_far_as_needed(
    hub: HubServer, store: HubStore
) -> None:
    hub.page_size = 10
    now = time.time()
    hub.clock = lambda: now - 7_200
    for number in range(40):
        hub.write(NAME, {"a.txt": b"old %d" % number})
    hub.clock = lambda: now - 60
    for number in range(25):
        hub.write(NAME, {"a.txt": b"new %d" % number}, user="somebody else")
    hub.clear_requests()
    # the first commit, which made the repository, was made at the present
    assert store.commits_since(3_600) == 25
    assert [request.operation for request in hub.requests] == ["commits"] * 3
    assert store.commits_since(10) == 0


def test_the_version_costs_one_small_request(hub: HubServer, store: HubStore) -> None:
    hub.clear_requests()
    assert store.version() == hub.head(NAME)
    assert [(request.operation, request.query) for request in hub.requests] == [
        ("info", "expand=sha")
    ]


def test_only_folders_that_changed_are_listed_again(hub: HubServer, store: HubStore) -> None:
    days = {f"feedback/2026/{m:02}/{d:02}/a.jsonl": b"1" for m in (1, 2) for d in range(1, 29)}
    store.commit(days, message="Add")
    assert len(store.paths("feedback")) == 56

    def asked() -> list[str]:
        hub.clear_requests()
        assert store.paths("feedback") == [file.path for file in store.files("feedback")]
        trees = [request for request in hub.requests if request.operation == "tree"]
        return [unquote(r.path.partition("/tree/")[2]).partition("/")[2] for r in trees][:-1]

    assert asked() == []
    hub.write(NAME, {"samples/r/0.parquet": b"PAR1"})
    assert asked() == [""]
    hub.write(NAME, {"feedback/2026/02/28/b.jsonl": b"2", "feedback/2025/12/31/late.jsonl": b"3"})
    assert sorted(asked()) == [
        "",
        "feedback",
        "feedback/2025",
        "feedback/2025/12",
        "feedback/2025/12/31",
        "feedback/2026",
        "feedback/2026/02",
        "feedback/2026/02/28",
    ]


def test_what_can_be_done_about_a_token_is_told_to_everybody(hub: HubServer) -> None:
    for store in (
        HubStore(NAME, token="hf_wrong", hub=hub.url),
        HubStore(NAME, token=None, hub=hub.url),
    ):
        with pytest.raises(SeedbedError) as caught:
            store.version()
        for words in ("sign in", "on a command line", "hf auth login", "secret HF_TOKEN"):
            assert words in str(caught.value)
