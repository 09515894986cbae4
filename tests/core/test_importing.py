"""What people bring along is understood, or refused in words they understand."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import layout
from pipeline.core.errors import InvalidInput, ProjectNotFound
from pipeline.core.importing import (
    ROLES,
    Columns,
    Found,
    read,
    read_project,
    role_of,
    seed_from_file,
)
from pipeline.core.projects import make_project
from pipeline.core.schema import Project, Seed
from pipeline.core.sheets import MOST_ROWS
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_seed
from tests.hub_server import HubServer

GROWER = Path(__file__).with_name("domain_data_grower.json")


def workbook(*sheets: Sequence[Sequence[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet {number + 1}")
        for row in rows:
            sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def took(data: bytes | str) -> Found:
    return read(data.encode() if isinstance(data, str) else data).take()


def test_a_project_of_the_domain_data_grower_comes_over_whole() -> None:
    data = GROWER.read_bytes()
    written = json.loads(data)
    found = took(data)
    assert found.texts == {
        "domain": "beekeeping",
        "domain_expert_prompt": written["domain_expert_prompt"],
    }
    assert found.lists == {"topics": written["topics"], "perspectives": written["perspectives"]}
    asked = [(e["question"], e["answer"]) for e in found.examples]
    assert asked == [
        (e["question"].strip(), e["answer"].strip()) for e in written["examples"] if e["question"]
    ]
    assert found.left_out == []  # the derived keys say nothing new
    assert found.seed().topics == written["topics"]


def test_a_project_of_seedbed_comes_over_whole_and_without_what_is_of_that_project_only() -> None:
    seed = a_seed().model_copy(update={"language": "de", "rules": ["Be brief."]})
    found = took(seed.to_json())
    assert found.seed() == seed
    assert took(json.dumps({"wrapped": json.loads(seed.to_json())})).seed() == seed


def test_what_is_there_twice_comes_once() -> None:
    example = {"question": "Why?", "answer": "So."}
    fields = {
        "topics": ["Soil", " soil ", ""],
        "examples": [example, example, {"question": " WHY? "}],
    }
    found = took(json.dumps(fields))
    assert found.lists == {"topics": ["Soil"]}
    assert len(found.examples) == 1


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("Topic,Perspective,Question,Answer", ["topic", "perspective", "question", "answer"]),
        ("Tema;Punto de vista;Pregunta;Respuesta", ["topic", "perspective", "question", "answer"]),
        ("Tópico\tPerspectiva\tPergunta\tResposta", ["topic", "perspective", "question", "answer"]),
        ("Thème|Point de vue|Question|Réponse", ["topic", "perspective", "question", "answer"]),
        ("THEMA;Blickwinkel;Frage;Antwort", ["topic", "perspective", "question", "answer"]),
        ("Regel;Domäne;Beschreibung;Sprache", ["rule", "domain", "description", "language"]),
        ("domain_expert_prompt,topic 1,topic 2", ["expert", "topic", "topic"]),
        ("id,topic,notes", [None, "topic", None]),
    ],
)
def test_headings_are_recognised_in_five_languages(header: str, roles: list[str | None]) -> None:
    width = len(roles)
    divided = next(d for d in ",;\t|" if d in header)
    body = "\n".join(divided.join(f"cell {row} {n}" for n in range(width)) for row in range(3))
    (columns,) = read(f"{header}\n{body}\n".encode()).tables
    assert list(columns.roles) == roles
    assert columns.headed


def test_rows_of_questions_become_examples_tied_to_their_topics() -> None:
    found = took(
        "Question,Answer,Topic,Perspective\r\n"
        '"Why, when?","It ""depends"".\nOn rain.",Soil,Grower\r\n'
        "How?,So.,Water,Grower\r\n,,Sun,\r\n"
    )
    assert found.lists == {"topics": ["Soil", "Water", "Sun"], "perspectives": ["Grower"]}
    assert found.examples[0] == {
        "question": "Why, when?",
        "answer": 'It "depends".\nOn rain.',
        "topic": "Soil",
        "perspective": "Grower",
    }
    assert len(found.examples) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, end: str) -> None:
    text = end.join(["Thema;Sprache", "Böden;Deutsch", "Hülsenfrüchte;"]) + end
    found = took(text.encode(encoding))
    assert found.lists == {"topics": ["Böden", "Hülsenfrüchte"]}
    assert found.texts == {"language": "de"}


def test_latin_1_is_read() -> None:
    assert took("Tema;Língua\nÁgua;português".encode("latin-1")).lists == {"topics": ["Água"]}


def test_excel_says_itself_what_divides_columns() -> None:
    assert took("sep=^\nTopic^Rule\nSoil^Be brief").lists == {
        "topics": ["Soil"],
        "rules": ["Be brief"],
    }


def test_a_plain_list_is_one_column_that_a_person_names() -> None:
    brought = read(b'Soil, mostly\nWater\nA 5" spade\nSun, wind, rain and more\nHail\n')
    (columns,) = brought.tables
    assert not brought.found
    assert columns.roles == (None,)
    named = Columns(columns.table, ("topic",), headed=False)
    assert named.found().lists["topics"][:3] == ["Soil, mostly", "Water", 'A 5" spade']


def test_a_list_of_objects_and_lines_of_json_are_tables() -> None:
    records = [{"instruction": "Why?", "output": "So."}, {"instruction": "How?", "output": "Thus."}]
    for text in (json.dumps(records), "\n".join(map(json.dumps, records))):
        found = took(text)
        assert [e["answer"] for e in found.examples] == ["So.", "Thus."]
    assert read(b'["Soil", "Water"]').tables[0].roles == (None,)


def test_a_spreadsheet_gives_values_of_all_its_sheets() -> None:
    found = took(
        workbook(
            [["Domain", "Language"], ["Farming", "Français"]],
            [],
            [["Topic", "Year"], ["Soil", 3.0], [None, None], ["  ", ""], [2024, 1], ["#REF!", 0]],
            [["Question", "Answer"], [datetime(2026, 1, 2), 1.5], ["Why?", True]],
        )
    )
    assert found.texts == {"domain": "Farming", "language": "fr"}
    assert found.lists == {"topics": ["Soil", "2024"]}
    assert [e["question"] for e in found.examples] == ["2026-01-02", "Why?"]
    assert found.left_out == ["Year"]


def test_formulas_are_never_text() -> None:
    found = took(workbook([["Topic", "Rule"], ["=1+1", '=HYPERLINK("http://x")'], ["Soil", "A"]]))
    assert found.lists == {"topics": ["Soil"], "rules": ["A"]}


def package(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/"), content)
    return data.getvalue()


def with_part(name: str, content: bytes) -> bytes:
    """A good workbook in which one part is replaced."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["Topic"], ["Soil"]]))) as good,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for item in good.namelist():
            made.writestr(item, content if item == name else good.read(item))
    return out.getvalue()


def scratched(book: bytes) -> bytes:
    """A workbook whose table of contents is whole and whose first part is not."""
    with zipfile.ZipFile(io.BytesIO(book)) as made:
        first = made.infolist()[0]
    begin = first.header_offset + 30 + len(first.filename)
    return book[:begin] + b"\xff" * first.compress_size + book[begin + first.compress_size :]


SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "'
    + b"&a;" * 1000
    + b'">]><worksheet>&b;</worksheet>'
)
FAR = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension '
    b'ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>Topic</t></is></c>'
    b'</row><row r="1048576"><c r="A1048576" t="inlineStr"><is><t>Soil</t></is></c></row>'
    b"</sheetData></worksheet>"
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"x" * 6_000_000, "at most 5 MB"),
        (b"%PDF-1.7", "a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old or locked Office file"),
        (b"\x1f\x8b\x08", "packed file"),
        (bytes(range(256)) * 20, "no text"),
        (b"PK\x03\x04 nothing else", "damaged"),
        (package(word__document=b"<a/>"), "Word document"),
        (package(mimetype=b"x", **{"content.xml": b""}), "LibreOffice"),
        (package(a=b"1"), "packed file and no spreadsheet"),
        (with_part(SHEET, b"<" * 40_000_000), "unpacks to more"),
        (with_part(SHEET, LAUGHS), "is not one"),
        (with_part(SHEET, LAUGHS.decode().encode("utf-16")), "is not one"),
        (with_part(SHEET, b" " * 5_000 + LAUGHS), "is not one"),
        (scratched(workbook([["Topic"], ["Soil"]])), "damaged"),
        (with_part(SHEET, b"<worksheet"), "cannot be read"),
        (workbook([["Topic"], *([f"t{n}"] for n in range(MOST_ROWS + 1))]), "more than 5,000 rows"),
        (b"topic\n" + b"x\n" * 1_000_000, "more than 5,000 rows"),
        (b"topic," * 70 + b"\n" + b"x," * 70, "60 columns"),
        (b'topic,rule\n"' + b"x," * 200_000, "columns of this file|100,000 characters"),
        (b"[" * 200_000, "no JSON"),
        (b"{}", "names no part"),
        (b'{"a": {"b": {"c": {"d": {"domain": "x"}}}}}', "names no part of a seed; it names a"),
        (b"[]", "no list"),
        (b"[[]]", "nothing in this list"),
        (b'{"topics": 5', "no JSON"),
    ],
    ids=range(27),
)
def test_hostile_and_wrong_files_are_refused_in_words_at_once(data: bytes, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput, match=message):
        read(data)
    assert time.monotonic() - started < 5


def test_a_sheet_that_claims_a_million_rows_is_read_as_what_it_is() -> None:
    started = time.monotonic()
    assert took(with_part(SHEET, FAR)).lists == {"topics": ["Soil"]}
    assert time.monotonic() - started < 10


def test_macros_and_links_are_never_looked_at() -> None:
    data = io.BytesIO(workbook([["Topic"], ["Soil"]]))
    with zipfile.ZipFile(data, "a") as made:
        made.writestr("xl/vbaProject.bin", b"\xd0\xcf" + b"Sub AutoOpen" * 100)
        made.writestr("xl/externalLinks/externalLink1.xml", b"<not xml")
    assert took(data.getvalue()).lists == {"topics": ["Soil"]}


def test_a_wrong_extension_does_not_matter() -> None:
    assert seed_from_file(workbook([["Topic"], ["Soil"]]), "seed.csv").topics == ["Soil"]
    assert seed_from_file(b"Topic\nSoil", "seed.xlsx").topics == ["Soil"]


def test_a_seed_file_keeps_unknown_keys_and_others_need_known_names() -> None:
    seed = seed_from_file(b'{"domain": "x", "mine": 1, "topics": []}', "s.json")
    assert seed.model_extra == {"mine": 1}
    for data, message in (
        (b'{"name": "x"}', "names no part"),
        (b"a,b\n1,2", r"f\.csv names no part of a seed in its first row \(a, b\)"),
        (b'{"topics": [1], "domain": ""}', r"topics\.0"),
    ):
        with pytest.raises(InvalidInput, match=message):
            seed_from_file(data, "f.csv")


def test_another_project_is_read_with_the_rights_of_who_asks(hub: HubServer) -> None:
    owner = hub.add_user("ana")
    mine = HubStore("ana/farm", token=owner, hub=hub.url)
    make_project(mine, a_seed(), Project())
    assert read_project(mine).take().seed() == a_seed()
    with pytest.raises(ProjectNotFound):
        read_project(HubStore("ana/farm", token=None, hub=hub.url))
    hub.write("ana/farm", {layout.SEED: b"x" * 6_000_000})
    with pytest.raises(InvalidInput, match=r"6\.0 MB"):
        read_project(mine)


def test_a_project_without_a_seed_is_told(folder: Path) -> None:
    folder.mkdir()
    with pytest.raises(InvalidInput, match=r"has no seed_data\.json"):
        read_project(FolderStore(folder))


cell = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12
).map(str.strip)
word = st.text("abcdefghij", min_size=2, max_size=8).filter(lambda text: role_of(text) is None)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(word, word), min_size=1, max_size=8),
    st.sampled_from(",;\t|^"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_comes_back_however_it_was_written(
    rows: list[tuple[str, str]], delimiter: str, encoding: str, end: str
) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("Question", "Answer"), *rows])
    found = took(file.getvalue().encode(encoding))
    wanted = {question: answer for question, answer in reversed(rows)}
    assert {e["question"]: e["answer"] for e in found.examples} == wanted


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    try:
        brought = read(data)
    except InvalidInput:
        return
    brought.take()


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["domain", "topics", "examples", "question", "rules", "language", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(json_value)
def test_no_json_does_more_than_be_refused(value: object) -> None:
    try:
        found = took(json.dumps(value))
    except InvalidInput:
        return
    assert all(isinstance(text, str) for text in found.texts.values())
    assert all(isinstance(e, str) for entries in found.lists.values() for e in entries)


def test_every_role_has_words_and_seeds_keep_their_shape() -> None:
    assert {role_of(role) for role in ROLES} == set(ROLES)
    assert Found().seed() == Seed()
