"""Starting a Space from its environment; one whose settings cannot be read says so on its page."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import gradio as gr

from pipeline.core.errors import InvalidInput
from pipeline.core.settings import Settings
from pipeline.web.serve import launch
from pipeline.web.words import Words, language_of

_WORDS: Final = Words(Path(__file__).with_name("said"))


def start(main: Callable[[Settings], None], env: Mapping[str, str]) -> None:
    """Serve what ``main`` makes of the settings in ``env``.

    Raises:
        SystemExit: A setting cannot be read, and this is not a Space: the terminal tells.
    """
    try:
        settings = Settings.from_env(env)
    except InvalidInput as error:
        if env.get("SYSTEM") != "spaces":
            raise SystemExit(str(error)) from error
        settings = Settings(on_space=True, space_id=env.get("SPACE_ID") or None)
        launch(_explanation(error, settings), settings)
    else:
        main(settings)


def _explanation(error: InvalidInput, settings: Settings) -> gr.Blocks:
    """A page that says which setting is wrong, and where it is changed."""

    def explain(request: gr.Request) -> str:
        def words(key: str) -> str:
            return html.escape(_WORDS.say(language_of(request), f"start.{key}"))

        link = html.escape(settings.space_settings or "", quote=True)
        way = f'<p><a href="{link}">{words("open")}</a></p>' if link else ""
        return (
            f'<section class="sb-alone"><h1>{words("title")}</h1><p>{words("wrong")}</p>'
            f'<p class="sb-note warn" lang="en">{html.escape(str(error))}</p>{way}'
            f"<p>{words('restart')}</p></section>"
        )

    page = gr.Blocks(title="Seedbed", analytics_enabled=False)
    with page:
        told = gr.HTML("")
        page.load(explain, outputs=[told], show_progress="hidden", api_visibility="private")
    return page
