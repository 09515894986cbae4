"""The work that every contender does: the rows, their prompts, and a project that makes them.

Question, topic and perspective name a call whoever makes it, so the server lets each contender
wait for the same latencies (see ``call_name`` in ``tests.llm_server``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.core import projects
from pipeline.core.samples import read_samples
from pipeline.core.schema import Cell, GenerationSettings, Project, Sample, Seed
from pipeline.core.store_folder import FolderStore
from pipeline.generation import prompting

ROOT: Final = Path(__file__).parents[2]

WRITER: Final = "writer/one"
ANSWERERS: Final = ("answer/one", "answer/two")
JUDGE: Final = "judge/one"
CALLS: Final = 2 + len(ANSWERERS)
"""How many calls one chain makes if all goes well."""
IN_FLIGHT: Final = 50
TEMPERATURE: Final = 0.8
MAX_TOKENS: Final = 512

_JUDGE_PROMPT: Final = """\
A question was answered by {count} people. Judge the answers as an expert in {domain}.

Question:
{question}

{answers}

Rate each of the {count} answers from 1 (bad) to 5 (excellent).
Reply with a JSON object and nothing else, of this form:
{{"ratings": [{{"answer": "A", "rating": 1, "rationale": "one sentence"}}]}}"""


@dataclass(frozen=True, slots=True)
class Row:
    """One chain, as somebody does it who does not know this project.

    Attributes:
        number: Its place among the rows of its cell, from 1.
        topic: Of its cell.
        perspective: Of its cell.
        instruction_system: The prompts, as the pipeline words them.
        instruction_user: The same.
        answer_system: The same.
    """

    number: int
    topic: str
    perspective: str
    instruction_system: str
    instruction_user: str
    answer_system: str


def a_seed() -> Seed:
    """Fifty cells; no examples, so that every prompt is a system and a user message."""
    topics = ("Clay soils", "Cover crops", "Drip irrigation", "Grazing", "Compost")
    more = ("Seed saving", "Orchard pests", "Greenhouses", "Beekeeping", "Water harvesting")
    return Seed(
        domain="Farming",
        description="Growing crops and keeping animals on small farms, with few machines.",
        domain_expert_prompt="You are an agronomist who has farmed for thirty years.",
        topics=[*topics, *more],
        perspectives=["Agronomist", "Beginner", "Organic grower", "Extension worker", "Economist"],
    )


def settings(url: str, in_flight: int = IN_FLIGHT) -> GenerationSettings:
    """The pipeline's settings for this work."""
    model = {"base_url": url, "temperature": TEMPERATURE, "max_tokens": MAX_TOKENS}
    judge = {"model": {"model": JUDGE, **model}, "aspects": "overall"}
    return GenerationSettings.model_validate(
        {
            "models": [{"model": name, **model} for name in ANSWERERS],
            "instruction_model": {"model": WRITER, **model},
            "completions": len(ANSWERERS),
            "instructions_per_call": 1,
            "concurrency": in_flight,
            "judge": judge,
        }
    )


def make_project(folder: Path, url: str, in_flight: int = IN_FLIGHT) -> None:
    """A project that is ready to grow."""
    project = Project(generation=settings(url, in_flight))
    projects.make_project(FolderStore(folder), a_seed(), project)


def generate_command(folder: Path, rows: int) -> list[str]:
    """What a person runs to grow the project."""
    words = ("generate", str(folder), "--rows", str(rows), "--json")
    return [sys.executable, "-m", "pipeline", *words]


def samples(folder: Path) -> list[Sample]:
    """What the project holds."""
    return list(read_samples(FolderStore(folder)))


def rows(wanted: int) -> list[Row]:
    """The chains of ``wanted`` samples, spread over the cells as the pipeline spreads them."""
    seed = a_seed()
    cells = seed.cells()
    each, more = divmod(wanted, len(cells))
    return [
        _row(seed, cell, number)
        for place, cell in enumerate(cells)
        for number in range(1, each + (place < more) + 1)
    ]


def judge_prompt(question: str, answers: Sequence[str]) -> str:
    """What a contender that is not the pipeline asks the judge."""
    labelled = "\n\n".join(f"Answer {chr(65 + i)}:\n{text}" for i, text in enumerate(answers))
    return _JUDGE_PROMPT.format(
        count=len(answers), domain="farming", question=question, answers=labelled
    )


def write_order(path: Path, url: str, wanted: int, in_flight: int = IN_FLIGHT) -> None:
    """The work as one JSON file, for contenders in environments of their own."""
    order = {
        "url": url,
        "rows": [asdict(row) for row in rows(wanted)],
        "in_flight": in_flight,
        "writer": WRITER,
        "answerers": ANSWERERS,
        "judge": JUDGE,
        "temperature": TEMPERATURE,
        "max_tokens": MAX_TOKENS,
        "judge_prompt": _JUDGE_PROMPT,
    }
    path.write_text(json.dumps(order), encoding="utf-8")


def _row(seed: Seed, cell: Cell, number: int) -> Row:
    prompts = prompting.Prompts(seed)
    system, user = prompts.instructions(cell, 1, [], number)
    return Row(
        number=number,
        topic=cell.topic,
        perspective=cell.perspective,
        instruction_system=system["content"],
        instruction_user=user["content"],
        answer_system=prompts.answer_system(cell),
    )
