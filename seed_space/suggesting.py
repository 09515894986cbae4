"""Suggestions under a list: asked for by a button, taken one by one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import gradio as gr

from pipeline.core import layout
from pipeline.core.errors import SeedbedError
from pipeline.core.schema import GenerationSettings
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.generation.access import ModelAccess
from pipeline.generation.suggest import Kind, needs_model, suggest
from pipeline.web.visitor import Visitor, visitor
from seed_space.page import Page
from seed_space.parts import part
from seed_space.paying import access_for
from seed_space.screen import read
from seed_space.session import Session, generation_settings, open_for
from seed_space.tabs import Wire

_REMEMBERED: Final = 200
"""Suggestions of one list that are not made again."""


def build(page: Page, kind: Kind) -> Wire:
    """Lay out the suggestions for one list; what is returned wires them."""
    chips = part("suggest", None, elem_id=f"suggest-{kind}", kind=kind)

    async def ask(
        session: Session,
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        *values: object,
    ) -> AsyncIterator[dict[str, Any]]:
        # Only what has begun to tell something can be stopped.
        yield {"state": "asking", "turn": uuid.uuid4().hex}
        who = visitor(page.settings, profile, token, request)
        answer = await more(page.settings, page.store, session, who, kind, values)
        yield {**answer, "turn": uuid.uuid4().hex}

    def wire() -> None:
        asking = chips.submit(
            ask,
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
        found = await suggest(kind, seed, generation, access, avoid=seen, documents=documents)
    except SeedbedError as error:
        return {"state": "error", "error": str(error)}
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
    access = access_for(settings, who, generation, samples=1)
    names = [PurePosixPath(path).name for path in project.paths(layout.DOCUMENTS)]
    return generation, access, names
