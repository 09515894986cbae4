"""Making a project for another domain, part by part; free of Gradio.

The page asks for each part by itself, so that it can show how far it is, and asks again for the
same part after a failure: what is there stays, and what is missing is made.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from pipeline.core import hub
from pipeline.core.errors import (
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    RateLimited,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.projects import (
    is_folder,
    load_project,
    load_seed,
    make_project,
    open_store,
    require_project,
)
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.curation.card import update_card
from pipeline.deploy import (
    SPACES,
    Deployed,
    Part,
    Taken,
    annotate_address,
    deploy_space,
    make_dataset,
    survey,
)
from pipeline.web.visitor import Visitor
from seed_space.session import open_for
from seed_space.telling import told
from seed_space.words import say

CREATING: Final = ("contribute-repos", "manage-repos")
"""Either of these lets a sign-in create repositories."""
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?")
_DOUBLED: Final = re.compile(r"--|\.\.")
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}")
_WRITERS: Final = ("admin", "write", "contributor", "untold")

Start = Literal["empty", "settings", "seed"]
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to have made.

    Attributes:
        settings: Of the new project: its name, and the token that acts.
        start: What it takes along from this one.
        private: Who sees it on the Hub.
    """

    settings: Settings
    start: Start
    private: bool


def options(settings: Settings, store: Store | None, who: Visitor) -> Reply:
    """What can be chosen: places (``hub``, ``folder``), owners there, and whether to take along."""
    places = []
    reply: Reply = {"owners": [], "folder": "", "stop": ""}
    if not settings.on_space and is_folder(settings.project):
        places.append("folder")
        reply["folder"] = str(_beside(settings))
    if who.token is None:
        reply["stop"] = "" if places else _words(who, "sign_in" if settings.on_space else "login")
    elif not any(map(who.may, CREATING)):
        reply["stop"] = _words(who, "unscoped")
    else:
        try:
            reply["owners"] = _owners(settings, who)
            places.append("hub")
        except SeedbedError as error:
            reply["stop"] = "" if places else _told(error, who)
    reply["places"] = places
    reply["from"] = _domain(settings, store, who)
    return reply


def check(settings: Settings, store: Store | None, who: Visitor, payload: object) -> Reply:
    """Tell whether a name is free, while it is typed: ``state`` is ``free``, ``there``, ``bad``."""
    try:
        wish = _read(settings, who, payload)
        if is_folder(wish.settings.project):
            there = _folder_there(wish, _start(settings, store, who, wish)[0])
        else:
            there = bool(survey(wish.settings, _start(settings, store, who, wish)[0]))
    except SeedbedError as error:
        return {"state": "bad", "text": _told(error, who)}
    key = "there" if there else "free"
    return {"state": key, "text": _words(who, key, name=wish.settings.project)}


def make(settings: Settings, store: Store | None, who: Visitor, payload: object) -> Reply:
    """Make one part (``payload["part"]``) of what is wished for.

    Returns:
        ``url``, ``name``, ``made`` and what remains to be done by hand, or ``error``; whatever
        was made before an error stays.
    """
    try:
        wish = _read(settings, who, payload)
        part = payload.get("part") if isinstance(payload, Mapping) else None
        if part not in get_args(Part):
            raise InvalidInput(f"{part!r} is no part of a project.", "Reload the page.")
        seed, project = _start(settings, store, who, wish)
        if is_folder(wish.settings.project):
            return _make_folder(wish, seed, project)
        if part == "dataset":
            # Before anything is made, all of it must be possible.
            done = make_dataset(wish.settings, seed, project, private=wish.private)
            update_card(open_store(wish.settings))
        else:
            space = next(one for one in SPACES if one.suffix == part)
            done = deploy_space(space, wish.settings, private=wish.private)
    except SeedbedError as error:
        return {"error": _told(error, who)}
    return _reply(done, who)


def _reply(done: Deployed, who: Visitor) -> Reply:
    return {
        "part": done.part,
        "url": done.url,
        "name": done.url.split("/", 3)[-1],
        "made": done.made,
        "by_hand": [
            {"key": step.key, "text": step.say(who.language), "url": step.url}
            for step in done.by_hand
        ],
    }


def _make_folder(wish: Wish, seed: Seed, project: Project) -> Reply:
    _folder_there(wish, seed)
    folder = FolderStore(wish.settings.project)
    made = bool(make_project(folder, seed, project))
    update_card(folder)
    return {
        "part": "dataset",
        "url": "",
        "name": folder.name,
        "made": made,
        "by_hand": [],
        "command": f"python -m pipeline serve {shlex.quote(folder.name)}",
    }


def _folder_there(wish: Wish, seed: Seed) -> bool:
    """Whether the folder project is there already.

    Raises:
        Taken: Something else is.
    """
    place = Path(wish.settings.project)
    folder = FolderStore(place)
    if folder.exists():
        if load_seed(folder).seed != seed:
            raise Taken(str(place), "dataset")
        return True
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise Taken(str(place), "dataset")
    except OSError as error:
        raise Taken(str(place), "dataset") from error
    return False


def _read(settings: Settings, who: Visitor, payload: object) -> Wish:
    """What a page sent, checked.

    Raises:
        InvalidInput: It names no project that can be made.
        NotSignedIn: Nobody is signed in to make it.
    """
    if not isinstance(payload, Mapping):
        raise InvalidInput("The message is no object.", "Reload the page.")
    name, owner = str(payload.get("name", "")).strip(), str(payload.get("owner", "")).strip()
    start = payload.get("start")
    if not _NAME.fullmatch(name) or _DOUBLED.search(name):
        raise InvalidInput(_words(who, "bad_name"), _words(who, "bad_name_next"))
    private = payload.get("public") is not True
    kept = cast(Start, start) if start in get_args(Start) else "empty"
    if payload.get("place") == "folder" and not settings.on_space and is_folder(settings.project):
        made = replace(settings, project=str(_beside(settings) / name))
        return Wish(made, kept, private)
    if who.token is None:
        key = "sign_in" if settings.on_space else "login"
        raise NotSignedIn(_words(who, key), "")
    if not any(map(who.may, CREATING)):
        raise NotAllowed(_words(who, "unscoped"), "")
    if not _OWNER.fullmatch(owner):
        raise InvalidInput(_words(who, "bad_owner"), "")
    made = replace(settings, project=f"{owner}/{name}", hf_token=who.token, api_key=None)
    try:
        annotate_address(made)
    except InvalidInput as error:
        raise InvalidInput(_words(who, "too_long"), _words(who, "too_long_next")) from error
    return Wish(made, kept, private)


def _start(
    settings: Settings, store: Store | None, who: Visitor, wish: Wish
) -> tuple[Seed, Project]:
    """What the new project begins with; who may come in is never taken along."""
    if wish.start == "empty":
        return Seed(), Project()
    here = store or open_for(settings, who)
    require_project(here)
    old = load_project(here)
    project = Project(generation=old.generation, annotation=old.annotation)
    return (load_seed(here).seed if wish.start == "seed" else Seed()), project


def _owners(settings: Settings, who: Visitor) -> list[str]:
    """The visitor, and the organisations in which they may make something."""
    with hub.errors("your account", signed_in=True):
        told = hub.client(settings.hub, who.token).whoami()
    orgs = [org for org in told.get("orgs") or [] if org.get("name")]
    able = [org["name"] for org in orgs if (org.get("roleInOrg") or "untold") in _WRITERS]
    return [str(told["name"]), *map(str, able)]


def _domain(settings: Settings, store: Store | None, who: Visitor) -> str:
    """What this project is about; empty if there is none to take anything from."""
    try:
        here = store or open_for(settings, who)
        return (load_seed(here).seed.domain or settings.project) if here.exists() else ""
    except SeedbedError:
        return ""


def _beside(settings: Settings) -> Path:
    return Path(settings.project).expanduser().resolve().parent


def _told(error: SeedbedError, who: Visitor) -> str:
    """What went wrong, in the visitor's language as far as it is one of the usual things."""
    match error:
        case Taken():
            return _words(who, f"taken_{error.kind}", name=error.name)
        case RateLimited():
            return _words(who, "wait")
        case StoreUnavailable():
            return _words(who, "away")
        case NotSignedIn() if error.next_step:
            return _words(who, "run_out")
        case NotAllowed() if error.next_step:
            return _words(who, "refused")
        case _:
            return told(who.language, error).text


def _words(who: Visitor, key: str, **values: object) -> str:
    return say(who.language, f"domains.{key}", **values)
