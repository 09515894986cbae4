"""The journal: what was acknowledged is there after any end of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotate_space.journal import Journal
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
    journal.mark(batch.end)
    assert pending(journal) == EVENTS[2:3]


def test_what_a_dead_process_left_is_taken_over_once(open_journal: Open, tmp_path: Path) -> None:
    dead = open_journal(tmp_path)
    dead.append(EVENTS[:2])
    batch = dead.pending()
    assert batch is not None
    dead.mark(batch.end)
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
    journal.mark(batch.end)
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


_WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from annotate_space.journal import Journal
    from tests.factories import a_sample, thumb
    journal = Journal(Path(sys.argv[1]))
    for number in range(100_000):
        event = thumb(a_sample(number), 0, True)
        journal.append([event])
        print(event.event_id, flush=True)
    """
)


def test_kill_9_loses_nothing_that_was_acknowledged(open_journal: Open, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(50)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.stdout.close()
    writer.wait()
    taken = [event.event_id for event in open_journal(tmp_path).take_over()]
    assert set(acknowledged) <= set(taken)
