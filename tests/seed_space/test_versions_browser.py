"""History, compare and restore in a real browser; one Space for all tests of this module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.core import layout, versions
from pipeline.core.projects import load_seed, make_project, save_seed
from pipeline.core.schema import Project, Seed
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.conftest import NewPage
from tests.factories import a_seed
from tests.hub_server import HubServer
from tests.seed_space.test_browser import enter, go, rows, save
from tests.spaces import RunningSpace

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("versions")]  # they share one Space

LONG = "You are an agronomist who has farmed for thirty years. "


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("versions") / "project"


@pytest.fixture(scope="module")
def space(place: Path) -> Iterator[RunningSpace]:
    make_project(FolderStore(place), Seed(), Project())
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(place)}) as running:
        yield running


@pytest.fixture
def store(place: Path, space: RunningSpace) -> FolderStore:
    """The project with three versions."""
    for path in place.glob(f"{layout.SEEDS}/*"):
        path.unlink()
    (place / layout.SEED).write_bytes(Seed().to_json())
    store = FolderStore(place)
    keep(store, a_seed())
    keep(store, a_seed().model_copy(update={"topics": ["Water"], "domain_expert_prompt": LONG * 3}))
    keep(
        store,
        a_seed().model_copy(update={"topics": ["Water", "<b>Weeds</b>"], "language": "de"}),
        by="ana",
    )
    return store


def keep(store: FolderStore, seed: Seed, by: str = "") -> None:
    save_seed(store, seed, expect=load_seed(store).etag, message="S", by=by)


def history(page: Page) -> Page:
    go(page, "Publish")
    expect(page.locator("#publish-history")).to_contain_text("Last saved by")
    page.locator("#publish-history summary").click()
    return page


def test_a_version_is_compared_and_restored_and_can_be_undone(
    space: RunningSpace, store: FolderStore, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    past = history(page).locator("#publish-history")
    button = page.get_by_role("button", name="Save", exact=True)
    expect(button).to_be_disabled()
    expect(past).to_contain_text("Last saved by ana")
    lines = past.locator("ol > li")
    expect(lines).to_have_count(3)
    expect(lines.nth(0)).to_contain_text("language")
    expect(lines.nth(0)).to_contain_text("topics")

    lines.nth(2).get_by_role("button", name=re.compile("^Compare")).focus()
    page.keyboard.press("Enter")
    compared = lines.nth(2).locator(".result")
    expect(compared.locator("section")).to_have_count(2)
    expect(compared.locator("ins").first).to_be_attached()
    expect(compared).to_contain_text("<b>Weeds</b>")
    assert compared.locator("b").count() == 0
    middle = versions.names(store)[1]
    past.get_by_label("Compare with").select_option(middle)
    expect(compared).to_contain_text("The expert")
    expect(compared.locator("ins").first).to_contain_text("You")

    oldest = versions.names(store)[2]
    lines.nth(2).get_by_role("button", name=re.compile("^Restore")).click()
    expect(past.locator(".said")).to_contain_text("Nothing is written until you save")
    expect(button).to_be_enabled()
    go(page, "Topics")
    assert rows(page, "topics") == a_seed().topics
    assert load_seed(store).seed.topics == ["Water", "<b>Weeds</b>"]
    go(page, "Publish")
    past.get_by_role("button", name="Undo").click()
    expect(past.locator(".said")).to_contain_text("is back")
    expect(button).to_be_disabled()
    go(page, "Topics")
    assert rows(page, "topics") == ["Water", "<b>Weeds</b>"]

    go(page, "Publish")
    lines.nth(2).get_by_role("button", name=re.compile("^Restore")).click()
    expect(button).to_be_enabled()
    save(page)
    expect(lines).to_have_count(4)
    expect(lines.nth(0)).to_contain_text("Restored from")
    entry = versions.history(store, load_seed(store).seed).entries[0]
    assert entry.restored_from == oldest
    assert load_seed(store).seed == a_seed()
    expect(button).to_be_disabled()


def test_a_change_from_outside_and_older_pages_are_shown(
    space: RunningSpace, store: FolderStore, place: Path, new_page: NewPage
) -> None:
    for number in range(22):
        keep(store, a_seed().model_copy(update={"domain": f"Version {number}"}))
    (place / layout.SEED).write_bytes(Seed(domain="By hand").to_json())
    page = new_page()
    enter(page, space.url)
    go(page, "Publish")
    past = page.locator("#publish-history")
    expect(past).to_contain_text("The saved version was changed outside Seedbed")
    past.locator("summary").click()
    expect(past).to_contain_text("Changed outside Seedbed since then: name, description")
    lines = past.locator("ol > li")
    expect(lines).to_have_count(20)
    past.get_by_role("button", name="Show older").click()
    expect(lines).to_have_count(25)
    expect(past.get_by_role("button", name="Show older")).to_be_hidden()


def test_who_may_only_read_is_told_before_they_try(hub: HubServer, new_page: NewPage) -> None:
    make_project(HubStore("ana/farm", token=hub.add_user("ana"), hub=hub.url), a_seed(), Project())
    env = {
        **hub.client_env(hub.add_token("ana", "read")),
        "SEEDBED_PROJECT": "ana/farm",
    }
    with RunningSpace("seed_space", env) as running:
        page = new_page()
        enter(page, running.url)
        page.get_by_label("Name of the domain").fill("Mine")
        go(page, "Publish")
        expect(page.locator("#publish-access")).to_contain_text("may not write to ana/farm")
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
        expect(page.locator("#publish-history")).to_contain_text("Last saved by the owner")
