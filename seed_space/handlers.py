"""What happens when a visitor opens the page, changes something or saves; free of Gradio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from pipeline.core.checks import Level, Problem
from pipeline.core.documents.kept import load_documents
from pipeline.core.errors import Conflict, SeedbedError
from pipeline.core.projects import SavedSeed, load_seed, save_seed
from pipeline.core.schema import Seed
from pipeline.core.settings import Settings
from pipeline.core.store import ABSENT, Store
from pipeline.core.versions import last_saved
from pipeline.generation.grounding import marks_of
from pipeline.generation.planning import fingerprint
from pipeline.web.visitor import Visitor, writing_store
from seed_space import pieces, setting_up, versions_pieces
from seed_space.changes import Choice, choices, compare, merge
from seed_space.paying import CANNOT_SAVE
from seed_space.screen import FIELDS, STEP_OF, name_of, read, show
from seed_space.session import Session, generation_settings, open_for, open_session
from seed_space.telling import failure
from seed_space.versions import source_of
from seed_space.words import Told, say

_CHOICES: Final[tuple[Choice, ...]] = ("mine", "theirs")


@dataclass(frozen=True, slots=True)
class View:
    """How things stand with what is on the screen.

    Attributes:
        marks: For each step, its mark and how many entries it has.
        notes: For each step with fields, what is wrong there, as HTML.
        summary: What saving would change and what stands in the way, as HTML.
        engineer: Models, parameters and fingerprint, as HTML.
        changed: Whether saving would write anything; true as well for what cannot be saved yet.
        may_save: Whether the visitor may save, as far as it is known.
    """

    marks: dict[str, dict[str, object]]
    notes: dict[str, str]
    summary: str
    engineer: str
    changed: bool
    may_save: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """What a page shows first.

    Attributes:
        keeper: For the part that keeps drafts: whether the editor can be shown, and the fields.
        setup: Why it cannot, as HTML; else empty.
        values: The screen, in the order of ``FIELDS``.
        view: How things stand with it.
    """

    keeper: dict[str, Any]
    setup: str
    values: list[Any]
    view: View


@dataclass(frozen=True, slots=True)
class Saving:
    """What came of saving.

    Attributes:
        result: What to tell, as HTML.
        rows: Fields to choose a version of; empty when there is nothing to choose.
        keeper: News for the part that keeps drafts, or None when nothing was saved.
        values: The screen if it changed by taking over somebody else's text, else None.
    """

    result: str
    rows: list[dict[str, str]]
    keeper: dict[str, Any] | None = None
    values: list[Any] | None = None


def open_page(settings: Settings, store: Store | None, session: Session, who: Visitor) -> Opened:
    """Read the project for a visitor, or say why that is impossible now."""
    try:
        project = store or open_for(settings, who)
        open_session(project, session)
        session.generation = generation_settings(project)
        session.documents = marks_of(load_documents(project).in_use())
    except SeedbedError as error:
        blank = show(Seed())
        view = look_over(session, blank)
        return Opened({"state": "setup"}, setting_up.page(settings, error, who), blank, view)
    values = show(session.saved.seed)
    return Opened(_ready(session, values), "", values, look_over(session, values))


def read_documents(settings: Settings, store: Store | None, session: Session, who: Visitor) -> None:
    """Follow the documents that there are now; if they cannot be read, what was known stays."""
    with suppress(SeedbedError):
        session.documents = marks_of(load_documents(store or open_for(settings, who)).in_use())


def look_over(session: Session, values: Sequence[object]) -> View:
    """Judge what is on the screen."""
    reading = read(values, session.saved.seed)
    screen = dict(zip(FIELDS, values, strict=True))
    mark = (
        fingerprint(reading.seed, session.generation, documents=session.documents)
        if reading.seed
        else None
    )
    by_step: dict[str, list[Problem]] = {}
    for problem in reading.problems:
        by_step.setdefault(STEP_OF.get(problem.field, "publish"), []).append(problem)
    marks = {
        step: _mark(step, screen, by_step.get(step, [])) for step in dict.fromkeys(STEP_OF.values())
    }
    language = session.language
    changes = compare(session.saved.seed, reading.seed, language) if reading.seed else None
    count = len(session.documents)
    marks["documents"] = {"mark": "done" if count else "open", "count": count or None}
    cells = reading.seed is not None and bool(reading.seed.topics and reading.seed.perspectives)
    stray = bool(by_step.get("coverage"))
    marks["coverage"] = {"mark": "warn" if stray else "done" if cells else "open"}
    marks["preview"] = {"mark": "done" if mark and mark == session.previewed else "open"}
    marks["publish"] = {"mark": _publish_mark(session, reading.problems, changes != [])}
    notes = {
        step: pieces.problems(language, by_step.get(step, ()))
        if marks[step]["mark"] != "open"
        else ""
        for step in dict.fromkeys(STEP_OF.values())
    }
    first = session.saved.etag is ABSENT
    return View(
        marks=marks,
        notes=notes,
        summary=pieces.summary(language, changes, reading.problems, first=first),
        engineer=pieces.engineer(language, session.generation, mark),
        changed=first or not session.opened or changes != [],
        may_save=session.saving not in CANNOT_SAVE,
    )


def restore(session: Session, draft: object, base: object = None) -> list[Any]:
    """The screen of a draft that a browser kept.

    If it started from another version than the one that is saved now, saving it lets the person
    choose between the two.

    Args:
        session: The visitor's.
        draft: The draft.
        base: The screen that it started from, if the browser knows.

    Raises:
        Told: It is no draft of this version.
    """
    if not _is_screen(draft):
        language = session.language
        raise Told(
            say(language, "problems.draft_unreadable"), say(language, "problems.saved_shown")
        )
    _start_from(session, base)
    return list(draft)


def reopen(
    settings: Settings, store: Store | None, session: Session, who: Visitor, base: object
) -> None:
    """Pick up a page that stayed open while the server restarted.

    Args:
        settings: Names the project.
        store: What to read from; by default that project.
        session: The visitor's, as new.
        who: The visitor.
        base: The screen that the page started from; if it is saved still, saving goes on as if
            nothing had happened, else both versions will be shown.
    """
    if session.opened:
        return
    try:
        project = store or open_for(settings, who)
        open_session(project, session)
        session.generation = generation_settings(project)
    except SeedbedError:
        return  # saving finds out, and says so
    _start_from(session, base)


def _start_from(session: Session, base: object) -> None:
    """Let ``session`` know that its screen started from ``base`` and not from what is saved now."""
    if not _is_screen(base) or base == show(session.saved.seed):
        return
    seed = read(base, session.saved.seed).seed
    if seed is not None and session.opened and session.theirs is None:
        session.theirs = session.saved
        session.saved = SavedSeed(seed, session.saved.etag)


def _is_screen(values: object) -> TypeGuard[list[Any]]:
    """Whether a browser sent the fields of a screen, each of its kind."""
    if not isinstance(values, list) or len(values) != len(FIELDS):
        return False
    fields = dict(zip(FIELDS, values, strict=True))
    kinds = {"examples": _is_examples, "topics": _is_texts, "perspectives": _is_texts}
    kinds |= {"rules": _is_texts, "quotas": _is_quotas}
    return all(
        kinds[name](value) if name in kinds else isinstance(value, str)
        for name, value in fields.items()
    )


def save(
    settings: Settings, session: Session, who: Visitor, values: Sequence[object], chosen: object
) -> Saving:
    """Save the screen over the version it started from.

    Args:
        settings: Names the project.
        session: The visitor's; it follows what was saved.
        who: With whose rights.
        values: The screen.
        chosen: Rows of ``changes.choices`` that the visitor answered, if there was a conflict.

    Returns:
        What came of it; on any failure nothing was written and the screen stays as it is.
    """
    try:
        store = writing_store(settings, who)
        if not session.opened and session.theirs is None:
            # The server restarted: what the screen started from is unknown.
            session.theirs = load_seed(store)
        if session.theirs is not None:
            return _save_chosen(_Saver(settings, store, session, who), values, chosen)
        return _save_mine(_Saver(settings, store, session, who), values)
    except SeedbedError as error:
        return Saving(failure(session.language, error), _rows(chosen) if session.theirs else [])


@dataclass(frozen=True, slots=True)
class _Saver:
    """Who saves where."""

    settings: Settings
    store: Store
    session: Session
    who: Visitor

    def write(self, old: Seed, new: Seed, expect: str | None) -> None:
        """Save ``new`` over ``old``; the session follows."""
        session = self.session
        session.saved = save_seed(
            self.store,
            new,
            expect=expect,
            message=_message(old, new),
            by=self.who.name or "",
            restored_from=source_of(session.past, new),
        )
        session.theirs, session.opened = None, True
        session.past.restored = session.past.aside = None

    def look_at_theirs(self) -> SavedSeed:
        """What somebody else saved meanwhile; the session remembers it."""
        self.session.theirs = load_seed(self.store)
        return self.session.theirs

    def meanwhile(self, theirs: SavedSeed) -> str:
        """Who saved ``theirs`` and when, as HTML."""
        entry = last_saved(self.store, theirs.seed)
        return versions_pieces.other_version(self.session.language, entry)


def _save_mine(saver: _Saver, values: Sequence[object]) -> Saving:
    session = saver.session
    seed = read(values, session.saved.seed).to_save(session.language)
    if session.saved.etag is not ABSENT and seed == session.saved.seed:
        return Saving(pieces.nothing_to_save(session.language), [], _ready(session, list(values)))
    base = session.saved.seed
    try:
        saver.write(base, seed, session.saved.etag)
    except Conflict:
        theirs = saver.look_at_theirs()
        rows = choices(base, seed, theirs.seed, session.language)
        if rows:
            return Saving(pieces.conflict(session.language) + saver.meanwhile(theirs), rows)
        return _save_chosen(saver, values, [])
    return _done(saver.settings, session, list(values))


def _save_chosen(saver: _Saver, values: Sequence[object], chosen: object) -> Saving:
    session = saver.session
    theirs = session.theirs or load_seed(saver.store)
    base = session.saved.seed if session.opened else None
    mine = read(values, theirs.seed).to_save(session.language)
    answers = {row["field"]: row["choice"] for row in _rows(chosen)}
    rows = choices(base, mine, theirs.seed, session.language)
    for row in rows:
        row["choice"] = answers.get(row["field"], row["choice"])
    undecided = [
        name_of(session.language, row["field"]) for row in rows if row["choice"] not in _CHOICES
    ]
    if undecided:
        asked_before = bool(answers)
        choose = undecided if asked_before else ()
        told = pieces.conflict(session.language, choose=choose)
        return Saving(told + saver.meanwhile(theirs), rows)
    picks: dict[str, Choice] = {
        row["field"]: "theirs" if row["choice"] == "theirs" else "mine" for row in rows
    }
    merged = merge(mine, theirs.seed, picks)
    try:
        saver.write(theirs.seed, merged, theirs.etag)
    except Conflict:
        newest = saver.look_at_theirs()
        rows = choices(base, mine, newest.seed, session.language)
        return Saving(pieces.conflict(session.language) + saver.meanwhile(newest), rows)
    if "theirs" in picks.values():
        shown = show(merged)
        return _done(saver.settings, session, shown, shown)
    return _done(saver.settings, session, list(values))


def _done(
    settings: Settings, session: Session, kept: list[Any], values: list[Any] | None = None
) -> Saving:
    at = pieces.now()
    keeper = {**_ready(session, kept), "saved_at": at.isoformat()}
    return Saving(pieces.saved(session.language, settings, at), [], keeper, values)


def _ready(session: Session, values: list[Any]) -> dict[str, Any]:
    return {
        "state": "ready",
        "saved": values,
        "first": session.saved.etag is ABSENT,
        "title": session.saved.seed.domain,
    }


def _message(old: Seed, new: Seed) -> str:
    """A line for the project's history; names fields, never what was typed."""
    names = [change.label.lower() for change in compare(old, new, "en")]
    return f"Seed: {', '.join(names)}" if names else "Seed"


def _mark(step: str, screen: Mapping[str, object], found: Sequence[Problem]) -> dict[str, object]:
    main = {"domain": "domain", "expert": "domain_expert_prompt", "coverage": "quotas"}.get(
        step, step
    )
    value = screen[main]
    entries = [row for row in value if row] if isinstance(value, list) else None
    empty = not entries if entries is not None else not str(value or "").strip()
    if empty and not any(problem.level == Level.BLOCKS_SAVING for problem in found):
        return {"mark": "open", "count": None}
    return {
        "mark": "warn" if found else "done",
        "count": len(entries) if entries is not None else None,
    }


def _publish_mark(session: Session, found: Sequence[Problem], changed: bool) -> str:
    if any(problem.level == Level.BLOCKS_SAVING for problem in found):
        return "warn"
    unfinished = any(problem.level == Level.BLOCKS_GENERATING for problem in found)
    return "open" if changed or unfinished or session.saved.etag is ABSENT else "done"


def _rows(chosen: object) -> list[dict[str, str]]:
    """The answered rows of a conflict, as a page sent them."""
    if not isinstance(chosen, list):
        return []
    return [
        row
        for row in chosen
        if isinstance(row, dict)
        and row.get("field") in FIELDS
        and isinstance(row.get("choice"), str)
    ]


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, str) for row in value)


def _is_quotas(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict)
        and isinstance(item.get("topic"), str)
        and isinstance(item.get("perspective"), str)
        and isinstance(item.get("rows"), int)
        for item in value
    )


def _is_examples(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and all(isinstance(text, str) for text in item.values())
        for item in value
    )
