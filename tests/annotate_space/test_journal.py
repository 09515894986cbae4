"""The journal: what was acknowledged is there after any end of the process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from annotate_space.journal import Journal
from annotate_space.log import Log
from pipeline.core.errors import StoreUnavailable
from pipeline.core.feedback import FeedbackEvent
from tests.factories import a_sample, thumb

EVENTS = [thumb(a_sample(number), 0, True) for number in range(5)]


Open = Callable[[Path], Journal]


@pytest.fixture
def open_journal() -> Iterator[Open]:
    """Opens journals, each as a process of its own would."""
    opened: list[Journal] = []

    def make(folder: Path) -> Journal:
        opened.append(Journal(folder))
        return opened[-1]

    yield make
    for journal in opened:
        journal.abandon()


def pending(journal: Journal) -> list[FeedbackEvent]:
    batch = journal.pending()
    return [] if batch is None else list(batch.events)


def test_events_are_pending_until_marked(open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert journal.pending() is None
    journal.append(EVENTS[:2])
    batch = journal.pending()
    assert batch is not None
    journal.append(EVENTS[2:3])
    journal.mark(batch)
    assert pending(journal) == EVENTS[2:3]


def test_what_a_dead_process_left_is_taken_over_once(open_journal: Open, tmp_path: Path) -> None:
    dead = open_journal(tmp_path)
    dead.append(EVENTS[:2])
    batch = dead.pending()
    assert batch is not None
    dead.mark(batch)
    dead.append(EVENTS[2:])
    dead.abandon()
    heir = open_journal(tmp_path)
    assert heir.take_over() == EVENTS[2:]
    assert pending(heir) == EVENTS[2:]
    assert heir.take_over() == []


def test_the_journal_of_a_living_process_is_left_alone(open_journal: Open, tmp_path: Path) -> None:
    living = open_journal(tmp_path)
    living.append(EVENTS)
    assert open_journal(tmp_path).take_over() == []
    assert pending(living) == EVENTS


def test_a_finished_journal_leaves_nothing_behind(open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append(EVENTS)
    batch = journal.pending()
    assert batch is not None
    journal.mark(batch)
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_journal_takes_nothing_more(open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.close()
    with pytest.raises(StoreUnavailable, match="stopping"):
        journal.append(EVENTS)


def test_an_unfinished_journal_is_kept_at_closing(open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append(EVENTS)
    journal.close()
    assert open_journal(tmp_path).take_over() == EVENTS


def test_a_torn_last_line_is_kept_for_a_person_and_the_rest_is_taken(
    open_journal: Open, tmp_path: Path
) -> None:
    lines = "".join(event.to_line() + "\n" for event in EVENTS)
    (tmp_path / "dead.jsonl").write_text(lines + EVENTS[0].to_line()[:50])
    heir = open_journal(tmp_path)
    assert heir.take_over() == EVENTS
    assert [bad.number for bad in heir.unreadable] == [6]
    assert (tmp_path / "dead.damaged").exists()


def test_an_unreadable_mark_means_all_again(open_journal: Open, tmp_path: Path) -> None:
    (tmp_path / "dead.jsonl").write_text(EVENTS[0].to_line() + "\n")
    (tmp_path / "dead.synced").write_text("")
    assert open_journal(tmp_path).take_over() == EVENTS[:1]


def test_a_disk_that_refuses_leaves_no_half_line(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    journal.append(EVENTS[:1])

    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(StoreUnavailable, match="No space left"):
            journal.append(EVENTS[1:2])
    journal.append(EVENTS[2:3])
    assert pending(journal) == [EVENTS[0], EVENTS[2]]


def test_a_disk_that_refuses_refuses_those_who_wrote_and_nobody_else(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    refused: list[str] = []
    kept: list[str] = []
    real = os.fsync
    writes = iter(range(10**6))

    def sometimes(handle: int) -> None:
        if next(writes) % 3 == 1:
            raise OSError(28, "No space left on device")
        real(handle)

    def write(number: int) -> None:
        for turn in range(20):
            event = thumb(a_sample(number * 100 + turn), 0, True)
            try:
                journal.append([event])
            except StoreUnavailable:
                refused.append(event.event_id)
            else:
                kept.append(event.event_id)

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", sometimes)
        at_once([partial(write, number) for number in range(8)])
    assert refused
    assert kept
    assert sorted(event.event_id for event in pending(journal)) == sorted(kept)
    assert journal.waiting == len(kept)


def test_what_cannot_be_cut_off_is_cut_off_before_the_next_write(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        broken.setattr(os, "ftruncate", refuse)
        with pytest.raises(StoreUnavailable, match="Input/output"):
            journal.append(EVENTS)
    assert journal.pending() is None
    journal.append(EVENTS[:1])
    journal.abandon()
    assert open_journal(tmp_path).take_over() == EVENTS[:1]


def test_callers_that_come_while_the_disk_is_busy_share_one_write(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    real = os.fsync
    first, free = threading.Event(), threading.Event()
    synced = []

    def slow(handle: int) -> None:
        first.set()
        assert free.wait(20)
        synced.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", slow)
    events = [thumb(a_sample(number), 0, True) for number in range(50)]

    def release() -> None:
        assert first.wait(20)
        while len(journal._queue) < len(events) - 1:
            pass
        free.set()

    at_once([release, *(partial(journal.append, [event]) for event in events)])
    assert len(synced) == 2
    assert len(pending(journal)) == len(events)


def test_a_batch_is_never_larger_than_a_commit_should_be(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = len(EVENTS[0].to_line().encode()) + 1
    for name, limit, size in (("BATCH_BYTES", 2 * line + 10, 2), ("BATCH_EVENTS", 3, 3)):
        monkeypatch.undo()
        monkeypatch.setattr("annotate_space.journal." + name, limit)
        journal = open_journal(tmp_path / name)
        journal.append(EVENTS)
        drained: list[FeedbackEvent] = []
        while batch := journal.pending():
            assert 0 < len(batch.events) <= size
            drained += batch.events
            journal.mark(batch)
        assert drained == EVENTS
        assert journal.waiting == 0


def test_a_batch_keeps_its_name_and_content_until_it_is_marked(
    open_journal: Open, tmp_path: Path
) -> None:
    dead = open_journal(tmp_path)
    dead.append(EVENTS[:2])
    batch = dead.pending()
    dead.append(EVENTS[2:])
    assert dead.pending() == batch
    dead.abandon()
    heir = open_journal(tmp_path)
    assert heir.take_over() == EVENTS
    assert heir.pending() == batch
    assert batch is not None
    heir.mark(batch)
    rest = heir.pending()
    assert rest is not None
    assert rest.path != batch.path
    assert list(rest.events) == EVENTS[2:]
    heir.mark(rest)
    heir.close()
    assert list(tmp_path.iterdir()) == []


def test_without_a_readable_state_no_name_is_used_twice(open_journal: Open, tmp_path: Path) -> None:
    dead = open_journal(tmp_path)
    dead.append(EVENTS)
    batch = dead.pending()
    assert batch is not None
    dead.abandon()
    for state in ("", "{}", "17", '{"label": "x", "done": 10000000}'):
        (tmp_path / f"{dead.instance}.synced").write_text(state)
        heir = open_journal(tmp_path)
        heir.take_over()
        again = heir.pending()
        assert again is not None
        assert again.path != batch.path
        heir.abandon()


def test_a_log_that_has_grown_is_followed_by_another_and_removed(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate_space.journal.LOG_BYTES", 1)
    journal = open_journal(tmp_path)
    drained: list[FeedbackEvent] = []
    paths = set()
    for event in EVENTS:
        journal.append([event])
    assert len(list(tmp_path.glob("*.jsonl"))) == len(EVENTS)
    while batch := journal.pending():
        drained += batch.events
        paths.add(batch.path)
        assert batch.path.rpartition("/")[2].startswith(journal.instance)
        journal.mark(batch)
    assert drained == EVENTS
    assert len(paths) == len(EVENTS)
    assert len(list(tmp_path.glob("*.jsonl"))) == 1


def test_a_folder_that_is_emptied_gets_everything_again_that_is_not_in_the_dataset(
    open_journal: Open, tmp_path: Path
) -> None:
    folder = tmp_path / "journal"
    journal = open_journal(folder)
    journal.append(EVENTS[:2])
    batch = journal.pending()
    assert batch is not None
    journal.mark(batch)
    journal.append(EVENTS[2:3])
    shutil.rmtree(folder)
    journal.append(EVENTS[3:])
    assert pending(journal) == EVENTS[2:]
    assert open_journal(folder).take_over() == []  # it is locked as before
    journal.abandon()
    assert open_journal(folder).take_over() == EVENTS[2:]


def test_a_log_is_not_dropped_that_got_events_while_it_was_looked_at(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    journal.append(EVENTS[:1])
    batch = journal.pending()
    assert batch is not None
    journal.mark(batch)
    monkeypatch.setattr("annotate_space.journal.LOG_BYTES", 1)
    between = [EVENTS[1:2], EVENTS[2:3]]  # the first may still go into this log, the second not

    class LookedAt(Log):
        """A log that gets events right after somebody saw its end."""

        def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
            seen = super().__getattribute__(name)
            if name == "end" and between and threading.current_thread() is threading.main_thread():
                monkeypatch.setattr("annotate_space.journal.LOG_BYTES", 10**9)
                append(between.pop(0))
                monkeypatch.setattr("annotate_space.journal.LOG_BYTES", 1)
                append(between.pop(0))
            return seen

    def append(events: list[FeedbackEvent]) -> None:
        thread = threading.Thread(target=journal.append, args=(events,))
        thread.start()
        thread.join(10)

    journal._current.__class__ = LookedAt
    journal.pending()
    committed: list[FeedbackEvent] = []
    while batch := journal.pending():
        committed += batch.events
        journal.mark(batch)
    assert committed == EVENTS[1:3]


def test_another_name_is_chosen_where_there_is_a_file_of_that_name(
    open_journal: Open, tmp_path: Path
) -> None:
    journal = open_journal(tmp_path)
    journal.append(EVENTS)
    batch = journal.pending()
    assert batch is not None
    journal.rename(batch)
    other = journal.pending()
    assert other is not None
    assert other.path != batch.path
    assert other.data == batch.data
    assert journal.pending() == other


_WRITER = textwrap.dedent(
    """
    import sys, threading
    from pathlib import Path
    from annotate_space.journal import Journal
    from tests.factories import a_sample, thumb
    journal = Journal(Path(sys.argv[1]))
    say = threading.Lock()
    def write(thread):
        for number in range(100_000):
            event = thumb(a_sample(1_000_000 * thread + number), 0, True)
            journal.append([event])
            with say:
                print(event.event_id, flush=True)
    for thread in range(int(sys.argv[2])):
        threading.Thread(target=write, args=(thread,)).start()
    """
)


@pytest.mark.parametrize("threads", [1, 16])
def test_kill_9_loses_nothing_that_was_acknowledged(
    open_journal: Open, tmp_path: Path, threads: int
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path), str(threads)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(50 * threads)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += writer.stdout.read().split("\n")[:-1]
    writer.stdout.close()
    writer.wait()
    heir = open_journal(tmp_path)
    taken = [event.event_id for event in heir.take_over()]
    assert set(acknowledged) <= set(taken)
    assert len(taken) == len(set(taken)) <= len(acknowledged) + threads
    assert len(heir.unreadable) <= 1


def at_once(calls: list[Callable[[], None]]) -> None:
    """Make all calls, each in a thread of its own; what one raises fails the test."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()
