"""What the sections play on: a project whose models take a known time, and its Space."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.core.projects import make_project
from pipeline.core.schema import GenerationSettings, ModelChoice, Project
from pipeline.core.store_folder import FolderStore
from tests.benchmarks.annotating.stage import Space
from tests.benchmarks.server import Load
from tests.factories import a_seed


def load(latency: float) -> Load:
    """A chat server whose every answer takes ``latency`` seconds."""
    return Load(mean=latency, sigma=0.0, cap=latency)


def settings(url: str) -> GenerationSettings:
    """Two models, an answer by each."""
    models = [ModelChoice(model=name, base_url=url) for name in ("maker/one", "maker/two")]
    return GenerationSettings(models=models)


def a_space(folder: Path, url: str) -> Space:
    """The Seed Space of a new project, not started yet."""
    project = folder / "project"
    make_project(FolderStore(project), a_seed(), Project(generation=settings(url)))
    env = {"SEEDBED_PROJECT": str(project), "SEEDBED_WORK_DIR": str(folder / "work")}
    return Space(folder, env, [sys.executable, "-m", "seed_space.app"])
