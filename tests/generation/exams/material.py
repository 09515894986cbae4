"""Documents to ask about, projects that hold them, and a model that writes questions."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipeline.core.documents.adding import add_files
from pipeline.core.projects import make_project
from pipeline.core.schema import ExamSettings, ModelChoice, Project, Seed, stable_id
from pipeline.core.store_folder import FolderStore
from pipeline.generation.exams.items import Item
from tests.factories import a_seed
from tests.llm_server import Received

PASSAGE = (
    "Sow winter rye before the middle of October, at 120 kilograms to the hectare. Terminate it "
    "at knee height, three weeks before planting the main crop. White clover persists for several "
    "seasons, red clover for two. Tile drains lie 80 to 100 centimetres deep in heavy clay."
)
PASSAGE_PT = (
    "Semeie o centeio de inverno antes de meados de outubro, com 120 quilos por hectare. Corte o "
    "centeio à altura do joelho, três semanas antes de plantar a cultura principal. O trevo branco "
    "dura várias épocas, o trevo vermelho apenas duas. A drenagem fica a 80 centímetros."
)
GOOD = Item(
    "How much winter rye is sown on clay before the middle of October?",
    "120 kilograms to the hectare",
    ("60 kilograms to the hectare", "240 kilograms to the hectare", "90 kilograms to the hectare"),
)
GOOD_PT = Item(
    "Quanto centeio de inverno se semeia antes de meados de outubro?",
    "120 quilos por hectare",
    ("60 quilos por hectare", "240 quilos por hectare", "90 quilos por hectare"),
)


def a_document(number: int, passages: int = 3) -> str:
    """A document whose every passage tells figures of its own."""
    return "\n\n".join(
        f"# Field {number}.{at}\n\n"
        + " ".join(
            f"On {_word(number, at, line)} soil the {_word(at, line, number)} crop needs "
            f"{100 * (number + 1) + 10 * at + line} kilograms of lime to the hectare, which is "
            f"spread {_word(line, number, at)} before the ploughing begins in early autumn."
            for line in range(6)
        )
        for at in range(passages)
    )


def a_project(folder: Path, documents: int = 2, passages: int = 3, **seed: object) -> FolderStore:
    """A folder project with documents."""
    store = FolderStore(folder)
    make_project(store, Seed.model_validate(a_seed().model_dump() | seed), Project())
    files = [
        (f"fields-{number}.md", a_document(number, passages).encode())
        for number in range(documents)
    ]
    add_files(store, files)
    return store


def exam_settings(url: str, questions: int = 6, **changes: object) -> ExamSettings:
    """Settings that call the model ``a/one`` at ``url``."""
    model = ModelChoice(model="a/one", base_url=url, price_in=1, price_out=2, max_tokens=300)
    return ExamSettings.model_validate({"questions": questions, "model": model, **changes})


def passage_in(request: Received) -> str:
    """The passage that a request shows; empty if it shows none."""
    for message in request.messages:
        _, _, rest = message["content"].partition("<passage>\n")
        if rest:
            return rest.partition("\n</passage>")[0]
    return ""


def kind_of(request: Received) -> str:
    """What a request asks for: question, mend, improvement, support or closed book."""
    last = request.messages[-1]["content"]
    if "cannot be kept:" in last:
        return "mend"
    if "Make it a better exam question" in last:
        return "improvement"
    if "Which options are right by what the passage says?" in last:
        return "support"
    return "question" if "Write one question about" in last else "closed book"


def writer(request: Received) -> str:
    """Writes a fit question about a passage of ``a_document``; the same to the same request.

    It knows nothing without a passage.
    """
    if not passage_in(request):
        return "I do not know."
    number = re.search(r"this is number (\d+) of", request.messages[-1]["content"])
    lines = re.findall(r"On (\w+) soil the (\w+) crop needs (\d+) kilograms", passage_in(request))
    soil, crop, figure = lines[(int(number[1]) - 1 if number else 0) % len(lines)]
    wrong = [f"{int(figure) + by} kilograms to the hectare" for by in (211, 322, 433)]
    question = {
        "question": f"How much lime does the {crop} crop need on {soil} soil?",
        "answer": f"{figure} kilograms to the hectare",
        "distractors": wrong,
    }
    return f"<think>Easy.</think>Here it is:\n```json\n{json.dumps(question)}\n```"


def options_in(request: Received) -> dict[str, str]:
    """The options that a request shows, by letter."""
    return dict(re.findall(r"^([A-D])\. (.+)$", request.messages[-1]["content"], re.MULTILINE))


def _word(*parts: int) -> str:
    """A made-up word."""
    key = int(stable_id("word", *parts), 16)
    letters = []
    for at in range(8):
        key, index = divmod(key, 20 if at % 2 == 0 else 5)
        letters.append("bcdfghjklmnpqrstvwxz"[index] if at % 2 == 0 else "aeiou"[index])
    return "".join(letters)
