"""What the Seed Space does while somebody types, in a real browser: one Space for all tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.core import layout
from pipeline.core.projects import load_seed, make_project, save_seed
from pipeline.core.schema import Example, Project, Seed
from pipeline.core.store_folder import FolderStore
from tests.conftest import NewPage
from tests.factories import a_seed
from tests.seed_space.test_browser import enter, go, paste, rows, state
from tests.spaces import RunningSpace

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("editing")]  # they share one Space


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningSpace, Path]]:
    place = tmp_path_factory.mktemp("editing") / "project"
    make_project(FolderStore(place), a_seed(), Project())
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(place)}) as running:
        yield running, place


@pytest.fixture
def project(shared: tuple[RunningSpace, Path]) -> Path:
    """The project's folder, its seed as new."""
    place = shared[1]
    (place / layout.SEED).write_bytes(a_seed().to_json())
    return place


@pytest.fixture
def space(shared: tuple[RunningSpace, Path], project: Path) -> RunningSpace:
    return shared[0]


def undo(page: Page) -> Locator:
    return page.locator("#undo [data-part=undo]")


def redo(page: Page) -> Locator:
    return page.locator("#undo [data-part=redo]")


def stored(project: Path) -> Seed:
    return load_seed(FolderStore(project)).seed


ENGLISH = re.compile(
    r"\b(the|and|your|is|are|what|this|not|row|topic|topics|example|examples|save|saved|undo|redo"
    r"|add|remove|question|answer|back|next|draft|empty|settings|steps|done|open)\b",
    re.IGNORECASE,
)
EVERYTHING = """() => {
  const said = [document.title];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (parent.closest("script, style, select, [data-part=project]")) continue;
    said.push(walk.currentNode.textContent);
  }
  for (const node of document.querySelectorAll("#seed *")) {
    for (const name of ["aria-label", "title", "placeholder", "alt"]) {
      if (node.hasAttribute(name)) said.push(node.getAttribute(name));
    }
  }
  return said.map((text) => text.trim()).filter(Boolean);
}"""
STEPS = {
    "de": ("Fachgebiet", "Fachperson", "Themen", "Blickwinkel", "Beispiele", "Veröffentlichen"),
    "pt-BR": ("Domínio", "Especialista", "Temas", "Perspetivas", "Exemplos", "Publicar"),
}
OURS = ("#step-preview", "#step-coverage", "#step-documents")


@pytest.mark.parametrize("locale", ["de-DE", "pt-BR", "pt-PT"])
def test_nothing_english_is_left_on_the_page(
    space: RunningSpace, project: Path, new_page: NewPage, locale: str
) -> None:
    strange = {"question": "Qxy?", "answer": "Wxy.", "topic": "Zxy", "perspective": ""}
    seed = Seed(
        domain="Xyz",
        description="Xyz.",
        language=locale[:2],
        topics=["Xyz", "Wxy", "Wxy"],
        perspectives=["Xyz"],
        examples=[Example.model_validate(strange)],
    )
    (project / layout.SEED).write_bytes(seed.to_json())
    page = new_page(locale=locale)
    page.goto(space.url)
    expect(page.locator("body[data-seedbed=ready]")).to_be_attached()
    expect(page.locator("#notes-topics li")).to_have_count(1)
    page.locator("#field-domain textarea, #field-domain input").fill("Zyx")
    expect(page.locator("#publish-summary .sb-changes li")).to_have_count(1)
    names = STEPS["de" if locale == "de-DE" else "pt-BR"]
    shown = [page.locator("#steps").get_by_role("button", name=name) for name in names]
    for button, name in zip(shown, names, strict=True):
        button.click()
        expect(page.locator(".sb-step:visible h2")).to_be_visible()
        expect(button).to_contain_text(name)
    page.locator("#publish-save").click()
    expect(page.locator("#publish-result .bad")).to_be_visible()
    page.evaluate("(ours) => ours.forEach((o) => document.querySelector(o)?.remove())", OURS)
    found = [text for text in page.evaluate(EVERYTHING) if ENGLISH.search(text)]
    assert found == []
    assert page.evaluate("document.documentElement.lang") == locale


def test_all_of_a_page_is_in_one_language(space: RunningSpace, new_page: NewPage) -> None:
    for locale, title, count, note in (
        ("fr-CH", "De quoi s.agit-il", "2 sujets", "Rien ne diffère"),
        ("nl", "What is it about", "2 topics", "Nothing differs"),
    ):
        page = new_page(locale=locale)
        page.goto(space.url)
        expect(page.get_by_role("heading", name=re.compile(title))).to_be_visible()
        expect(page.locator("#field-topics [data-part=count]")).to_have_text(count)
        expect(page.locator("#publish-summary")).to_contain_text(note)


def test_what_was_done_is_undone_across_the_page(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    expect(undo(page)).to_be_disabled()
    page.get_by_label("Name of the domain").press_sequentially(" today")
    expect(undo(page)).to_have_text(re.compile("Undo: Name of the domain, typing"))
    page.locator("#field-language input").fill("Deutsch")
    page.keyboard.press("Enter")
    expect(undo(page)).to_contain_text("Undo: Language")
    go(page, "Topics")
    page.get_by_role("button", name="Remove topic 1").click()
    expect(undo(page)).to_contain_text("Undo: Topics, “Clay soils” removed")
    page.get_by_label("Topic 1", exact=True).press("End")
    page.get_by_label("Topic 1", exact=True).press_sequentially(" in winter")
    expect(undo(page)).to_contain_text("Undo: Topics, “Cover crops” changed")
    page.get_by_role("heading", name="What do people ask about?").focus()
    page.keyboard.press("Control+z")
    assert rows(page, "topics") == ["Cover crops"]
    undo(page).click()
    assert rows(page, "topics") == ["Clay soils", "Cover crops"]
    expect(undo(page)).to_contain_text("Language")
    undo(page).click()
    expect(page.locator("#field-language input")).to_have_value("English")
    undo(page).click()
    expect(page.locator("#field-domain textarea, #field-domain input")).to_have_value("Farming")
    expect(undo(page)).to_be_disabled()
    expect(state(page)).to_have_text("Everything is saved")
    for _ in range(4):
        redo(page).click()
    expect(redo(page)).to_be_hidden()
    expect(page.locator("#field-language input")).to_have_value("Deutsch")
    assert rows(page, "topics") == ["Cover crops in winter"]
    expect(state(page)).to_contain_text("Not saved yet")


def test_marks_of_a_pasted_list_are_left_out_and_can_be_kept(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    go(page, "Topics")
    add = page.get_by_label("Add a topic")
    paste(add, "1. Water\n2) Pests\n• Weeds\n- Hedges\na) Bees\nOdd one")
    assert rows(page, "topics")[2:] == ["Water", "Pests", "Weeds", "Hedges", "Bees", "Odd one"]
    expect(page.locator("#field-topics .said")).to_contain_text("without the marks")
    page.get_by_role("button", name="Keep the marks").click()
    assert rows(page, "topics")[2:5] == ["1. Water", "2) Pests", "• Weeds"]
    expect(page.get_by_role("button", name="Keep the marks")).to_be_hidden()
    paste(add, "- 5 °C and less\nFrost\nB vitamins")
    assert rows(page, "topics")[8:] == ["- 5 °C and less", "Frost", "B vitamins"]


def test_examples_follow_a_renamed_topic(
    space: RunningSpace, project: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    go(page, "Topics")
    field = page.get_by_label("Topic 1", exact=True)
    field.press("End")
    field.press_sequentially(" and loam")
    field.press("Control+a")
    field.press("Delete")
    field.press_sequentially("Heavy soils")
    expect(undo(page)).to_contain_text("Undo: Topics")
    go(page, "Perspectives")
    page.get_by_label("Perspective 1", exact=True).fill("Adviser")
    expect(undo(page)).to_contain_text("Undo: Perspectives, “Agronomist” changed")
    go(page, "Examples")
    about = page.locator(".example .about")
    expect(about).to_have_text("Heavy soils")
    expect(page.locator("#notes-examples li")).to_have_count(0)
    while undo(page).is_enabled():
        undo(page).click()
    expect(about).to_have_text("Clay soils")
    while redo(page).is_visible():
        redo(page).click()
    expect(about).to_have_text("Heavy soils")
    go(page, "Publish")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text(re.compile(r"Saved \d"))
    assert stored(project).examples[0].topic == "Heavy soils"


def test_what_an_example_names_wrongly_is_put_right_at_once(
    space: RunningSpace, project: Path, new_page: NewPage
) -> None:
    seed = a_seed()
    seed.examples = [
        Example(question="Why bees?", answer="They pollinate.", topic="Bees"),
        Example(question="Why weeds?", answer="They shade.", perspective="Nobody"),
    ]
    (project / layout.SEED).write_bytes(seed.to_json())
    page = new_page()
    enter(page, space.url)
    go(page, "Examples")
    note = page.locator("#notes-examples")
    expect(note.locator("li")).to_have_count(2)
    page.get_by_role("button", name="Add it to your topics").click()
    expect(note.locator("li")).to_have_count(1)
    expect(page.get_by_role("button", name="Example 1: Why bees?")).to_be_focused()
    page.get_by_role("button", name="Clear it").click()
    expect(note.locator("li")).to_have_count(0)
    go(page, "Topics")
    assert rows(page, "topics") == ["Clay soils", "Cover crops", "Bees"]


def test_near_duplicates_are_told_while_typing_and_nothing_moves(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page(viewport={"width": 1280, "height": 500})
    enter(page, space.url)
    go(page, "Topics")
    field = page.get_by_label("Add a topic")
    field.focus()
    before = page.evaluate("window.scrollY")
    top = field.bounding_box()
    page.keyboard.type("soil, clay")
    expect(page.locator("#notes-topics")).to_contain_text(
        "Topics 1 and 3 look alike: “Clay soils” and “soil, clay”"
    )
    expect(page.locator("#notes-topics h3")).to_have_text("Worth a look")
    expect(field).to_be_focused()
    assert page.evaluate("window.scrollY") == before
    assert field.bounding_box() == top
    page.keyboard.type("s")
    expect(field).to_have_value("soil, clays")
    go(page, "Publish")
    expect(page.locator("#publish-summary .sb-todo.bad")).to_have_count(0)


def test_rows_are_moved_on_a_phone(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    enter(page, space.url)
    go(page, "Topics")
    expect(page.get_by_role("button", name="Move topic 1 down")).to_be_hidden()
    page.get_by_role("button", name="Move or remove topic 1").tap()
    down = page.get_by_role("button", name="Move topic 1 down")
    box = down.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) >= (44, 44)
    assert box["x"] + box["width"] <= 360
    down.tap()
    assert rows(page, "topics") == ["Cover crops", "Clay soils"]
    page.get_by_role("button", name="Move topic 2 up").tap()
    assert rows(page, "topics") == ["Clay soils", "Cover crops"]
    go(page, "Examples")
    page.get_by_role("button", name="Move or remove example 1").tap()
    page.get_by_role("button", name="Remove example 1", exact=True).tap()
    expect(page.locator(".example")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_restoring_a_draft_keeps_what_was_typed_since(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    name = page.get_by_label("Name of the domain")
    name.fill("Yesterday")
    expect(state(page)).to_contain_text("Not saved yet")
    page.reload()
    expect(page.get_by_role("button", name="Restore draft")).to_be_visible()
    name.fill("Today")
    expect(state(page)).to_contain_text("Not saved yet")
    page.get_by_role("button", name="Restore draft").click()
    expect(name).to_have_value("Yesterday")
    expect(page.locator("[data-part=offer]")).to_contain_text("What stood here before was kept")
    page.get_by_role("button", name="Restore draft").click()
    expect(name).to_have_value("Today")
    undo(page).click()
    expect(name).to_have_value("Yesterday")


def test_a_page_outlives_its_server_and_saves(
    space: RunningSpace, project: Path, new_page: NewPage
) -> None:
    page = new_page(locale="de-DE")
    page.goto(space.url)
    expect(page.locator("#keeper [data-part=state]")).to_have_text("Alles ist gespeichert")
    page.locator("#field-domain textarea, #field-domain input").fill("Weinbau")
    expect(state(page)).to_contain_text("Noch nicht gespeichert")
    space.kill()
    expect(state(page)).to_contain_text("Der Server ist gerade weg")
    page.locator("#field-description textarea").fill("Vom Rebschnitt bis zur Lese.")
    space.start()
    expect(state(page)).to_contain_text("Der Server wurde neu gestartet", timeout=40_000)
    expect(page.locator("#field-domain textarea, #field-domain input")).to_have_value("Weinbau")
    expect(page.locator("#field-description textarea")).to_have_value(
        "Vom Rebschnitt bis zur Lese."
    )
    page.locator("#steps").get_by_role("button", name="Veröffentlichen").click()
    expect(page.locator("#publish-summary")).to_contain_text("Was sich ändert")
    page.get_by_role("button", name="Speichern", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text(re.compile(r"Gespeichert \d"))
    assert stored(project).domain == "Weinbau"
    assert stored(project).description == "Vom Rebschnitt bis zur Lese."


def test_a_restart_that_nobody_noticed_changes_nothing(
    space: RunningSpace, project: Path, new_page: NewPage
) -> None:
    page = new_page(locale="de-DE")
    page.route("**/app_id", lambda route: route.fulfill(json={"app_id": "before"}))
    page.goto(space.url)
    expect(state(page)).to_have_text("Alles ist gespeichert")
    page.wait_for_timeout(1_000)
    space.kill()
    space.start()
    page.unroute("**/app_id")
    page.locator("#field-domain textarea, #field-domain input").fill("Weinbau")
    expect(state(page)).to_contain_text("Der Server wurde neu gestartet")
    expect(page.locator("#publish-summary")).to_contain_text("Aus „Farming“ wurde „Weinbau“.")
    page.locator("#steps").get_by_role("button", name="Veröffentlichen").click()
    page.get_by_role("button", name="Speichern", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text(re.compile(r"Gespeichert \d"))
    assert stored(project).domain == "Weinbau"


def test_a_draft_from_an_older_version_shows_what_others_saved_since(
    space: RunningSpace, project: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_label("Name of the domain").fill("Mine")
    expect(state(page)).to_contain_text("Not saved yet")
    store = FolderStore(project)
    now = load_seed(store)
    theirs = now.seed.model_copy(update={"domain": "Theirs", "description": "Their words."})
    save_seed(store, theirs, expect=now.etag, message="theirs")
    page.reload()
    page.get_by_role("button", name="Restore draft").click()
    expect(page.get_by_label("Name of the domain")).to_have_value("Mine")
    go(page, "Publish")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text("Somebody else saved meanwhile")
    assert stored(project) == theirs
    page.get_by_role("group", name="Name of the domain").get_by_text("Keep mine").click()
    page.get_by_role("button", name="Save with these choices").click()
    expect(page.locator("#publish-result")).to_contain_text(re.compile(r"Saved \d"))
    assert (stored(project).domain, stored(project).description) == ("Mine", "Their words.")
