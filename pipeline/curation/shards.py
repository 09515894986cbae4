"""Rows into parquet files of a bounded size, with few rows in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

from pipeline.core import layout
from pipeline.core.layout import ExportFormat, Split

SHARD_BYTES: Final = 250_000_000
"""About how large a file may become."""
_ROWS: Final = 1_000
_CHARACTERS: Final = 4_000_000
"""Rows and characters in a row group, and so in memory."""


class Shards:
    """One split of one export, in files in ``folder``."""

    def __init__(self, folder: Path, export: ExportFormat, split: Split, columns: Features) -> None:
        self.export = export
        self.split = split
        self.rows = 0
        self._folder = folder
        self._schema = columns.arrow_schema
        self._held: list[dict[str, Any]] = []
        self._characters = 0
        self._files: list[Path] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: dict[str, Any], characters: int) -> None:
        """Take in a row with so many characters."""
        self._held.append(row)
        self._characters += characters
        self.rows += 1
        if len(self._held) >= _ROWS or self._characters >= _CHARACTERS:
            self._write()

    def done(self) -> dict[str, Path]:
        """The files by where they go in a project; none without rows."""
        self._write()
        self._close()
        count = len(self._files)
        return {
            layout.export_file(self.export, self.split, index, count): path
            for index, path in enumerate(self._files)
        }

    def _write(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            path = self._folder / f"{self.export}-{self.split}-{len(self._files)}.parquet"
            self._files.append(path)
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._held, schema=self._schema))
        self._held = []
        self._characters = 0
        if self._files[-1].stat().st_size >= SHARD_BYTES:
            self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def sizes(path: Path, footer: pq.FileMetaData) -> tuple[int, int, int]:
    """Rows of a file, their bytes before compression, and its own."""
    groups = (footer.row_group(index) for index in range(footer.num_row_groups))
    return footer.num_rows, sum(one.total_byte_size for one in groups), path.stat().st_size
