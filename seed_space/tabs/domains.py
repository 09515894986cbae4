"""The page beside the steps on which a project for another domain is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.web.visitor import Visitor, visitor
from seed_space import domains
from seed_space.parts import part
from seed_space.words import label

_OPEN = "() => { document.dispatchEvent(new CustomEvent('seedbed:page', {detail: 'domains'})); }"


def button() -> None:
    """Lay out the way to the page, at the top."""
    opens = gr.Button(label("domains.open"), size="sm", elem_id="open-domains")
    opens.click(fn=None, js=_OPEN, api_visibility="private")


def build(settings: Settings, store: Store | None) -> None:
    """Lay out the page; nothing is asked for until somebody opens it."""

    def answer(
        handler: Callable[[Visitor, object], dict[str, Any]], name: str
    ) -> Callable[..., Any]:
        def call(
            payload: dict[str, Any],
            request: gr.Request,
            profile: gr.OAuthProfile | None,
            token: gr.OAuthToken | None,
        ) -> dict[str, Any]:
            return handler(visitor(settings, profile, token, request), payload)

        call.__name__ = name
        return call

    part(
        "domains",
        None,
        elem_id="domains",
        server_functions=[
            answer(lambda who, _: domains.options(settings, store, who), "domain_options"),
            answer(lambda who, wish: domains.check(settings, store, who, wish), "domain_check"),
            answer(lambda who, wish: domains.make(settings, store, who, wish), "domain_make"),
        ],
    )
