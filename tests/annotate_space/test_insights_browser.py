"""The lead's insights in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from tests.annotate_space.test_browser import enter, wait_for
from tests.annotate_space.test_lead_browser import lead_view, open_tab
from tests.conftest import NewPage
from tests.factories import a_sample, fill, pair, thumb
from tests.spaces import RunningSpace

pytestmark = pytest.mark.browser

SAMPLES = [
    a_sample(number, topic=("Clay soils", "<img src=x onerror=alert(1)>")[number % 2])
    for number in range(24)
]


def vote(store: FolderStore) -> None:
    """Four people on two tasks; one of them likes what the others do not."""
    events = [
        thumb(sample, 0, (number % 3 > 0) == (who != "odd"), who, duration_ms=4_000)
        for number, sample in enumerate(SAMPLES)
        for who in ("ana~1a2b3c4d5e", "bob", "eva", "odd")
    ]
    events += [pair(sample, "left", "bob", swap=n % 2 > 0) for n, sample in enumerate(SAMPLES)]
    data = "".join(f"{event.to_line()}\n" for event in events).encode()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Add")


def test_what_votes_tell_is_drawn_as_they_come(folder: Path, new_page: NewPage) -> None:
    store = FolderStore(folder)
    project = Project()
    project.annotation.guidelines = "# What is good\n\n- It is **correct**"
    fill(store, SAMPLES, project)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        asked: list[Request] = []
        page.on("request", lambda r: asked.append(r) if "figures" in (r.post_data or "") else None)
        enter(page, space.url)
        page.clock.install()
        lead_view(page)
        assert asked == []
        panel = open_tab(page, "Insights")
        expect(panel).to_contain_text("Nobody has voted yet")
        vote(store)

        def drawn() -> bool:
            page.clock.run_for(11_000)
            page.wait_for_timeout(300)
            return panel.get_by_role("heading", name="Agreement by person").is_visible()

        wait_for(drawn)
        expect(panel).to_contain_text("votes by 4 people")
        expect(panel).to_contain_text("“Two answers”: only one person has answered so far")
        expect(panel).to_contain_text("“One answer”: people agree")
        person = panel.get_by_role("table", name="Agreement by person").get_by_role("row")
        expect(person.filter(has_text="odd")).to_contain_text("-")  # against the others
        expect(person.filter(has_text="bob")).not_to_contain_text("-")
        expect(person.filter(has_text="ana")).to_contain_text("ana 1a2b")
        expect(panel).to_contain_text("no preference for a length")
        box = panel.get_by_role("region", name="Agreement by task")
        more = box.get_by_text("More figures")
        more.focus()
        page.keyboard.press("Enter")
        table = box.get_by_role("table").last
        expect(table.get_by_role("columnheader", name="Fleiss' kappa")).to_be_visible()
        expect(table.get_by_role("row", name="One answer")).to_contain_text("24")

        open_tab(page, "Progress")
        page.wait_for_timeout(300)
        asked.clear()
        page.clock.run_for(60_000)
        page.wait_for_timeout(300)
        assert asked == []
        phone(new_page, space.url)


def phone(new_page: NewPage, url: str) -> None:
    """Everything fits a small screen, in another language, with all tables open."""
    size = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page: Page = new_page(**size, locale="de-DE", color_scheme="dark")
    page.goto(url)
    page.locator("#sb-name").fill("Lea")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-part=menu-button]").click()
    page.locator("[data-act=lead]").click()
    page.get_by_role("tab", name="Auswertung").click()
    panel = page.get_by_role("tabpanel", name="Auswertung")
    expect(panel).to_contain_text("Stimmen von 4 Personen")
    for summary in panel.get_by_text("Mehr Zahlen").all():
        if summary.is_visible():
            summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
