"""What the sections play on: a project on a loopback Hub, the Space, the annotators."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import urlopen

from pipeline.core import invitations, layout
from pipeline.core.feedback import FeedbackEvent, parse
from pipeline.core.projects import make_project
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Project
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.benchmarks.annotating.annotators import Work
from tests.benchmarks.annotating.wire import Connection
from tests.benchmarks.processes import Failed, resident_mb
from tests.factories import a_sample, a_seed
from tests.hub_server import HubServer
from tests.spaces import ROOT, free_port

NAME: Final = "bench/farming"
_SHARD: Final = 5_000
_START: Final = 90.0


@dataclass(frozen=True, slots=True)
class Waits:
    """How long calls took, in milliseconds."""

    calls: int
    p50: float
    p95: float
    p99: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Self:
        """The quantiles of at least one sample."""
        ranked = sorted(samples)

        def at(share: float) -> float:
            return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 1)

        return cls(len(ranked), at(0.5), at(0.95), at(0.99), round(ranked[-1], 1))


def fill(store: Store, samples: int, project: Project) -> None:
    """Make a project with so many samples of two completions each."""
    make_project(store, a_seed(), project)
    shards = {
        layout.sample_shard("run", start // _SHARD): to_parquet(
            [a_sample(number) for number in range(start, min(start + _SHARD, samples))]
        )
        for start in range(0, samples, _SHARD)
    }
    store.commit(shards, message=f"Add {samples} samples")


def a_project(*tasks: str, **settings: object) -> Project:
    """A project that asks for these tasks."""
    project = Project()
    annotation = {**project.annotation.model_dump(), "tasks": list(tasks), **settings}
    return project.model_copy(
        update={"annotation": type(project.annotation).model_validate(annotation)}
    )


class Hub:
    """A loopback Hub with a project on it."""

    def __init__(self, folder: Path, samples: int, project: Project) -> None:
        self.server = HubServer()
        self._folder = folder
        self._samples = samples
        self._project = project

    def __enter__(self) -> Self:
        self.server.start()
        self.token = self.server.add_user(NAME.partition("/")[0])
        self.store = HubStore(NAME, token=self.token, hub=self.server.url)
        fill(self.store, self._samples, self._project)
        self.made = len(self.server.commits(NAME))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, trace)

    def space(self, **env: str) -> Space:
        """The Annotate Space on this project; its work folder is ``work`` in the stage's folder."""
        return Space(
            self._folder,
            {
                **self.server.client_env(self.token),
                "SEEDBED_PROJECT": NAME,
                "SEEDBED_WORK_DIR": str(self._folder / "work"),
                **env,
            },
        )

    def who(self, people: int) -> list[dict[str, Any]]:
        """Let in so many annotators: each second one was invited, the others come as guests."""
        # Made elsewhere, because each takes a commit, and the quota is for the votes.
        elsewhere = FolderStore(self._folder / "invitations")
        elsewhere.create()
        found: list[dict[str, Any]] = []
        for number in range(people):
            if number % 2:
                made = invitations.make(
                    elsewhere,
                    f"Person {number}",
                    timedelta(days=1),
                    pseudonyms=False,
                    made_by="bench",
                )
                found.append({"invite": made.token})
            else:
                found.append({"guest": {"name": f"Guest {number}", "key": f"{number:032x}"}})
        if people > 1:
            data = elsewhere.read(layout.INVITATIONS).data
            self.store.commit({layout.INVITATIONS: data}, message="Invite")
            self.made += 1
        return found

    def votes(self) -> Counter[str]:
        """How often each event is in the dataset, by its id."""
        return Counter(event.event_id for event in self.events())

    def events(self) -> list[FeedbackEvent]:
        """Every line of feedback in the dataset.

        Raises:
            Failed: A line cannot be read.
        """
        found = []
        for path, data in self.server.files(NAME).items():
            if path.startswith(f"{layout.FEEDBACK}/"):
                for item in parse(data, path):
                    if not isinstance(item, FeedbackEvent):
                        raise Failed(f"the dataset has an unreadable line: {item}")
                    found.append(item)
        return found

    def commits(self) -> dict[str, int]:
        """How many commits there were to the project since it was made, and in the fullest hour."""
        dates = sorted(commit.date for commit in self.server.commits(NAME))
        fullest = max(sum(start <= date < start + 3_600 for date in dates) for start in dates)
        return {"commits": len(dates) - self.made, "most_commits_in_an_hour": fullest}


class Space:
    """The Annotate Space as a process, on a port that stays the same when it is restarted.

    Args:
        folder: For what it prints.
        env: Laid over this process's environment.
        command: What starts it, if it is another app.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str], command: Sequence[str] | None = None
    ) -> None:
        self._command = command or [sys.executable, "-m", "annotate_space.app"]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "space.log"
        self._env = {**os.environ, **env, "GRADIO_SERVER_PORT": str(self.port)}
        self._env["GRADIO_ANALYTICS_ENABLED"] = "False"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()

    def start(self) -> float:
        """Start it and wait until its page answers; the seconds it took.

        Raises:
            Failed: It ended, or does not answer.
        """
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        while time.monotonic() < began + _START:
            if self._process.poll() is not None:
                raise Failed(f"the Space ended: {self.said()}")
            if self._answers():
                return time.monotonic() - began
            time.sleep(0.05)
        raise Failed(f"the Space does not answer: {self.said()}")

    def first_visit(self) -> float:
        """Open the page's project, as the first visitor does; the seconds it took."""
        return asyncio.run(_visit(self.url))

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """End it as a Space is ended; the seconds it took."""
        began = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - began

    def memory_mb(self) -> float:
        """Its resident memory now."""
        return resident_mb(self._process.pid) if self._process else 0.0

    def cpu_s(self) -> float:
        """Seconds of processor time that it has used."""
        if self._process is None:
            return 0.0
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()  # from the third on
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def said(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-2_000:]

    def _answers(self) -> bool:
        """Tell whether the page is there: the port is open a while before it."""
        try:
            with urlopen(f"{self.url}/config", timeout=30) as reply:
                return int(reply.status) == 200
        except OSError:
            return False

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise Failed(f"the Space did not end: {self.said()}") from error


class People:
    """Annotators in a process of their own.

    Args:
        folder: For what they are told and what they tell.
        url: Of the Space.
        who: One for each, as the card says who is there.
        every: Seconds from one vote of a person to the next.
        arrive: Seconds within which everybody comes.
        patience: Seconds that they wait at the end until all is saved.
        reloads: How often, of votes, somebody reloads the page.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        who: list[dict[str, Any]],
        *,
        every: float,
        arrive: float,
        patience: float,
        reloads: float = 0.01,
    ) -> None:
        self._result = folder / "done.json"
        self._patience = patience
        work = folder / "annotators.json"
        told = Work(url, who, every, arrive, patience, reloads, str(self._result))
        work.write_text(json.dumps(asdict(told)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.annotating.annotators", str(work)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def tell_to_end(self) -> None:
        """Let them vote no more, and wait until what they keep is saved."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """What they did, once they ended.

        Raises:
            Failed: They did not end in time, or with an error.
        """
        try:
            code = self._process.wait(self._patience + 60)
        except subprocess.TimeoutExpired as error:
            raise Failed("the annotators do not end") from error
        if code:
            raise Failed(f"the annotators ended with {code}")
        found: dict[str, Any] = json.loads(self._result.read_text())
        return found


async def _visit(url: str) -> float:
    began = time.monotonic()
    connection = Connection(url)
    await connection.call("hello", {"who": {}})
    connection.close()
    return time.monotonic() - began


def empty(folder: Path) -> None:
    """Empty a folder, as the restart of a Space without storage does."""
    shutil.rmtree(folder, ignore_errors=True)
