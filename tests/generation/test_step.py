"""The chain inside a distilabel Pipeline: the same outcomes, no nulls, no secrets in files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline.core.schema import GenerationSettings, ModelChoice, Sample
from pipeline.generation.access import ModelAccess
from pipeline.generation.bases import Pipeline
from pipeline.generation.chain import Failure
from pipeline.generation.flow import Outcome
from pipeline.generation.planning import plan
from pipeline.generation.prompting import Prompts
from pipeline.generation.run import generate
from pipeline.generation.step import GrowSamples, outcome_of, quota_row
from tests.factories import a_seed
from tests.generation.conftest import settings_for, shared_for
from tests.llm_server import Fault, LlmServer

# distilabel's own, while it dumps a pipeline and runs it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Accessing the 'model_fields' attribute"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


def _step(settings: GenerationSettings, pipeline: Any = None, **fields: Any) -> GrowSamples:  # noqa: ANN401
    return GrowSamples(
        name="grow",
        seed=a_seed(),
        settings=settings,
        run_id="run",
        pipeline=pipeline or Pipeline(),
        **fields,
    )


def _process(step: GrowSamples, rows: int) -> list[Outcome]:
    quotas = plan(step.seed, step.settings, [], rows).quotas()
    return [outcome_of(row) for row in next(step.process([quota_row(q) for q in quotas]))]


def test_a_real_pipeline_gives_the_rows_of_a_run_in_process(tmp_path: Path) -> None:
    settings = GenerationSettings()
    with Pipeline("grow", cache_dir=tmp_path / "cache") as pipeline:
        _step(
            settings,
            pipeline,
            hf_token=SecretStr("hf_secret"),
            model_key=SecretStr("sk-secret"),
            input_batch_size=3,
        )
    rows = [quota_row(quota) for quota in plan(a_seed(), settings, [], 10).quotas()]
    distiset = pipeline.run(dataset=rows, use_cache=False)
    found = [outcome_of(row) for row in distiset["default"]["train"]]
    samples = [outcome for outcome in found if isinstance(outcome, Sample)]
    assert len(found) == len(samples) == 10

    same = _process(_step(settings), 10)
    assert {s.sample_id for s in samples} == {s.sample_id for s in same if isinstance(s, Sample)}
    assert {s.completions for s in samples} == {
        s.completions for s in same if isinstance(s, Sample)
    }
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"secret" not in path.read_bytes()


def test_credentials_reach_the_model_and_no_dump(server: LlmServer) -> None:
    server.key = "sk-secret"
    step = _step(settings_for(server.url), model_key=SecretStr("sk-secret"))
    assert all(isinstance(outcome, Sample) for outcome in _process(step, 4))
    assert "secret" not in repr(step) + str(step.dump())


def test_failures_come_through_and_a_useless_endpoint_is_no_null(server: LlmServer) -> None:
    server.fail(Fault(text="", when=lambda r: r.model == "b/two" and not r.wanted))
    outcomes = _process(_step(settings_for(server.url)), 4)
    assert [type(o) for o in outcomes].count(Sample) == 4
    assert [o.kind for o in outcomes if isinstance(o, Failure)] == ["empty"] * 4

    server.models = ("none",)
    lost = [o for o in _process(_step(settings_for(server.url)), 6) if isinstance(o, Failure)]
    assert sum(failure.rows for failure in lost) == 6
    assert any("has no model a/one" in failure.reason for failure in lost)

    nobody = _process(_step(GenerationSettings(models=[ModelChoice(model="org/m")])), 4)
    assert {o.kind for o in nobody if isinstance(o, Failure)} == {"NotSignedIn"}


def test_a_step_that_breaks_gives_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: object) -> AsyncGenerator[Outcome]:
        raise RuntimeError("out of order")
        yield

    monkeypatch.setattr("pipeline.generation.step.grow", breaks)
    lost = [o for o in _process(_step(GenerationSettings()), 6) if isinstance(o, Failure)]
    assert sum(failure.rows for failure in lost) == 6
    assert {(o.kind, o.reason) for o in lost} == {("RuntimeError", "out of order")}


def test_a_run_in_process_needs_no_step() -> None:
    assert generate.__module__ == "pipeline.generation.run"
    assert "secret" not in repr(ModelAccess("hf_secret", "sk-secret"))


@pytest.mark.parametrize("rows", [1, 5])
def test_tasks_work_as_plain_distilabel_tasks(server: LlmServer, rows: int) -> None:
    from pipeline.generation.llm import open_llm
    from pipeline.generation.tasks import Answer

    choice = ModelChoice(model="a/one", base_url=server.url)
    shared = shared_for(settings_for(server.url))
    llm = open_llm(choice, a_seed(), ModelAccess(), 5, shared)
    task = Answer(name="answer", llm=llm, prompts=Prompts(a_seed()), pipeline=Pipeline())
    task.load()
    cell = a_seed().cells()[0].model_dump()
    asked = [{**cell, "instruction": f"Why {n}?"} for n in range(rows)]
    answered = next(task.process(asked))
    assert [row["completion"].endswith(f"Why {n}?") for n, row in enumerate(answered)] == [
        True
    ] * rows
