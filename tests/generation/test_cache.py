"""Answers that were paid for are there again, after a kill too, and hold no secret."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from pipeline.core.errors import StoreUnavailable
from pipeline.generation.cache import CallCache, Reply, request_key

KEY = request_key("http://h/v1", "m", [{"role": "user", "content": "Why?"}], {"temperature": 0.8})
REPLY = Reply("Because. \u202e 🙂 \x00", "stop", 12, None, 1.25)


def test_an_answer_is_there_in_the_next_process(tmp_path: Path) -> None:
    cache = CallCache(tmp_path / "deep" / "calls.sqlite")
    assert cache.get(KEY) is None
    cache.put(KEY, REPLY)
    cache.close()
    again = CallCache(tmp_path / "deep" / "calls.sqlite")
    assert again.get(KEY) == REPLY
    again.forget(KEY)
    assert again.get(KEY) is None
    again.close()


def test_every_part_of_a_request_counts() -> None:
    messages = [{"role": "user", "content": "Why?"}]
    base = ("http://h/v1", "m", messages, {"temperature": 0.8})
    others = [
        ("http://other/v1", "m", messages, {"temperature": 0.8}),
        ("http://h/v1", "n", messages, {"temperature": 0.8}),
        ("http://h/v1", "m", [{"role": "system", "content": "Why?"}], {"temperature": 0.8}),
        ("http://h/v1", "m", messages, {"temperature": 0.9}),
        ("http://h/v1", "m", messages, {"temperature": 0.8, "seed": 1}),
    ]
    keys = {request_key(*parts) for parts in (base, *others)} | {request_key(*base, turn=1)}
    assert len(keys) == 7
    assert request_key(*base) == KEY


def test_a_process_that_is_killed_loses_no_answer_it_was_given(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from pipeline.generation.cache import CallCache, Reply
        cache = CallCache(Path(sys.argv[1]))
        for number in range(1_000_000):
            cache.put(number.to_bytes(4, "big"), Reply(str(number) * 50, "stop", 1, 1))
            print(number, flush=True)
        """
    )
    path = tmp_path / "calls.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    last = [int(writer.stdout.readline()) for _ in range(500)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    cache = CallCache(path)
    for number in range(last + 1):
        kept = cache.get(number.to_bytes(4, "big"))
        assert kept is not None
        assert kept.text == str(number) * 50
    cache.close()


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    CallCache(path).close()

    def write(start: int) -> None:
        cache = CallCache(path)
        for number in range(start, start + 300):
            cache.put(number.to_bytes(4, "big"), REPLY)
        cache.close()

    writers = [threading.Thread(target=write, args=(300 * n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    cache = CallCache(path)
    assert all(cache.get(number.to_bytes(4, "big")) for number in range(1_200))
    cache.close()


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 99]
)
def test_a_damaged_file_is_named_and_never_taken_for_an_empty_one(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "calls.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match=r"calls\.sqlite cannot be used.*remove that file"):
        CallCache(path)
    assert path.read_bytes() == content


def test_an_entry_that_is_damaged_and_a_newer_version_are_told(tmp_path: Path) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    cache._db.execute("INSERT INTO calls VALUES (?, ?)", (KEY, b"rubbish"))
    with pytest.raises(StoreUnavailable):
        cache.get(KEY)
    cache._db.execute("PRAGMA user_version=99")
    cache.close()
    with pytest.raises(StoreUnavailable, match="version 99"):
        CallCache(tmp_path / "calls.sqlite")


def test_a_full_disk_stops_rather_than_pays_twice(tmp_path: Path) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    cache._db.execute("PRAGMA max_page_count=8")
    with pytest.raises(StoreUnavailable, match=r"full.*Make room"):
        for number in range(1_000):
            cache.put(number.to_bytes(4, "big"), Reply(os.urandom(2_000).hex(), None, 1, 1))
    assert cache.get((0).to_bytes(4, "big"))
    cache.close()
