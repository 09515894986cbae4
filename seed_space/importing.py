"""What a visitor brings along, and how it gets onto the screen; free of Gradio."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipeline.core import importing
from pipeline.core.errors import InvalidInput
from pipeline.core.importing import ROLES, Brought, Columns, Found
from pipeline.core.projects import is_folder
from pipeline.core.schema import normalized
from pipeline.core.settings import Settings
from pipeline.core.sheets import MOST_BYTES
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.web.visitor import Visitor
from seed_space.screen import FIELDS, at_most

Mode = Literal["add", "replace", "leave"]

_SHOWN: Final = 5
_QUOTED: Final = 160


@dataclass(frozen=True, slots=True)
class Import:
    """What one visitor has brought, before it is on the screen.

    Attributes:
        name: Of the file or project.
        brought: What is in it.
    """

    name: str
    brought: Brought


def from_upload(name: object, data: object) -> Import:
    """What a page sent as a file, in base64.

    Raises:
        InvalidInput: It cannot be read.
    """
    if not isinstance(data, str) or len(data) > MOST_BYTES * 4 // 3 + 4:
        raise InvalidInput(
            f"The file is too large; at most {MOST_BYTES / 1e6:.0f} MB can be read.",
            "Keep only what you need in it.",
        )
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The file did not arrive whole.", "Choose it again.") from error
    return Import(str(name)[:120], importing.read(content))


def from_project(settings: Settings, who: Visitor, name: object) -> Import:
    """The seed of another project, read with the visitor's own rights and no others.

    Raises:
        SeedbedError: It is not there for this visitor, or holds no seed.
    """
    name = str(name or "").strip().removeprefix(f"{settings.hub}/datasets/")
    store: Store
    if is_folder(name) and not settings.on_space:
        store = FolderStore(name)
    else:
        store = HubStore(name.rstrip("/"), token=who.token, hub=settings.hub)
    return Import(name, importing.read_project(store))


def with_roles(brought: Brought, told: object) -> Brought:
    """The same, its columns read as a person says.

    Args:
        brought: What is there.
        told: For each table ``{"roles": [...], "headed": bool}``.

    Raises:
        InvalidInput: It does not fit the tables.
    """
    if not isinstance(told, list) or len(told) != len(brought.tables):
        raise InvalidInput("Your choice did not arrive.", "Choose the file again.")
    tables = []
    for columns, said in zip(brought.tables, told, strict=True):
        roles = said.get("roles") if isinstance(said, dict) else None
        if not isinstance(roles, list) or len(roles) != len(columns.roles):
            raise InvalidInput("Your choice did not arrive.", "Choose the file again.")
        known = tuple(role if role in ROLES else None for role in roles)
        tables.append(Columns(columns.table, known, headed=said.get("headed") is True))
    return Brought(brought.found, tuple(tables))


def outlook(found: Found, values: Sequence[object]) -> list[dict[str, Any]]:
    """For each field that something was found for, what bringing it in would do."""
    screen = dict(zip(FIELDS, values, strict=True))
    rows: list[dict[str, Any]] = []
    for field in FIELDS:
        if field in found.texts:
            now, new = str(screen[field] or "").strip(), found.texts[field].strip()
            # English is where everybody starts, so that is no choice of anybody's.
            taken = now and not (field == "language" and now == "en")
            mode: Mode = "leave" if taken or now == new else "replace"
            rows.append(
                {
                    "field": field,
                    "kind": "text",
                    "new": int(now != new),
                    "now": int(bool(now)),
                    "samples": [_short(new)],
                    "mode": mode,
                }
            )
        elif entries := _entries(found, field):
            key = _key_of(field)
            there = {key(entry) for entry in _rows(screen[field])}
            new_ones = [entry for entry in entries if key(entry) not in there]
            total = len(there - {""}) + len(new_ones)
            rows.append(
                {
                    "field": field,
                    "kind": "list",
                    "new": len(new_ones),
                    "known": len(entries) - len(new_ones),
                    "count": len(entries),
                    "now": len(there - {""}),
                    "over": max(0, total - at_most(field)) and at_most(field),
                    "samples": [_short(_named(entry)) for entry in (new_ones or entries)[:_SHOWN]],
                    "mode": "add",
                }
            )
    return rows


def put(found: Found, values: Sequence[object], modes: Mapping[str, object]) -> list[Any]:
    """The screen with what was found; fields without a mode are left as they are."""
    screen = dict(zip(FIELDS, values, strict=True))
    for field in FIELDS:
        mode = modes.get(field)
        if mode not in ("add", "replace"):
            continue
        if field in found.texts:
            if mode == "replace" or not str(screen[field] or "").strip():
                screen[field] = found.texts[field]
        elif entries := _entries(found, field):
            key = _key_of(field)
            kept = [entry for entry in _rows(screen[field]) if key(entry)] if mode == "add" else []
            there = {key(entry) for entry in kept}
            screen[field] = [*kept, *(entry for entry in entries if key(entry) not in there)]
    return list(screen.values())


def drawn(bringing: Import, values: Sequence[object]) -> dict[str, Any]:
    """What was brought, as its part draws it."""
    found = bringing.brought.take()
    return {
        "name": bringing.name,
        "tables": [_drawn_table(columns) for columns in bringing.brought.tables],
        "fields": outlook(found, values),
        "left_out": found.left_out[:20],
    }


def _drawn_table(columns: Columns) -> dict[str, Any]:
    rows = columns.table.rows[1:] if columns.headed else columns.table.rows
    return {
        "name": columns.table.name,
        "headed": columns.headed,
        "rows": len(rows),
        "columns": [
            {
                "name": _short(name),
                "role": role or "",
                "samples": [_short(row[index]) for row in rows if row[index]][:2],
            }
            for index, (name, role) in enumerate(zip(columns.names, columns.roles, strict=True))
        ],
    }


def _entries(found: Found, field: str) -> list[Any]:
    if field == "examples":
        return [{**example, "extra": json.dumps({})} for example in found.examples]
    return list(found.lists.get(field, ()))


def _key_of(field: str) -> Callable[[Any], str]:
    return _example_key if field == "examples" else _text_key


def _text_key(entry: object) -> str:
    return normalized(entry) if isinstance(entry, str) else ""


def _example_key(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return ""
    return normalized(str(entry.get("question") or "")) or normalized(
        str(entry.get("answer") or "")
    )


def _rows(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _named(entry: Any) -> str:  # noqa: ANN401 - a text or an example
    return str(entry["question"] or entry["answer"]) if isinstance(entry, Mapping) else str(entry)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"
