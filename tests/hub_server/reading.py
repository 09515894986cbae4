"""Reading: trees, references, history, and the files themselves."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from tests.hub_server.repos import Blob, Commit, Repo
from tests.hub_server.state import Hub
from tests.hub_server.wire import (
    API,
    FILES,
    STORAGE,
    Call,
    HubError,
    Route,
    entry_not_found,
    iso,
    paged,
)

EXPANDED_PAGE = 50


def tree(hub: Hub, call: Call) -> Response:
    """List a directory, or all below it."""
    repo = hub.readable(call)
    head = repo.resolve(call.params["revision"])
    folder = call.params.get("path", "").strip("/")
    prefix = f"{folder}/" if folder else ""
    entries = [
        entry
        for path, entry in _entries(head.files).items()
        if path.startswith(prefix) and (call.flag("recursive") or "/" not in path[len(prefix) :])
    ]
    if folder and not entries:
        raise entry_not_found(f'"{folder}" does not exist on "{call.params["revision"]}"', head.sha)
    size = hub.page_size
    if call.flag("expand"):
        entries = _with_last_commits(repo, head, entries)
        size = min(size, EXPANDED_PAGE)
    return paged(call, entries, size)


def paths_info(hub: Hub, call: Call) -> Response:
    """Describe the paths that exist among those asked for."""
    repo = hub.readable(call)
    head = repo.resolve(call.params["revision"])
    form = call.form()
    everything = _entries(head.files)
    paths = [path.strip("/") for path in form.get("paths", [])]
    entries = [everything[path] for path in paths if path in everything]
    if form.get("expand", [""])[0].lower() == "true":
        entries = _with_last_commits(repo, head, entries)
    return JSONResponse(entries)


def refs(hub: Hub, call: Call) -> Response:
    """List branches, tags and, on demand, pull requests."""
    repo = hub.readable(call)

    def told(names: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"{prefix}{name}", "targetCommit": sha}
            for name, sha in names.items()
        ]

    answer: dict[str, Any] = {
        "branches": told(repo.branches, "refs/heads/"),
        "converts": [],
        "tags": told(repo.tags, "refs/tags/"),
    }
    if call.flag("include_prs"):
        answer["pullRequests"] = told(repo.pulls, "")
    return JSONResponse(answer)


def commits(hub: Hub, call: Call) -> Response:
    """List the history, newest first."""
    repo = hub.readable(call)
    told = [
        {
            "id": commit.sha,
            "title": commit.title,
            "message": commit.message,
            "authors": [{"user": commit.author}],
            "date": iso(commit.date),
        }
        for commit in repo.ancestry(repo.resolve(call.params["revision"]))
    ]
    return paged(call, told, hub.page_size)


def resolve(hub: Hub, call: Call) -> Response:
    """Send a file, or for a large one the link to its storage on another origin.

    The client takes a large file's ETag and size from the redirect, and drops its token before it
    follows.
    """
    repo = hub.readable(call)
    head = repo.resolve(call.params["revision"])
    blob = head.files.get(call.params["path"])
    if blob is None:
        raise entry_not_found("Entry not found", head.sha)
    headers = {"X-Repo-Commit": head.sha, "Accept-Ranges": "bytes"}
    if blob.sha256 is None:
        return _content(call, blob.data, {**headers, "ETag": f'"{blob.oid}"'})
    path = f"/lfs/{repo.kind}s/{repo.id}/{blob.sha256}"
    headers |= {
        "X-Linked-Etag": f'"{blob.sha256}"',
        "X-Linked-Size": str(len(blob.data)),
        "Location": f"{_other_origin(call.base)}{path}?{hub.sign(path)}",
    }
    return Response("Found. Redirecting", 302, headers, "text/plain")


def lfs_download(hub: Hub, call: Call) -> Response:
    """Send a large file from its storage; the link itself is the permission."""
    hub.check_signature(call)
    repo = hub.repos.get((call.kind, call.repo_id))
    oid = call.params["oid"]
    if repo is None or oid not in repo.lfs:
        raise HubError(404, "No such object")
    return _content(call, repo.lfs[oid], {"Accept-Ranges": "bytes", "ETag": f'"{oid}"'})


def _entries(files: Mapping[str, Blob]) -> dict[str, dict[str, Any]]:
    """All files and directories of a tree, as the Hub describes them, sorted by path."""
    folders: dict[str, Any] = {}
    entries: dict[str, dict[str, Any]] = {}
    for path in sorted(files):
        blob = files[path]
        entries[path] = {
            "type": "file",
            "path": path,
            "oid": blob.oid,
            "size": len(blob.data),
        }
        if blob.sha256 is not None:
            entries[path]["lfs"] = {
                "oid": blob.sha256,
                "size": len(blob.data),
                "pointerSize": blob.pointer_size,
            }
        for folder in _folders(path):
            digest = folders.setdefault(folder, hashlib.sha1(usedforsecurity=False))
            digest.update(f"{path} {blob.oid}\n".encode())
    for folder, digest in folders.items():
        entries[folder] = {
            "type": "directory",
            "path": folder,
            "oid": digest.hexdigest(),
            "size": 0,
        }
    return dict(sorted(entries.items()))


def _with_last_commits(
    repo: Repo, head: Commit, entries: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The entries with the newest commit that changed each file, or anything in each directory."""
    last: dict[str, Commit] = {}
    for commit in repo.ancestry(head):
        before = repo.history[commit.parent].files if commit.parent else {}
        for path in commit.files.keys() | before.keys():
            if commit.files.get(path) != before.get(path):
                for above in (path, *_folders(path)):
                    last.setdefault(above, commit)
    told = {
        path: {"id": commit.sha, "title": commit.title, "date": iso(commit.date)}
        for path, commit in last.items()
    }
    return [{**entry, "lastCommit": told[entry["path"]]} for entry in entries]


def _folders(path: str) -> Iterator[str]:
    """The directories a path is in, innermost first."""
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        yield path


def _content(call: Call, data: bytes, headers: Mapping[str, str]) -> Response:
    """The whole of a file, or the one range asked for."""
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", ""))
    if asked is None or not any(asked.groups()):
        return Response(data, 200, headers, "application/octet-stream")
    first, last = asked.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(len(data), int(last) + 1) if first and last else len(data)
    if start >= stop:
        limits = {"Content-Range": f"bytes */{len(data)}"}
        raise HubError(416, "Range Not Satisfiable", headers=limits)
    span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
    return Response(data[start:stop], 206, {**headers, **span}, "application/octet-stream")


def _other_origin(base: str) -> str:
    """The same server under the name the client is not using."""
    url = urlsplit(base)
    host = "127.0.0.1" if url.hostname == "localhost" else "localhost"
    return f"http://{host}:{url.port}"


_REVISION = r"(?P<revision>[^/]+)"

ROUTES = [
    Route("GET", rf"{API}/tree/{_REVISION}(?:/(?P<path>.*))?", "tree", tree),
    Route("POST", rf"{API}/paths-info/{_REVISION}", "paths_info", paths_info),
    Route("GET", rf"{API}/refs", "refs", refs),
    Route("GET", rf"{API}/commits/{_REVISION}", "commits", commits),
    Route("GET", rf"{FILES}/resolve/{_REVISION}/(?P<path>.+)", "resolve", resolve),
    Route("GET", STORAGE, "lfs_download", lfs_download),
]
