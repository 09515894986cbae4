"""Pieces of HTML that say how things stand; every text from outside is escaped here."""

from __future__ import annotations

import html
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pipeline.core.checks import Level, Problem
from pipeline.core.schema import (
    STAND_INS,
    GenerationSettings,
    ModelChoice,
)
from pipeline.core.settings import Settings
from pipeline.generation.grounding import Passage
from seed_space.changes import Change
from seed_space.screen import STEP_OF, told
from seed_space.tabs import NAME_OF
from seed_space.words import say


def problems(language: str, found: Sequence[Problem]) -> str:
    """What is wrong with one step, shown on it: first what stands in the way of what."""
    groups = []
    for level, (title, kind) in _LEVELS.items():
        items = "".join(
            f"<li><span>{html.escape(told(language, one))}</span>{_fixes(language, one)}</li>"
            for one in found
            if one.level == level
        )
        if items:
            groups.append(
                f'<div class="sb-problems {kind}"><h3>{_say(language, title)}</h3>'
                f"<ul>{items}</ul></div>"
            )
    return f'<div role="status">{"".join(groups)}</div>' if groups else ""


def summary(
    language: str, changes: Sequence[Change] | None, found: Sequence[Problem], *, first: bool
) -> str:
    """What saving would do (None: nothing, as it is) and what stands in the way."""
    parts = [_problem_group(language, level, found) for level in _LEVELS]
    if changes:
        title = _say(language, "pieces.first_version" if first else "pieces.what_changes")
        items = "".join(_change(language, change) for change in changes)
        parts.append(f'<h3>{title}</h3><ul class="sb-changes">{items}</ul>')
    elif changes is not None:
        text = _say(language, "pieces.nothing_written" if first else "pieces.nothing_differs")
        parts.append(f'<p class="sb-quiet">{text}</p>')
    return "".join(parts)


def saved(language: str, settings: Settings, at: datetime) -> str:
    """That it worked, and what comes next."""
    name = shlex.quote(settings.project)
    place = _say(language, "pieces.annotate_space")
    if settings.on_space:
        link = html.escape(f"{settings.hub}/spaces/{settings.project}-annotate", quote=True)
        annotate = f'<a href="{link}" target="_blank" rel="noopener">{place}</a>'
    else:
        annotate = f"{place} (<code>python -m pipeline serve {html.escape(name)}</code>)"
    return (
        '<div class="sb-note good" role="status"><strong>'
        f"{say(language, 'pieces.saved', time=_time(at))}</strong></div>"
        f'<div class="sb-next"><h3>{_say(language, "pieces.next")}</h3><ol>'
        f"<li>{_say(language, 'pieces.next_grow')} "
        f"<pre><code>python -m pipeline generate {html.escape(name)}</code></pre></li>"
        f"<li>{say(language, 'pieces.next_judge', place=annotate)}</li></ol></div>"
    )


def nothing_to_save(language: str) -> str:
    """That the saved version is what is on the screen."""
    text = _say(language, "pieces.already_saved")
    return f'<div class="sb-note" role="status">{text}</div>'


def conflict(language: str, *, choose: Sequence[str] = ()) -> str:
    """That somebody else was faster; ``choose`` names fields that still need a choice."""
    text = say(language, "pieces.conflict")
    if choose:
        text = say(language, "pieces.choose_first", names=", ".join(choose))
    return f'<div class="sb-note warn" role="alert">{html.escape(text)}</div>'


def source(language: str, passage: Passage | None) -> str:
    """The passage that a sample rests on, folded; nothing if it rests on none."""
    if passage is None:
        return ""
    name = html.escape(say(language, "documents.rests_on", title=passage.title))
    text = html.escape(passage.text)
    return (
        f'<details class="source"><summary>{name}</summary>'
        f'<blockquote class="message" tabindex="0">{text}</blockquote></details>'
    )


def stand_in(settings: GenerationSettings, language: str) -> str:
    """A quiet note when no language model is configured."""
    if not any(choice.model in STAND_INS for choice in _used(settings)):
        return ""
    how = say(
        language,
        "pieces.real_model_how",
        file="<code>project.json</code>",
        place="<code>generation</code>, <code>models</code>",
        choice='<code>[{"model": "NAME"}]</code>',
        address='<code>"base_url"</code>',
    )
    return (
        f'<div class="sb-standin"><p>{_say(language, "pieces.stand_in")}</p><details><summary>'
        f"{_say(language, 'pieces.real_model')}</summary><p>{how}</p></details></div>"
    )


def engineer(language: str, settings: GenerationSettings, fingerprint: str | None) -> str:
    """What a batch would run with, for those who want to know."""
    rows = "".join(
        f"<tr><td>{html.escape(role)}</td><td>{html.escape(choice.model)}</td>"
        f"<td>{html.escape(_parameters(choice))}</td></tr>"
        for role, choice in _roles(language, settings)
    )
    mark = html.escape(fingerprint) if fingerprint else "—"
    heads = "".join(
        f"<th>{_say(language, key)}</th>"
        for key in ("pieces.for", "pieces.model", "pieces.parameters")
    )
    file = say(language, "pieces.settings_file", file="<code>project.json</code>")
    return (
        f"<p>{_say(language, 'pieces.fingerprint')} <code>{mark}</code>. "
        f"{_say(language, 'pieces.fingerprint_means')}</p><div class='sb-table'><table>"
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div><p>{file}</p>"
    )


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


_LEVELS: Mapping[Level, tuple[str, str]] = {
    Level.BLOCKS_SAVING: ("pieces.before_saving", "bad"),
    Level.BLOCKS_GENERATING: ("pieces.before_growing", "warn"),
    Level.ADVICE: ("pieces.worth_a_look", ""),
}
"""The words above problems of a level, and how they look."""


def _problem_group(language: str, level: Level, found: Sequence[Problem]) -> str:
    items = "".join(_problem(language, problem) for problem in found if problem.level == level)
    title, kind = _LEVELS[level]
    if not items:
        return ""
    return f'<h3>{_say(language, title)}</h3><ul class="sb-todo {kind}">{items}</ul>'


def _problem(language: str, problem: Problem) -> str:
    step = STEP_OF.get(problem.field, "publish")
    go = ""
    if step != "publish":
        text = html.escape(say(language, "steps.go", step=say(language, NAME_OF[step])))
        go = f'<button type="button" class="text" data-go="{step}">{text}</button>'
    return f"<li><span>{html.escape(told(language, problem))}</span>{go}</li>"


def _fixes(language: str, problem: Problem) -> str:
    """Buttons that put right what an example names and the list does not have."""
    kind = problem.code.removesuffix("_unknown")
    if kind == problem.code:
        return ""
    number = int(problem.values["number"])
    data = f'data-kind="{kind}" data-number="{number}"'
    return (
        '<span class="sb-fixes">'
        f'<button type="button" class="text" data-fix="add" {data}>'
        f"{_say(language, f'pieces.add_{kind}')}</button>"
        f'<button type="button" class="text" data-fix="clear" {data}>'
        f"{_say(language, 'pieces.clear')}</button></span>"
    )


def _change(language: str, change: Change) -> str:
    words = " ".join(html.escape(word) for word in change.words)
    both = ""
    if any(len(text) > 70 for text in (change.before, change.after)) and change.before:
        empty = _say(language, "pieces.empty")
        both = (
            f"<details><summary>{_say(language, 'pieces.compare')}</summary><div class='sb-sides'>"
            f"<div><h4>{_say(language, 'pieces.side_saved')}</h4>"
            f"<p>{html.escape(change.before) or empty}</p></div>"
            f"<div><h4>{_say(language, 'pieces.side_now')}</h4>"
            f"<p>{html.escape(change.after) or empty}</p></div></div></details>"
        )
    return f"<li><strong>{html.escape(change.label)}.</strong> {words}{both}</li>"


def _say(language: str, key: str) -> str:
    return html.escape(say(language, key))


def _time(at: datetime) -> str:
    """A time that the page puts into the reader's own zone and format."""
    return f'<time datetime="{at.isoformat()}">{at:%H:%M} UTC</time>'


def _used(settings: GenerationSettings) -> list[ModelChoice]:
    return [choice for _, choice in _roles("en", settings)]


def _roles(language: str, settings: GenerationSettings) -> list[tuple[str, ModelChoice]]:
    answers = [
        (say(language, "pieces.answer", n=index + 1), settings.for_completion(index))
        for index in range(settings.completions)
    ]
    return [(say(language, "pieces.instruction"), settings.for_instructions()), *answers]


def _parameters(choice: ModelChoice) -> str:
    fields = choice.model_dump(exclude={"model"}, exclude_none=True)
    return ", ".join(f"{name} {value}" for name, value in fields.items())
