"""Opening a Space's page, on a laptop or as a Space."""

from __future__ import annotations

import gc
import html
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from pipeline.core.settings import Settings
from pipeline.web.look import BASE_CSS, theme


def launch(
    page: gr.Blocks,
    settings: Settings,
    *,
    styles: Sequence[Path] = (),
    translations: gr.I18n | None = None,
    port: int | None = None,
    max_body: int | None = None,
    wait: bool = True,
) -> str:
    """Serve ``page`` and return its local address.

    Args:
        page: What a Space's ``build_app`` returned.
        settings: Decides between all interfaces (a Space) and this machine only.
        styles: The Space's own style sheets, after the shared one.
        translations: Words for the reader's language.
        port: None takes the first free one from 7860.
        max_body: Bytes that one request may have; a longer one is refused before it is read.
        wait: Block until interrupted.
    """
    page.queue(default_concurrency_limit=8)
    _, address, _ = page.launch(
        server_name="0.0.0.0" if settings.on_space else "127.0.0.1",  # noqa: S104
        server_port=port,
        prevent_thread_lock=True,
        theme=theme(),
        css_paths=[BASE_CSS, *styles],
        i18n=translations,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        quiet=True,
        max_file_size="20mb",
        app_kwargs={"max_body_size": max_body},
    )
    settle()
    if wait:
        page.block_thread()
    return address


def settle() -> None:
    """Keep what is in memory now for good, so that it is not searched for garbage again and again.

    A page and the modules behind it are several hundred thousand objects. Each full collection
    looks through all of them, which stops everybody for 200 ms.
    """
    gc.collect()
    gc.freeze()


def note(kind: str, text: str) -> str:
    """A short notice as HTML: ``kind`` is ``good``, ``warn``, ``bad`` or empty; ``text`` plain."""
    role = "alert" if kind == "bad" else "status"
    return f'<div class="sb-note {kind}" role="{role}">{html.escape(text)}</div>'
