"""What only a folder can go through: crashes, locks, disks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.core import store_folder
from pipeline.core.errors import NotAllowed, StoreUnavailable
from pipeline.core.store_folder import FolderStore

_WRITER = textwrap.dedent(
    """
    import sys
    from pipeline.core.store_folder import FolderStore
    store = FolderStore(sys.argv[1])
    print("ready", flush=True)
    for turn in range(100_000):
        text = str(turn).encode()
        store.commit({"a.txt": text, "deep/b.txt": text}, message="Both or none")
    """
)


@pytest.mark.parametrize("after", [0.05, 0.1, 0.2, 0.3])
def test_a_commit_killed_half_way_is_whole_or_absent(tmp_path: Path, after: float) -> None:
    store = FolderStore(tmp_path)
    store.create()
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    try:
        writer.wait(after)
    except subprocess.TimeoutExpired:
        os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert store.read("a.txt").data == store.read("deep/b.txt").data
    store.commit({"a.txt": b"next"}, message="The lock is free again")
    assert [path.name for path in (tmp_path / ".seedbed").iterdir()] == ["lock"]


def test_a_commit_with_its_manifest_is_finished_by_the_next_reader(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.create()
    store.commit({"a.txt": b"old", "gone.txt": b"old"}, message="Add")
    store._stage({"a.txt": b"new", "b.txt": b"new"}, ["gone.txt"])  # the crash comes right after
    assert FolderStore(tmp_path).read("b.txt").data == b"new"
    assert store.read("a.txt").data == b"new"
    assert store.paths() == ["a.txt", "b.txt"]


def test_a_folder_held_by_another_program_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_folder, "_LOCK_SECONDS", 0.1)
    store = FolderStore(tmp_path)
    store.commit({"a.txt": b"1"}, message="Add")
    with (
        FileLock(tmp_path / ".seedbed" / "lock"),
        pytest.raises(StoreUnavailable, match="Another program"),
    ):
        store.commit({"a.txt": b"2"}, message="Change")
    assert store.read("a.txt").data == b"1"


def test_a_file_where_a_folder_is_needed_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(NotAllowed, match="cannot be written"):
        FolderStore(tmp_path / "taken").create()


@pytest.mark.parametrize(
    ("path", "what"), [("data", "a file where a folder is needed"), ("data/sft/x", "a folder")]
)
def test_what_cannot_be_written_is_refused_before_it_blocks_the_rest(
    tmp_path: Path, path: str, what: str
) -> None:
    store = FolderStore(tmp_path)
    store.commit({"a.txt": b"1"}, message="Add")
    if path == "data":
        (tmp_path / path).write_text("mine")
    else:
        (tmp_path / path).mkdir(parents=True)
    with pytest.raises(NotAllowed, match="cannot be written"):
        store.commit({"a.txt": b"2", "data/sft/x": b"2"}, message=f"There is {what}")
    assert store.read("a.txt").data == b"1"
    store.commit({"a.txt": b"3"}, message="Everything else goes on")
    assert store.read("a.txt").data == b"3"


def test_a_full_disk_says_so_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    store.commit({"a.txt": b"1"}, message="Add")

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_folder, "write_durably", refuse)
    with pytest.raises(StoreUnavailable, match="No space left on device"):
        store.commit({"a.txt": b"2"}, message="Change")
    assert store.read("a.txt").data == b"1"


def test_a_folder_counts_no_commits(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.commit({"a.txt": b"1"}, message="Add")
    assert store.commits_since(3_600) == 0


def test_names_and_the_version_are_told_without_opening_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    store.commit({"a.txt": b"1", "deep/b.txt": b"2"}, message="Add")

    def refuse(path: Path) -> bytes:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert store.paths() == ["a.txt", "deep/b.txt"]
    before = store.version()
    (tmp_path / "deep" / "b.txt").write_text("changed by another tool")
    assert store.version() != before
