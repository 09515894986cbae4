"""The whole path as people walk it: seeds to samples to votes to training data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.core.projects import load_feedback, load_seed
from pipeline.core.schema import Example
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.conftest import NewPage
from tests.curation.test_card import load_all
from tests.hub_server import HubServer
from tests.spaces import RunningSpace
from tests.test_cli import run

pytestmark = pytest.mark.browser


def write_seed(page: Page, url: str) -> None:
    """What an expert does in the Seed Space, up to a saved seed."""
    page.goto(url)
    page.get_by_label("Name of the domain").fill("Beekeeping")
    page.get_by_label("Description, in one sentence").fill("Keeping honey bees well.")
    page.get_by_role("button", name="Next: Expert").click()
    page.locator("#field-expert textarea, #field-domain_expert_prompt textarea").first.fill(
        "You have kept bees for twenty years and explain without jargon."
    )
    for step, rows in (
        ("Topics", ["Swarming", "Winter feeding"]),
        ("Perspectives", ["Beginner", "Bee inspector"]),
    ):
        page.get_by_role("button", name=step).first.click()
        page.get_by_placeholder("Add a ").locator("visible=true").click()
        for row in rows:
            page.keyboard.type(row)
            page.keyboard.press("Enter")
    page.get_by_role("button", name="Examples").first.click()
    page.get_by_role("button", name="Add an example").click()
    page.get_by_label("Question").locator("visible=true").first.fill("When do bees swarm?")
    page.get_by_label("Answer").locator("visible=true").first.fill(
        "Mostly in late spring. Look for queen cells every seven days. Give room early."
    )
    page.get_by_role("button", name="Preview").first.click()
    page.get_by_role("button", name="Write samples").click()
    expect(page.locator("#preview-status")).to_contain_text("All 3 samples are here")
    expect(page.locator("#preview-status")).to_contain_text("stand-in")
    page.get_by_role("button", name="Publish").first.click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text("Saved")


def vote(page: Page, url: str) -> None:
    """What an annotator does by keyboard alone."""
    page.goto(url)
    page.get_by_label("Your name").fill("Ana")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="One answer").click()
    expect(page.locator("[data-part=count]")).to_have_text("0/12")
    expect(page.locator("article.card")).to_be_visible()
    for key in ("a", "x", "a"):
        page.keyboard.press(key)
    expect(page.locator("[data-part=count]")).to_contain_text("3/12")
    page.get_by_role("button", name="Two answers").click()
    expect(page.locator(".answer")).to_have_count(2)
    for key in ("1", "2", "t", "b", "u"):
        page.keyboard.press(key)
    expect(page.locator("[data-part=count]")).to_contain_text("3/6")
    expect(page.locator("[data-part=mark]")).to_contain_text("sav")


@pytest.fixture(params=["folder", "hub"])
def place(request: pytest.FixtureRequest, folder: Path) -> tuple[str, dict[str, str], Store]:
    """A project's name, the environment that reaches it, and its store."""
    if request.param == "folder":
        env = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder.parent / "home")}
        return str(folder), env, FolderStore(folder)
    hub: HubServer = request.getfixturevalue("hub")
    token = hub.add_user("ana")
    env = {**hub.client_env(token), "SEEDBED_WORK_DIR": str(folder.parent / "work")}
    return "ana/bees", env, HubStore("ana/bees", token=token, hub=hub.url)


def test_from_an_empty_project_to_training_data(
    place: tuple[str, dict[str, str], Store], new_page: NewPage
) -> None:
    project, env, store = place
    env = {**env, "SEEDBED_PROJECT": project}
    run("init", project, env=env)
    with RunningSpace("seed_space", env) as space:
        write_seed(new_page(), space.url)
        page = new_page()
        page.goto(space.url)  # somebody else, later
        expect(page.get_by_label("Name of the domain")).to_have_value("Beekeeping")
    seed = load_seed(store).seed
    assert seed.topics == ["Swarming", "Winter feeding"]
    assert seed.perspectives == ["Beginner", "Bee inspector"]
    assert seed.domain_expert_prompt.startswith("You have kept bees")
    assert [type(e) for e in seed.examples] == [Example]

    run("generate", project, "--rows", 6, env=env)
    with RunningSpace("annotate_space", env) as space:
        page = new_page()
        vote(page, space.url)
        space.stop()
        assert len(list(load_feedback(store).current())) == 6
        space.start()
        page.reload()
        expect(page.locator("[data-part=count]")).to_contain_text("3/6")

    counts = json.loads(run("export", project, "--json", env=env).stdout)["rows"]
    assert counts["kto"] >= 3
    assert counts["preference"] == 2
    assert counts["feedback"] == 8
    assert counts["sft"] >= 2
    filled = {name: count for name, count in counts.items() if count}
    assert load_all(project, env, ["samples", *filled]) == {"samples": 6, **filled}
