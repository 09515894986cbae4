"""The line at the top that tells a visitor what they may do here and who pays for samples."""

from __future__ import annotations

import html
from functools import partial

import gradio as gr

from pipeline.core.schema import GenerationSettings
from pipeline.core.settings import Settings
from pipeline.web.visitor import Visitor
from seed_space.asking import Asked, asks
from seed_space.page import Page
from seed_space.paying import CANNOT_SAVE, Standing, standing
from seed_space.session import Session
from seed_space.words import say


def follow(page: Page, event: gr.events.Dependency) -> None:
    """Bring the line up to date after ``event``: what was opened, saved or made."""

    def tell(asked: Asked, session: Session) -> str:
        return line(page.settings, asked.who, session.generation) if session.opened else ""

    event.then(
        asks(page.settings, tell),
        inputs=[page.session],
        outputs=[page.standing],
        show_progress="hidden",
        api_visibility="private",
    )


def line(settings: Settings, who: Visitor, generation: GenerationSettings) -> str:
    """How a visitor stands, as HTML in their language: in short, with the reasons behind a fold.

    Does I/O: the Hub is asked what they may do.
    """
    return as_html(standing(settings, who, generation), settings, who)


def cannot_save(now: Standing, settings: Settings, who: Visitor) -> str:
    """Why a visitor cannot save, as HTML in their language; nothing for those who may be able."""
    if now.saving not in CANNOT_SAVE:
        return ""
    text = _words(f"who.save_{now.saving}_more", now, settings, who)
    return f'<div class="sb-note warn" role="status">{text}</div>'


def as_html(now: Standing, settings: Settings, who: Visitor) -> str:
    """A standing as HTML, in the language of ``who``."""
    words = partial(_words, now=now, settings=settings, who=who)
    if now.paying == "machine":
        short, long = words("who.machine"), [words("who.machine_more")]
        if now.saving == "barred":
            long.append(words("who.save_barred_more"))
    else:
        short = f"{words(f'who.save_{now.saving}')} · {words(f'who.by_{now.paying}')}"
        long = [words(f"who.save_{now.saving}_more"), words(f"who.by_{now.paying}_more")]
    reasons = "".join(f"<p>{text}</p>" for text in long)
    return (
        f'<details class="sb-who" data-saving="{now.saving}" data-paying="{now.paying}">'
        f"<summary>{short}</summary><div>{reasons}</div></details>"
    )


def _words(key: str, now: Standing, settings: Settings, who: Visitor) -> str:
    left = now.left
    values = {
        "name": who.name or "",
        "project": settings.project,
        "left": left.samples if left else 0,
        "of": left.each if left else 0,
        "time": f"{left.until:%H:%M} UTC" if left else "",
    }
    return html.escape(say(who.language, key, **values))
