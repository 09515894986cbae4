"""Handlers as Gradio calls them: it hands over the request, they get who asks.

Gradio finds what it is to hand over by annotations. A handler that is wrapped here gets an
``Asked`` in front of the values of its inputs instead.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from pipeline.core.settings import Settings
from pipeline.web.visitor import Visitor, visitor

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a handler.

    Attributes:
        who: The visitor.
        tab: Tells apart the pages that are open in browsers; empty for what ``serves``.
        detail: What a part's script sent along.
    """

    who: Visitor
    tab: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def asks(settings: Settings, handler: Handler) -> Handler:
    """Let ``handler(asked, *inputs)`` answer an event; it may be an asynchronous generator."""
    if inspect.isasyncgenfunction(handler):

        async def stream(
            request: gr.Request,
            profile: gr.OAuthProfile | None,
            token: gr.OAuthToken | None,
            *inputs: object,
        ) -> AsyncIterator[Any]:
            asked = _asked(settings, profile, token, request)
            async with aclosing(handler(asked, *inputs)) as answers:
                async for answer in answers:
                    yield answer

        return stream

    def call(
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        *inputs: object,
    ) -> Any:  # noqa: ANN401 - whatever the handler answers
        return handler(_asked(settings, profile, token, request), *inputs)

    return call


def hears(settings: Settings, handler: Handler) -> Handler:
    """As ``asks``, for an event that a part's script triggers with a detail."""

    def call(
        event: gr.EventData,
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        *inputs: object,
    ) -> Any:  # noqa: ANN401 - whatever the handler answers
        return handler(_asked(settings, profile, token, request, event._data), *inputs)

    return call


def serves(settings: Settings, name: str, handler: Handler) -> Handler:
    """Let a part's script call ``handler(asked)`` as ``server.name(detail)``."""

    def call(
        detail: dict[str, Any],
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
    ) -> Any:  # noqa: ANN401 - whatever the handler answers
        # What Gradio hands over here is no gr.Request, whatever the annotation: it knows no tab.
        return handler(Asked(visitor(settings, profile, token, request), detail=_read(detail)))

    call.__name__ = name  # Gradio finds it by that
    return call


def _asked(
    settings: Settings,
    profile: gr.OAuthProfile | None,
    token: gr.OAuthToken | None,
    request: gr.Request,
    detail: object = None,
) -> Asked:
    who = visitor(settings, profile, token, request)
    return Asked(who, request.session_hash or "", _read(detail))


def _read(detail: object) -> dict[str, Any]:
    """What a script sent; a browser may send anything."""
    return detail if isinstance(detail, dict) else {}
