"""Everybody's own page in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.core.projects import load_feedback
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from tests.annotate_space.test_browser import PHONE, choose, enter, saved, wait_for
from tests.conftest import NewPage
from tests.factories import a_sample, fill
from tests.spaces import RunningSpace

pytestmark = pytest.mark.browser


@pytest.fixture
def space(folder: Path) -> Iterator[RunningSpace]:
    """Four samples for three tasks."""
    project = Project()
    project.annotation.tasks = ["thumbs", "pairwise", "edit"]
    fill(FolderStore(folder), [a_sample(number) for number in range(4)], project)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def own_page(page: Page) -> Locator:
    """Go from the cards to the person's own page."""
    if page.locator("[data-part=menu-button]").is_visible():
        page.locator("[data-part=menu-button]").click()
    page.locator(".tools").get_by_role("button", name="My answers").click()
    view = page.locator("#own")
    expect(view.get_by_role("heading", name="What you answered")).to_be_visible()
    return view


def row(view: Locator, number: int) -> Locator:
    """An answer, opened."""
    found = view.locator("ol.answers > li").nth(number)
    if found.locator("details:not([open])").count():
        found.locator("summary").click()
    return found


def stands(folder: Path) -> dict[str, object]:
    """What counts in the dataset, by task."""
    found = load_feedback(FolderStore(folder)).current()
    return {event.task: event.preference or event.text or event.label for event in found}


def test_an_answer_is_changed_and_taken_back(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url, guidelines=False)
    choose(page, "pairwise")
    page.keyboard.press("1")
    choose(page, "edit")
    page.locator("#sb-text").fill("Wait until it crumbles.")
    page.keyboard.press("Control+Enter")
    saved(page)
    view = own_page(page)
    expect(page.locator("article.card")).to_be_hidden()
    expect(view.locator("ol.answers > li")).to_have_count(2)
    expect(view.get_by_role("row", name=re.compile("^Two answers 1 1"))).to_be_visible()
    expect(row(view, 0)).to_contain_text("Wait until it crumbles.")
    expect(row(view, 0)).to_contain_text("in the dataset")
    # Leaving it as it was leaves it, and comes back to where it was.
    row(view, 0).get_by_role("button", name="Change").click()
    expect(page.locator(".changing")).to_contain_text("You are changing your answer")
    page.get_by_role("button", name="Leave it as it was").click()
    expect(view.locator("summary").first).to_be_focused()
    # The card takes the new answer, with its keys, and the page has it at once.
    row(view, 0).get_by_role("button", name="Change").click()
    expect(page.locator("#sb-text")).to_have_value("Wait until it crumbles.")
    page.locator("#sb-text").fill("Wait until it dries.")
    page.keyboard.press("Control+Enter")
    expect(row(view, 0)).to_contain_text("Wait until it dries.")
    row(view, 1).get_by_role("button", name="Change").click()
    expect(page.locator(".deck[data-task=pairwise]")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(row(view, 1).locator("summary strong")).to_have_text("B is better")
    wait_for(lambda: stands(folder) == {"pairwise": "right", "edit": "Wait until it dries."})
    expect(row(view, 1)).to_contain_text("in the dataset")
    # What is taken back can be given again.
    row(view, 1).get_by_role("button", name="Take back").click()
    expect(row(view, 1)).to_contain_text("counts no longer")
    wait_for(lambda: stands(folder) == {"edit": "Wait until it dries."})
    row(view, 1).get_by_role("button", name="Give it again").click()
    expect(row(view, 1).locator("summary strong")).to_have_text("B is better")
    wait_for(lambda: "pairwise" in stands(folder))
    view.get_by_label("Task", exact=True).select_option(label="Editing")
    expect(view.locator("ol.answers > li")).to_have_count(1)
    view.get_by_label("Which", exact=True).select_option(label="Flagged")
    expect(view).to_contain_text("There is no answer of this kind.")
    # The cards go on as if nothing had been: each task has one answer, and Undo is not for these.
    view.get_by_role("button", name="Back to the cards").click()
    choose(page, "pairwise")
    expect(page.locator("[data-part=count]")).to_have_text("1/4")
    expect(page.get_by_role("button", name="Undo").first).to_be_disabled()


def test_a_newer_answer_from_another_tab_wins_and_is_shown(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page(**PHONE)
    enter(page, space.url, guidelines=False)
    choose(page, "thumbs")
    page.keyboard.press("a")
    saved(page)
    first, other = own_page(page), page.context.new_page()
    other.goto(space.url)
    expect(other.locator("[data-part=count]")).to_have_text("1/8")
    second = own_page(other)
    row(second, 0).get_by_role("button", name="Change").click()
    other.keyboard.press("x")
    expect(row(second, 0)).to_contain_text("Not good")
    wait_for(lambda: stands(folder) == {"thumbs": False})
    row(first, 0).get_by_role("button", name="Change").click()
    expect(page.locator(".changing")).to_contain_text("Good")
    page.keyboard.press(" ")
    expect(first).to_contain_text("That newer answer counts")
    expect(row(first, 0).locator("summary strong")).to_have_text("Not good")
    assert stands(folder) == {"thumbs": False}
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
