"""The same growing on a Ray cluster: distilabel spreads the cells, outcomes come back one by one.

    this process <--- take --- Mailbox <--- put --- GrowOnRay, one or more replicas
         |                                              ^ cells
         '--- run ---> Conductor: distilabel's Pipeline-'

A distilabel pipeline hands results on a batch at a time, waits for ever for a machine that has gone
away, and takes over the logging and the signals of its process. So it runs in an actor, which can
be ended at any moment, and each outcome comes through the mailbox as soon as it is there.

All actors belong to this process: Ray ends them, and with them all calls, when it ends or is
killed. The machines of a cluster need Seedbed's requirements; its own code is sent to them.
"""

# Annotations are not postponed here: distilabel looks for StepInput among them as it stands.

import asyncio
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import PrivateAttr, SecretStr

from pipeline.core.errors import ClusterUnavailable, InvalidInput
from pipeline.core.settings import preset
from pipeline.generation.access import ModelAccess
from pipeline.generation.bases import Pipeline, StepInput, StepResources
from pipeline.generation.chain import Job
from pipeline.generation.flow import Outcome
from pipeline.generation.known import CellQuota
from pipeline.generation.ledger import Spent
from pipeline.generation.mailbox import Mailbox
from pipeline.generation.step import GrowSamples, Row, Unmet, outcome_json, outcome_of, quota_row

LOCAL: Final = "local"
"""The address that means: start Ray on this machine, and stop it afterwards."""
CALLS_EACH: Final = 25
"""Calls under way at once that make one more replica worth its memory."""

_REACH: Final = 5.0
"""Seconds in which the address must accept a connection."""
_ANSWER: Final = 20.0
"""Seconds in which Ray must answer there."""
_START: Final = 300.0
"""Seconds in which a replica must have started."""
_QUIET: Final = 2.0
"""Seconds without a letter after which it is looked who is still there."""
_TOLD_EVERY: Final = 1.0
"""Seconds between two letters of a replica that say what it has spent."""
_ROOM: Final = 1_000
"""Letters the mailbox holds."""
_STORE_BYTES: Final = 100 * 2**20
"""Of shared memory for a Ray of our own, which moves nothing large."""


async def grow_on_ray(
    job: Job,
    quotas: Sequence[CellQuota],
    access: ModelAccess,
    *,
    address: str = LOCAL,
    work: str | None = None,
    budget: float | None = None,
    on_spent: Callable[[Spent], None] = lambda _: None,
    replicas: int | None = None,
) -> AsyncGenerator[Outcome]:
    """What ``flow.grow`` yields, grown on a Ray cluster; closing it stops all calls.

    Samples plus the ``rows`` of the failures add up to what was asked here too: an endpoint that is
    of no use, a step that breaks and a machine that goes away become failures. The order differs.

    Args:
        job: As for ``grow``; the replicas divide ``concurrency`` among them.
        quotas: As for ``grow``; a cell is never divided.
        access: As for ``grow``. It travels from process to process and is in no file.
        address: ``local``, or as ``ray.init`` takes it: ``auto``, ``host:6379`` or
            ``ray://host:10001``.
        work: Folder for kept answers on each machine; ``~`` is that machine's.
        budget: Dollars, of which each replica gets the same share.
        on_spent: Told now and then what all replicas have spent so far.
        replicas: Processes that call models. By default one for each machine or for each
            ``CALLS_EACH`` calls, whichever is more, as far as there are processors.

    Raises:
        InvalidInput: Ray is not installed, or the address is not one.
        ClusterUnavailable: The cluster cannot be reached, or nothing can be started there.
    """
    if not quotas:
        return
    ray = _import_ray()
    with joined(ray, address), TemporaryDirectory(prefix="seedbed-ray-") as folder:
        staff = _replicas(ray, replicas, job.settings.concurrency, len(quotas))
        count = staff.replicas
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        name = f"seedbed-{job.run_id}"
        mailbox = _actor(ray, Mailbox, name=name, scheduling_strategy=here).remote(_ROOM)
        conductor = _actor(ray, Conductor, scheduling_strategy=here).remote()
        share = {"concurrency": max(1, job.settings.concurrency // count)}
        order = _Order(
            job=replace(job, settings=job.settings.model_copy(update=share)),
            access=access,
            cache=work,
            budget=None if budget is None else budget / count,
            rows=[quota_row(quota) for first in range(count) for quota in quotas[first::count]],
            staff=staff,
            mailbox=name,
            folder=folder,
        )
        running = conductor.run.remote(order)
        try:
            async with aclosing(
                _outcomes(ray, mailbox, running, order, quotas, on_spent)
            ) as outcomes:
                async for outcome in outcomes:
                    yield outcome
        finally:
            ray.kill(conductor)  # and with it all it has started
            ray.kill(mailbox)
            ray.wait([running], timeout=_QUIET)


class GrowOnRay(GrowSamples):
    """Puts each outcome into the mailbox as soon as it is there; its rows out say nothing."""

    mailbox: str
    _mailbox: Any = PrivateAttr(None)
    _name: str = PrivateAttr("")

    def load(self) -> None:
        """Find the mailbox, and say so."""
        super().load()
        ray = _import_ray()
        self._mailbox = ray.get_actor(self.mailbox)
        self._name = ray.get_runtime_context().get_actor_name()
        self._tell("joined")

    def process(self, inputs: StepInput) -> Iterator[list[Row]]:
        """Grow the quotas of one batch."""
        self._tell("begun")
        asyncio.run(self._deliver(inputs))
        self._tell("done")
        yield [{"quota": "", "outcome": ""} for _ in inputs]

    async def _deliver(self, rows: Sequence[Row]) -> None:
        told = time.monotonic()
        async with aclosing(self.outcomes(rows)) as outcomes:
            async for outcome in outcomes:
                await self._mailbox.put.remote(outcome_json(outcome))
                if time.monotonic() - told > _TOLD_EVERY:
                    told = time.monotonic()
                    await self._mailbox.put.remote(self._letter(spent=self._spent()))
        await self._mailbox.put.remote(self._letter(spent=self._spent()))

    def _spent(self) -> dict[str, Any]:
        return asdict(self._ledger.spent())

    def _tell(self, did: str) -> None:
        _import_ray().get(self._mailbox.put.remote(self._letter(did=did)))

    def _letter(self, **what: Any) -> str:  # noqa: ANN401
        return json.dumps({"replica": self._name, **what})


@dataclass(frozen=True, slots=True)
class _Staff:
    """Replicas, and processors reserved for each."""

    replicas: int
    cpus: int | None


@dataclass(frozen=True, slots=True)
class _Order:
    """All that the conductor has to know."""

    job: Job
    access: ModelAccess
    cache: str | None
    budget: float | None
    rows: list[Row]
    staff: _Staff
    mailbox: str
    folder: str

    @property
    def batch_size(self) -> int:
        """One batch for each replica: each batch is a barrier."""
        return -(-len(self.rows) // self.staff.replicas)

    @property
    def batches(self) -> int:
        """How many there are of that size."""
        return -(-len(self.rows) // self.batch_size)


class Conductor:
    """Runs distilabel's pipeline in a process that can do nothing else meanwhile; a Ray actor."""

    def run(self, order: _Order) -> None:
        """Return when the last batch is through."""
        with Pipeline(order.mailbox, cache_dir=order.folder) as pipeline:
            GrowOnRay(
                name="grow",
                seed=order.job.seed,
                settings=order.job.settings,
                run_id=order.job.run_id,
                after=order.job.after,
                grounds=order.job.grounds,
                work=order.cache,
                budget=order.budget,
                hf_token=_secret(order.access.hf_token),
                model_key=_secret(order.access.api_key),
                router=order.access.router,
                model_hosts=sorted(order.access.api_hosts),
                mailbox=order.mailbox,
                input_batch_size=order.batch_size,
                resources=StepResources(replicas=order.staff.replicas, cpus=order.staff.cpus),
            )
        # With its cache distilabel would wait for ever after a run that was interrupted.
        pipeline.ray().run(dataset=order.rows, dataset_batch_size=len(order.rows), use_cache=False)


@dataclass(slots=True)
class _Crew:
    """Which replicas are there, and how many batches can no longer come."""

    batches: int
    present: set[str] = field(default_factory=set)
    working: set[str] = field(default_factory=set)
    over: int = 0
    lost: int = 0
    ever: bool = False

    def note(self, replica: str, did: str) -> None:
        """Read a replica's letter."""
        self.ever = True
        self.present.add(replica)
        if did == "begun":
            self.working.add(replica)
        elif did == "done":
            self.working.discard(replica)
            self.over += 1

    def lose(self, gone: set[str]) -> None:
        """Give up what replicas that are gone were working on."""
        given_up = len(gone & self.working)
        self.lost += given_up
        self.over += given_up
        self.working -= gone
        self.present -= gone

    @property
    def finished(self) -> bool:
        """Whether nothing more can come."""
        return self.over >= self.batches or (self.ever and not self.present)


async def _outcomes(
    ray: ModuleType,
    mailbox: Any,  # noqa: ANN401
    running: Any,  # noqa: ANN401
    order: _Order,
    quotas: Sequence[CellQuota],
    on_spent: Callable[[Spent], None],
) -> AsyncGenerator[Outcome]:
    unmet = Unmet(quotas)
    crew = _Crew(order.batches)
    spent: dict[str, Spent] = {}
    gone: set[str] = set()
    ended = False
    started = time.monotonic()
    while not crew.finished:
        letters = await mailbox.take.remote(_QUIET)
        for letter in letters:
            row = json.loads(letter)
            if "spent" in row:
                spent[row["replica"]] = Spent(**row["spent"])
                on_spent(Spent.sum(spent.values()))
                continue
            if "replica" in row:
                crew.note(row["replica"], row["did"])
                continue
            outcome = outcome_of({"outcome": letter})
            unmet.note(outcome)
            yield outcome
        # Whoever was gone, or ended, before these letters were taken has sent no others.
        crew.lose(gone)
        if letters:
            gone = set()
            continue
        if ended:
            break
        ended = bool(ray.wait([running], timeout=0)[0])
        gone = crew.present - set(ray.util.list_named_actors())
        if not crew.ever and (ended or time.monotonic() - started > _START):
            raise _not_started(ray, running if ended else None)
    reason = "The process or machine that grew these went away."
    for failure in unmet.failures("lost", reason):
        yield failure


def _not_started(ray: ModuleType, running: Any) -> ClusterUnavailable:  # noqa: ANN401
    why = f"No process could start on the cluster within {_START:.0f} seconds."
    if running is not None:
        try:
            ray.get(running)
        except ray.exceptions.RayError as error:
            why = f"Nothing could be started on the cluster: {_last_line(error)}"
    return ClusterUnavailable(
        why,
        "See that it has free processors, and that Python and Seedbed's requirements there are "
        "the same as here.",
    )


def _last_line(error: object) -> str:
    return str(error).strip().rpartition("\n")[2][:500]


def _replicas(ray: ModuleType, asked: int | None, calls: int, cells: int) -> _Staff:
    """How many replicas, and whether a processor can be reserved for each.

    One is left over for distilabel's own actors, which would wait for it for ever.
    """
    spare = int(ray.available_resources().get("CPU", 0)) - 1
    machines = sum(node["Alive"] for node in ray.nodes())
    count = asked or min(max(machines, -(-calls // CALLS_EACH)), max(1, spare))
    count = min(count, cells)
    return _Staff(count, 1 if count <= spare else None)


def _actor(ray: ModuleType, kind: type, **options: Any) -> Any:  # noqa: ANN401
    return ray.remote(kind).options(num_cpus=0, **options)


@contextmanager
def joined(ray: ModuleType, address: str) -> Iterator[None]:
    """Be part of the cluster; one that this process has joined already is left as it is.

    Raises:
        InvalidInput: The address is not one.
        ClusterUnavailable: The cluster cannot be reached.
    """
    if ray.is_initialized():
        yield
        return
    _reach(address)
    options: dict[str, Any] = {}
    if address == LOCAL:
        preset("RAY_USAGE_STATS_ENABLED", "0")
        # Without a token of this process Ray would make one and leave it in the home directory,
        # and every cluster started on this machine later would insist on it.
        preset("RAY_AUTH_TOKEN", secrets.token_hex(32))
        options = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    ours = str(Path(__file__).resolve().parent.parent)
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={
                "py_modules": [ours],
                "env_vars": {"DISTILABEL_LOG_LEVEL": "WARNING"},
            },
            **options,
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterUnavailable(
            f"Ray at {address} cannot be used: {_last_line(error)}",
            "Give the address of a running cluster, and RAY_AUTH_TOKEN_PATH if it wants a token; "
            "--ray alone starts Ray here.",
        ) from error
    try:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own in the place
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Make sure that there is a cluster: ``ray.init`` tries for ever to join what is none."""
    if address == LOCAL:
        return
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    if address != "auto":
        scheme, host, port = _split(address)
        try:
            socket.create_connection((host, port), _REACH).close()
        except OSError as error:
            raise ClusterUnavailable(
                f"There is no Ray cluster at {address}: {error.strerror or error}.",
                "Start it, or correct the address.",
            ) from error
        if scheme == "ray":
            return  # a client gives up by itself
        check += ["--address", address]
    try:
        subprocess.run(check, check=True, capture_output=True, timeout=_ANSWER, text=True)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise ClusterUnavailable(
            f"What is at {address} does not answer as a Ray cluster.", "Correct the address."
        ) from error
    except subprocess.CalledProcessError as error:
        if address == "auto":
            return  # Ray looks for it, and for its token, itself
        if "AuthenticationError" in error.stderr:
            raise ClusterUnavailable(
                f"The Ray cluster at {address} asks for a token.",
                "Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to the file that holds it.",
            ) from error
        raise ClusterUnavailable(
            f"The Ray cluster at {address} cannot be used: {_last_line(error.stderr)}",
            "Correct the address, or install the version of Ray that runs there.",
        ) from error


def _split(address: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(address if "://" in address else f"gcs://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme not in ("gcs", "ray"):
        raise InvalidInput(
            f"{address!r} is not the address of a Ray cluster.",
            "Give auto, host:6379 or ray://host:10001, or --ray alone to start Ray here.",
        )
    return parts.scheme, host, port


def _import_ray() -> ModuleType:
    try:
        import ray  # noqa: PLC0415 - optional, and slow
        import ray.util.scheduling_strategies  # noqa: PLC0415
    except ImportError as error:
        raise InvalidInput(
            "--ray needs Ray, which is not installed.",
            'Install it: pip install "ray[client]==2.60.0".',
        ) from error
    module: ModuleType = ray
    return module


def _secret(text: str | None) -> SecretStr | None:
    return SecretStr(text) if text else None
