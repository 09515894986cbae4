"""The annotation card in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback, read_feedback
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from tests.conftest import NewPage
from tests.factories import a_sample, fill
from tests.spaces import RunningSpace

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
    "<iframe src='javascript:parent.hacked=1'></iframe>\n\n"
    "[a link](javascript:window.hacked=1) and ![an image](http://127.0.0.1:9/spy.png)\n\n"
    "<b onmouseover='window.hacked=1'>raw HTML</b>"
)


@pytest.fixture
def space(folder: Path) -> Iterator[RunningSpace]:
    project = Project()
    project.annotation.guidelines = "# What is good\n\n- It is **correct**"
    fill(FolderStore(folder), [a_sample(number) for number in range(12)], project)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def enter(page: Page, url: str, name: str = "Ana", *, guidelines: bool = True) -> None:
    """Open the Space for the first time, up to the first card."""
    page.goto(url)
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    if guidelines:
        expect(page.get_by_role("dialog")).to_contain_text("It is correct")
        page.keyboard.press("Escape")
    expect(page.locator("article.card")).to_be_visible()


def wait_for(check: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until ``check`` holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def events(folder: Path) -> list[FeedbackEvent]:
    return list(load_feedback(FolderStore(folder)).current())


def saved(page: Page) -> None:
    expect(page.locator("[data-part=mark]")).to_contain_text("saved to")


def test_voting_by_keyboard(space: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    expect(page.locator("[data-part=count]")).to_have_text("0/24")
    for key in ("ArrowUp", "ArrowDown", "a", "x", " "):
        page.keyboard.press(key)
    expect(page.locator("[data-part=count]")).to_contain_text("5/24")
    page.get_by_role("button", name="Two answers").click()
    page.locator("article.card").click()
    for key in ("ArrowLeft", "2", "t", "b", "Space"):
        page.keyboard.press(key)
    expect(page.locator("[data-part=count]")).to_contain_text("5/12")
    saved(page)
    given = events(folder)
    assert sorted(str(e.label) for e in given if e.task == "thumbs") == [
        "False", "False", "None", "True", "True",
    ]  # fmt: skip
    assert sorted(e.preference or e.status for e in given if e.task == "pairwise") == [
        "both_bad", "left", "right", "skipped", "tie",
    ]  # fmt: skip
    for event in given:
        assert re.fullmatch(r"Ana~[0-9a-f]{6}", event.annotator)
        assert event.shown_at is not None
        assert event.answered_at is not None
        assert event.shown_at <= event.answered_at
        assert event.guidelines_version


def test_voting_by_buttons_and_undo(space: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    shown = [page.locator("article.card").inner_text()]
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_disabled()
    page.get_by_role("button", name="Good", exact=False).last.click()
    shown.append(page.locator("article.card").inner_text())
    page.get_by_role("button", name="Not good").click()
    undo.click()
    assert page.locator("article.card").inner_text() == shown[1]
    page.keyboard.press("u")
    assert page.locator("article.card").inner_text() == shown[0]
    expect(undo).to_be_disabled()
    page.keyboard.press("x")
    assert page.locator("article.card").inner_text() == shown[1]
    saved(page)
    wait_for(lambda: [event.label for event in events(folder)] == [False])


def test_undo_goes_back_to_the_other_task(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    page.keyboard.press("a")
    page.get_by_role("button", name="Two answers").click()
    expect(page.locator(".answer")).to_have_count(2)
    page.keyboard.press("u")
    expect(page.locator(".answer")).to_have_count(1)
    expect(page.get_by_role("button", name="Not good")).to_be_visible()
    expect(page.locator("[data-part=count]")).to_contain_text("0/24")


def test_space_after_a_click_skips(space: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_role("button", name="Not good").click()
    page.keyboard.press("Space")
    wait_for(lambda: sorted(e.status for e in events(folder)) == ["skipped", "submitted"])


def test_votes_survive_a_killed_server_and_a_reload(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.keyboard.press("a")
    saved(page)
    space.kill()
    page.keyboard.press("x")
    page.keyboard.press("a")
    expect(page.locator("[data-part=mark]")).to_contain_text("2 answers are safe in this browser")
    space.start()
    page.reload()
    saved(page)
    wait_for(lambda: len(events(folder)) == 3)
    expect(page.locator("[data-part=count]")).to_contain_text("3/24")


def test_a_server_that_is_away_is_no_reason_to_stop(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.keyboard.press("a")
    saved(page)
    space.kill()
    for _ in range(4):
        page.keyboard.press("a")
    expect(page.locator("article.card")).to_be_visible()
    space.start()
    wait_for(lambda: len(events(folder)) == 5, seconds=40)
    saved(page)


def test_two_people_have_their_own_orders_and_votes(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    pages = [new_page(), new_page()]
    for page, name in zip(pages, ("Ana", "Bob"), strict=True):
        enter(page, space.url, name)
    for page in pages:
        for _ in range(3):
            page.keyboard.press("a")
        saved(page)
    wait_for(lambda: len(events(folder)) == 6)
    by_person = {
        who: {e.completion_id for e in events(folder) if e.annotator.startswith(who)}
        for who in ("Ana", "Bob")
    }
    assert by_person["Ana"] != by_person["Bob"]


def test_another_person_goes_on_in_the_same_browser(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.keyboard.press("a")
    saved(page)
    page.get_by_role("button", name="Ana").click()
    page.get_by_label("Your name").fill("Bob")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=count]")).to_have_text("0/24")
    expect(page.get_by_label("Your name")).to_be_hidden()
    expect(page.locator("article.card")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("[data-part=count]")).to_have_text("1/24")
    saved(page)
    wait_for(lambda: sorted(e.annotator[:3] for e in events(folder)) == ["Ana", "Bob"])
    page.get_by_role("button", name="Bob").click()
    page.get_by_label("Your name").fill("Ana")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=count]")).to_have_text("1/24")


def test_the_last_card_takes_one_vote_while_more_are_fetched(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_role("button", name="Two answers").click()
    expect(page.locator(".answer")).to_have_count(2)

    def slowly(route: Route) -> None:
        time.sleep(0.3)
        route.continue_()

    page.route("**/component_server/", slowly)
    for _ in range(16):  # more often than there are pairs, faster than the server answers
        page.keyboard.press("1")
        page.keyboard.press("2")
    page.unroute("**/component_server/")
    expect(page.get_by_role("heading", name="All done, thank you")).to_be_visible()
    saved(page)
    given = [event for event in events(folder) if event.task == "pairwise"]
    assert len(given) == 12
    answered = [e for e in read_feedback(FolderStore(folder)) if isinstance(e, FeedbackEvent)]
    assert len(answered) == 12


def test_the_end_says_what_was_done_and_what_is_next(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_role("button", name="Two answers").click()
    page.locator("article.card").click()
    for _ in range(12):
        page.keyboard.press("1")
    expect(page.get_by_role("heading", name="All done, thank you")).to_be_visible()
    page.keyboard.press("1")  # nothing left to vote on
    page.get_by_role("button", name="Go on with: One answer").click()
    expect(page.locator("[data-part=count]")).to_contain_text("0/24")


def test_keys_rest_while_typing_and_while_a_dialog_is_open(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    page.goto(space.url)
    expect(page.get_by_label("Your name")).to_be_visible()
    page.get_by_label("Your name").press_sequentially("axt?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keys")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=count]")).to_have_text("0/24")
    expect(page.locator("[data-part=who]")).to_have_text("axt?")


def test_hostile_text_is_shown_and_does_nothing(folder: Path, new_page: NewPage) -> None:
    fill(FolderStore(folder), [a_sample(1, [HOSTILE, HOSTILE], instruction=HOSTILE)])
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        foreign: list[str] = []
        page.on(
            "request", lambda r: foreign.append(r.url) if not r.url.startswith(space.url) else None
        )
        enter(page, space.url, guidelines=False)
        for _ in range(2):
            card = page.locator("article.card")
            expect(card).to_contain_text("<script>window.hacked=1</script>")
            expect(card).to_contain_text("<b onmouseover='window.hacked=1'>raw HTML</b>")
            assert card.locator("script, img, iframe, b, [onmouseover], [onerror]").count() == 0
            assert card.locator("a[href^='javascript']").count() == 0
            page.mouse.move(300, 300)
            page.get_by_role("button", name="Two answers").click()
        assert page.evaluate("window.hacked") is None
        assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []


def test_a_phone_sees_everything_without_scrolling_sideways(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    enter(page, space.url)
    page.get_by_role("button", name="Two answers").tap()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for name in ("A is better", "B is better", "Tie", "Both bad", "Skip", "Undo", "Keys"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= 740


def test_a_space_that_is_not_set_up_says_what_to_do(folder: Path, new_page: NewPage) -> None:
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        page.goto(space.url)
        expect(page.get_by_text("There is no project")).to_be_visible()
        fill(FolderStore(folder), [a_sample(1)])
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_label("Your name")).to_be_visible()
