"""The lead's live view in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.core import invitations
from pipeline.core.controls import add, control
from pipeline.core.projects import load_project, make_project
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.annotate_space.test_browser import enter, saved, wait_for
from tests.conftest import NewPage
from tests.factories import a_sample, a_seed, fill, thumb
from tests.hub_server import HubServer
from tests.spaces import RunningSpace

pytestmark = pytest.mark.browser

WORDS = Path(__file__).parents[2] / "annotate_space/lead_view/words.json"


@pytest.fixture
def space(folder: Path) -> Iterator[RunningSpace]:
    """Twelve samples, of which somebody has flagged one in hostile words."""
    project = Project()
    project.annotation.guidelines = "# What is good\n\n- It is **correct**"
    store = FolderStore(folder)
    fill(store, [a_sample(number) for number in range(12)], project)
    flag = thumb(
        a_sample(3), 0, None, "bo", status="flagged",
        reason="Unsafe", comment="<img src=x onerror='window.hacked=1'>",
    )  # fmt: skip
    data = (flag.to_line() + "\nrubbish\n").encode()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Add")
    sample = a_sample(5)
    add(store, control(
        task="thumbs", sample_id=sample.sample_id,
        completion_ids=[sample.completions[0].completion_id], label=True,
    ))  # fmt: skip
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def lead_view(page: Page) -> Locator:
    """Go from the cards to the lead's view."""
    page.get_by_role("button", name="Lead", exact=True).click()
    expect(page.get_by_role("tab", name="Progress")).to_be_visible()
    return page.locator("#lead")


def open_tab(page: Page, name: str) -> Locator:
    page.get_by_role("tab", name=name).click()
    panel = page.get_by_role("tabpanel", name=name)
    expect(panel).to_be_visible()
    return panel


def test_a_lead_sees_what_comes_in(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    view = lead_view(page)
    expect(page.locator("article.card")).to_be_hidden()
    expect(view).to_contain_text("Farming")
    expect(view).to_contain_text("of 36 votes")
    expect(view).to_contain_text("x-000001.jsonl:2")
    expect(view).to_contain_text("<img src=x onerror='window.hacked=1'>")
    assert page.evaluate("window.hacked") is None
    cell = view.get_by_role("row", name=re.compile("^Clay soils")).get_by_role("cell").first
    before = cell.inner_text()
    annotator = new_page()
    enter(annotator, space.url, "Eva")
    for _ in range(3):
        annotator.keyboard.press("ArrowUp")
    saved(annotator)
    expect(cell).not_to_have_text(before)
    expect(view).to_contain_text("votes in the last hour")
    panel = open_tab(page, "People")
    row = panel.get_by_role("row", name=re.compile("^Eva"))
    expect(row).to_contain_text("3")
    expect(row).to_contain_text("until")
    expect(row).to_contain_text("just now")


def test_the_view_asks_only_while_it_is_seen(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "overview" in (r.post_data or "") else None)
    page.clock.run_for(30_000)
    assert asked == []
    lead_view(page)
    page.clock.run_for(21_000)
    wait_for(lambda: len(asked) >= 2)
    page.get_by_role("button", name="Back to the cards").click()
    expect(page.locator("article.card")).to_be_visible()
    expect(page.locator(".lead")).to_be_hidden()
    page.wait_for_timeout(300)
    asked.clear()
    page.clock.run_for(60_000)
    page.wait_for_timeout(300)
    assert asked == []


def test_a_link_lets_somebody_in_until_it_is_taken_back(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    enter(page, space.url)
    lead_view(page)
    panel = open_tab(page, "Invitations")
    expect(panel).to_contain_text("No link is good")
    panel.get_by_label("Name", exact=True).fill("Eva")
    panel.get_by_label("Good for").select_option(label="another time")
    panel.get_by_label("Such as").fill("soon")
    panel.get_by_role("button", name="Make the link").click()
    expect(panel.get_by_role("alert")).to_contain_text("such as 7d")
    panel.get_by_label("Such as").fill("2w")
    panel.get_by_role("button", name="Make the link").click()
    link = panel.get_by_role("textbox", name="The link for Eva").input_value()
    expect(panel).to_contain_text("This link is a key")
    panel.get_by_role("button", name="Copy").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link
    invited = new_page()
    invited.goto(link)
    expect(invited.get_by_role("dialog")).to_contain_text("It is correct")
    invited.keyboard.press("Escape")
    invited.locator("article.card").wait_for()
    expect(invited.locator(".deck [data-part=who]")).to_have_text("Eva")
    (before,) = invitations.load(FolderStore(folder)).invitations
    extend = panel.get_by_role("button", name="Extend the link for Eva by 30 days")
    extend.click()
    wait_for(
        lambda: invitations.load(FolderStore(folder)).invitations[0].expires_at > before.expires_at
    )
    expect(extend).to_be_focused()
    panel.get_by_role("button", name="Take back the link for Eva").click()
    panel.get_by_role("button", name="Keep").click()
    expect(panel.get_by_role("button", name="Take back the link for Eva")).to_be_focused()
    panel.get_by_role("button", name="Take back the link for Eva").click()
    panel.get_by_role("button", name="Take back", exact=True).click()
    expect(panel).to_contain_text("No link is good")
    panel.get_by_text("Expired or taken back (1)").click()
    expect(panel).to_contain_text("taken back")
    (one,) = invitations.load(FolderStore(folder)).invitations
    assert one.revoked_at is not None
    assert one.name == "Eva"


def test_settings_change_what_people_are_asked(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    lead_view(page)
    panel = open_tab(page, "Settings")
    expect(panel.get_by_label("One answer")).to_be_checked()
    expect(panel.get_by_role("button", name="Save")).to_be_disabled()
    expect(panel).to_contain_text("there are 1")
    panel.get_by_label("People for each question").fill("200")
    panel.get_by_role("button", name="Save").click()
    wrong = panel.get_by_label("People for each question")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_focused()
    expect(panel).to_contain_text("less than or equal to 100")
    wrong.fill("3")
    panel.get_by_label("Two answers").uncheck()
    panel.get_by_label("Rating").check()
    panel.locator("[name=weight_rate]").fill("2")
    panel.get_by_label("Hidden repeats").fill("12.5")
    panel.get_by_label("What annotators read first").fill("Be *kind* <script>x</script>")
    panel.get_by_role("button", name="Preview").click()
    expect(panel.get_by_role("region", name="Preview")).to_have_text("Be kind <script>x</script>")
    panel.get_by_label("Who may come in").select_option("named")
    panel.get_by_label("People and organisations").fill("bo, growers")
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("status")).to_contain_text("saved")
    project = load_project(FolderStore(folder))
    assert project.annotation.overlap == 3
    assert project.annotation.tasks == ["thumbs", "rate"]
    assert project.annotation.mix == {"rate": 2}
    assert project.annotation.repeats == 0.125
    assert project.annotation.guidelines == "Be *kind* <script>x</script>"
    assert (project.access.annotate, project.access.people) == ("named", ["bo", "growers"])
    open_tab(page, "Progress")
    expect(page.locator("#lead")).to_contain_text("Rating")


def test_two_leads_who_change_the_same_see_both_and_choose(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    lead_view(page)
    panel = open_tab(page, "Settings")
    expect(panel.get_by_label("One answer")).to_be_checked()
    project = load_project(FolderStore(folder))
    project.annotation.overlap = 7
    project.annotation.show_topic = False
    FolderStore(folder).commit({"project.json": project.to_json()}, message="Somebody else")
    panel.get_by_label("People for each question").fill("3")
    panel.get_by_label("Hidden repeats").fill("10")
    panel.get_by_role("button", name="Save").click()
    both = panel.get_by_role("alertdialog")
    expect(both).to_contain_text("Somebody else has changed the settings")
    expect(both.get_by_role("group", name="People for each question")).to_contain_text("7")
    assert load_project(FolderStore(folder)).annotation.overlap == 7
    both.get_by_role("radio", name=re.compile("Theirs.*7")).check()
    both.get_by_role("button", name="Save this choice").click()
    expect(panel.get_by_role("status")).to_contain_text("saved")
    now = load_project(FolderStore(folder)).annotation
    assert (now.overlap, now.repeats, now.show_topic) == (7, 0.1, False)
    expect(panel.get_by_label("Show topic and perspective")).not_to_be_checked()


def test_a_server_that_is_away_leaves_the_last_figures(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    view = lead_view(page)
    space.kill()
    expect(view.get_by_role("status").first).to_contain_text("cannot be reached")
    expect(view).to_contain_text("of 36 votes")
    space.start()
    expect(view.get_by_text("cannot be reached")).to_be_hidden()


def test_only_leads_are_told_anything(hub: HubServer, new_page: NewPage) -> None:
    store = HubStore("ana/farming", token=hub.add_user("ana", "hf_anatoken1"), hub=hub.url)
    make_project(store, a_seed(), Project())
    env = {"SEEDBED_PROJECT": "ana/farming", "SYSTEM": "spaces", **hub.client_env("hf_anatoken1")}
    with RunningSpace("annotate_space", env) as running:
        page = new_page()
        page.goto(running.url)
        page.get_by_label("Your name").fill("Mallory")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Lead", exact=True)).to_have_count(0)
        page.wait_for_timeout(1_000)
        switch = "document.dispatchEvent(new CustomEvent('seedbed:view', {detail: {view: 'lead'}}))"
        page.evaluate(switch)
        expect(page.get_by_role("heading", name="This view is not for you")).to_be_visible()
        expect(page.get_by_role("tab", name="Progress")).to_be_hidden()


def test_by_keyboard(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    lead_view(page)
    expect(page.get_by_role("heading", name=re.compile("Lead's view"))).to_be_focused()
    page.get_by_role("tab", name="Progress").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Settings")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Settings")).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel", name="Insights")).to_be_visible()
    page.keyboard.press("a")
    page.get_by_role("button", name="Back to the cards").press("Enter")
    expect(page.locator("article.card")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_sees_everything_without_scrolling_the_page_sideways(
    space: RunningSpace, new_page: NewPage, scheme: str
) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = new_page(**phone, color_scheme=scheme)
    enter(page, space.url)
    page.locator("[data-part=menu-button]").click()
    lead_view(page)
    for name in ("Progress", "People", "Invitations", "Settings"):
        panel = open_tab(page, name)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        for button in panel.get_by_role("button").all():
            box = button.bounding_box()
            assert box is None or box["height"] >= 44, button


def test_the_view_speaks_the_readers_language(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page(locale="de-DE")
    page.goto(space.url)
    page.locator("#sb-name").fill("Ana")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-act=lead]").click()
    expect(page.get_by_role("tab", name="Fortschritt")).to_be_visible()
    expect(page.locator("#lead")).to_contain_text("von 36 Stimmen")


def test_every_word_is_there_in_five_languages() -> None:
    for key, said in json.loads(WORDS.read_text()).items():
        assert list(said) == ["en", "es", "pt", "fr", "de"], key
        assert all(said.values()), key
        places = {tuple(sorted(set(re.findall(r"\{\w+\}", text)))) for text in said.values()}
        assert len(places) == 1, key
