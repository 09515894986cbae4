"""The page of a Space that cannot open its project: what to set, where, and the ways out."""

from __future__ import annotations

import html
from collections.abc import Callable

from pipeline.core.errors import SeedbedError, StoreUnavailable
from pipeline.core.settings import Settings
from pipeline.web.lacking import Lack, lack_of
from pipeline.web.visitor import Visitor
from seed_space.telling import failure
from seed_space.words import say

Words = Callable[[str], str]


def page(settings: Settings, error: SeedbedError, who: Visitor) -> str:
    """What is wrong and every way out of it, as HTML in the language of ``who``."""

    def words(key: str) -> str:
        project = f"<code>{html.escape(settings.project)}</code>"
        return say(who.language, f"setup.{key}", project=project)

    lack = lack_of(settings, error)
    if lack is not None and settings.on_space:
        told = f"<p>{words(lack)}</p>"
        if lack == "sight" and who.token is None:
            told += f"<p>{words('sign_in')}</p>"
        told += f"<h2>{words('owner')}</h2>{_to_set(lack, words)}<p>{words('restart')}</p>"
    else:
        away = isinstance(error, StoreUnavailable)
        told = f"<p>{words('away' if away else 'wrong')}</p>{failure(who.language, error)}"
    return (
        f'<section class="sb-setup"><h1>{words("title")}</h1>{told}'
        f'<p class="ways">{_ways(settings, lack, words)}</p></section>'
    )


def _to_set(lack: Lack, words: Words) -> str:
    """The variables and secrets that the owner has to set, or to look over."""
    names = ["SEEDBED_PROJECT", "HF_TOKEN"] if lack != "token" else ["HF_TOKEN"]
    rows = "".join(
        f"<dt><code>{name}</code> {words('secret' if name == 'HF_TOKEN' else 'variable')}</dt>"
        f"<dd>{words(name.lower())}</dd>"
        for name in names
    )
    return f"<dl>{rows}</dl>"


def _ways(settings: Settings, lack: Lack | None, words: Words) -> str:
    ways = []
    if lack is not None and (place := settings.space_settings):
        link = html.escape(place, quote=True)
        ways.append(
            f'<a class="plain" href="{link}" target="_blank" rel="noopener">{words("open")}</a>'
        )
    ways.append(f'<button type="button" class="plain" data-reload>{words("again")}</button>')
    if lack in ("project", "sight"):
        ways.append(
            f'<button type="button" class="text" data-page-open="domains">{words("new")}</button>'
        )
    return "".join(ways)
