"""From the click to the first sample on the screen, beside the same calls made by a bare client."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import httpx2
from playwright.sync_api import Page

from pipeline.core.schema import Cell, ModelChoice
from pipeline.generation.prompting import Messages, Prompts
from tests.benchmarks.annotating.latency import a_browser
from tests.benchmarks.annotating.stage import Waits
from tests.benchmarks.previewing import stage
from tests.benchmarks.previewing.wire import CELLS
from tests.benchmarks.server import Server
from tests.factories import a_seed

FACTOR: Final = 1.2
BESIDES_MS: Final = 300.0

# From the click, before anybody else sees it, to the second frame after a first card is there.
_WATCH: Final = """() => {
  window.waits = [];
  let began = null;
  document.querySelector("#preview-make").addEventListener("click",
    () => { began = performance.now(); }, { capture: true });
  new MutationObserver((changes) => {
    const card = changes.some((change) => [...change.addedNodes].some(
      (node) => node.nodeType === 1 && node.matches("article.card")));
    if (began === null || !card) return;
    const start = began;
    began = null;
    requestAnimationFrame(() => requestAnimationFrame(
      () => window.waits.push(performance.now() - start)));
  }).observe(document.querySelector("#preview-cards"), { subtree: true, childList: true });
}"""


def measure(folder: Path, *, runs: int = 20, latency: float = 1.0) -> dict[str, Any]:
    """Figures of so many previews by a visitor, each after a bare client's turn.

    Raises:
        Failed: The Space ended.
        playwright.sync_api.TimeoutError: No card came.
    """
    with (
        Server(stage.load(latency)) as server,
        stage.a_space(folder, server.url) as space,
        a_browser() as browser,
        ThreadPoolExecutor(1) as aside,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(30_000 + 10_000 * latency)
        page.goto(f"{space.url}/#preview")
        page.locator("body[data-seedbed=ready]").wait_for()
        page.locator("#preview-cells li").nth(len(CELLS) - 1).wait_for()
        page.wait_for_timeout(1_000)
        page.evaluate(_WATCH)
        bare = []
        for number in range(runs):
            # Playwright occupies this thread's event loop.
            bare.append(1_000 * aside.submit(asyncio.run, _chain(server.url)).result())
            _preview(page, number)
        cards: list[float] = page.evaluate("window.waits")
    own, waited = Waits.of(bare), Waits.of(cards)
    allowed = FACTOR * own.p50 + BESIDES_MS
    return {
        "runs": runs,
        "latency_of_a_call_ms": round(1_000 * latency),
        "bare_client_ms": asdict(own),
        "first_card_ms": asdict(waited),
        "besides_the_model_p50_ms": round(waited.p50 - own.p50, 1),
        "besides_the_model_p95_ms": round(waited.p95 - own.p50, 1),
        "allowed_ms": round(allowed, 1),
        "target": f"p95 of the first card at most {FACTOR} x the bare client's p50 + "
        f"{BESIDES_MS:.0f} ms",
        "passed": waited.p95 <= allowed,
    }


def _preview(page: Page, number: int) -> None:
    page.locator("#preview-make:not([disabled])").click()
    page.wait_for_function("(wanted) => window.waits.length > wanted", arg=number)
    page.wait_for_function(
        "(wanted) => document.querySelectorAll('#preview-cards article').length === wanted",
        arg=len(CELLS),
    )


async def _chain(url: str) -> float:
    """Seconds that one sample's calls take: its instruction, then both answers at once."""
    seed, cell = a_seed(), Cell.model_validate(CELLS[0])
    prompts, settings = Prompts(seed), stage.settings(url)
    asked = prompts.instructions(cell, settings.instructions_per_call, [], 1)
    answer = prompts.answer(cell, "How wet is too wet?")
    async with httpx2.AsyncClient(timeout=60) as http:

        async def ask(choice: ModelChoice, messages: Messages) -> None:
            body = {
                "model": choice.model,
                "messages": messages,
                "temperature": choice.temperature,
                "max_tokens": choice.max_tokens,
            }
            (await http.post(f"{url}/chat/completions", json=body)).raise_for_status()

        began = time.monotonic()
        await ask(settings.for_instructions(), asked)
        await asyncio.gather(*(ask(settings.for_completion(at), answer) for at in range(2)))
        return time.monotonic() - began
