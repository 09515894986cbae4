"""The Documents step in a real browser: files in, texts seen, samples that rest on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from pipeline.core.documents.kept import load_documents
from pipeline.core.projects import make_project
from pipeline.core.schema import GenerationSettings, Project
from pipeline.core.store_folder import FolderStore
from tests.conftest import NewPage
from tests.documents import COVER_CROPS, a_docx, a_pdf, paragraph
from tests.factories import a_seed
from tests.spaces import RunningSpace

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("documents")]  # they share one Space

HOSTILE = (
    "<h1>Clay <b>soils</b></h1><script>window.hacked=1</script>"
    "<p>Clay soils &lt;img src=x onerror='window.hacked=1'&gt; smear when they are wet.</p>"
)
PLACE: dict[str, Path] = {}


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSpace]:
    PLACE["folder"] = folder = tmp_path_factory.mktemp("documents") / "project"
    settings = Project(generation=GenerationSettings(grounding=1.0))
    make_project(FolderStore(folder), a_seed(), settings)
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def enter(page: Page, url: str) -> None:
    page.goto(f"{url}/#documents")
    expect(page.locator("body[data-seedbed=ready][data-step=documents]")).to_be_attached()
    expect(page.get_by_role("heading", level=2, name="What can it rest on?")).to_be_visible()


def choose(page: Page, *files: FilePayload) -> None:
    page.get_by_label("Choose files").set_input_files(list(files))


def payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def arrived(page: Page, name: str, text: str | re.Pattern[str]) -> None:
    row = page.get_by_role("list", name="Files being added").get_by_role("listitem")
    expect(row.filter(has_text=name)).to_contain_text(text)


def test_documents_of_every_kind_are_added_and_samples_rest_on_them(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    expect(page.get_by_text("No documents yet.")).to_be_visible()
    long = "\n\n".join(f"Note {n}. " + "Goats need trimmed hooves. " * 50 for n in range(30))
    choose(
        page,
        payload("guide.pdf", a_pdf(COVER_CROPS, title="Cover crops in practice")),
        payload("soils.docx", a_docx(paragraph("Drainage", 1) + paragraph("Dig a ditch."))),
        payload("clay.html", HOSTILE.encode()),
        payload("goats.txt", long.encode()),
        payload("scan.pdf", a_pdf([""])),
        payload("program.txt", b"\x7fELF" + bytes(200)),
    )
    arrived(page, "guide.pdf", "Added.")
    arrived(page, "goats.txt", "Added.")
    arrived(page, "scan.pdf", "text recognition")
    arrived(page, "program.txt", "none of the kinds")
    documents = page.get_by_role("list", name="Documents", exact=True)
    expect(documents.locator("> li")).to_have_count(4)
    expect(documents).to_contain_text("PDF · 2 pages")
    step = page.get_by_role("navigation", name="Steps").get_by_role("button", name="Documents")
    expect(step).to_contain_text("4")

    page.get_by_role("button", name="Read: Clay soils").click()
    inside = documents.get_by_role("list", name="Clay soils")
    expect(inside).to_contain_text("# Clay soils")
    expect(inside).to_contain_text("<img src=x onerror='window.hacked=1'>")
    page.get_by_role("button", name="Close: Clay soils").click()
    page.get_by_role("button", name="Read: goats").click()
    expect(documents).to_contain_text("Passages 1 to 20 of 38")
    page.get_by_role("button", name="After: goats").click()
    expect(documents).to_contain_text("Passages 21 to 38 of 38")

    page.get_by_role("button", name="Remove: goats").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#documents-shelf .said")).to_contain_text("no longer used")
    expect(page.get_by_role("button", name="Use again: goats")).to_be_focused()
    expect(step).to_contain_text("3")
    page.keyboard.press("Enter")
    expect(step).to_contain_text("4")
    choose(page, payload("again.pdf", a_pdf(COVER_CROPS, title="Cover crops in practice")))
    arrived(page, "again.pdf", "It is there already")
    kept = load_documents(FolderStore(PLACE["folder"]))
    assert [d.name for d in kept.in_use()] == ["guide.pdf", "soils.docx", "clay.html", "goats.txt"]

    page.get_by_role("button", name="Next: Preview").click()
    page.get_by_role("button", name="Write samples").click()
    card = page.locator("#preview-cards .card").filter(has_text="Cover crops").first
    card.get_by_text("Rests on “Cover crops in practice”").click()
    expect(card.locator(".source blockquote")).to_contain_text("Sow winter rye before")
    assert page.evaluate("window.hacked") is None


def test_files_can_be_dropped_and_a_phone_has_room(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, locale="de-DE")
    page.goto(f"{space.url}/#documents")
    expect(
        page.get_by_role("heading", level=2, name="Worauf kann es sich stützen?")
    ).to_be_visible()
    expect(page.get_by_text("Dateien wählen")).to_be_visible()
    page.locator("#documents-shelf [data-part=drop]").evaluate(
        """(node) => {
            const data = new DataTransfer();
            data.items.add(new File(["Kompost wärmt sich auf."], "kompost.txt"));
            const event = { dataTransfer: data, bubbles: true, cancelable: true };
            node.dispatchEvent(new DragEvent("drop", event));
        }"""
    )
    row = page.get_by_role("list", name="Dateien, die hinzukommen").get_by_role("listitem")
    expect(row).to_contain_text("Hinzugefügt.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """[...document.querySelectorAll('#step-documents button, #step-documents label')]
            .filter((node) => node.offsetParent && node.offsetHeight < 44)
            .map((node) => node.textContent)"""
    )
    assert small == []
