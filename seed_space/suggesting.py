"""Suggestions under a list: asked for by a button, taken one by one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from pipeline.core import layout
from pipeline.core.errors import ModelUnavailable, SeedbedError
from pipeline.core.schema import GenerationSettings
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.suggest import Kind, needs_model, suggest
from pipeline.web.visitor import Visitor
from seed_space.asking import Asked, asks
from seed_space.page import Page
from seed_space.parts import part
from seed_space.paying import access_for, give_back
from seed_space.screen import read
from seed_space.session import Session, generation_settings, open_for
from seed_space.tabs import Wire
from seed_space.telling import told

_REMEMBERED: Final = 200
"""Suggestions of one list that are not made again."""


def build(page: Page, kind: Kind) -> Wire:
    """Lay out the suggestions for one list; what is returned wires them."""
    chips = part("suggest", None, elem_id=f"suggest-{kind}", kind=kind)

    async def ask(asked: Asked, session: Session, *values: object) -> AsyncIterator[dict[str, Any]]:
        # Only what has begun to tell something can be stopped.
        yield {"state": "asking", "turn": uuid.uuid4().hex}
        answer = await more(page.settings, page.store, session, asked.who, kind, values)
        yield {**answer, "turn": uuid.uuid4().hex}

    def wire() -> None:
        asking = chips.submit(
            asks(page.settings, ask),
            inputs=[page.session, *page.screen],
            outputs=[chips],
            concurrency_limit=20,
            trigger_mode="multiple",  # asking anew while the last call is being stopped
            show_progress="hidden",
            api_visibility="private",
        )
        chips.stop(
            fn=None,
            cancels=[asking],
            show_progress="hidden",
            api_visibility="private",
        )

    return wire


async def more(
    settings: Settings,
    store: Store | None,
    session: Session,
    who: Visitor,
    kind: Kind,
    values: Sequence[object],
) -> dict[str, Any]:
    """What the part is to show: new suggestions, or why there are none.

    What was suggested once in a session is not suggested again.
    """
    seen = session.suggested.setdefault(kind, [])
    try:
        seed = read(values, session.saved.seed).require(session.language)
        ready = await asyncio.to_thread(_prepare, settings, store, who)
        if ready is None:
            return {"state": "no_model"}
        generation, access, documents = ready
        try:
            found = await suggest(kind, seed, generation, access, avoid=seen, documents=documents)
        except SeedbedError as error:
            if not isinstance(error, ModelUnavailable):
                give_back(access, 1)  # nothing was called
            raise
    except SeedbedError as error:
        return {"state": "error", **told(session.language, error).for_part()}
    seen += found
    del seen[:-_REMEMBERED]
    return {"state": "shown" if found else "no_more", "items": found}


def _prepare(
    settings: Settings, store: Store | None, who: Visitor
) -> tuple[GenerationSettings, ModelAccess, list[str]] | None:
    """Settings as they are now, whose credentials, and names of documents; None: no model."""
    project = store or open_for(settings, who)
    generation = generation_settings(project)
    if needs_model(generation):
        return None
    names = [PurePosixPath(path).name for path in project.paths(layout.DOCUMENTS)]
    return generation, access_for(settings, who, generation, samples=1), names
