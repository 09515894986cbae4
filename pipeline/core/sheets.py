"""Tables out of what people have: spreadsheets, and text with columns; hostile files included.

Only values are read: formulas give what they last came to, macros are never looked at. Everything
is bounded beforehand, so that a small file that unpacks to a huge one is refused and not opened.
"""

from __future__ import annotations

import csv
import io
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

from pipeline.core import packed
from pipeline.core.errors import InvalidInput

MOST_BYTES: Final = 5_000_000
"""Of a file that is brought along."""
MOST_ROWS: Final = 5_000
MOST_COLUMNS: Final = 60
_MOST_SHEETS: Final = 12
_MOST_UNPACKED: Final = 30_000_000
_LONGEST_CELL: Final = 100_000
_SNIFFED: Final = 60
"""Rows by which a delimiter is recognised."""
_DELIMITERS: Final = ",;\t|^~"
_ALONE: Final = "\x1f"
"""A delimiter that no text holds: each row is one cell."""
_LOOKED_AT: Final = 100_000
_ODD_SHARE: Final = 0.02
"""Of control characters in what is text all the same."""

_ERRORS: Final = frozenset(
    {"#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#N/A", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}
)
"""What a spreadsheet shows where a formula failed."""

_KINDS: Final = (
    (b"\xd0\xcf\x11\xe0", "an old or locked Office file", "xlsx"),
    (b"%PDF", "a PDF", "document"),
    (b"\x1f\x8b", "a packed file", "unpack"),
    (b"PAR1", "a Parquet file", "csv"),
    (b"\x89PNG", "a picture", "none"),
    (b"\xff\xd8\xff", "a picture", "none"),
)
_ADVICE: Final = {
    "xlsx": "Open it in your spreadsheet program and save it without a password as .xlsx or .csv.",
    "document": "Texts such as this belong to the step Documents.",
    "unpack": "Unpack it first and choose the file inside.",
    "csv": "Save it as CSV and choose that.",
    "none": "Choose a spreadsheet (.xlsx), a CSV or a JSON file.",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; each row has as many cells as the widest, and none is wholly empty.

    Attributes:
        name: Of the sheet; empty where a file has only one table.
        rows: The cells, without spaces around them.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]


def is_workbook(data: bytes) -> bool:
    """Tell whether a file is packed as spreadsheets are."""
    return data[:4] == b"PK\x03\x04"


def refuse_other_kinds(data: bytes) -> None:
    """Refuse what is neither text nor a workbook.

    Raises:
        InvalidInput: Tells what it is and what to do.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(
            f"The file has {len(data) / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB can be "
            "read.",
            "Keep only what you need in it.",
        )
    if not data.strip():
        raise InvalidInput("The file is empty.", "Choose another one.")
    for start, name, advice in _KINDS:
        if data.startswith(start):
            raise InvalidInput(f"This is {name}, which cannot be read here.", _ADVICE[advice])


def decode(data: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or, if it is neither, Latin-1 as Windows writes it.

    Raises:
        InvalidInput: It is no text.
    """
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return _text(data.decode(name, "replace"))
    if b"\0" in data[:4_000]:
        # Latin letters in UTF-16 have a zero in every other place; which one tells the order.
        odd, even = data[1:4_000:2].count(0), data[:4_000:2].count(0)
        return _text(data.decode("utf-16-le" if odd > even else "utf-16-be", "replace"))
    try:
        return _text(data.decode())
    except UnicodeDecodeError:
        return _text(data.decode("cp1252", "replace"))


def _text(text: str) -> str:
    begin = text[:_LOOKED_AT]
    odd = sum(ord(char) < 32 and char not in "\t\n\r\x0b\x0c" for char in begin)
    if odd + begin.count("\ufffd") > max(1, _ODD_SHARE * len(begin)):
        raise InvalidInput("This file holds no text that can be read.", _ADVICE["none"])
    return text.replace("\0", "").removeprefix("\ufeff")


def from_text(text: str, known: frozenset[str] = frozenset()) -> Table:
    """The table in a text with columns, whatever divides them; a list has one column.

    Args:
        text: The file.
        known: Headings, as ``heading`` writes them, that speak for a delimiter.

    Raises:
        InvalidInput: It is too large, or quotation marks in it are not closed.
    """
    delimiter = _ALONE
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        delimiter, text = first.strip()[4], rest  # Excel says so itself
    else:
        delimiter = _delimiter(text, known)
    return Table("", _clean(_records(text, delimiter)))


def from_workbook(data: bytes) -> list[Table]:
    """The sheets of an .xlsx file that hold anything.

    Raises:
        InvalidInput: It is none, is damaged, or unpacks to more than can be read.
    """
    _check_package(data)
    # Only who brings a spreadsheet waits for it.
    from openpyxl import load_workbook  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of each thing in a file that it ignores
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            sheets = [sheet for sheet in book.worksheets if hasattr(sheet, "iter_rows")]
            if len(sheets) > _MOST_SHEETS:
                raise InvalidInput(
                    f"The file has {len(sheets)} sheets; at most {_MOST_SHEETS} can be read.",
                    "Keep only those you need.",
                )
            tables = []
            for sheet in sheets:
                sheet.reset_dimensions()  # what a file says of its own size may be a lie
                rows = sheet.iter_rows(max_col=MOST_COLUMNS + 1, values_only=True)
                tables.append(Table(str(sheet.title), _clean(_texts(rows), str(sheet.title))))
            book.close()
    except InvalidInput:
        raise
    except Exception as error:
        # A damaged file makes the reader fail in any way there is.
        raise InvalidInput(
            f"This spreadsheet cannot be read: {type(error).__name__}.",
            "Open it in your spreadsheet program and save it anew as .xlsx or .csv.",
        ) from error
    return [table for table in tables if table.rows]


def heading(text: str) -> str:
    """A heading as headings are compared: without case, accents, numbers and signs."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = (c if c.isalpha() else " " for c in plain if not unicodedata.combining(c))
    return " ".join("".join(letters).split())


def _check_package(data: bytes) -> None:
    """Refuse a workbook that is none, or that is a bomb, without parsing anything."""
    try:
        names = packed.names(data)
        if "mimetype" in names and "content.xml" in names:
            raise InvalidInput("This is a LibreOffice file.", _ADVICE["xlsx"])
        if any(name.startswith("word/") for name in names):
            raise InvalidInput("This is a Word document.", _ADVICE["document"])
        if not any(name.startswith("xl/") for name in names):
            raise InvalidInput("This is a packed file and no spreadsheet.", _ADVICE["unpack"])
        packed.check(data, most=_MOST_UNPACKED, xml=_MOST_UNPACKED)
    except packed.Damaged as error:
        raise InvalidInput("This file is damaged.", _ADVICE["xlsx"]) from error
    except packed.Swollen as error:
        raise InvalidInput(
            "This spreadsheet unpacks to more than can be read.",
            "Copy what you need into a new one.",
        ) from error
    except packed.Hostile as error:
        raise InvalidInput("This spreadsheet is not one.", _ADVICE["xlsx"]) from error


def _delimiter(text: str, known: frozenset[str]) -> str:
    """What divides the columns: what gives most rows the same number of cells."""
    best, score = _ALONE, 0.0
    for candidate in _DELIMITERS:
        if candidate not in text:
            continue
        records = []
        try:
            for record in csv.reader(io.StringIO(text, newline=""), delimiter=candidate):
                if any(cell.strip() for cell in record):
                    records.append(record)
                if len(records) == _SNIFFED:
                    break
        except csv.Error:
            continue
        widths = [len(record) for record in records]
        usual = max(set(widths), key=lambda width: (widths.count(width), width), default=1)
        if usual < 2:
            continue
        found = widths.count(usual) / len(widths)
        found += sum(heading(cell) in known for cell in records[0])
        # Commas in sentences also divide some lines into as many parts; hardly ever nearly all.
        if found >= 0.8 and found > score:
            best, score = candidate, found
    return best


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    if delimiter == _ALONE and text.count('"') % 2:
        # Inches, or a quotation that goes on: nothing is divided here, so nothing is quoted.
        yield from ([line] for line in text.splitlines())
        return
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as error:
        raise InvalidInput(
            f"The columns of this file cannot be told apart: {error}.",
            "Perhaps a quotation mark in it is not closed; or save it as .xlsx.",
        ) from error


def _texts(rows: Iterable[tuple[object, ...]]) -> Iterator[list[str]]:
    """The rows that hold anything; a sheet may have a million that do not."""
    for row in rows:
        if row.count(None) < len(row):
            yield [_cell(value) for value in row]


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever a spreadsheet holds
    if value is None or value in _ERRORS:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value)


def _clean(rows: Iterable[Sequence[str]], name: str = "") -> tuple[tuple[str, ...], ...]:
    """The rows that hold anything, all of the same width.

    Raises:
        InvalidInput: There are too many, they are too wide, or a cell is too long.
    """
    kept: list[list[str]] = []
    for row in rows:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        while not cells[-1]:
            cells.pop()
        where = f" of {name}" if name else ""
        if len(kept) == MOST_ROWS or len(cells) > MOST_COLUMNS:
            raise InvalidInput(
                f"The table{where} has more than {MOST_ROWS:,} rows or {MOST_COLUMNS} columns.",
                "A seed has at most 500 topics and 500 examples: keep only what you need.",
            )
        if max(map(len, cells)) > _LONGEST_CELL:
            raise InvalidInput(
                f"A cell{where} has more than {_LONGEST_CELL:,} characters.",
                "Long texts belong to the step Documents.",
            )
        kept.append(cells)
    width = max(map(len, kept), default=0)
    return tuple(tuple(row + [""] * (width - len(row))) for row in kept)
