"""From a key to the next card on the screen, over a slow network, beside a plain Gradio app."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import read_feedback
from pipeline.core.store_folder import FolderStore
from tests.benchmarks.annotating.stage import Space, Waits, a_project, fill
from tests.chromium import launch
from tests.delay_proxy import DelayProxy

EACH_WAY: Final = 0.075
TARGET_MS: Final = 50.0
A_SECOND: Final = 4
"""Votes of a person who does not have to think."""
IN_A_ROW: Final = 6
"""Votes of a burst: as many as are in hand at the least."""
CARD: Final = '[data-part="card"]'

# From the key, before anybody else sees it, to the second frame after the card holds other text.
_WATCH: Final = """(selector) => {
  window.waits = [];
  let began = null, before = null;
  const card = () => document.querySelector(selector);
  const text = () => { const c = card(); return c && !c.hidden ? c.textContent : null; };
  document.addEventListener("keydown", () => { began = performance.now(); before = text(); },
    { capture: true });
  new MutationObserver(() => {
    const now = text();
    if (began === null || now === null || now === before) return;
    const start = began;
    began = null;
    requestAnimationFrame(() => requestAnimationFrame(
      () => window.waits.push(performance.now() - start)));
  }).observe(document.body, { subtree: true, childList: true, characterData: true,
    attributes: true, attributeFilter: ["hidden"] });
}"""


def measure(folder: Path, *, votes: int = 200, each_way: float = EACH_WAY) -> dict[str, Any]:
    """Figures of so many votes at each pace, through a proxy that delays ``each_way`` seconds.

    Raises:
        Failed: A Space ended.
        playwright.sync_api.TimeoutError: No next card came.
    """
    store = FolderStore(folder / "project")
    fill(store, 2 * votes + 100, a_project("thumbs"))
    card = Space(folder, {"SEEDBED_PROJECT": str(folder / "project")})
    plain = Space(folder, {}, [sys.executable, "-m", "tests.benchmarks.annotating.plain_app"])
    with a_browser() as browser:
        with card, DelayProxy(card.port, each_way) as slow:
            page = _open(browser, slow.url)
            _enter(page)
            page.evaluate(_WATCH, CARD)
            keys = ("ArrowUp", "ArrowDown")
            pace = _press(page, keys, votes, lambda number: 1 / A_SECOND)
            burst = _press(page, keys, votes, lambda number: 0.0 if number % IN_A_ROW else 1.5)
            page.wait_for_timeout(3_000)
            card.stop()
        with plain, DelayProxy(plain.port, each_way) as slow:
            page = _open(browser, slow.url)
            page.get_by_role("button", name="Good").focus()
            page.evaluate(_WATCH, "#sample h2")
            other = _press(page, ("Enter",), votes, lambda number: 1 / A_SECOND)
    kept = sum(isinstance(event, FeedbackEvent) for event in read_feedback(store))
    ours, bursts, theirs = Waits.of(pace), Waits.of(burst), Waits.of(other)
    return {
        "votes_each": votes,
        "round_trip_ms": round(2_000 * each_way),
        "card_ms": asdict(ours),
        "card_in_bursts_ms": asdict(bursts),
        "plain_gradio_ms": asdict(theirs),
        "plain_to_card_p50": round(theirs.p50 / ours.p50, 1),
        "votes_in_the_dataset": kept,
        "target": f"p95 of the card at most {TARGET_MS:.0f} ms at both paces, all votes kept",
        "passed": max(ours.p95, bursts.p95) <= TARGET_MS and kept == 2 * votes,
    }


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A Chromium."""
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


def _open(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.set_default_timeout(30_000)
    page.goto(url)
    return page


def _enter(page: Page) -> None:
    page.get_by_label("Your name").fill("Bench")
    page.keyboard.press("Enter")
    page.locator(CARD).wait_for()
    page.wait_for_timeout(1_000)


def _press(
    page: Page, keys: Sequence[str], votes: int, rest: Callable[[int], float]
) -> list[float]:
    """Press the keys in turn, each after the last one's card is there and a rest in seconds."""
    page.evaluate("window.waits = []")
    for number in range(votes):
        page.wait_for_timeout(1_000 * rest(number))
        page.keyboard.press(keys[number % len(keys)])
        page.wait_for_function("(wanted) => window.waits.length >= wanted", arg=number + 1)
    waits: list[float] = page.evaluate("window.waits")
    return waits
