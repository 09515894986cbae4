"""Makes the README's pictures from the demo: ``python -m tests.pictures``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.chromium import launch
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


def main() -> None:
    """Make the demo in a folder of its own and take both pictures."""
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
        ):
            with RunningSpace(package, env, folder=Path(place)) as space:
                take(browser.new_page(viewport={"width": 1200, "height": 800}), space.url)
        browser.close()


if __name__ == "__main__":
    main()
