"""The step that shows real samples, made from what is on the screen by the batch's own code."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import gradio as gr
from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.core.schema import Cell, GenerationSettings, Sample, normalized
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.chain import Failure
from pipeline.generation.flow import preview
from pipeline.generation.planning import fingerprint
from pipeline.web.serve import error_note, note
from pipeline.web.visitor import Visitor, writing_store
from seed_space import words
from seed_space.parts import part
from seed_space.screen import read
from seed_space.session import Session, generation_settings, open_for
from seed_space.tabs import panel

SPREAD: Final = 3
AT_MOST: Final = 12
_CELLS: Final = TypeAdapter(list[Cell])


@dataclass(frozen=True, slots=True)
class PreviewTab:
    """The step's components."""

    cells: gr.HTML
    make: gr.Button
    stop: gr.Button
    status: gr.HTML
    cards: gr.HTML
    engineer: gr.HTML


@dataclass(frozen=True, slots=True)
class Shown:
    """The step while samples come.

    Attributes:
        run: Changes with each preview.
        cards: A sample each, as safe HTML, in the order in which they came.
        status: How far it is, and what failed, as HTML.
        running: Whether more may come.
    """

    run: str
    cards: tuple[str, ...]
    status: str
    running: bool


def build() -> PreviewTab:
    """Lay out the step."""
    with panel(
        "preview",
        "See what comes of it",
        "Real samples, written from what is on the screen now, saved or not. If they are not what "
        "you want, change your words and look again.",
    ):
        cells = part("cells", [], elem_id="preview-cells", spread=SPREAD, limit=AT_MOST)
        with gr.Row(elem_classes="sb-actions"):
            make = gr.Button("Write samples", variant="primary", elem_id="preview-make")
            stop = gr.Button("Stop", interactive=False, elem_id="preview-stop")
        status = gr.HTML("", elem_id="preview-status")
        cards = part("cards", None, elem_id="preview-cards")
        with gr.Accordion("Engineer settings", open=False, elem_id="preview-engineer"):
            engineer = gr.HTML("", elem_classes="sb-engineer")
    return PreviewTab(cells, make, stop, status, cards, engineer)


async def run(
    settings: Settings,
    store: Store | None,
    session: Session,
    who: Visitor,
    chosen: object,
    values: Sequence[object],
) -> AsyncIterator[Shown]:
    """Make one sample for each chosen cell; each is shown as soon as it is there.

    Closing the iterator stops all calls.
    """
    name = uuid.uuid4().hex
    cards: list[str] = []
    failures: list[Failure] = []
    try:
        seed = read(values, session.saved.seed).require()
        cells = _read_cells(chosen, seed.cells())
        generation, access = await asyncio.to_thread(_prepare, settings, store, who)
        yield Shown(name, (), _progress(0, len(cells)), True)
        async with aclosing(preview(seed, generation, cells, access)) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, Sample):
                    cards.append(words.card(outcome, seed, generation))
                else:
                    failures.append(outcome)
                status = _progress(len(cards), len(cells)) + words.failed(failures)
                yield Shown(name, tuple(cards), status, True)
    except SeedbedError as error:
        others = [failure for failure in failures if failure.reason != error.problem]
        yield Shown(name, tuple(cards), error_note(error) + words.failed(others), False)
        return
    mark = fingerprint(seed, generation)
    session.generation = generation
    if cards:
        session.previewed = mark
    done = _done(len(cards), len(cells), mark) + words.failed(failures)
    yield Shown(name, tuple(cards), done + words.stand_in(generation), False)


def stopped() -> str:
    """What is said when a person stops it."""
    return note("", "Stopped. What had come stays below.")


def _prepare(
    settings: Settings, store: Store | None, who: Visitor
) -> tuple[GenerationSettings, ModelAccess]:
    """The project's settings as they are now, and whose credentials may be used."""
    generation = generation_settings(store or open_for(settings, who))
    key = _key(settings, who, generation)
    return generation, ModelAccess(who.token, key, api_hosts=settings.api_hosts)


def _key(settings: Settings, who: Visitor, generation: GenerationSettings) -> str | None:
    """The key of the project's own model server, which the owner pays for.

    On a Space only those may use it who may write to the project.
    """
    if settings.api_key is None or not any(choice.base_url for choice in generation.all_models()):
        return None
    if settings.on_space and (who.token is None or not writing_store(settings, who).can_write()):
        return None
    return settings.api_key


def _read_cells(chosen: object, known: Sequence[Cell]) -> list[Cell]:
    try:
        cells = _CELLS.validate_python(chosen)
    except ValidationError as error:
        raise InvalidInput(
            "The choice of samples did not arrive.", "Reload the page; a draft is kept."
        ) from error
    there = {(normalized(cell.topic), normalized(cell.perspective)): cell for cell in known}
    keys = [(normalized(cell.topic), normalized(cell.perspective)) for cell in cells]
    found = [there[key] for key in dict.fromkeys(keys) if key in there]
    if not found:
        raise InvalidInput(
            "There is nothing to write about yet.",
            "Add at least one topic and one perspective, then choose what to preview.",
        )
    if len(found) > AT_MOST:
        raise InvalidInput(
            f"{len(found)} samples are too many for a preview.", f"Choose at most {AT_MOST}."
        )
    return found


def _progress(done: int, wanted: int) -> str:
    return (
        f'<div class="sb-progress" role="status"><progress max="{wanted}" value="{done}" '
        f'aria-label="Samples"></progress><span>{done} of {wanted}</span></div>'
    )


def _done(done: int, wanted: int, mark: str) -> str:
    count = f"{done} of {wanted} samples" if done < wanted else f"All {done} samples are here"
    count = "The sample is here" if done == wanted == 1 else count
    if done < wanted:
        count += "; press “Write samples” to try again"
    return f'<p class="sb-quiet" role="status">{count}. Fingerprint <code>{mark}</code></p>'
