"""The step that shows real samples, made from what is on the screen by the batch's own code."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

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
from pipeline.web.visitor import Visitor, visitor
from seed_space import handlers, pieces, standing
from seed_space.page import Page
from seed_space.parts import part
from seed_space.paying import access_for, give_back
from seed_space.screen import read
from seed_space.session import Session, generation_settings, open_for
from seed_space.tabs import Wire, panel

SPREAD: Final = 3
AT_MOST: Final = 12
_CELLS: Final = TypeAdapter(list[Cell])


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


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
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
            page.engineer = gr.HTML("", elem_classes="sb-engineer")

    async def write(
        session: Session,
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        chosen: object,
        *values: object,
    ) -> AsyncIterator[list[Any]]:
        who = visitor(page.settings, profile, token, request)
        async for shown in run(page.settings, page.store, session, who, chosen, values):
            yield [
                {"run": shown.run, "cards": list(shown.cards)},
                shown.status,
                gr.update(interactive=not shown.running),
                gr.update(interactive=shown.running),
            ]

    def look_over(session: Session, *values: object) -> list[Any]:
        return page.view_values(handlers.look_over(session, values))

    def end() -> list[Any]:
        return [stopped(), gr.update(interactive=True), gr.update(interactive=False)]

    def wire() -> None:
        writing = make.click(
            write,
            inputs=[page.session, cells, *page.screen],
            outputs=[cards, status, make, stop],
            concurrency_limit=20,
            show_progress="hidden",
            api_visibility="private",
        )
        standing.follow(page, writing)
        writing.then(
            look_over,
            inputs=[page.session, *page.screen],
            outputs=page.view,
            show_progress="hidden",
            api_visibility="private",
        )
        stop.click(
            end,
            outputs=[status, make, stop],
            cancels=[writing],
            show_progress="hidden",
            api_visibility="private",
        )

    return wire


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
    lent: ModelAccess | None = None
    try:
        seed = read(values, session.saved.seed).require()
        cells = _read_cells(chosen, seed.cells())
        generation, access = await asyncio.to_thread(_prepare, settings, store, who, len(cells))
        lent = access
        yield Shown(name, (), _progress(0, len(cells)), True)
        async with aclosing(preview(seed, generation, cells, access)) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, Sample):
                    cards.append(pieces.card(outcome, seed, generation))
                else:
                    failures.append(outcome)
                status = _progress(len(cards), len(cells)) + pieces.failed(failures)
                yield Shown(name, tuple(cards), status, True)
    except SeedbedError as error:
        if lent is not None and not (cards or failures):
            give_back(lent, len(cells))  # nothing was called
        others = [failure for failure in failures if failure.reason != error.problem]
        yield Shown(name, tuple(cards), error_note(error) + pieces.failed(others), False)
        return
    mark = fingerprint(seed, generation)
    session.generation = generation
    if cards:
        session.previewed = mark
    done = _done(len(cards), len(cells), mark) + pieces.failed(failures)
    yield Shown(name, tuple(cards), done + pieces.stand_in(generation), False)


def stopped() -> str:
    """What is said when a person stops it."""
    return note("", "Stopped. What had come stays below.")


def _prepare(
    settings: Settings, store: Store | None, who: Visitor, samples: int
) -> tuple[GenerationSettings, ModelAccess]:
    """The project's settings as they are now, and whose credentials may be used."""
    generation = generation_settings(store or open_for(settings, who))
    return generation, access_for(settings, who, generation, samples=samples)


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
