"""A chat server, and settings that use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.core.schema import GenerationSettings, ModelChoice
from pipeline.generation.cache import CallCache
from pipeline.generation.ledger import Ledger
from pipeline.generation.llm import Shared
from pipeline.generation.traffic import Traffic
from tests.llm_server import LlmServer


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A chat server that answers at once; nobody waits for its end."""
    running = LlmServer().start()
    yield running
    running.stop(wait=False)


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait milliseconds, unless a test sets its own patience."""
    monkeypatch.setattr("pipeline.generation.llm.FIRST_WAIT", 0.002)


def settings_for(url: str, *models: str, **changes: object) -> GenerationSettings:
    """Settings that call ``models`` at ``url``."""
    choices = [ModelChoice(model=name, base_url=url) for name in models or ("a/one", "b/two")]
    return GenerationSettings.model_validate({"models": choices, **changes})


def shared_for(
    settings: GenerationSettings, budget: float | None = None, cache: CallCache | None = None
) -> Shared:
    """What the models of a run have in common."""
    models = settings.all_models() if budget is not None else ()
    return Shared(Traffic(settings.concurrency), Ledger(budget, models), cache)
