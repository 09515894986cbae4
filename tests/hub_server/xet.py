"""Large files sent through hf_xet, the way a default installation of the client sends them.

hf_xet asks for a write token and gets the address of a content store with it. The address
`local:///directory` makes it keep the store in that directory, so no store has to be emulated:
every token gets a directory of its own, and when a commit names a file by SHA-256 the server looks
for it in the shards written there and has hf_xet itself rebuild the content.

A shard is a list of 48-byte records after a 48-byte header. A file is one record with its xet hash,
flags and number of segments; that many segment records; as many verification records if the flags
say so; and a last record with the SHA-256 if the flags say so. The list ends with a hash of ones.
"""

import importlib
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TOKEN_LIFETIME = 3600

_RECORD = 48
_FILE = struct.Struct("<32sII8x")
_SEGMENT = struct.Struct("<32sII8x")
_END = b"\xff" * 32
_HAS_VERIFICATION = 1 << 31
_HAS_SHA256 = 1 << 30


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A file described by a shard."""

    sha256: str
    xet_hash: str
    size: int


@dataclass(slots=True)
class LocalStores:
    """The directories handed out with write tokens, by repository."""

    root: Path
    by_repo: dict[tuple[str, str], list[Path]] = field(default_factory=dict)

    def open(self, repo: tuple[str, str]) -> str:
        """Make a store for one write token and return its address."""
        directory = Path(tempfile.mkdtemp(dir=self.root, prefix="cas-"))
        self.by_repo.setdefault(repo, []).append(directory)
        return f"local://{directory}"

    def collect(self, repo: tuple[str, str], wanted: set[str]) -> dict[str, bytes]:
        """The content, by SHA-256, of those wanted files that were sent for the repository."""
        found: dict[str, bytes] = {}
        for store in self.by_repo.get(repo, []):
            shards = (store / "xet" / "xorbs" / "shards").glob("*.mdb")
            entries = {
                entry.sha256: entry
                for shard in shards
                for entry in read_shard(shard.read_bytes())
                if entry.sha256 in wanted - found.keys()
            }
            if entries:
                found |= self._rebuild(store, list(entries.values()))
        return found

    def _rebuild(self, store: Path, entries: list[ShardEntry]) -> dict[str, bytes]:
        # The uploading process keeps the store's index locked: read through a copy.
        hf_xet = importlib.import_module("hf_xet")
        with tempfile.TemporaryDirectory(dir=self.root, prefix="read-") as name:
            copy = Path(name)
            content = Path("xet") / "xorbs"
            shutil.copytree(store / content, copy / content, copy_function=_copy)
            group = hf_xet.XetSession().new_file_download_group(
                endpoint=f"local://{copy}",
                token="-",
                token_expiry_unix_secs=int(time.time()) + TOKEN_LIFETIME,
            )
            with group:
                for entry in entries:
                    info = hf_xet.XetFileInfo(entry.xet_hash, entry.size)
                    group.start_download_file(info, str(copy / entry.sha256))
            return {entry.sha256: (copy / entry.sha256).read_bytes() for entry in entries}


def read_shard(shard: bytes) -> Iterator[ShardEntry]:
    """The files in a shard that come with a SHA-256."""
    at = _RECORD
    while at + _RECORD <= len(shard):
        xet_hash, flags, segments = _FILE.unpack_from(shard, at)
        if xet_hash == _END:
            return
        at += _RECORD
        size = sum(_SEGMENT.unpack_from(shard, at + i * _RECORD)[2] for i in range(segments))
        at += _RECORD * segments * (2 if flags & _HAS_VERIFICATION else 1)
        if flags & _HAS_SHA256:
            yield ShardEntry(_hex(shard[at : at + 32]), _hex(xet_hash), size)
            at += _RECORD


def _copy(source: str, target: str) -> None:
    """Copy the index, which will be locked and written, and link the content, which will not."""
    if source.endswith(".redb"):
        shutil.copyfile(source, target)
    else:
        os.link(source, target)


def _hex(digest: bytes) -> str:
    # hf_xet writes a digest as four little-endian numbers.
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", digest))
