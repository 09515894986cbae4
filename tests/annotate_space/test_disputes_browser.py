"""The lead's queue of disagreements in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback
from pipeline.core.store_folder import FolderStore
from tests.annotate_space.test_adjudicating import EVENTS, EXAM, ONE, TWO
from tests.annotate_space.test_browser import enter, wait_for
from tests.annotate_space.test_lead_browser import lead_view, open_tab
from tests.conftest import NewPage
from tests.factories import fill, thumb
from tests.spaces import RunningSpace

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror='window.hacked=1'>"


@pytest.fixture
def space(folder: Path) -> Iterator[RunningSpace]:
    store = FolderStore(folder)
    fill(store, [ONE, TWO, EXAM])
    hostile = thumb(
        ONE, 0, None, f"{HOSTILE}~0a1b2c3d", status="flagged", reason=HOSTILE, comment=HOSTILE
    )
    data = "".join(event.to_line() + "\n" for event in [*EVENTS, hostile]).encode()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Votes")
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def verdicts(folder: Path) -> dict[str, FeedbackEvent]:
    current = load_feedback(FolderStore(folder)).current()
    return {event.task: event for event in current if event.verdict}


def question(page: Page, text: str) -> None:
    expect(page.locator("#lead-disputes .instruction").first).to_contain_text(text)


def test_a_lead_settles_reopens_and_leaves_open_with_keys(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url, guidelines=False)
    lead_view(page)
    panel = open_tab(page, "Disagreements")
    question(page, "When is clay dry enough?")
    expect(panel).to_contain_text("1 of 3")
    expect(panel).to_contain_text("Too easy")
    page.keyboard.press("5")  # as a reviewer corrected it
    expect(panel.get_by_role("radio").nth(4)).to_be_checked()
    page.keyboard.press("a")
    question(page, "field 2")
    expect(panel.get_by_role("region", name="A is better")).to_contain_text("Answer A")
    page.keyboard.press("Space")
    question(page, "field 1")
    expect(panel).to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None
    page.keyboard.press("c")
    page.keyboard.type("Xa: it names another crop")
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    expect(panel).to_contain_text("1 are left open")
    page.keyboard.press("u")
    question(page, "field 1")
    expect(panel.get_by_label("Why you decide so")).to_have_value("Xa: it names another crop")
    panel.get_by_role("button", name=re.compile("Good$")).click()
    page.keyboard.press("p")
    question(page, "field 2")
    page.keyboard.press("b")
    expect(panel).to_contain_text("Everything is settled")
    wait_for(lambda: set(verdicts(folder)) == {"exam", "pairwise", "thumbs"})
    kept = verdicts(folder)
    assert kept["exam"].option == "When dry"
    assert (kept["thumbs"].label, kept["thumbs"].comment) == (True, "Xa: it names another crop")
    assert {event.annotator for event in kept.values()} == {"owner"}
    panel.get_by_role("button", name="Settled (3)").click()
    expect(panel.get_by_role("listitem").first).to_contain_text("Both bad")
    panel.get_by_role("button", name=re.compile("Reopen.*field 1")).click()
    wait_for(lambda: "thumbs" not in verdicts(folder))
    panel.get_by_role("button", name="Open (1)").click()
    question(page, "field 1")


def test_a_phone_and_a_server_that_is_away(space: RunningSpace, new_page: NewPage) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = new_page(**phone, color_scheme="dark")
    enter(page, space.url, guidelines=False)
    page.locator("[data-part=menu-button]").click()
    lead_view(page)
    panel = open_tab(page, "Disagreements")
    panel.get_by_label("Also where most agree").check()
    expect(panel).to_contain_text("1 of 4")
    panel.get_by_label("Task", exact=True).select_option(label="One answer (2)")
    expect(panel).to_contain_text("1 of 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in panel.get_by_role("button").all():
        box = button.bounding_box()
        assert box is None or box["height"] >= 44, button
    space.kill()
    panel.get_by_role("button", name="Not good").tap()
    expect(page.locator("#lead").get_by_role("status").first).to_contain_text("was not kept")
    question(page, "field 1")
    space.start()
    panel.get_by_role("button", name="Not good").tap()
    question(page, "field 2")
    expect(panel).to_contain_text("most agree")
