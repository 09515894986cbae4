"""A preview that the owner pays for: a guest on a Space, a real model server, a count."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.core import layout
from pipeline.core.projects import make_project
from pipeline.core.schema import ModelChoice, Project
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.web.visitor import Visitor
from seed_space.allowance import allowance_of
from seed_space.handlers import open_page
from seed_space.session import Session
from seed_space.suggesting import more
from seed_space.trying import Shown, run
from tests.factories import a_seed
from tests.llm_server import LlmServer

CELLS = [
    {"topic": "Clay soils", "perspective": "Agronomist"},
    {"topic": "Cover crops", "perspective": "Beginner"},
]
GUEST = Visitor(address="198.51.100.9")


def preview(settings: Settings) -> list[Shown]:
    session = Session()
    values = open_page(settings, None, session, GUEST).values

    async def collect() -> list[Shown]:
        return [state async for state in run(settings, None, session, GUEST, CELLS, None, values)]

    return asyncio.run(collect())


def lending(folder: Path, base_url: str) -> Settings:
    make_project(FolderStore(folder), a_seed(), Project())
    project = Project()
    project.generation.models = [ModelChoice(model="maker/model", base_url=base_url)]
    (folder / layout.PROJECT).write_bytes(project.to_json())
    return Settings(
        str(folder), api_key="sk-owner", on_space=True, visitor_samples=3, visitor_samples_total=9
    )


def test_a_guest_sees_samples_until_the_owner_pays_no_more(folder: Path) -> None:
    with LlmServer(key="sk-owner") as server:
        settings = lending(folder, server.url)
        assert len(preview(settings)[-1].cards) == 2
        assert allowance_of(settings).left(GUEST).samples == 1
        asked = len(server.requests)
        refused = preview(settings)[-1]
        assert "asked for 2 samples, and this Space pays for 1 more today" in refused.status
        assert len(server.requests) == asked, "nothing was called"
        assert allowance_of(settings).left(GUEST).samples == 1


def test_samples_that_were_never_asked_for_are_given_back(folder: Path) -> None:
    settings = lending(folder, "http://models.example/v1")  # the key may not go there
    assert "SEEDBED_API_HOST" in preview(settings)[-1].status
    assert allowance_of(settings).left(GUEST).samples == 3


def test_a_suggestion_that_called_nobody_is_given_back(folder: Path) -> None:
    settings = lending(folder, "http://models.example/v1")
    session = Session()
    values = open_page(settings, None, session, GUEST).values
    answer = asyncio.run(more(settings, None, session, GUEST, "topics", values))
    assert "SEEDBED_API_HOST" in answer["error"]
    assert allowance_of(settings).left(GUEST).samples == 3
