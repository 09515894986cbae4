"""Makes the README's pictures from the demo: ``python -m tests.pictures``."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from pipeline.core import layout
from pipeline.core.samples import read_samples
from pipeline.core.schema import STAND_INS
from pipeline.core.store_folder import FolderStore
from tests.chromium import launch
from tests.factories import pair, thumb
from tests.spaces import ROOT, RunningSpace

TARGET = ROOT / ".github" / "pictures"


def picture_of_seeds(page: Page, url: str) -> None:
    """The topics of the farming project."""
    page.goto(url)
    page.get_by_role("button", name="Topics").first.click()
    expect(page.get_by_role("textbox", name="Topic 1", exact=True)).to_have_value("Soil health")
    page.screenshot(path=TARGET / "seed.png")


def picture_of_votes(page: Page, url: str) -> None:
    """A pair of answers."""
    page.goto(url)
    page.get_by_label("Your name").fill("Ana")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Two answers").click()
    for _ in range(4):
        expect(page.locator(".deck[data-task=pairwise] .answer")).to_have_count(2)
        page.keyboard.press("1")
    expect(page.locator("[data-part=mark]")).to_contain_text("saved")
    page.screenshot(path=TARGET / "annotate.png")


def picture_of_insights(page: Page, url: str) -> None:
    """How far made-up votes can be trusted."""
    page.goto(url)
    page.get_by_label("Your name").fill("Ana")
    page.keyboard.press("Enter")
    page.locator('[data-act="lead"]').click()
    page.get_by_role("tab", name="Insights").click()
    expect(page.locator("#lead-insights .insight").first).to_be_visible(timeout=60_000)
    page.locator(".lead [data-piece=heading]").blur()
    page.screenshot(path=TARGET / "insights.png")


def make_up_votes(project: Path) -> None:
    """Three people vote on the demo; each knows the better answer most of the time."""
    chance = random.Random(7)
    store = FolderStore(project)
    lines = []
    for sample in read_samples(store):
        for person, knows in (("Amara", 0.96), ("Ben", 0.92), ("Chidi", 0.85)):
            for index, completion in enumerate(sample.completions):
                good = (completion.model == STAND_INS[0]) == (chance.random() < knows)
                took = round(1_000 * chance.lognormvariate(2.2, 0.6))
                lines.append(thumb(sample, index, good, person, duration_ms=took).to_line())
            careful = sample.completions[0].model == STAND_INS[0]
            first = careful == (chance.random() < knows)
            swap = chance.random() < 0.5
            left = first != swap
            took = round(1_000 * chance.lognormvariate(2.6, 0.6))
            lines.append(
                pair(
                    sample, "left" if left else "right", person, swap=swap, duration_ms=took
                ).to_line()
            )
    path = layout.feedback_file(datetime.now(UTC), "made-up", 1)
    store.commit({path: "".join(f"{line}\n" for line in lines).encode()}, message="Make up votes")


def main() -> None:
    """Make the demo in a folder of its own and take all pictures."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        (Path(place) / "projects").mkdir()
        demo = [sys.executable, "-m", "pipeline", "demo", "./projects/farming", "--no-serve"]
        env = {"PYTHONPATH": str(ROOT), "SEEDBED_PROJECT": "./projects/farming"}
        subprocess.run(demo, cwd=place, env={**os.environ, **env}, check=True)
        browser = launch(playwright)
        for package, take in (
            ("seed_space", picture_of_seeds),
            ("annotate_space", picture_of_votes),
            ("annotate_space", picture_of_insights),
        ):
            if take is picture_of_insights:
                make_up_votes(Path(place) / "projects/farming")
            with RunningSpace(package, env, folder=Path(place)) as space:
                take(browser.new_page(viewport={"width": 1200, "height": 800}), space.url)
        browser.close()


if __name__ == "__main__":
    main()
