"""The process that studies the project: asked, killed, let go, and gone with its server."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotate_space.study.process import MOST_WAITING, Study
from pipeline.core.errors import (
    Conflict,
    InvalidInput,
    ProjectNotFound,
    RateLimited,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill, thumb
from tests.hub_server import HubServer
from tests.spaces import ROOT


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """What waits for the dataset."""
    place = tmp_path / "journal"
    place.mkdir()
    return place


@pytest.fixture
def settings(folder: Path) -> Settings:
    """Of a project with two samples."""
    fill(FolderStore(folder), [a_sample(0), a_sample(1)])
    return Settings(project=str(folder))


@pytest.fixture
def study(settings: Settings, journal: Path) -> Iterator[Study]:
    """Nothing was asked yet."""
    made = Study(settings, journal)
    yield made
    made.close()


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def state(pid: int) -> str:
    """``T`` is stopped; one that has ended is ``Z`` until it is waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def runs(pid: int) -> bool:
    return state(pid) != "Z"


def test_it_lives_through_everything_and_ends_with_close(study: Study, journal: Path) -> None:
    """One process for all of it, as each takes a second to start."""
    assert study.pid is None
    votes = [thumb(a_sample(0), 0, True, who) for who in ("ana", "bob")]
    lines = "".join(f"{vote.to_line()}\n" for vote in votes)
    (journal / "x.jsonl").write_text(lines + '{"half')
    found = study.ask("figures")
    assert (found["votes"], found["people"], found["samples"]) == (2, 2, 2)
    assert study.ask("figures") == found
    first = study.pid
    assert first is not None

    with pytest.raises(SeedbedError, match="could not be worked out: KeyError"):
        study.ask("whatever")
    assert study.pid == first

    os.kill(first, signal.SIGKILL)
    until(lambda: study.pid is None)
    assert study.ask("figures") == found
    second = study.pid
    assert second is not None

    os.kill(second, signal.SIGSTOP)
    until(lambda: state(second) == "T")
    failed: list[SeedbedError] = []

    def wait() -> None:
        try:
            study.ask("figures")
        except SeedbedError as error:
            failed.append(error)

    waiting = [threading.Thread(target=wait) for _ in range(MOST_WAITING)]
    for each in waiting:
        each.start()
    until(lambda: study._places._value == 0)
    with pytest.raises(StoreUnavailable, match="Others are waiting"):
        study.ask("figures")
    study.close()
    for each in waiting:
        each.join(10)
    assert [type(error) for error in failed] == [StoreUnavailable] * MOST_WAITING
    until(lambda: not runs(second))
    with pytest.raises(StoreUnavailable, match="stopping"):
        study.ask("figures")


def test_who_cannot_wait_finds_the_answer_later_and_it_ends_when_nobody_asks(
    settings: Settings, journal: Path
) -> None:
    study = Study(settings, journal, patience=0.001, idle=0.3)
    with pytest.raises(StoreUnavailable, match="still being worked out"):
        study.ask("figures")
    time.sleep(0.4)  # it is not let go while it is at something
    first = study.pid
    study._patience = 20
    assert study.ask("figures")["samples"] == 2
    assert study.pid == first is not None
    until(lambda: study.pid is None)
    study.close()


def test_what_is_printed_is_no_answer_and_a_killed_server_leaves_nothing(
    settings: Settings, journal: Path, tmp_path: Path
) -> None:
    """A server that is killed at once cannot end its process; that ends by itself."""
    code = f"""
import pickle, sys
sys.path.insert(0, {str(ROOT)!r})
from annotate_space.study import process
process._START = process._START.replace("main()", {NOISY!r})
study = process.Study(*pickle.loads({pickle.dumps((settings, journal))!r}))
print(study.ask("figures")["samples"], study.pid, flush=True)
sys.stdin.read()
"""
    errors = tmp_path / "errors"
    with errors.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    assert server.stdout is not None
    samples, pid = map(int, server.stdout.readline().split())
    assert samples == 2
    assert "noise from C" in errors.read_text()
    assert "noise from Python" in errors.read_text()
    assert runs(pid)
    server.kill()
    server.communicate()
    until(lambda: not runs(pid))


NOISY = """
import os
from annotate_space.study import child, figures
def noisy(material, payload):
    print('noise from Python', flush=True)
    os.write(1, b'noise from C')
    return figures.figures(material, payload)
child.ANSWERS['figures'] = noisy
main()
"""


def test_a_project_that_cannot_be_read_is_told_until_it_can(
    hub: HubServer, journal: Path, tmp_path: Path
) -> None:
    token = hub.add_user("ana", "hf_anatoken1")
    settings = Settings(
        project="ana/farming", hf_token=token, hub=hub.url, work_dir=tmp_path / "work"
    )
    study = Study(settings, journal)
    with pytest.raises(ProjectNotFound):
        study.ask("figures")
    store = HubStore("ana/farming", token=token, hub=hub.url)
    fill(store, [a_sample(0)])
    assert study.ask("figures")["samples"] == 1
    study.close()


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput("It is wrong.", "Mend it."),
        Conflict("project.json"),
        RateLimited("The Hub asks to wait.", 12.5),
        RateLimited("The Hub asks to wait.", None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_in_another_process(error: SeedbedError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
