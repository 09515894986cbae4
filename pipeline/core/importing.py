"""What people have already, read as parts of a seed: spreadsheets, CSV, JSON, other projects.

``read`` finds out by itself what a file is. Where it cannot tell what a column means, a person can:
``Brought.tables`` holds what was not understood, and ``Brought.take`` reads it as told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from pydantic import ValidationError
from pydantic_core import from_json

from pipeline.core import layout
from pipeline.core.errors import FileMissing, InvalidInput
from pipeline.core.schema import LANGUAGES, Seed, describe, normalized, unique
from pipeline.core.sheets import (
    MOST_BYTES,
    Table,
    decode,
    from_text,
    from_workbook,
    heading,
    is_workbook,
    refuse_other_kinds,
)
from pipeline.core.store import Store

Role = Literal[
    "topic",
    "perspective",
    "question",
    "answer",
    "rule",
    "domain",
    "description",
    "expert",
    "language",
]
"""What a column may hold."""
ROLES: Final[tuple[Role, ...]] = get_args(Role)

_TEXTS: Final[dict[Role, str]] = {
    "domain": "domain",
    "description": "description",
    "expert": "domain_expert_prompt",
    "language": "language",
}
_LISTS: Final[dict[Role, str]] = {
    "topic": "topics",
    "perspective": "perspectives",
    "rule": "rules",
}
_WORDS: Final[dict[Role, str]] = {
    "topic": "topic, topics, subject, subjects, tema, temas, topico, topicos, asunto, asuntos, "
    "assunto, assuntos, sujet, sujets, theme, themes, thema, themen",
    "perspective": "perspective, perspectives, viewpoint, viewpoints, point of view, persona, "
    "personas, audience, perspectiva, perspectivas, punto de vista, puntos de vista, "
    "ponto de vista, pontos de vista, point de vue, points de vue, perspektive, perspektiven, "
    "sichtweise, sichtweisen, blickwinkel, who asks",
    "question": "question, questions, instruction, instructions, prompt, query, pregunta, "
    "preguntas, pergunta, perguntas, frage, fragen",
    "answer": "answer, answers, response, responses, completion, output, reply, respuesta, "
    "respuestas, resposta, respostas, reponse, reponses, antwort, antworten",
    "rule": "rule, rules, guideline, guidelines, regla, reglas, norma, normas, regra, regras, "
    "regle, regles, consigne, consignes, regel, regeln, vorgabe, vorgaben",
    "domain": "domain, domain name, field of knowledge, dominio, domaine, domane, fachgebiet, "
    "name of the domain, nombre del dominio, nome do dominio, nom du domaine",
    "description": "description, domain description, summary, descripcion, descricao, resumen, "
    "resumo, resume, beschreibung, zusammenfassung",
    "expert": "expert, the expert, domain expert, domain expert prompt, expert prompt, "
    "system prompt, experto, experta, especialista, perito, l expert, experte, expertin, "
    "fachperson, persona prompt",
    "language": "language, lang, idioma, lengua, lingua, langue, sprache",
}
_ROLE_OF: Final = {
    word.strip(): role for role, words in _WORDS.items() for word in words.split(",")
}
"""Headings that are recognised, as ``heading`` writes them."""
_KEYS: Final = {
    **{field: field for field in Seed.model_fields if field not in ("schema_version", "quotas")},
    "expert": "domain_expert_prompt",
    "system_prompt": "domain_expert_prompt",
    "topic": "topics",
    "perspective": "perspectives",
    "rule": "rules",
    "example": "examples",
}
_PASSED_OVER: Final = frozenset(
    {"schema_version", "application_instruction", "seed_terms", "quotas"}
)
"""Keys of a seed's file that are made anew, or say nothing to another project."""
_LANGUAGE_NAMES: Final = {
    **{normalized(name): code for code, name in LANGUAGES.items()},
    **{heading(name): code for name, code in (
        ("español", "es"), ("castellano", "es"), ("inglés", "en"), ("alemán", "de"),
        ("francés", "fr"), ("portugués", "pt"), ("português", "pt"), ("inglês", "en"),
        ("espanhol", "es"), ("francês", "fr"), ("alemão", "de"), ("français", "fr"),
        ("anglais", "en"), ("espagnol", "es"), ("allemand", "de"), ("portugais", "pt"),
        ("deutsch", "de"), ("englisch", "en"), ("spanisch", "es"), ("französisch", "fr"),
        ("portugiesisch", "pt"),
    )},
}  # fmt: skip
_MOST_ENTRIES: Final = 5_000
_DEEPEST: Final = 2

Example = dict[str, str]


@dataclass(slots=True)
class Found:
    """Parts of a seed; a field is there only if something was found for it.

    Attributes:
        texts: ``domain``, ``description``, ``domain_expert_prompt``, ``language``.
        lists: ``topics``, ``perspectives``, ``rules``, each entry once.
        examples: Each with ``question``, ``answer``, ``topic`` and ``perspective``; each once.
        left_out: Names of what was there and is not used.
    """

    texts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.texts or self.lists or self.examples)

    def add(self, more: Found) -> None:
        """Take in what another part of the same file holds; the first of two texts stays."""
        self.texts = more.texts | self.texts
        for name, entries in more.lists.items():
            self.lists[name] = unique([*self.lists.get(name, []), *entries])
        self.examples = _once([*self.examples, *more.examples])
        self.left_out = unique([*self.left_out, *more.left_out])

    def seed(self) -> Seed:
        """A seed of nothing else.

        Raises:
            InvalidInput: Names every field that does not fit.
        """
        try:
            return Seed.model_validate({**self.texts, **self.lists, "examples": self.examples})
        except ValidationError as error:
            raise InvalidInput(
                f"This cannot be a seed: {describe(error)}.", "Correct these parts of the file."
            ) from error


@dataclass(frozen=True, slots=True)
class Columns:
    """A table with what each column is taken for; None is not used.

    Attributes:
        table: The rows.
        roles: For each column.
        headed: Whether the first row names the columns.
    """

    table: Table
    roles: tuple[Role | None, ...]
    headed: bool

    @property
    def names(self) -> list[str]:
        """What the columns are called; empty texts where they are not."""
        return list(self.table.rows[0]) if self.headed else [""] * len(self.roles)

    def found(self) -> Found:
        """What is in it, read by its roles."""
        rows = self.table.rows[1:] if self.headed else self.table.rows
        found = Found()
        for column, role in enumerate(self.roles):
            cells = [row[column] for row in rows if row[column]]
            if role in _LISTS and cells:
                name = _LISTS[role]
                found.lists[name] = unique([*found.lists.get(name, []), *cells])
            elif role in _TEXTS and cells:
                found.texts.setdefault(_TEXTS[role], _text_of(role, cells[0]))
            elif role is None and self.names[column]:
                found.left_out.append(self.names[column])
        found.examples = _once(self._example(row) for row in rows)
        return found

    def _example(self, row: Sequence[str]) -> Example:
        by_role = {role: cell for role, cell in zip(self.roles, row, strict=True) if role and cell}
        question, answer = by_role.get("question", ""), by_role.get("answer", "")
        return _example(question, answer, by_role.get("topic", ""), by_role.get("perspective", ""))


@dataclass(frozen=True, slots=True)
class Brought:
    """What a file or another project holds.

    Attributes:
        found: What was understood without a question.
        tables: The tables of it, with what their columns seem to be.
    """

    found: Found
    tables: tuple[Columns, ...] = ()

    def take(self) -> Found:
        """All of it, tables read by their roles."""
        whole = Found()
        for part in (self.found, *(table.found() for table in self.tables)):
            whole.add(part)
        return whole


def read(data: bytes) -> Brought:
    """Read a file, whatever it is called.

    Raises:
        InvalidInput: It holds nothing that can be read; tells what it seems to be.
    """
    refuse_other_kinds(data)
    if is_workbook(data):
        tables = from_workbook(data)
    else:
        text = decode(data)
        start = text.lstrip()[:1]
        if start in ("{", "["):
            return _from_json(text)
        tables = [from_text(text, frozenset(_ROLE_OF))]
    if not any(table.rows for table in tables):
        raise InvalidInput("There is nothing in this file.", "Choose another one.")
    return Brought(Found(), tuple(guess(table) for table in tables if table.rows))


def guess(table: Table) -> Columns:
    """What the columns of a table seem to be, by the names in its first row.

    A single column without a known name may be of any kind, so it is not guessed.
    """
    first = [role_of(cell) for cell in table.rows[0]]
    if any(first):
        taken: set[Role] = set()
        roles: list[Role | None] = []
        for role in first:
            once = role is not None and (role in _LISTS or role not in taken)
            roles.append(role if once else None)
            taken |= {role} if role else set()
        return Columns(table, tuple(roles), headed=True)
    # Names are short, differ from each other, and stand above something.
    short = all(0 < len(cell) <= 40 for cell in table.rows[0])
    several = len(first) > 1 and len(table.rows) > 1
    distinct = len({normalized(cell) for cell in table.rows[0]}) == len(first)
    return Columns(table, (None,) * len(first), headed=short and several and distinct)


def role_of(name: str) -> Role | None:
    """What a column called ``name`` holds, in five languages; None if the name does not tell."""
    return _ROLE_OF.get(heading(name.replace("_", " ")))


def read_project(store: Store) -> Brought:
    """The seed of another project, of Seedbed or of the Domain Data Grower.

    Raises:
        InvalidInput: It has no seed, or none that can be read.
        ProjectNotFound: There is no such project for these credentials.
    """
    try:
        size = store.size(layout.SEED)
        if size > MOST_BYTES:
            raise InvalidInput(
                f"{layout.SEED} of {store.name} has {size / 1e6:.1f} MB; at most "
                f"{MOST_BYTES / 1e6:.0f} MB can be read.",
                "It is hardly a seed.",
            )
        data = store.read(layout.SEED).data
    except FileMissing as error:
        raise InvalidInput(
            f"{store.name} has no {layout.SEED}, so it is no project to take seeds from.",
            "Check the name; or download what it has and choose the file.",
        ) from error
    return read(data)


def seed_from_file(data: bytes, name: str) -> Seed:
    """A seed out of any file that ``read`` understands without a person; keeps a seed as it is.

    Raises:
        InvalidInput: It is no such file; names ``name``.
    """
    refuse_other_kinds(data)
    text = "" if is_workbook(data) else decode(data)
    fields = _parse(text) if text.lstrip()[:1] == "{" else None
    if isinstance(fields, dict) and _is_seed(fields):
        return Seed.from_json(text.encode(errors="surrogatepass"), name)  # unknown keys stay
    brought = read(data)
    found = brought.take()
    if not found:
        headings = [cell for table in brought.tables for cell in table.table.rows[0] if cell]
        shown = ", ".join(headings[:6])
        raise InvalidInput(
            f"{name} names no part of a seed{f' in its first row ({shown})' if shown else ''}.",
            "Name its columns topic, perspective, question, answer, rule, domain, description, "
            "expert or language.",
        )
    return found.seed()


def _is_seed(fields: Mapping[str, Any]) -> bool:
    known = {*_KEYS.values()} & fields.keys()
    return bool(known) and all(
        isinstance(fields[name], list if name in (*_LISTS.values(), "examples") else str)
        for name in known
    )


def _parse(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return from_json(text)
    except ValueError:
        return None


def _from_json(text: str) -> Brought:
    try:
        value = from_json(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        records = [_parse(line) for line in lines[: _MOST_ENTRIES + 1]]
        if len(records) > 1 and all(isinstance(record, dict) for record in records):
            return _from_records(records)
        raise InvalidInput(f"This is no JSON: {error}.", "Repair the file.") from error
    if isinstance(value, dict):
        return _from_object(value)
    if not isinstance(value, list) or not value:
        raise InvalidInput("This JSON holds no seed and no list.", "Choose another file.")
    return _from_records(value)


def _from_records(records: list[Any]) -> Brought:
    """A list: of texts, or of objects whose keys are columns."""
    if len(records) > _MOST_ENTRIES:
        raise InvalidInput(
            f"The list has {len(records):,} entries; at most {_MOST_ENTRIES:,} can be read.",
            "Keep only what you need.",
        )
    objects = [record for record in records if isinstance(record, dict)]
    if objects:
        names = list(dict.fromkeys(str(key) for record in objects for key in record))[:60]
        rows = [names, *([_plain(record.get(name)) for name in names] for record in objects)]
    else:
        rows = [[_plain(record)] for record in records if not isinstance(record, list)]
    kept = tuple(tuple(cell.strip() for cell in row) for row in rows if any(row))
    if not kept:
        raise InvalidInput("There is nothing in this list.", "Choose another file.")
    table = Table("", kept)
    columns = guess(table)
    return Brought(Found(), (Columns(table, columns.roles, headed=bool(objects)),))


def _from_object(fields: Mapping[str, Any], depth: int = 0) -> Brought:
    """A seed, of ours or of the Domain Data Grower, or an object that holds one."""
    found = Found()
    for key, value in fields.items():
        _take_field(found, str(key), value)
    found.examples = _once(found.examples)
    if found:
        return Brought(found)
    inside = [value for value in fields.values() if isinstance(value, dict)]
    for value in inside if depth < _DEEPEST else []:
        try:
            return _from_object(value, depth + 1)
        except InvalidInput:
            continue
    keys = ", ".join(str(key)[:40] for key in list(fields)[:6])
    raise InvalidInput(
        f"This JSON names no part of a seed{f'; it names {keys}' if keys else ''}.",
        "A seed has domain, topics, perspectives, examples or domain_expert_prompt.",
    )


def _take_field(found: Found, key: str, value: Any) -> None:  # noqa: ANN401 - JSON is anything
    """Put one field of an object into ``found``, whatever of the known names it goes by."""
    role = role_of(key)
    name = _KEYS.get(key.strip().lower()) or (_LISTS | _TEXTS).get(role or "question")
    if name == "examples":
        found.examples += _examples(value)
    elif name is not None and name in _LISTS.values():
        entries = value if isinstance(value, list) else [value]
        if kept := unique(_plain(entry) for entry in entries[:_MOST_ENTRIES]):
            found.lists[name] = kept
    elif name is None:
        if key not in _PASSED_OVER:
            found.left_out.append(key[:80])
    elif text := _plain(value).strip():
        found.texts[name] = _text_of("language" if name == "language" else "domain", text)


def _examples(value: object) -> list[Example]:
    found = []
    for item in (value if isinstance(value, list) else [])[:_MOST_ENTRIES]:
        if isinstance(item, Mapping):
            by_role = {role_of(str(key)): _plain(text).strip() for key, text in item.items()}
            parts = (by_role.get(r, "") for r in ("question", "answer", "topic", "perspective"))
            found.append(_example(*parts))
        elif isinstance(item, list) and len(item) == 2:
            found.append(_example(_plain(item[0]), _plain(item[1])))
    return found


def _example(question: str, answer: str, topic: str = "", perspective: str = "") -> Example:
    return {
        "question": question.strip(),
        "answer": answer.strip(),
        "topic": topic,
        "perspective": perspective,
    }


def _once(examples: Iterable[Example]) -> list[Example]:
    """The examples that say anything, each question once."""
    kept: dict[str, Example] = {}
    for example in examples:
        if example["question"] or example["answer"]:
            key = normalized(example["question"]) or normalized(example["answer"])
            kept.setdefault(key, example)
    return list(kept.values())


def _text_of(role: Role, text: str) -> str:
    if role != "language":
        return text
    return _LANGUAGE_NAMES.get(normalized(text)) or _LANGUAGE_NAMES.get(heading(text)) or text


def _plain(value: object) -> str:
    """A value of JSON as a person would write it; what is no text or number is nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return value if isinstance(value, str) else str(value)
