"""Answers that were paid for, kept on this machine, so that none is paid for again.

One SQLite file, safe against ``kill -9`` and open to several processes. The key is a digest of the
whole request, address and model included. Credentials are no part of a request here, so none is
ever stored.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import StoreUnavailable

CACHE: Final = "calls.sqlite"
"""Its name in a project's working folder."""
VERSION: Final = 1
_WAIT: Final = 30.0
"""Seconds to wait for another process that is writing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered. Tokens are None where it did not count; ``seconds`` it took."""

    text: str
    finish_reason: str | None
    tokens_in: int | None
    tokens_out: int | None
    seconds: float = 0.0


class CallCache:
    """The answers in the file at ``path``, which is made if it is not there.

    Raises:
        StoreUnavailable: The file is damaged or cannot be written, here and in every method: to
            go on without it would mean to pay twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise sqlite3.DatabaseError(f"it has version {version}, not {VERSION}")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS calls (key BLOB PRIMARY KEY, reply BLOB NOT NULL) "
                "WITHOUT ROWID"
            )
            self._db.execute(f"PRAGMA user_version={VERSION}")

    def get(self, key: bytes) -> Reply | None:
        """The answer to a request, if it is there."""
        with self._told():
            row = self._db.execute("SELECT reply FROM calls WHERE key=?", (key,)).fetchone()
            return Reply(*json.loads(zlib.decompress(row[0]))) if row else None

    def put(self, key: bytes, reply: Reply) -> None:
        """Keep an answer; it is safe when this returns."""
        fields = (
            reply.text,
            reply.finish_reason,
            reply.tokens_in,
            reply.tokens_out,
            round(reply.seconds, 3),
        )
        packed = zlib.compress(json.dumps(fields, ensure_ascii=False).encode(), 1)
        with self._told():
            self._db.execute("INSERT OR REPLACE INTO calls VALUES (?, ?)", (key, packed))

    def forget(self, key: bytes) -> None:
        """Drop an answer that was of no use, so that the request can be made once more."""
        with self._told():
            self._db.execute("DELETE FROM calls WHERE key=?", (key,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error, ValueError, TypeError, OSError) as error:
            raise StoreUnavailable(
                f"The kept answers in {self._path} cannot be used: {error}.",
                "Make room on the disk, or remove that file: its answers are then paid for again.",
            ) from error


def request_key(
    url: str,
    model: str,
    messages: Sequence[Mapping[str, str]],
    parameters: Mapping[str, Any],
    turn: int = 0,
) -> bytes:
    """The digest under which the answer to a request is kept; ``turn`` tells repetitions apart."""
    text = json.dumps([url, model, messages, parameters, turn], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()
