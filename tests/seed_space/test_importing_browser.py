"""Bringing in files in a real browser; one Space for all tests of this module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipeline.core import layout
from pipeline.core.projects import load_seed, make_project
from pipeline.core.schema import Project, Seed
from pipeline.core.store_folder import FolderStore
from tests.conftest import NewPage
from tests.core.test_importing import GROWER, workbook
from tests.factories import a_seed
from tests.seed_space.test_browser import enter, go, rows, save
from tests.spaces import RunningSpace

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("importing")]  # they share one Space

HOSTILE = "<img src=x onerror='window.hacked=1'>"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("importing") / "project"


@pytest.fixture(scope="module")
def space(place: Path) -> Iterator[RunningSpace]:
    make_project(FolderStore(place), Seed(), Project())
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(place)}) as running:
        yield running


def test_a_project_of_the_domain_data_grower_is_brought_in_saved_and_undone(
    space: RunningSpace, place: Path, new_page: NewPage
) -> None:
    (place / layout.SEED).write_bytes(Seed().to_json())
    page = new_page()
    enter(page, space.url)
    bring = page.locator("#bring")
    bring.locator("summary").click()
    page.get_by_label("Choose a file").set_input_files(GROWER)
    expect(bring.locator(".fields li")).to_have_count(5)
    expect(bring.get_by_role("group", name="Topics")).to_contain_text("5 found: 5 new")
    expect(bring.get_by_role("group", name="Examples")).to_contain_text("4 found: 4 new")
    bring.get_by_role("button", name="Put onto the page").click()
    expect(bring.locator(".said")).to_contain_text("Nothing is written until you save")
    expect(page.get_by_label("Name of the domain")).to_have_value("beekeeping")
    assert load_seed(FolderStore(place)).seed == Seed()
    bring.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Name of the domain")).to_have_value("")

    page.get_by_label("Choose a file").set_input_files(GROWER)
    bring.get_by_role("button", name="Put onto the page").click()
    expect(page.get_by_label("Name of the domain")).to_have_value("beekeeping")
    save(page)
    kept = load_seed(FolderStore(place)).seed
    assert (len(kept.topics), len(kept.perspectives), len(kept.examples)) == (5, 5, 4)
    go(page, "Domain")
    page.get_by_label("Choose a file").set_input_files(GROWER)
    expect(bring.get_by_role("group", name="Topics")).to_contain_text("5 found: 0 new, 5 already")
    bring.get_by_role("button", name="Put onto the page").click()
    expect(bring.locator(".said")).to_contain_text("all of it was here already")


def test_a_spreadsheet_with_unknown_headings_is_explained_by_the_person(
    space: RunningSpace, place: Path, tmp_path: Path, new_page: NewPage
) -> None:
    (place / layout.SEED).write_bytes(a_seed().to_json())
    file = tmp_path / "sheet.xlsx"
    file.write_bytes(
        workbook(
            [
                ["Kapitel", "Wer", "Nr"],
                ["Clay soils", "Gärtner", 1],
                [HOSTILE, "", 2],
                ["Moor", "", 3],
            ]
        )
    )
    page = new_page()
    enter(page, space.url)
    bring = page.locator("#bring")
    bring.locator("summary").click()
    page.get_by_label("Choose a file").set_input_files(file)
    expect(bring).to_contain_text("Say for at least one column what it holds")
    expect(bring.get_by_role("button", name="Put onto the page")).to_be_disabled()
    expect(bring.get_by_label("The first row names the columns")).to_be_checked()
    bring.get_by_label("What is in Kapitel").select_option("topic")
    topics = bring.get_by_role("group", name="Topics")
    expect(topics).to_contain_text("3 found: 2 new, 1 already here. On the page now: 2.")
    bring.get_by_label("What is in Wer").select_option("perspective")
    bring.get_by_role("group", name="Perspectives").get_by_label("Replace").check()
    bring.get_by_role("button", name="Put onto the page").click()
    expect(bring.locator(".said")).to_contain_text("Nothing is written until you save")
    go(page, "Topics")
    assert rows(page, "topics") == ["Clay soils", "Cover crops", HOSTILE, "Moor"]
    go(page, "Perspectives")
    assert rows(page, "perspectives") == ["Gärtner"]
    assert page.evaluate("window.hacked") is None


def test_a_wrong_file_says_what_it_is(
    space: RunningSpace, tmp_path: Path, new_page: NewPage
) -> None:
    page = new_page(viewport={"width": 360, "height": 740})
    enter(page, space.url)
    bring = page.locator("#bring")
    bring.locator("summary").click()
    (tmp_path / "scan.csv").write_bytes(b"%PDF-1.7 ...")
    page.get_by_label("Choose a file").set_input_files(tmp_path / "scan.csv")
    expect(bring.locator(".said")).to_contain_text("This is a PDF")
    (tmp_path / "big.csv").write_bytes(b"x" * 6_000_000)
    page.get_by_label("Choose a file").set_input_files(tmp_path / "big.csv")
    expect(bring.locator(".said")).to_contain_text("at most 5 MB")
    page.get_by_label("Another project on Hugging Face").fill("no name")
    bring.get_by_role("button", name="Look").click()
    expect(bring.locator(".said")).to_contain_text("names no project")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
