"""The contract of a store, kept by the folder and the Hub alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.errors import Conflict, FileMissing, InvalidInput, ProjectNotFound
from pipeline.core.store import ABSENT, Store, git_oid
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.hub_server import HubServer

Open = Callable[[], Store]


@pytest.fixture(params=["folder", "hub"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same place again and again, as other processes would."""
    if request.param == "folder":
        return lambda: FolderStore(tmp_path / "project")
    hub: HubServer = request.getfixturevalue("hub")
    token = hub.add_user("ana")
    return lambda: HubStore("ana/farming", token=token, hub=hub.url)


@pytest.fixture
def store(open_store: Open) -> Store:
    made = open_store()
    made.create()
    return made


def test_what_is_committed_is_read_back_by_anyone(store: Store, open_store: Open) -> None:
    store.commit({"seed_data.json": b"{}", "samples/r/00000.parquet": b"PAR1\0"}, message="Add")
    other = open_store()
    assert other.exists()
    assert other.can_write()
    assert other.read("seed_data.json").data == b"{}"
    assert [(f.path, f.size) for f in other.files("samples")] == [("samples/r/00000.parquet", 5)]
    assert (other.checkout("samples") / "samples/r/00000.parquet").read_bytes() == b"PAR1\0"


def test_files_are_taken_from_the_disk_and_replaced_by_others_at_once(
    store: Store, tmp_path: Path
) -> None:
    store.commit({"data/kto/a.parquet": b"old", "README.md": b"text"}, message="Add")
    given = tmp_path / "given"
    given.write_bytes(b"PAR1\0" * 500_000)  # more than is read at once
    new = {"data/kto/b.parquet": given}
    for _ in range(2):  # the second time as if the reply had been lost
        store.commit(new, message="Replace", remove=["data/kto/a.parquet", "data/never.parquet"])
        assert store.paths("data") == ["data/kto/b.parquet"]
    assert store.read("data/kto/b.parquet").data == given.read_bytes()
    with pytest.raises(InvalidInput):
        store.commit({}, message="Remove", remove=["../README.md"])


def test_creating_again_changes_nothing(store: Store) -> None:
    store.commit({"seed_data.json": b"{}"}, message="Add")
    store.create()
    assert store.read("seed_data.json").data == b"{}"


def test_a_place_that_is_not_there_says_so(open_store: Open) -> None:
    store = open_store()
    assert not store.exists()
    for use in (
        store.files,
        store.paths,
        store.version,
        lambda: store.read("seed_data.json"),
        lambda: store.checkout("samples"),
        lambda: store.commit({"a": b"x"}, message="Add"),
    ):
        with pytest.raises(ProjectNotFound, match="python -m pipeline init"):
            use()


def test_a_missing_file_and_an_empty_folder(store: Store) -> None:
    with pytest.raises(FileMissing, match=r"project\.json"):
        store.read("project.json")
    assert store.files("samples") == []
    assert not list((store.checkout("samples") / "samples").rglob("*"))


def test_a_guarded_write_succeeds_on_what_was_read(store: Store) -> None:
    store.commit({"seed_data.json": b"1"}, message="Add", expect={"seed_data.json": ABSENT})
    etag = store.read("seed_data.json").etag
    store.commit({"feedback/other.jsonl": b"x"}, message="Somebody votes meanwhile")
    store.commit({"seed_data.json": b"2"}, message="Save", expect={"seed_data.json": etag})
    assert store.read("seed_data.json").data == b"2"


def test_a_guarded_write_is_refused_after_another_change(store: Store, open_store: Open) -> None:
    store.commit({"seed_data.json": b"1"}, message="Add")
    etag = store.read("seed_data.json").etag
    open_store().commit({"seed_data.json": b"theirs"}, message="Save")
    with pytest.raises(Conflict) as caught:
        store.commit(
            {"seed_data.json": b"mine", "README.md": b"mine"},
            message="Save",
            expect={"seed_data.json": etag},
        )
    assert caught.value.path == "seed_data.json"
    assert store.read("seed_data.json").data == b"theirs"
    assert "mine" not in [f.path for f in store.files()]


def test_a_file_that_must_be_new_is_never_overwritten(store: Store) -> None:
    store.commit({"feedback/a.jsonl": b"first"}, message="Add")
    with pytest.raises(Conflict):
        store.commit(
            {"feedback/a.jsonl": b"second"}, message="Add", expect={"feedback/a.jsonl": ABSENT}
        )
    assert store.read("feedback/a.jsonl").data == b"first"


def test_the_same_commit_twice_is_one(store: Store) -> None:
    files = {"samples/r/00000.parquet": b"PAR1\0rows"}
    guard = {"samples/r/00000.parquet": ABSENT}
    store.commit(files, message="Add", expect=guard)
    store.commit(files, message="Add", expect=guard)
    assert store.read("samples/r/00000.parquet").data == b"PAR1\0rows"


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../outside", "a/../../b", "a//b", "./a", "a\\b", ".seedbed/lock"]
)
def test_a_path_outside_the_project_is_refused(store: Store, path: str) -> None:
    with pytest.raises(InvalidInput, match="not a file path inside a project"):
        store.commit({path: b"x"}, message="Add")


def test_many_writers_at_once_lose_nothing(store: Store, open_store: Open) -> None:
    failures: list[Exception] = []

    def write(number: int) -> None:
        try:
            for turn in range(4):
                open_store().commit(
                    {f"feedback/{number}-{turn}.jsonl": b"%d" % number}, message="Add"
                )
        except Exception as error:  # noqa: BLE001 - whatever it is fails the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.files("feedback")) == 24


def test_of_two_guarded_writers_one_wins_and_one_is_told(store: Store, open_store: Open) -> None:
    store.commit({"seed_data.json": b"0"}, message="Add")
    etag = store.read("seed_data.json").etag
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def save(text: bytes) -> None:
        start.wait()
        try:
            open_store().commit(
                {"seed_data.json": text}, message="Save", expect={"seed_data.json": etag}
            )
            outcomes.append("saved")
        except Conflict:
            outcomes.append("told")

    threads = [threading.Thread(target=save, args=(text,)) for text in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["saved", "told"]


def test_an_etag_changes_with_the_content_only(store: Store) -> None:
    store.commit({"a.json": b"1"}, message="Add")
    first = store.read("a.json").etag
    store.commit({"a.json": b"2"}, message="Change")
    assert store.read("a.json").etag != first
    store.commit({"a.json": b"1"}, message="Back")
    assert store.read("a.json").etag == first == git_oid(b"1")


def test_paths_are_those_of_the_files(store: Store, open_store: Open) -> None:
    assert [path for path in store.paths() if not path.startswith(".git")] == []
    assert store.paths("feedback") == []
    store.commit({"feedback/2026/01/01/a.jsonl": b"1", "seed_data.json": b"{}"}, message="Add")
    assert store.paths("feedback") == ["feedback/2026/01/01/a.jsonl"]
    for number in range(3):
        path = f"feedback/2026/0{number + 1}/01/b.jsonl"
        open_store().commit({path: b"2", "feedback.txt": b"%d" % number}, message="Add")
        assert path in store.paths("feedback")
        assert store.paths("feedback") == [file.path for file in store.files("feedback")]
        assert store.paths() == [file.path for file in store.files()]
        assert store.paths("feedback/2026/01") == [f.path for f in store.files("feedback/2026/01")]
    assert store.paths("seed_data.json") == []
    assert store.paths("nowhere/at/all") == []


def test_the_version_changes_with_the_project(store: Store, open_store: Open) -> None:
    store.commit({"seed_data.json": b"1"}, message="Add")
    before = store.version()
    assert store.version() == open_store().version() == before
    store.read("seed_data.json")
    store.checkout("feedback")
    assert store.version() == before
    for path in ("seed_data.json", "feedback/2026/01/01/a.jsonl"):
        open_store().commit({path: b"2"}, message="Change")
        assert store.version() != before
        before = store.version()
