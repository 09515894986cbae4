"""Fixtures for all tests; nothing here reaches beyond this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# The Hub's client reads these when it is first imported, which is below.
_HOME = tempfile.mkdtemp(prefix="seedbed-tests-")
os.environ.update(
    HF_HOME=_HOME,
    HF_TOKEN_PATH=f"{_HOME}/token",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    GRADIO_ANALYTICS_ENABLED="False",
)
for _name in [name for name in os.environ if name.startswith("SEEDBED_")]:
    os.environ.pop(_name)
for _name in ("HF_TOKEN", "HF_ENDPOINT"):
    os.environ.pop(_name, None)

import pytest  # noqa: E402
from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

from tests.chromium import launch  # noqa: E402
from tests.hub_server import HubServer  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that have to stay on one process, so that none is left at the end."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session", autouse=True)
def _remove_home() -> Iterator[None]:
    yield
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """An empty Hub."""
    with HubServer() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium, one for each module.

    Playwright occupies the thread's event loop while it runs, and other tests need it.
    """
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Opens pages, each in a browser profile of its own; a script error in any fails the test."""
    errors: list[str] = []
    contexts = []

    def make(**options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
        page = context.new_page()
        page.set_default_timeout(30_000)
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place for a folder project; nothing is there yet."""
    return tmp_path / "project"
