"""A repository in memory: blobs, commits, references, and the settings of a Space."""

import hashlib
import importlib
import json
import re
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from tests.hub_server.wire import HubError

LFS_EXTENSIONS = (
    *("7z", "bz2", "gz", "lz4", "rar", "tar", "tgz", "xz", "zip", "zst"),
    *("arrow", "bin", "ckpt", "h5", "joblib", "model", "msgpack", "npy", "npz", "onnx"),
    *("parquet", "pickle", "pkl", "pt", "pth", "safetensors", "wasm"),
    *("aac", "flac", "mp3", "ogg", "wav", "mp4", "webm"),
    *("bmp", "gif", "png", "tiff", "jpg", "jpeg", "webp"),
)
GITATTRIBUTES = "".join(
    f"*.{extension} filter=lfs diff=lfs merge=lfs -text\n" for extension in LFS_EXTENSIONS
).encode()
LFS_THRESHOLD = 10 * 1024 * 1024


def git_oid(data: bytes) -> str:
    """The name git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content; `oid` names what git stores, which for an LFS file is a small pointer."""

    data: bytes = field(repr=False, compare=False)
    oid: str
    sha256: str | None
    pointer_size: int

    @classmethod
    def regular(cls, data: bytes) -> "Blob":
        """A file git stores itself."""
        return cls(data, git_oid(data), None, 0)

    @classmethod
    def lfs(cls, data: bytes) -> "Blob":
        """A file stored outside git, named by its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n"
        ).encode()
        return cls(data, git_oid(pointer), sha256, len(pointer))

    @property
    def etag(self) -> str:
        """What the Hub sends as ETag, and what a client compares with its local file."""
        return self.sha256 or self.oid


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit with the whole tree it describes; `date` in seconds since the epoch."""

    sha: str
    parent: str | None
    title: str
    message: str
    author: str
    date: float
    files: Mapping[str, Blob] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """A secret or a variable of a Space."""

    value: str
    description: str | None
    updated_at: float


@dataclass(slots=True)
class Space:
    """What a Space has beyond its files. A `stage` that is set wins over the one worked out."""

    sdk: str
    hardware: str = "cpu-basic"
    sleep_time: int = 172800
    stage: str | None = None
    restarts: int = 0
    secrets: dict[str, Setting] = field(default_factory=dict)
    variables: dict[str, Setting] = field(default_factory=dict)


@dataclass(slots=True)
class Repo:
    """One repository. `lfs` holds every large file uploaded to it, committed or not."""

    kind: str
    id: str
    created_at: float
    visibility: str = "public"
    gated: str | bool = False
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)
    history: dict[str, Commit] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    commit_times: deque[float] = field(default_factory=deque)
    space: Space | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells repositories apart: a dataset and a Space may share a name."""
        return self.kind, self.id

    @property
    def namespace(self) -> str:
        """The user or organisation it belongs to."""
        return self.id.split("/")[0]

    def resolve(self, revision: str) -> Commit:
        """The commit of a branch, a tag, a full reference or a commit hash."""
        short = re.sub(r"^refs/(heads|tags)/", "", revision)
        for names in (self.branches, self.tags, self.pulls):
            if short in names:
                return self.history[names[short]]
        if revision in self.history:
            return self.history[revision]
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def ancestry(self, commit: Commit) -> Iterator[Commit]:
        """The commit and all before it, newest first."""
        current: Commit | None = commit
        while current is not None:
            yield current
            current = self.history[current.parent] if current.parent else None

    def branch(self, revision: str) -> tuple[dict[str, str], str]:
        """The table and the name under which a commit to this revision moves a reference."""
        short = revision.removeprefix("refs/heads/")
        for names in (self.branches, self.pulls):
            if short in names:
                return names, short
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def record(
        self,
        files: Mapping[str, Blob],
        *,
        parent: str | None,
        title: str,
        message: str = "",
        author: str,
        date: float,
    ) -> Commit:
        """Store a commit; no reference moves yet."""
        commit = Commit(secrets.token_hex(20), parent, title, message, author, date, dict(files))
        self.history[commit.sha] = commit
        return commit

    def blob(self, commit: Commit, path: str, data: bytes) -> Blob:
        """Content as this repository would store it at this path."""
        if not data or not wants_lfs(commit, path, len(data), data[:512]):
            return Blob.regular(data)
        blob = Blob.lfs(data)
        self.lfs[blob.etag] = data
        return blob


def wants_lfs(commit: Commit, path: str, size: int, sample: bytes) -> bool:
    """Whether a file goes to LFS: by the patterns of `.gitattributes`, by size, or as binary."""
    if size >= LFS_THRESHOLD or b"\0" in sample:
        return True
    attributes = commit.files.get(".gitattributes")
    lines = attributes.data.decode(errors="replace").splitlines() if attributes else []
    patterns = [line.split()[0] for line in lines if "filter=lfs" in line]
    name = path.rsplit("/", 1)[-1]
    return any(fnmatch(path if "/" in pattern else name, pattern) for pattern in patterns)


class CardError(ValueError):
    """The metadata of a card is not YAML."""


def front_matter(text: str) -> dict[str, Any]:
    """The metadata that opens a card, as JSON has it; empty when there is none."""
    yaml = importlib.import_module("yaml")  # this way its types may be missing
    match = re.match(r"\s*---\r?\n(.*?)\r?\n---\s*(\n|$)", text, re.DOTALL)
    try:
        value = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError as error:
        raise CardError(f"YAML Metadata Error: {error}") from error
    return json.loads(json.dumps(value, default=str)) if isinstance(value, dict) else {}
