"""How long a visitor's typing takes to be looked over, alone and while others preview."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.annotating.stage import Waits
from tests.benchmarks.previewing import stage
from tests.benchmarks.previewing.wire import Visitor
from tests.benchmarks.processes import Failed
from tests.benchmarks.server import Server
from tests.spaces import ROOT

TARGET_MS: Final = 250.0
PAUSE: Final = 0.3
"""Seconds between two of the editor's changes, as the page waits while somebody types."""


def measure(
    folder: Path, *, visitors: int = 20, edits: int = 100, latency: float = 1.0
) -> dict[str, Any]:
    """Figures of so many edits, first with nobody else there, then while others preview.

    Raises:
        Failed: The Space or the visitors ended.
    """
    with Server(stage.load(latency)) as server, stage.a_space(folder, server.url) as space:
        alone = asyncio.run(_edit(space.url, edits))
        command = [sys.executable, "-m", "tests.benchmarks.previewing.visitors"]
        others = subprocess.Popen(
            [*command, space.url, str(visitors)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            if others.stdout is None or others.stdout.readline().strip() != "ready":
                raise Failed("the visitors did not come")
            began, used = time.monotonic(), space.cpu_s()
            time.sleep(min(2.0, 2 * latency))
            beside = asyncio.run(_edit(space.url, edits))
            share = (space.cpu_s() - used) / (time.monotonic() - began)
            said, _ = others.communicate("", timeout=120)
        finally:
            if others.poll() is None:
                others.kill()
                others.communicate()
    done = json.loads(said.strip().splitlines()[-1])
    without, among = Waits.of(alone), Waits.of(beside)
    previews = Waits.of([1_000 * seconds for seconds in done["seconds"]] or [0.0])
    return {
        "visitors": visitors,
        "latency_of_a_call_ms": round(1_000 * latency),
        "edit_alone_ms": asdict(without),
        "edit_beside_previews_ms": asdict(among),
        "ratio_p50": round(among.p50 / without.p50, 2),
        "ratio_p95": round(among.p95 / without.p95, 2),
        "previews": len(done["seconds"]),
        "preview_ms": asdict(previews),
        "previews_incomplete": done["incomplete"],
        "errors": done["errors"][:5],
        "space_cpu_share": round(share, 2),
        "machine_load": round(os.getloadavg()[0], 2),
        "target": f"p95 of an edit beside previews at most {TARGET_MS:.0f} ms, none as long as a "
        "preview, every preview complete",
        "passed": among.p95 <= TARGET_MS
        and among.most < 2_000 * latency
        and not done["errors"]
        and not done["incomplete"],
    }


async def _edit(url: str, edits: int) -> list[float]:
    """Milliseconds from each change to the Space's answer."""
    visitor = Visitor(url)
    await visitor.open()
    waits = []
    for number in range(edits + 1):
        began = time.monotonic()
        await visitor.edit(f"Farming {number}")
        waits.append(1_000 * (time.monotonic() - began))
        await asyncio.sleep(PAUSE)
    await visitor.close()
    return waits[1:]  # the first opens the connection
