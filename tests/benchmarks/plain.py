"""The same chains row by row under a semaphore, with nothing else: what the pipeline is held to.

    python -m tests.benchmarks.plain ORDER [--gather]

Nothing is stored and no failure is expected. At most so many calls are under way as the order
says, also where the completions of a row are asked for at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2


class Plain:
    """One client for the rows of one order."""

    def __init__(self, order: dict[str, Any], *, gather: bool) -> None:
        self._order = order
        self._gather = gather
        self._rows = asyncio.Semaphore(order["in_flight"])
        self._calls = asyncio.Semaphore(order["in_flight"])
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self._http = httpx2.AsyncClient(limits=limits, timeout=120)

    async def run(self) -> int:
        """Do all rows; how many there are."""
        async with self._http:
            done = await asyncio.gather(*map(self._row, self._order["rows"]))
        return len(done)

    async def _row(self, row: dict[str, Any]) -> list[str]:
        order = self._order
        async with self._rows:
            system, user = row["instruction_system"], row["instruction_user"]
            written = await self._ask(order["writer"], system, user)
            question = written.splitlines()[-1].partition(". ")[2]
            answers: list[str]
            asked = [self._ask(m, row["answer_system"], question) for m in order["answerers"]]
            answers = await asyncio.gather(*asked) if self._gather else [await a for a in asked]
            labelled = (f"Answer {chr(65 + i)}:\n{text}" for i, text in enumerate(answers))
            prompt = order["judge_prompt"].format(
                count=len(answers),
                domain="farming",
                question=question,
                answers="\n\n".join(labelled),
            )
            json.loads(await self._ask(order["judge"], "You are a fair judge.", prompt))
            return answers

    async def _ask(self, model: str, system: str, user: str) -> str:
        body = {
            "model": model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            "temperature": self._order["temperature"],
            "max_tokens": self._order["max_tokens"],
        }
        async with self._calls:
            response = await self._http.post(f"{self._order['url']}/chat/completions", json=body)
        text: str = response.raise_for_status().json()["choices"][0]["message"]["content"]
        return text


def main() -> None:
    """Do the order's rows and print how many there were."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plain", description=__doc__)
    parser.add_argument("order", type=Path)
    parser.add_argument("--gather", action="store_true", help="ask for a row's answers at once")
    arguments = parser.parse_args()
    order = json.loads(arguments.order.read_text(encoding="utf-8"))
    print(asyncio.run(Plain(order, gather=arguments.gather).run()))


if __name__ == "__main__":
    main()
