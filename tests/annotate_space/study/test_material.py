"""What questions about a project are answered from."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate_space.study.material import Material, Reading
from pipeline.core.errors import StoreUnavailable
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill, thumb
from tests.hub_server import HubServer

VOTES = [thumb(a_sample(n), 0, True, who) for n in range(3) for who in ("ana", "bob")]


def lines(count: int) -> bytes:
    return "".join(f"{vote.to_line()}\n" for vote in VOTES[:count]).encode()


class Clock:
    """Seconds, told by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def later(self) -> None:
        """Late enough for another reading."""
        self.now += 5


def people(reading: Reading) -> int:
    return int(reading.judgements.votes.sum())


def test_what_waits_in_the_journal_counts_once(folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.mkdir()
    store = FolderStore(folder)
    fill(store, [a_sample(0)])
    clock = Clock()
    material = Material(store, journal, clock=clock)
    first = material.reading()
    assert (first.number, people(first)) == (1, 0)
    waiting = journal / "x.jsonl"
    waiting.write_bytes(lines(2) + b'{"half a line')
    assert material.reading() is first
    clock.later()
    assert people(material.reading()) == 2
    clock.later()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": lines(2)}, message="Add")
    assert people(material.reading()) == 2
    clock.later()
    waiting.unlink()
    third = material.reading()
    assert people(third) == 2
    clock.later()
    assert material.reading() is third


def test_while_the_hub_is_away_what_was_read_is_used_on(hub: HubServer, tmp_path: Path) -> None:
    store = HubStore("ana/farming", token=hub.add_user("ana", "hf_anatoken1"), hub=hub.url)
    fill(store, [a_sample(0)])
    clock = Clock()
    material = Material(store, tmp_path, clock=clock)
    first = material.reading()
    hub.stop()
    clock.later()
    assert material.reading() is first
    with pytest.raises(StoreUnavailable):
        Material(store, tmp_path).reading()


def test_what_is_made_of_a_reading_is_made_once(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(0)])
    clock = Clock()
    material = Material(store, tmp_path, clock=clock)
    made: list[int] = []

    def make(reading: Reading) -> int:
        made.append(reading.number)
        return reading.number

    assert [material.made("it", make) for _ in range(3)] == [1, 1, 1]
    store.commit({"feedback/2026/01/01/x-000001.jsonl": lines(2)}, message="Add")
    clock.later()
    assert material.made("it", make) == 2
    assert made == [1, 2]
