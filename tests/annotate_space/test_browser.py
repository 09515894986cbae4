"""The annotation card in a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from pipeline.core import controls, invitations, layout
from pipeline.core.documents.kept import NewDocument, keep_documents
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback, load_project, read_feedback
from pipeline.core.schema import Project, Span
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
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
TASKS = {
    "thumbs": "One answer",
    "pairwise": "Two answers",
    "rate": "Rating",
    "edit": "Editing",
    "instruction": "Writing",
    "exam": "Exam",
}


@pytest.fixture
def space(folder: Path) -> Iterator[RunningSpace]:
    """Twelve samples with two answers each, judged alone and in pairs."""
    project = Project()
    project.annotation.guidelines = "# What is good\n\n- It is **correct**"
    fill(FolderStore(folder), [a_sample(number) for number in range(12)], project)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


@pytest.fixture
def everything(folder: Path) -> Iterator[RunningSpace]:
    """All six tasks."""
    project = Project()
    project.annotation.tasks = list(TASKS)  # type: ignore[arg-type]
    exams = [
        a_sample(
            number,
            kind="exam",
            question=f"What does dry clay do, {number}?",
            answer="It crumbles",
            distractors=("It shines", "It smells"),
        )
        for number in range(20, 26)
    ]
    fill(FolderStore(folder), [*(a_sample(number) for number in range(8)), *exams], project)
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


def choose(page: Page, task: str) -> None:
    """Go over to one task and leave the keyboard to the card."""
    if page.locator("[data-part=menu-button]").is_visible():
        page.locator("[data-part=menu-button]").click()
    page.get_by_role("button", name=TASKS[task], exact=True).click()
    expect(page.locator(f".deck[data-task={task}]")).to_be_visible()


def wait_for(check: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until ``check`` holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def events(folder: Path) -> list[FeedbackEvent]:
    return list(load_feedback(FolderStore(folder)).current())


def all_events(folder: Path) -> list[FeedbackEvent]:
    return [e for e in read_feedback(FolderStore(folder)) if isinstance(e, FeedbackEvent)]


def count(page: Page, text: str) -> None:
    expect(page.locator("[data-part=count]")).to_have_text(text)


def saved(page: Page) -> None:
    expect(page.locator("[data-part=mark]")).to_contain_text("saved to")


def shown(page: Page) -> str:
    return page.locator("article.card").inner_text()


def answer_for_good(page: Page, folder: Path, **expected: object) -> None:
    """The one answer that is in the dataset in the end has these fields."""
    saved(page)
    wait_for(lambda: len(events(folder)) == 1)
    (event,) = events(folder)
    assert {name: getattr(event, name) for name in expected} == expected


# ---- answering --------------------------------------------------------------------------------


def test_voting_by_keyboard(space: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    count(page, "0/24")
    for key in ("ArrowUp", "ArrowDown", "a", "x", "a"):
        page.keyboard.press(key)
    count(page, "5/24")
    page.keyboard.press(" ")
    choose(page, "pairwise")
    for key in ("ArrowLeft", "2", "t", "b"):
        page.keyboard.press(key)
    count(page, "4/12")
    page.keyboard.press("Space")
    saved(page)
    given = events(folder)
    assert sorted(str(e.label) for e in given if e.task == "thumbs") == [
        "False", "False", "None", "True", "True", "True",
    ]  # fmt: skip
    assert sorted(e.preference or e.status for e in given if e.task == "pairwise") == [
        "both_bad", "left", "right", "skipped", "tie",
    ]  # fmt: skip
    assert len({event.annotator for event in given}) == 1
    for event in given:
        assert event.shown_at is not None
        assert event.answered_at is not None
        assert event.shown_at <= event.answered_at
        assert event.guidelines_version


def test_voting_by_buttons_and_undo_also_after_a_reload(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    texts = [shown(page)]
    undo = page.locator("#deck footer").get_by_role("button", name="Undo")
    expect(undo).to_be_disabled()
    page.locator("[data-vote=up]").click()
    texts.append(shown(page))
    page.get_by_role("button", name="Not good").click()
    undo.click()
    assert shown(page) == texts[1]
    page.reload()
    expect(page.locator("article.card")).to_be_visible()
    assert shown(page) == texts[1]
    page.keyboard.press("u")
    assert shown(page) == texts[0]
    expect(undo).to_be_disabled()
    page.keyboard.press("x")
    assert shown(page) == texts[1]
    saved(page)
    wait_for(lambda: [event.label for event in events(folder)] == [False])


def test_undo_goes_back_to_the_other_task(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.keyboard.press("a")
    choose(page, "pairwise")
    expect(page.locator(".answer")).to_have_count(2)
    page.keyboard.press("u")
    expect(page.locator(".answer")).to_have_count(1)
    expect(page.get_by_role("button", name="Not good")).to_be_visible()
    count(page, "0/24")


def test_space_after_a_click_skips(space: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.get_by_role("button", name="Not good").click()
    page.keyboard.press("Space")
    wait_for(lambda: sorted(e.status for e in events(folder)) == ["skipped", "submitted"])


def test_the_next_card_is_painted_in_the_same_frame_whatever_the_network(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")

    def slowly(route: Route) -> None:
        time.sleep(0.3)
        route.continue_()

    page.route("**/component_server/", slowly)
    waits = page.evaluate(
        """async () => {
            const card = document.querySelector("article.card"), waits = [];
            for (let i = 0; i < 6; i++) {
                const before = card.textContent, start = performance.now();
                const press = new KeyboardEvent("keydown", { key: "a", bubbles: true });
                document.body.dispatchEvent(press);
                if (card.textContent === before) throw new Error("the card did not change");
                await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
                waits.push(performance.now() - start);
            }
            return waits;
        }"""
    )
    page.unroute("**/component_server/")
    assert sorted(waits)[3] < 100, waits


def test_rating(everything: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "rate")
    page.keyboard.press("4")
    answer_for_good(page, folder, task="rate", rating=4)


def test_editing_keeps_what_is_half_written_over_a_reload(
    everything: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "edit")
    field = page.locator("article textarea")
    expect(field).to_have_value(re.compile("Answer [AB] to question"))
    page.keyboard.press("e")
    expect(field).to_be_focused()
    page.get_by_role("button", name="Start from empty").click()
    expect(field).to_have_value("")
    page.locator("[data-vote=save]").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is written yet")
    field.fill("Roll a handful first")
    page.reload()
    expect(field).to_have_value("Roll a handful first")
    field.press("End")
    page.keyboard.type(", then wait.")
    page.keyboard.press("Control+Enter")
    answer_for_good(page, folder, task="edit", text="Roll a handful first, then wait.")


def test_an_answer_that_is_good_as_it_is(
    everything: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "edit")
    text = page.locator("article textarea").input_value()
    page.keyboard.press("a")
    answer_for_good(page, folder, task="edit", text=text)


def test_writing_an_instruction(everything: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "instruction")
    expect(page.locator("article textarea")).to_be_focused()
    page.keyboard.type("May I drive on wet clay?")
    page.keyboard.press("Control+Enter")
    answer_for_good(page, folder, task="instruction", text="May I drive on wet clay?")


def test_an_exam_question_is_approved_and_another_answer_taken(
    everything: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "exam")
    marked = page.locator(".option", has_text="Marked as right")
    expect(marked).to_contain_text("It crumbles")
    expect(marked.get_by_role("radio")).to_be_checked()
    page.keyboard.press("a")
    page.locator(".option", has_text="It smells").click()
    page.get_by_role("button", name="is right").click()
    saved(page)
    wait_for(lambda: sorted(str(e.option) for e in events(folder)) == ["It crumbles", "It smells"])


def test_an_exam_is_reviewed_blind(folder: Path, new_page: NewPage) -> None:
    project = Project()
    project.annotation.tasks = ["exam"]
    project.annotation.blind_exam = True
    exam = a_sample(
        1,
        (),
        kind="exam",
        perspective="",
        question="What does dry clay do?",
        answer="It crumbles",
        distractors=("It shines", "It smells", "It swells"),
    )
    fill(FolderStore(folder), [exam], project)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        enter(page, space.url, guidelines=False)
        expect(page.locator("article.card")).to_contain_text("Which answer is right?")
        expect(page.locator(".option")).to_have_count(4)
        expect(page.locator(".option input:checked")).to_have_count(0)
        expect(page.locator(".option", has_text="Marked as right")).to_have_count(0)
        for key in ("a", "e"):
            page.keyboard.press(key)
            expect(page.get_by_text("Choose the right answer first")).to_be_visible()
        expect(page.locator(".correction")).to_have_count(0)
        page.locator(".option", has_text="It swells").click()
        page.keyboard.press("a")
        saved(page)
        wait_for(lambda: [e.option for e in events(folder)] == ["It swells"])


def test_an_exam_question_is_corrected_and_discarded(
    everything: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "exam")
    page.keyboard.press("e")
    page.get_by_label("Right answer").fill("It crumbles in the hand")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".correction")).to_have_count(0)
    page.keyboard.press("x")
    saved(page)
    wait_for(lambda: len(events(folder)) == 2)
    by_status = {event.status: event for event in events(folder)}
    assert by_status["flagged"].reason == "discard"
    corrected = json.loads(by_status["submitted"].text or "")
    assert by_status["submitted"].option == corrected["answer"] == "It crumbles in the hand"
    assert sorted(corrected["distractors"]) == ["It shines", "It smells"]
    assert corrected["question"].startswith("What does dry clay do")


def test_an_open_correction_is_what_answers_the_card(
    everything: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "exam")
    page.keyboard.press("e")
    form = page.locator(".correction")
    expect(page.locator("[data-part=votes]")).to_be_hidden()
    page.get_by_label("Right answer").fill(" it SHINES ")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Two of the answers are the same")
    expect(page.get_by_label("Wrong answer")).not_to_have_count(0)
    page.keyboard.press("Escape")
    for key in ("a", "x", "Space"):
        page.keyboard.press(key)
    expect(form).to_be_visible()
    page.reload()
    expect(page.get_by_label("Right answer")).to_have_value("it SHINES")
    expect(page.locator("[data-part=votes]")).to_be_hidden()
    form.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-part=votes]")).to_be_visible()
    page.keyboard.press("e")
    form.get_by_role("button", name="Save the correction").click()
    answer_for_good(page, folder, status="submitted", option="It crumbles", text=None)


def test_an_edit_without_a_change_is_good_as_it_is(
    everything: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "edit")
    field = page.locator("article textarea")
    text = field.input_value()
    field.fill(f"{text}  \n")
    page.keyboard.press("Control+Enter")
    answer_for_good(page, folder, task="edit", text=text)
    page.locator("[data-part=mark]").click()
    expect(page.locator("dialog[data-part=panel]")).to_contain_text("Good as it is")


def test_an_answer_that_is_refused_can_be_opened_again(
    everything: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, everything.url, guidelines=False)
    choose(page, "edit")

    def refuse(route: Route) -> None:
        sent = route.request.post_data_json or {}
        given = sent["data"]["events"] if sent["fn_name"] == "submit" else []
        if not given:
            return route.continue_()
        rejected = {event["event_id"]: "Too good." for event in given}
        return route.fulfill(json={"rejected": rejected, "saved": {}, "saved_at": None})

    page.route("**/component_server/", refuse)
    page.locator("article textarea").fill("Roll a handful first")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("not accepted: Too good.")
    page.unroute("**/component_server/")
    kept = page.evaluate("Object.entries(localStorage).filter(([key]) => key.endsWith(':refused'))")
    assert [name for _, entries in kept for name in json.loads(entries)[0]] == [
        "annotator", "event", "item", "why",
    ]  # fmt: skip
    page.locator("[data-part=mark]").click()
    page.get_by_role("button", name="Open it again").click()
    expect(page.locator("article textarea")).to_have_value("Roll a handful first")
    page.locator("[data-vote=save]").click()
    answer_for_good(page, folder, task="edit", text="Roll a handful first")
    page.locator("[data-part=mark]").click()
    expect(page.get_by_role("button", name="Open it again")).to_have_count(0)


def test_a_lead_makes_an_answer_the_known_one(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "pairwise")
    page.keyboard.press("1")
    page.keyboard.press(" ")
    page.locator("[data-part=mark]").click()
    panel = page.locator("dialog[data-part=panel]")
    expect(panel).to_contain_text("Everybody is asked a control question")
    panel.get_by_role("button", name="Make it a control question").click()
    expect(panel).to_contain_text("There is 1 control question now")
    expect(panel.get_by_role("button", name="Make it a control question")).to_have_count(0)
    (made,) = controls.load(FolderStore(folder)).controls
    assert (made.task, made.preference) in {("pairwise", "left"), ("pairwise", "right")}


def test_a_flag_names_its_reason(space: RunningSpace, folder: Path, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    page.keyboard.press("f")
    page.keyboard.press("Control+Enter")
    expect(page.locator("dialog[data-part=flag]")).to_be_visible()  # a reason is needed
    page.get_by_label("Private data").check()
    page.get_by_role("dialog").get_by_role("textbox").fill("A phone number")
    page.keyboard.press("Control+Enter")
    answer_for_good(page, folder, status="flagged", reason="private_data", comment="A phone number")


def test_a_comment_goes_with_the_vote_that_follows(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.keyboard.press("c")
    page.keyboard.type("Too long")
    page.get_by_role("button", name="Keep the comment").click()
    expect(page.locator("[data-part=pending]")).to_contain_text("Too long")
    page.reload()
    expect(page.locator("[data-part=pending]")).to_contain_text("Too long")
    page.keyboard.press("x")
    expect(page.locator("[data-part=pending]")).to_be_hidden()
    answer_for_good(page, folder, label=False, comment="Too long")


def test_words_that_differ_are_marked(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "pairwise")
    expect(page.locator(".answer mark")).to_have_count(0)
    page.keyboard.press("d")
    expect(page.locator(".answer mark").first).to_be_visible()
    assert {m.inner_text()[0] for m in page.locator(".answer mark:first-of-type").all()} == {
        "A",
        "B",
    }
    page.keyboard.press("1")
    expect(page.locator(".answer mark").first).to_be_visible()
    page.keyboard.press("d")
    expect(page.locator(".answer mark")).to_have_count(0)


def test_time_without_anybody_does_not_count(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    page.clock.install()
    enter(page, space.url)
    choose(page, "thumbs")
    page.mouse.move(200, 200)
    page.clock.fast_forward("30:00")
    page.keyboard.press("a")
    page.clock.fast_forward("00:10")
    page.keyboard.press("a")
    page.clock.resume()
    wait_for(lambda: len(events(folder)) == 2)
    idle, busy = sorted((e.duration_ms or 0 for e in events(folder)), reverse=True)
    assert 60_000 <= idle < 90_000
    assert 10_000 <= busy < 30_000


# ---- answers are never lost -------------------------------------------------------------------


def test_votes_survive_a_killed_server_and_a_reload(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.keyboard.press("a")
    saved(page)
    space.kill()
    page.keyboard.press("x")
    page.keyboard.press("a")
    expect(page.locator("[data-part=mark]")).to_contain_text("2 safe in this browser")
    space.start()
    page.reload()
    saved(page)
    wait_for(lambda: len(events(folder)) == 3)
    count(page, "3/24")


def test_a_server_that_is_away_is_no_reason_to_stop(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.keyboard.press("a")
    saved(page)
    space.kill()
    for _ in range(4):
        page.keyboard.press("a")
    expect(page.locator("article.card")).to_be_visible()
    space.start()
    wait_for(lambda: len(events(folder)) == 5, seconds=40)
    saved(page)


def test_the_last_card_takes_one_vote_while_more_are_fetched(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "pairwise")

    def slowly(route: Route) -> None:
        time.sleep(0.3)
        route.continue_()

    page.route("**/component_server/", slowly)
    for _ in range(16):  # more often than there are pairs, faster than the server answers
        page.keyboard.press("1")
        page.keyboard.press("2")
    page.unroute("**/component_server/")
    done = page.get_by_role("heading", name="All done, thank you")
    for _ in range(400):
        if done.is_visible():
            break
        page.keyboard.press("1")
        page.wait_for_timeout(25)
    expect(done).to_be_visible()
    saved(page)
    wait_for(lambda: len(all_events(folder)) == 12)
    assert len(events(folder)) == 12


def test_the_panel_tells_where_each_answer_is_and_who_wrote_it(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "pairwise")
    expect(page.locator("body")).not_to_contain_text("maker/model")
    page.keyboard.press("1")
    saved(page)
    page.locator("[data-part=mark]").click()
    panel = page.locator("dialog[data-part=panel]")
    expect(panel).to_contain_text("A is better")
    expect(panel).to_contain_text("maker/model-0")
    expect(panel.locator(".given .state")).to_contain_text("saved to this folder")
    panel.get_by_role("button", name="Undo").click()
    expect(panel).to_contain_text("No answer yet")
    page.keyboard.press("Escape")
    count(page, "0/12")


# ---- people and tabs --------------------------------------------------------------------------


def test_two_people_get_questions_of_their_own(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    pages = [new_page(), new_page()]
    for page, name in zip(pages, ("Ana", "Bob"), strict=True):
        enter(page, space.url, name)
    for page in pages:
        choose(page, "thumbs")
        page.keyboard.press("a")
        page.keyboard.press("a")
        saved(page)
    wait_for(lambda: len(events(folder)) == 4)
    by_person: dict[str, set[str | None]] = {}
    for event in events(folder):
        by_person.setdefault(event.annotator, set()).add(event.completion_id)
    ana, bob = by_person.values()
    assert ana.isdisjoint(bob)


def somebody_else(page: Page, name: str) -> None:
    """Let somebody else go on in the browser where ``name`` was."""
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("button", name="Somebody else goes on here").click()
    expect(page.get_by_label("Your name")).to_be_visible()


def test_another_person_goes_on_in_the_same_browser(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.keyboard.press("a")
    count(page, "1/24")
    space.kill()
    page.keyboard.press("a")
    space.start()
    somebody_else(page, "Ana")  # with an answer still on its way
    page.get_by_label("Your name").fill("Bob")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_be_hidden()
    expect(page.locator("[data-part=who]")).to_have_text("Bob")
    expect(page.locator("[data-part=count]")).to_contain_text("0/")
    expect(page.locator("article.card")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("[data-part=count]")).to_contain_text("1/")
    saved(page)
    wait_for(lambda: len(events(folder)) == 3)
    assert len({event.annotator for event in events(folder)}) == 2
    somebody_else(page, "Bob")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-part=who]")).to_have_text("Bob")
    expect(page.locator("article.card")).to_be_visible()
    somebody_else(page, "Bob")
    page.get_by_label("Your name").fill("ANA")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=count]")).to_contain_text("2/")


def test_a_tab_stays_with_its_person_when_another_tab_changes_hands(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    other = page.context.new_page()
    other.goto(space.url)
    somebody_else(other, "Ana")
    other.get_by_label("Your name").fill("Bob")
    other.keyboard.press("Enter")
    expect(other.locator("[data-part=who]")).to_have_text("Bob")
    page.keyboard.press("a")
    saved(page)
    wait_for(lambda: [event.annotator[:3] for event in events(folder)] == ["Ana"])


def test_an_invitation_lets_in_and_leaves_the_address_bar(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    made = invitations.make(
        FolderStore(folder), "Carla", timedelta(days=1), pseudonyms=False, made_by="ana"
    )
    page = new_page()
    page.goto(f"{space.url}/?invite={made.token}")
    expect(page.get_by_role("dialog")).to_contain_text("It is correct")
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=who]")).to_have_text("Carla")
    assert page.evaluate("location.search") == ""
    page.reload()
    expect(page.locator("[data-part=who]")).to_have_text("Carla")
    page.goto(f"{space.url}/?invite=not-a-token")  # the project is open to everybody
    expect(page.locator("[data-part=problem]")).to_contain_text("invitation")
    page.get_by_label("Your name").fill("Dora")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=who]")).to_have_text("Dora")


def test_who_has_no_good_invitation_is_told_so(folder: Path, new_page: NewPage) -> None:
    project = Project()
    project.access.annotate = "invitation"
    fill(FolderStore(folder), [a_sample(1)], project)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        page.goto(space.url)
        expect(page.get_by_role("heading", name="Only with an invitation")).to_be_visible()
        page.goto(f"{space.url}/?invite=not-a-token")
        expect(page.get_by_role("heading", name="does not let you in")).to_be_visible()
        page.get_by_role("button", name="Go on without the invitation").click()
        expect(page.get_by_role("heading", name="Only with an invitation")).to_be_visible()


def test_who_may_no_longer_come_in_is_told_at_once_and_loses_nothing(
    folder: Path, new_page: NewPage
) -> None:
    project = Project()
    project.access.annotate = "invitation"
    store = FolderStore(folder)
    fill(store, [a_sample(number) for number in range(3)], project)
    made = invitations.make(store, "Carla", timedelta(days=1), pseudonyms=False, made_by="ana")
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        page.goto(f"{space.url}/?invite={made.token}")
        expect(page.locator("article.card")).to_be_visible()
        choose(page, "thumbs")
        page.keyboard.press("a")
        saved(page)

        def refuse(route: Route) -> None:
            route.fulfill(json={"error": "This link was taken back.", "kind": "invitation"})

        page.route("**/component_server/", refuse)
        page.keyboard.press("a")
        message = page.locator("#deck [data-part=message]")
        expect(message).to_contain_text("This invitation does not let you in")
        expect(message).to_contain_text("This link was taken back.")
        expect(message).to_contain_text("1 answer waits in this browser until you may come in")
        expect(page.locator("article.card")).to_be_hidden()
        page.unroute("**/component_server/")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("article.card")).to_be_visible()
        saved(page)
        wait_for(lambda: len(events(folder)) == 2)


def test_keys_rest_behind_the_leads_view(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.get_by_role("button", name="Lead", exact=True).click()
    expect(page.locator("article.card")).to_be_hidden()
    page.keyboard.press("a")
    page.get_by_role("button", name="Back to the cards").click()
    expect(page.locator("article.card")).to_be_visible()
    count(page, "0/24")


def duplicate(page: Page) -> Page:
    """What the browser's own "Duplicate tab" does: a new tab with a copy of this one's storage."""
    copy = page.evaluate("JSON.stringify(sessionStorage)")
    context: BrowserContext = page.context
    other = context.new_page()
    other.add_init_script(
        f"for (const [key, value] of Object.entries({copy})) sessionStorage.setItem(key, value);"
    )
    other.goto(page.url)
    expect(other.locator("article.card")).to_be_visible()
    return other


def test_two_tabs_never_show_the_same_card(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.keyboard.press("a")
    saved(page)
    other = duplicate(page)
    mine = {shown(page)}
    for _ in range(3):
        page.keyboard.press("a")
        mine.add(shown(page))
    assert shown(other) not in mine
    assert page.evaluate("sessionStorage['seedbed:tab']") != other.evaluate(
        "sessionStorage['seedbed:tab']"
    )


# ---- where there is no card -------------------------------------------------------------------


def test_the_end_says_what_was_done_and_what_is_next(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "pairwise")
    page.keyboard.press(" ")
    for done in range(1, 12):
        page.keyboard.press("1")
        count(page, f"{done}/12")
        expect(page.locator(".deck[data-task=pairwise], h2:text('All done')").first).to_be_visible()
    expect(page.get_by_role("heading", name="All done, thank you")).to_be_visible()
    count(page, "11/12")
    expect(page.locator("[data-part=skips]")).to_contain_text("1 skipped")
    expect(page.locator("#deck [data-part=message]")).to_contain_text("11 answers")
    expect(page.locator("[data-part=announce]")).to_contain_text("All done, thank you")
    page.keyboard.press("1")  # nothing left to vote on
    page.get_by_role("button", name="skipped one again").click()
    expect(page.locator("article.card")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("#deck [data-part=message]")).to_contain_text("12 answers")
    page.get_by_role("button", name="Go on with: One answer").click()
    expect(page.get_by_role("button", name="Not good")).to_be_visible()


def test_the_last_one_that_was_skipped_is_offered_at_once(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "pairwise")
    for done in range(1, 12):
        page.keyboard.press("1")
        count(page, f"{done}/12")
        expect(page.locator(".deck[data-task=pairwise]")).to_be_visible()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="skipped one again")).to_be_visible()
    count(page, "11/12")
    page.keyboard.press("u")
    expect(page.locator("[data-part=skips]")).to_be_empty()
    count(page, "11/12")


def test_a_project_without_samples(folder: Path, new_page: NewPage) -> None:
    fill(FolderStore(folder), [])
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        page.goto(space.url)
        page.get_by_label("Your name").fill("Ana")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Nothing to judge yet")).to_be_visible()


def test_a_space_that_is_not_set_up_says_what_to_do(folder: Path, new_page: NewPage) -> None:
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        page.goto(space.url)
        message = page.locator("#deck [data-part=message]")
        expect(message).to_contain_text("There is no project")
        fill(FolderStore(folder), [a_sample(1)])
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_label("Your name")).to_be_visible()


# ---- keys, guidelines, languages --------------------------------------------------------------


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
    expect(page.locator("[data-part=count]")).to_contain_text("0/")
    expect(page.locator("[data-part=who]")).to_have_text("axt?")


def test_a_key_of_ones_own(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    page.keyboard.press("?")
    dialog = page.locator("dialog[data-part=keys]")
    change = dialog.get_by_role("button", name=re.compile("^Good:"))
    change.click()
    page.keyboard.press("x")
    expect(dialog).to_contain_text("X already stands for “Not good”")
    page.keyboard.press("p")
    expect(dialog).to_contain_text("P now stands for “Good”")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("[data-vote=up]")).to_contain_text("P")
    page.keyboard.press("a")
    page.keyboard.press("p")
    count(page, "1/24")
    page.keyboard.press("ArrowUp")
    count(page, "2/24")
    page.keyboard.press("?")
    page.get_by_role("button", name="Back to the usual keys").click()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    count(page, "3/24")


def test_guidelines_open_again_when_they_have_changed(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.reload()
    expect(page.locator("article.card")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("g")
    expect(page.get_by_role("dialog")).to_contain_text("It is correct")
    page.keyboard.press("Escape")
    store = FolderStore(folder)
    project = load_project(store)
    project.annotation.guidelines = "It is short"
    store.commit({layout.PROJECT: project.to_json()}, message="Change the guidelines")
    space.stop()
    space.start()
    page.reload()
    expect(page.get_by_role("dialog")).to_contain_text("The guidelines have changed")
    expect(page.get_by_role("dialog")).to_contain_text("It is short")


def test_tasks_and_guidelines_that_change_while_somebody_answers_show_by_themselves(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    choose(page, "thumbs")
    store = FolderStore(folder)
    project = load_project(store)
    project.annotation.tasks = ["thumbs", "rate"]
    store.commit({layout.PROJECT: project.to_json()}, message="Change what is asked")
    rate = page.locator("button[data-task=rate]")
    deadline = time.monotonic() + 60
    while not rate.is_visible():
        assert time.monotonic() < deadline
        page.keyboard.press("a")
        page.keyboard.press("u")
        page.wait_for_timeout(500)
    expect(page.locator("button[data-task=pairwise]")).to_have_count(0)
    project.annotation.guidelines = "It is short"
    store.commit({layout.PROJECT: project.to_json()}, message="Change the guidelines")
    changed = page.locator("dialog[data-part=guidelines]")
    deadline = time.monotonic() + 60
    while not changed.is_visible():
        assert time.monotonic() < deadline
        page.keyboard.press("a")
        page.keyboard.press("u")
        page.wait_for_timeout(500)
    expect(changed).to_contain_text("The guidelines have changed")
    expect(changed).to_contain_text("It is short")
    expect(changed.get_by_role("heading", name="Guidelines")).to_be_focused()


def test_the_card_speaks_the_readers_language(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page(locale="es-ES")
    page.goto(space.url)
    page.get_by_label("Su nombre").fill("Ana")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Guía")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Una respuesta", exact=True).click()
    page.get_by_role("button", name="No es buena").click()
    expect(page.locator("[data-part=mark]")).to_contain_text("guardado en esta carpeta")
    assert page.evaluate("document.documentElement.lang") == "es"


# ---- safety, phones, access -------------------------------------------------------------------


def test_hostile_text_is_shown_and_does_nothing(folder: Path, new_page: NewPage) -> None:
    fill(FolderStore(folder), [a_sample(1, [HOSTILE, HOSTILE + "!"], instruction=HOSTILE)])
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        page = new_page()
        foreign: list[str] = []
        page.on(
            "request", lambda r: foreign.append(r.url) if not r.url.startswith(space.url) else None
        )
        enter(page, space.url, guidelines=False)
        for task in ("thumbs", "pairwise"):
            choose(page, task)
            page.keyboard.press("d")
            card = page.locator("article.card")
            expect(card).to_contain_text("<script>window.hacked=1</script>")
            expect(card).to_contain_text("<b onmouseover='window.hacked=1'>raw HTML</b>")
            assert card.locator("script, img, iframe, b, [onmouseover], [onerror]").count() == 0
            assert card.locator("a[href^='javascript']").count() == 0
            page.mouse.move(300, 300)
        assert page.evaluate("window.hacked") is None
        assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []


def test_a_phone_sees_everything_without_scrolling_sideways(
    everything: RunningSpace, new_page: NewPage
) -> None:
    page = new_page(**PHONE)
    enter(page, everything.url, guidelines=False)
    bar = page.locator("#deck header.bar").bounding_box()
    assert bar is not None
    assert bar["y"] + bar["height"] <= 56
    for task in TASKS:
        choose(page, task)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, task
        for button in page.locator("#deck footer button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44, (task, button.inner_text())
            assert box["y"] + box["height"] <= 740, (task, button.inner_text())


def swipe(page: Page, by: int) -> None:
    """Drag the answer sideways with one finger."""
    box = page.locator(".answer").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    touch = page.context.new_cdp_session(page)

    def at(kind: str, x: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    at("touchStart", x)
    for step in range(1, 9):
        at("touchMove", x + by * step / 8)
    at("touchEnd", x + by)


def test_a_swipe_answers_and_a_short_one_does_not(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page(**PHONE)
    enter(page, space.url)
    choose(page, "thumbs")
    swipe(page, 40)
    count(page, "0/24")
    swipe(page, 130)
    count(page, "1/24")
    swipe(page, -130)
    count(page, "2/24")
    saved(page)
    wait_for(lambda: sorted(str(e.label) for e in events(folder)) == ["False", "True"])


def test_a_phone_shows_one_answer_of_a_pair_and_says_which(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page(**PHONE)
    enter(page, space.url)
    choose(page, "pairwise")
    sides = page.locator("[data-part=sides] button")
    expect(sides.first).to_have_attribute("aria-pressed", "true")
    sides.last.click()
    expect(sides.last).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".answer").last).to_be_in_viewport(ratio=0.5)


def test_names_and_contrast_for_those_who_see_and_hear_otherwise(
    everything: RunningSpace, new_page: NewPage
) -> None:
    page = new_page(color_scheme="dark")
    enter(page, everything.url, guidelines=False)
    for task in TASKS:
        choose(page, task)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll(".deck :is(button, input, textarea, progress)")]
                .filter((one) => one.checkVisibility({ visibilityProperty: true }))
                .filter((one) => !one.getAttribute("aria-label") && !one.labels?.length)
                .filter((one) => !one.textContent.trim())
                .map((one) => one.outerHTML)"""
        )
        assert nameless == [], task
        todo = page.locator("[data-part=todo]").inner_text()
        expect(page.locator("[data-part=announce]")).to_have_text(re.compile(re.escape(todo)))
    duplicated = page.evaluate(
        """() => { const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
            return ids.filter((id, index) => ids.indexOf(id) !== index); }"""
    )
    assert duplicated == []


def test_the_passage_that_a_sample_rests_on_is_behind_a_fold(
    folder: Path, new_page: NewPage
) -> None:
    store = FolderStore(folder)
    text = f"{HOSTILE} Plough clay when a handful crumbles."
    samples = [
        a_sample(number, document="soil.txt", span=Span(start=0, end=len(text)))
        for number in range(3)
    ]
    fill(store, samples)
    keep_documents(store, [NewDocument("soil.txt", b"x", "txt", "", text, None, "seedbed")])
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        page = new_page()
        enter(page, running.url, guidelines=False)
        fold = page.locator("[data-part=source]")
        fold.locator("summary").focus()
        page.keyboard.press("Space")
        expect(fold.locator("blockquote")).to_have_text(text)
        page.keyboard.press("a")
        expect(fold).not_to_have_attribute("open", "")
        expect(fold.locator("blockquote")).to_be_empty()
        assert page.evaluate("window.hacked") is None
