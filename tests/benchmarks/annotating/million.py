"""A million samples: how soon the Space hands out questions, how fast, and in how much memory.

    python -m tests.benchmarks.annotating.million --samples 1000000

Three processes on one folder: the Space as people use it, over HTTP; catalog and board alone, with
votes folded as well; and, to compare, the samples as ``read_shard`` gives them, of which some are
read and the rest is reckoned. The last line is one JSON object of figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from annotate_space.board import Board, Question
from annotate_space.catalog import Catalog
from pipeline.core import layout
from pipeline.core.feedback import FeedbackEvent, timestamp
from pipeline.core.projects import load_project, load_seed, make_project
from pipeline.core.samples import COLUMNS, ROWS_IN_GROUP, read_shard
from pipeline.core.schema import Project, Sample
from pipeline.core.store_folder import FolderStore
from tests.benchmarks.contenders import ratio
from tests.benchmarks.processes import Failed, Running, resident_mb
from tests.benchmarks.processes import run as run_command
from tests.factories import a_seed
from tests.spaces import free_port

SAMPLES: Final = 1_000_000
START_TARGET_S: Final = 15.0
PEAK_TARGET_MB: Final = 1_024
ADDED_TARGET_MB: Final = 400
P95_TARGET_MS: Final = 20.0
"""Of a batch with its texts, without HTTP."""

_SHARD: Final = 1_000
_BATCH: Final = 12
_ANSWER: Final = 900
"""Characters of an answer."""
_TEMPLATES: Final = 8
"""Tables of texts that the shards take turns with; ids are each shard's own."""
_PEOPLE: Final = 200
_ROUNDS: Final = 5
_GUESTS, _AT_ONCE, _GUEST_ROUNDS = 24, 4, 8
_PAUSE: Final = 0.25
"""Seconds in which a guest reads a batch."""
_VOTES: Final = 100_000
_PLAIN: Final = 100_000
_WAIT: Final = 300.0
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS: Final = ("soil", "water", "clay", "root", "growth", "crop", "rain", "till", "worm", "lime")


def run(folder: Path, *, samples: int = SAMPLES) -> dict[str, Any]:
    """Figures of a project of so many samples, made in ``folder``.

    Raises:
        Failed: A process ended, or the Space handed out nothing.
    """
    project = folder / "project"
    began = time.monotonic()
    _make(project, samples)
    made = time.monotonic() - began
    space = _space(project, folder)
    direct = _part("direct", project)
    plain = _part("plain", project)
    return {
        "samples": samples,
        "made_in_s": round(made, 1),
        "space": space,
        "direct": direct,
        "plain": plain,
        "start_to_plain": ratio(direct["start_s"], plain["reckoned_s"]),
        "memory_to_plain": ratio(direct["added_mb"], plain["reckoned_mb"]),
        "passed": space["first_batch_s"] <= START_TARGET_S
        and space["peak_mb"] <= PEAK_TARGET_MB
        and direct["added_mb"] <= ADDED_TARGET_MB
        and direct["next"]["p95_ms"] <= P95_TARGET_MS,
    }


def main() -> None:
    """Print the figures of all parts, or of one on a project that is there."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.annotating.million", description=__doc__
    )
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--part", choices=["direct", "plain", "space"])
    parser.add_argument("--project", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as folder:
        match arguments.part:
            case "direct":
                figures = _direct(arguments.project)
            case "plain":
                figures = _plain(arguments.project)
            case "space":
                figures = _space(arguments.project, Path(folder))
            case _:
                figures = run(Path(folder), samples=arguments.samples)
    print(json.dumps(figures))


# The project


def _make(folder: Path, samples: int) -> None:
    settings = Project.model_validate({"annotation": {"tasks": ["thumbs", "pairwise"]}})
    make_project(FolderStore(folder), a_seed(), settings)
    luck = random.Random(1)
    templates = [_template(luck) for _ in range(_TEMPLATES)]
    for start in range(0, samples, _SHARD):
        number = start // _SHARD
        rows = min(_SHARD, samples - start)
        table = _renamed(templates[number % _TEMPLATES].slice(0, rows), luck)
        path = folder / layout.sample_shard("run", number)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd", row_group_size=ROWS_IN_GROUP)


def _template(luck: random.Random) -> pa.Table:
    def text(length: int) -> str:
        words = ""
        while len(words) < length:
            words += f"{luck.choice(_WORDS)}{luck.randrange(1_000)} "
        return words

    def row() -> dict[str, Any]:
        answers = [
            {
                "completion_id": _id(luck),
                "text": text(_ANSWER),
                "model": f"maker/model-{index}",
                "parameters": '{"temperature": 0.8}',
                "finish_reason": "stop",
                "tokens_in": 40,
                "tokens_out": 220,
                "judge_rating": luck.randint(1, 5),
            }
            for index in range(2)
        ]
        made = Sample.model_validate(
            {
                "sample_id": _id(luck),
                "instruction": text(150),
                "completions": answers,
                "topic": f"Topic {luck.randrange(50)}",
                "perspective": f"Perspective {luck.randrange(20)}",
                "run_id": "run",
                "fingerprint": "f" * 16,
                "created_at": "2026-01-01T00:00:00.000Z",
            }
        )
        return made.model_dump()

    return pa.Table.from_pylist([row() for _ in range(_SHARD)], schema=COLUMNS)


def _renamed(table: pa.Table, luck: random.Random) -> pa.Table:
    """The same texts under ids of their own."""
    table = table.combine_chunks()
    lists = table["completions"].combine_chunks()
    answers = lists.flatten()
    fields = list(answers.type)
    columns = [answers.field(at) for at in range(len(fields))]
    columns[0] = pa.array([_id(luck) for _ in range(len(answers))])
    offsets = pa.array(range(0, 2 * len(table) + 1, 2), pa.int32())
    renamed = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=fields))
    at = table.column_names.index("completions")
    table = table.set_column(at, "completions", renamed.cast(COLUMNS.field("completions").type))
    return table.set_column(0, "sample_id", pa.array([_id(luck) for _ in range(len(table))]))


def _id(luck: random.Random) -> str:
    return f"{luck.getrandbits(64):016x}"


# The Space, over HTTP


def _space(project: Path, folder: Path) -> dict[str, Any]:
    port = free_port()
    env = {
        "SEEDBED_PROJECT": str(project),
        "SEEDBED_WORK_DIR": str(folder / "work"),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HOME": str(folder / "home"),
    }
    began = time.monotonic()
    running = Running([sys.executable, "-m", "annotate_space.app"], env)
    try:
        guest = _first(running, port, began)
        first = time.monotonic() - began
        guest.close()
        with ThreadPoolExecutor(_AT_ONCE) as hands:
            guests = [_Guest(port, number) for number in range(1, _GUESTS + 1)]
            waits = [wait for found in hands.map(_work, guests) for wait in found]
        return {
            "first_batch_s": round(first, 1),
            "next": _quantiles(waits),
            "batches": len(waits),
            "peak_mb": _peak_mb(running.process.pid),
        }
    except (OSError, HTTPException, KeyError, ValueError) as error:
        raise Failed(f"{type(error).__name__}: {error}; it said: {running.said()}") from error
    finally:
        running.end()


def _first(running: Running, port: int, began: float) -> _Guest:
    """A guest that has been handed a first batch."""
    guest = _Guest(port, 0)
    while time.monotonic() - began < _WAIT:
        if running.process.poll() is not None:
            raise Failed(f"the Space ended: {running.said()}")
        try:
            if len(guest.batch()) == _BATCH:
                return guest
        except (OSError, HTTPException):
            guest.close()
        time.sleep(0.05)
    raise Failed(f"no questions within {_WAIT:.0f} s: {running.said()}")


def _work(guest: _Guest) -> list[float]:
    """Milliseconds that each batch took."""
    waits = []
    for _ in range(_GUEST_ROUNDS):
        began = time.perf_counter()
        items = guest.batch()
        waits.append(1_000 * (time.perf_counter() - began))
        if len(items) < _BATCH:
            raise ValueError(f"{len(items)} questions in place of {_BATCH}")
        guest.answer(items)
        time.sleep(_PAUSE)
    guest.close()
    return waits


class _Guest:
    """Somebody who annotates through the card's functions, as the browser calls them."""

    def __init__(self, port: int, number: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_WAIT)
        self._session = uuid.uuid4().hex[:12]
        self._component: int | None = None
        self._who = {"guest": {"name": f"Guest {number}", "key": f"{number:032x}"}}

    def batch(self) -> list[dict[str, Any]]:
        reply = self._call("next", {"task": None, "count": _BATCH, "holding": [], "again": False})
        items: list[dict[str, Any]] = reply["items"]
        return items

    def answer(self, items: list[dict[str, Any]]) -> None:
        events = [
            {
                "event_id": uuid.uuid4().hex,
                "ticket": item["ticket"],
                "status": "submitted",
                **({"label": True} if item["task"] == "thumbs" else {"preference": "left"}),
            }
            for item in items
        ]
        reply = self._call("submit", {"events": events})
        if len(reply["received"]) < len(events):
            raise ValueError(f"not all answers were received: {reply}")

    def close(self) -> None:
        self._connection.close()

    def _call(self, function: str, payload: dict[str, Any]) -> dict[str, Any]:
        if self._component is None:
            self._component = self._find()
        body = {
            "data": {"who": self._who, "tab": self._session, **payload},
            "component_id": self._component,
            "fn_name": function,
            "session_hash": self._session,
        }
        reply: dict[str, Any] = self._ask("POST", "/gradio_api/component_server/", body)
        if "error" in reply:
            raise ValueError(f"{function}: {reply['error']}")
        return reply

    def _find(self) -> int:
        for component in self._ask("GET", "/config", None)["components"]:
            if "submit" in component["props"].get("server_fns", ()):
                return int(component["id"])
        raise ValueError("the page has no card")

    def _ask(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, path, sent, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise HTTPException(f"{path} answered {response.status}: {data[:200]!r}")
        return json.loads(data)


# Catalog and board in a process of their own


def _direct(project: Path) -> dict[str, Any]:
    before = resident_mb(os.getpid())
    began = time.monotonic()
    processor = time.process_time()
    store = FolderStore(project)
    catalog = Catalog(store)
    catalog.refresh()
    board = Board(catalog)
    board.configure(load_project(store).annotation, load_seed(store).seed.cells())
    start = time.monotonic() - began
    processor = time.process_time() - processor
    started = resident_mb(os.getpid())
    waits, events = [], 0
    for turn in range(_PEOPLE * _ROUNDS):
        who = f"person {turn % _PEOPLE}"
        moment = time.perf_counter()
        questions = board.next(who, "tab", _BATCH, task=None)
        for question in questions:
            catalog.sample(question.sample_id)
        waits.append(1_000 * (time.perf_counter() - moment))
        for question in questions:
            board.record(_event(question, who, events))
            events += 1
    served = resident_mb(os.getpid())
    return {
        "start_s": round(start, 1),
        "start_processor_s": round(processor, 1),
        "added_mb": round(started - before),
        "added_with_texts_mb": round(served - before),
        "next": _quantiles(waits),
        "votes": _votes(catalog, board),
        "peak_mb": _peak_mb(os.getpid()),
    }


def _votes(catalog: Catalog, board: Board) -> dict[str, Any]:
    """What it takes to fold the votes of a project that has many."""
    luck = random.Random(2)
    index = catalog.index
    count = min(_VOTES, len(index))

    def made() -> Iterator[FeedbackEvent]:
        for number in range(count):
            sample = luck.randrange(len(index))
            answer = int(index.first[sample])
            ids = (index.completion_ids.get(answer),)
            question = Question("thumbs", index.ids.get(sample), ids)
            yield _event(question, f"voter {number % _PEOPLE}", 10_000_000 + number)

    before = resident_mb(os.getpid())
    seconds = 0.0
    for event in made():
        began = time.perf_counter()
        board.record(event)
        seconds += time.perf_counter() - began
    grown = resident_mb(os.getpid()) - before
    return {
        "votes": count,
        "microseconds_each": round(1e6 * seconds / count, 1),
        "bytes_each": round(1_048_576 * grown / count),
    }


def _event(question: Question, annotator: str, number: int) -> FeedbackEvent:
    sides = (*question.completion_ids, None)
    pair = question.task == "pairwise"
    return FeedbackEvent(
        event_id=f"{number:032x}",
        sample_id=question.sample_id,
        task=question.task,
        annotator=annotator,
        status="submitted",
        completion_id=None if pair else sides[0],
        label=None if pair else True,
        left_id=sides[0] if pair else None,
        right_id=sides[1] if pair else None,
        preference="left" if pair else None,
        received_at=timestamp(_EPOCH + timedelta(milliseconds=number)),
    )


# What the samples take as objects


def _plain(project: Path) -> dict[str, Any]:
    paths = sorted((project / layout.SAMPLES).rglob("*.parquet"))
    before = resident_mb(os.getpid())
    began = time.monotonic()
    kept: dict[str, Sample] = {}
    for path in paths[: _PLAIN // _SHARD]:
        kept.update((sample.sample_id, sample) for sample in read_shard(path))
    seconds = time.monotonic() - began
    grown = resident_mb(os.getpid()) - before
    times = sum(pq.read_metadata(path).num_rows for path in paths) / len(kept)
    return {
        "samples_read": len(kept),
        "seconds": round(seconds, 1),
        "added_mb": round(grown),
        "reckoned_s": round(seconds * times, 1),
        "reckoned_mb": round(grown * times),
    }


def _part(name: str, project: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.annotating.million"]
    ran = run_command([*command, "--part", name, "--project", str(project)])
    figures: dict[str, Any] = json.loads(ran.output.splitlines()[-1])
    return figures


def _quantiles(waits: list[float]) -> dict[str, float]:
    ranked = sorted(waits)
    return {
        f"p{share}_ms": round(ranked[min(len(ranked) - 1, share * len(ranked) // 100)], 1)
        for share in (50, 95, 99)
    }


def _peak_mb(pid: int) -> int:
    """The most memory a process has held."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1_024
    raise Failed(f"process {pid} tells no memory")


if __name__ == "__main__":
    main()
