"""A trial tells what a run would take, costs little, and is not paid for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ModelUnavailable, ProjectNotFound
from pipeline.core.projects import make_project
from pipeline.core.schema import (
    STAND_INS,
    GenerationSettings,
    JudgeSettings,
    ModelChoice,
    Project,
    Seed,
)
from pipeline.core.store_folder import FolderStore
from pipeline.generation.access import ModelAccess
from pipeline.generation.estimate import TRIED, Estimate, estimate
from pipeline.generation.run import generate
from tests.factories import a_seed
from tests.llm_server import Fault, Latency, LlmServer


@pytest.fixture
def store(folder: Path) -> FolderStore:
    """A project in a folder."""
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    return store


def _settings(url: str, **changes: object) -> GenerationSettings:
    def choice(name: str) -> ModelChoice:
        return ModelChoice(model=name, base_url=url, price_in=2.0, price_out=6.0)

    fields: dict[str, object] = {
        "models": [choice("a/one"), choice("b/two")],
        "judge": JudgeSettings(model=choice("judge/one")),
        "concurrency": 10,
    }
    return GenerationSettings.model_validate(fields | changes)


def _expected(store: FolderStore, settings: GenerationSettings, rows: int) -> Estimate:
    work = store.work_folder
    return estimate(store, _seed(), settings, ModelAccess(), rows=rows, work=work)


def _seed() -> Seed:
    return a_seed().model_copy(update={"topics": [f"Topic {n}" for n in range(10)]})


def test_the_run_falls_within_what_was_expected(store: FolderStore, server: LlmServer) -> None:
    server.latency = Latency(0.05)
    settings = _settings(server.url)
    expected = _expected(store, settings, 200)
    assert (expected.rows, expected.sampled, expected.failures) == (200, TRIED, ())
    tried = len(server.requests)
    assert tried == TRIED * 4
    assert expected.spent is not None
    record = generate(store, _seed(), settings, ModelAccess(), rows=200, work=store.work_folder)
    assert record.samples == 200
    assert len(server.requests) == record.calls + tried
    assert record.cached == tried
    whole = record.calls + record.cached
    assert expected.calls.low <= whole <= expected.calls.high
    assert record.cost is not None
    assert expected.cost is not None
    assert expected.cost.low <= record.cost + expected.spent <= expected.cost.high
    # Ten at a time, four answers of 0.05 s at least for a sample.
    assert 200 * 3.25 * 0.05 / 10 * 0.8 < expected.seconds.low < expected.seconds.high


def test_trying_again_costs_nothing_and_says_the_same(
    store: FolderStore, server: LlmServer
) -> None:
    settings = _settings(server.url)
    first = _expected(store, settings, 100)
    paid = len(server.requests)
    again = _expected(store, settings, 100)
    assert len(server.requests) == paid
    assert again.spent == 0
    assert (again.calls, again.tokens_in, again.cost) == (
        first.calls,
        first.tokens_in,
        first.cost,
    )
    assert store.files("samples") == []


def test_an_unknown_price_is_said_to_be_unknown(store: FolderStore, server: LlmServer) -> None:
    models = [ModelChoice(model="b/two", base_url=server.url)]
    expected = _expected(store, _settings(server.url, models=models), 40)
    assert (expected.cost, expected.spent, expected.unpriced) == (None, None, ("b/two",))
    assert expected.tokens_out.high > 0


def test_what_failed_while_trying_is_told(store: FolderStore, server: LlmServer) -> None:
    server.fail(Fault(status=400, message="too long", when=lambda r: r.model == "b/two"))
    expected = _expected(store, _settings(server.url), 40)
    assert expected.sampled == TRIED
    assert all("too long" in reason for reason in expected.failures)
    assert len(expected.failures) == TRIED


def test_a_useless_endpoint_is_an_error_here_too(store: FolderStore) -> None:
    with pytest.raises(ModelUnavailable):
        _expected(store, _settings("http://127.0.0.1:9/v1"), 40)


def test_nothing_to_do_and_nothing_there(store: FolderStore, tmp_path: Path) -> None:
    free: dict[str, Any] = {"models": [ModelChoice(model=STAND_INS[0])], "judge": None}
    settings = _settings("http://127.0.0.1:9/v1", **free)
    some = _expected(store, settings, 40)
    assert (some.rows, some.cost and some.cost.high, some.spent) == (40, 0, 0)
    generate(store, _seed(), settings, ModelAccess(), rows=40, work=store.work_folder)
    assert _expected(store, settings, 40).rows == 0
    with pytest.raises(ProjectNotFound):
        _expected(FolderStore(tmp_path / "none"), settings, 40)
