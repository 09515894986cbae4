"""Growing on a Ray that the tests start: the same outcomes, whoever goes away meanwhile."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from pipeline.core.errors import ClusterUnavailable, InvalidInput
from pipeline.core.schema import GenerationSettings, Sample
from pipeline.generation import cluster
from pipeline.generation.access import ModelAccess
from pipeline.generation.chain import Failure, Job
from pipeline.generation.flow import Outcome
from pipeline.generation.ledger import Spent
from pipeline.generation.planning import plan
from tests.factories import a_seed
from tests.generation.conftest import settings_for
from tests.llm_server import Fault, Latency, LlmServer, Received

ray = pytest.importorskip("ray")
# Ray's own, while it starts and stops.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

KEY = "sk-neverinafile"
SPENT: list[Spent] = []
"""What the replicas last said to have spent together."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ray_folder() -> Iterator[Path]:
    """Where Ray keeps logs and sockets; the path of a socket must be short."""
    folder = Path(tempfile.mkdtemp(prefix="sb"))
    before = os.environ.get("RAY_TMPDIR")
    os.environ["RAY_TMPDIR"] = str(folder)
    yield folder
    if before is None:
        del os.environ["RAY_TMPDIR"]
    else:
        os.environ["RAY_TMPDIR"] = before
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def local_ray(ray_folder: Path) -> Iterator[Path]:
    """A Ray of this machine."""
    with cluster.joined(ray, cluster.LOCAL):
        yield ray_folder


def _grow(
    settings: GenerationSettings,
    rows: int,
    run_id: str,
    watch: Callable[[Outcome], object] = lambda _: None,
    work: Path | None = None,
) -> list[Outcome]:
    async def collect() -> list[Outcome]:
        found: list[Outcome] = []
        stream = cluster.grow_on_ray(
            Job(a_seed(), settings, run_id),
            list(plan(a_seed(), settings, [], rows).quotas()),
            ModelAccess("hf_neverinafile", KEY),
            work=str(work) if work else None,
            on_spent=SPENT.append,
            replicas=2,
        )
        async with aclosing(stream):
            async for outcome in stream:
                watch(outcome)
                found.append(outcome)
        return found

    return asyncio.run(collect())


def _asks(request: Received, text: str) -> bool:
    return text in request.messages[-1]["content"]


def _holders(*folders: Path) -> list[Path]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if b"neverinafile" in path.read_bytes()]


@pytest.mark.parametrize("address", ["nonsense", "host:port", "http://localhost:8265", "ray://"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with (
        pytest.raises(InvalidInput, match="is not the address of a Ray cluster"),
        cluster.joined(ray, address),
    ):
        pass


def test_an_address_without_a_cluster_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with (
            pytest.raises(ClusterUnavailable, match="does not answer as a Ray cluster"),
            cluster.joined(ray, f"127.0.0.1:{port}"),
        ):
            pass
    with (
        pytest.raises(ClusterUnavailable, match=f"no Ray cluster at ray://127.0.0.1:{port}"),
        cluster.joined(ray, f"ray://127.0.0.1:{port}"),
    ):
        pass


def test_without_ray_one_is_told_what_to_install(
    server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InvalidInput, match=r"pip install .*ray"):
        _grow(settings_for(server.url), 4, "none")


def test_two_replicas_grow_every_row_once_and_no_file_holds_a_credential(
    server: LlmServer, local_ray: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server.key, server.latency = KEY, Latency(0.02)
    asked = plan(a_seed(), settings_for(server.url), [], 24).counts[0][0]
    trap = f"Question 1 about {asked.topic}, {asked.perspective}"
    server.fail(
        Fault(text="", when=lambda r: r.model == "b/two" and not r.wanted and _asks(r, trap))
    )
    held: list[Path] = []
    outcomes = _grow(
        settings_for(server.url, concurrency=2),
        24,
        "two",
        lambda _: held.extend(_holders(tmp_path)),
    )

    samples = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
    assert len(samples) == len({sample.sample_id for sample in samples}) == 24
    assert len({sample.instruction for sample in samples}) == 24
    assert [o.kind for o in outcomes if isinstance(o, Failure)] == ["empty"]
    assert server.most_in_flight == 2  # one call at a time in each replica
    assert SPENT[-1].calls == len(server.requests)
    assert held == _holders(local_ray) == []
    assert not list(tmp_path.iterdir())


def test_what_a_lost_replica_was_growing_is_missing_and_the_rest_is_there(
    server: LlmServer, local_ray: Path
) -> None:
    server.latency = Latency(0.1)

    def lose_one(_: Outcome) -> None:
        if not lost:
            lost.append(ray.get_actor("distilabel-seedbed-lost-grow-0"))
            ray.kill(lost[0])

    lost: list[object] = []
    outcomes = _grow(settings_for(server.url, concurrency=2), 24, "lost", lose_one)
    samples = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert 12 <= len(samples) < 24
    assert {failure.kind for failure in failures} == {"lost"}
    assert len(samples) + sum(failure.rows for failure in failures) == 24


_DRIVER = """
import asyncio, sys
from pipeline.generation.access import ModelAccess
from pipeline.generation.chain import Job
from pipeline.generation.cluster import grow_on_ray
from pipeline.generation.planning import plan
from tests.factories import a_seed
from tests.generation.conftest import settings_for

async def main():
    settings = settings_for(sys.argv[1], concurrency=4)
    quotas = list(plan(a_seed(), settings, [], 4000).quotas())
    job = Job(a_seed(), settings, "r")
    async for _ in grow_on_ray(job, quotas, ModelAccess(), replicas=1):
        pass

asyncio.run(main())
"""


def test_nothing_calls_on_when_the_driver_is_killed(server: LlmServer, ray_folder: Path) -> None:
    server.latency = Latency(0.1)
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER, server.url],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(ray_folder)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _wait(lambda: len(server.requests) > 20 or driver.poll() is not None, 60)
    assert driver.poll() is None
    driver.kill()
    driver.wait(20)
    _wait(lambda: _quiet(server), 20)
    assert _quiet(server)
    _wait(lambda: not _processes(driver.pid), 20)
    assert not _processes(driver.pid)


def _quiet(server: LlmServer) -> bool:
    before = len(server.requests)
    time.sleep(1.0)
    return len(server.requests) == before


def _processes(session: int) -> list[str]:
    """Who is left of a session of processes, where there is ``/proc``.

    Ray's monitor and agents, which make no calls, end half a minute later; they do not count.
    """
    left = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(")")
        except OSError:
            continue
        state, _, _, belongs, *_ = fields.split()
        counts = name.partition("(")[2].startswith(("ray::_Step", "ray::Cond", "raylet", "gcs_"))
        if belongs == str(session) and state != "Z" and counts:
            left.append(name)
    return left


def _wait(done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.1)
