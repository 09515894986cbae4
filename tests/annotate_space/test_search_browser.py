"""The lead's search in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipeline.core.projects import load_feedback
from pipeline.core.store_folder import FolderStore
from tests.annotate_space.test_browser import enter, wait_for
from tests.annotate_space.test_lead_browser import lead_view, open_tab
from tests.conftest import NewPage
from tests.factories import a_sample, fill, thumb
from tests.spaces import RunningSpace

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror='window.hacked=1'> **Rye** and [vetch](javascript:window.hacked=1)"


@pytest.fixture
def space(folder: Path) -> Iterator[RunningSpace]:
    """Thirty samples; of one, with a hostile answer, somebody said what they think."""
    store = FolderStore(folder)
    odd = a_sample(40, [HOSTILE, "None."], instruction="Which cover crops survive a dry autumn?")
    fill(store, [odd, *(a_sample(number) for number in range(30))])
    vote = thumb(odd, 1, False, "Bo~12ab34cd", comment="Too short.")
    data = (vote.to_line() + "\n").encode()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Add a vote")
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def labels(folder: Path) -> list[bool | None]:
    """The thumbs of the lead that count."""
    current = load_feedback(FolderStore(folder)).current()
    return [event.label for event in current if event.annotator.startswith("Ana~")]


def test_a_lead_finds_opens_marks_and_takes_back(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url, guidelines=False)
    lead_view(page)
    panel = open_tab(page, "Search")
    expect(panel.get_by_text("31 samples")).to_be_visible()
    expect(panel.get_by_text("Page 1 of 2")).to_be_visible()
    expect(panel.get_by_role("radio", name="Meaning")).to_be_disabled()

    panel.get_by_role("searchbox").fill("surviv -plough")
    expect(panel.get_by_text("1 sample", exact=True)).to_be_visible()
    expect(panel.locator("mark")).to_have_text("survive")
    panel.get_by_role("button", name=re.compile("^Show in full")).press("Enter")
    expect(panel.get_by_role("button", name=re.compile("^Show less"))).to_be_focused()
    expect(panel.get_by_role("heading", name="Votes")).to_be_visible()
    expect(panel.get_by_text("Answer 2: not good")).to_be_visible()
    expect(panel.get_by_text("Too short.")).to_be_visible()
    expect(panel.locator(".sb-prose strong")).to_have_text("Rye")
    expect(panel.locator("a, img")).to_have_count(0)
    assert page.evaluate("window.hacked") is None

    panel.get_by_role("searchbox").fill("")
    panel.get_by_label("Judged as").select_option(label="Not judged yet")
    expect(panel.get_by_text("30 samples")).to_be_visible()
    panel.get_by_role("button", name="Next").click()
    expect(panel.get_by_text("Page 2 of 2")).to_be_visible()
    panel.get_by_role("checkbox", name=re.compile("Select answer 1")).first.check()
    panel.get_by_role("checkbox", name="Select all answers").check()
    bar = panel.get_by_role("group", name="Mark the selection")
    expect(bar).to_contain_text("20 answers selected")
    panel.get_by_role("checkbox", name=re.compile("Select answer 2")).first.uncheck()
    bar.get_by_role("button", name="Not good").click()
    expect(bar).to_contain_text("Marked as not good in your name: 19.")
    expect(panel.get_by_text("your vote: not good")).to_have_count(19)
    wait_for(lambda: labels(folder) == [False] * 19)
    undo = bar.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(bar).to_contain_text("Taken back: 19.")
    expect(panel.get_by_text("your vote")).to_have_count(0)
    wait_for(lambda: labels(folder) == [])


def test_on_a_phone_in_german(space: RunningSpace, new_page: NewPage) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = new_page(**phone, locale="de-DE", color_scheme="dark")
    page.goto(space.url)
    page.locator("#sb-name").fill("Ana")
    page.keyboard.press("Enter")
    page.locator("[data-part=menu-button]").click()
    page.locator("[data-act=lead]").click()
    panel = open_tab(page, "Suche")
    panel.get_by_role("searchbox").fill("trockenheit")
    expect(panel).to_contain_text("Nichts gefunden")
    panel.get_by_role("searchbox").fill("cover")
    panel.get_by_role("button", name=re.compile("^Ganz zeigen")).click()
    panel.get_by_role("checkbox", name=re.compile("Antwort 1")).check()
    expect(panel.get_by_role("group", name="Auswahl markieren")).to_contain_text("1 Antwort")
    panel.get_by_text("Filtern und sortieren").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in panel.get_by_role("button").all():
        box = button.bounding_box()
        assert box is None or box["height"] >= 44, button
