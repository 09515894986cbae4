"""Writing: what precedes a commit, the commit, branches and tags."""

import base64
import json
from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.hub_server.repos import Blob, CardError, Commit, Repo, front_matter, wants_lfs
from tests.hub_server.state import Hub
from tests.hub_server.wire import API, URL_PREFIX, Call, HubError, Route, entry_not_found

MOVED_ON = "The branch was updated since you opened this page. Please refresh and try again."
SHORTEST_SHA = 5

Tree = dict[str, Blob]


def validate_yaml(hub: Hub, call: Call) -> Response:
    """Check that a card's metadata is YAML, and nothing more."""
    try:
        front_matter(call.json()["content"])
    except CardError as error:
        problem = {"message": str(error)}
        return JSONResponse({"errors": [problem], "warnings": []}, 400)
    return JSONResponse({"errors": [], "warnings": []})


def preupload(hub: Hub, call: Call) -> Response:
    """Say how to send each file, and what is there now: clients drop unchanged ones."""
    repo = hub.writable(call, propose=call.flag("create_pr"))
    head = repo.resolve(call.params["revision"])
    answers = []
    for file in call.json()["files"]:
        path, sample = file["path"], base64.b64decode(file["sample"])
        lfs = file["size"] > 0 and wants_lfs(head, path, file["size"], sample)
        answer = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
        present = head.files.get(path)
        if present is not None and (present.sha256 is not None) == lfs:
            answer["oid"] = present.etag
        answers.append(answer)
    return JSONResponse({"files": answers, "commitOid": head.sha})


def commit(hub: Hub, call: Call) -> Response:
    """Apply all operations in one commit, or none."""
    propose = call.flag("create_pr")
    repo = hub.writable(call, propose=propose)
    names, name = repo.branch(call.params["revision"])
    head = repo.history[names[name]]
    header, operations = _parse(call.body)
    _check_parent(header.get("parentCommit"), head)
    hub.check_quota(repo)
    _fetch_from_xet(hub, repo, operations)
    files = dict(head.files)
    for key, value in operations:
        _APPLY[key](repo, head, files, value)
    made = repo.record(
        files,
        parent=head.sha,
        title=header.get("summary", ""),
        message=header.get("description", ""),
        author=call.caller.name if call.caller else "",
        date=hub.now(),
    )
    repo.commit_times.append(hub.now())
    page = f"{call.base}/{URL_PREFIX[repo.kind]}{repo.id}"
    answer: dict[str, object] = {
        "success": True,
        "commitOid": made.sha,
        "commitUrl": f"{page}/commit/{made.sha}",
        "hookOutput": "",
    }
    if propose:
        number = len(repo.pulls) + 1
        names, name = repo.pulls, f"refs/pr/{number}"
        answer["pullRequestUrl"] = f"{page}/discussions/{number}"
    names[name] = made.sha
    return JSONResponse(answer)


def create_branch(hub: Hub, call: Call) -> Response:
    """Start a branch at a revision, `main` when none is given."""
    repo = hub.writable(call)
    start = call.json().get("startingPoint", "main")
    return _add_reference(repo, repo.branches, call.params["reference"], start)


def delete_branch(hub: Hub, call: Call) -> Response:
    """Drop a branch other than `main`; its commits stay readable by hash."""
    repo = hub.writable(call)
    if call.params["reference"] == "main":
        raise HubError(403, "Cannot delete the main branch")
    return _drop_reference(repo.branches, call.params["reference"])


def create_tag(hub: Hub, call: Call) -> Response:
    """Tag a revision."""
    repo = hub.writable(call)
    return _add_reference(repo, repo.tags, call.json()["tag"], call.params["reference"])


def delete_tag(hub: Hub, call: Call) -> Response:
    """Drop a tag."""
    return _drop_reference(hub.writable(call).tags, call.params["reference"])


def super_squash(hub: Hub, call: Call) -> Response:
    """Replace a branch's history by one commit with the same files."""
    repo = hub.writable(call)
    names, name = repo.branch(call.params["reference"])
    head = repo.history[names[name]]
    made = repo.record(
        head.files,
        parent=None,
        title=call.json().get("message", ""),
        author=call.caller.name if call.caller else "",
        date=hub.now(),
    )
    names[name] = made.sha
    return JSONResponse({"success": True})


def _parse(body: bytes) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """The header and the operations of a commit, one JSON object in a line."""
    header: dict[str, Any] = {}
    operations = []
    for line in body.splitlines():
        item = json.loads(line)
        if item["key"] == "header":
            header = item["value"]
        elif item["key"] in _APPLY:
            operations.append((item["key"], item["value"]))
        else:
            raise HubError(400, f"Unknown operation {item['key']!r}")
    return header, operations


def _check_parent(parent: str | None, head: Commit) -> None:
    if parent is None:
        return
    if len(parent) < SHORTEST_SHA:
        raise HubError(400, f"parentCommit {parent!r} is too short")
    if not head.sha.startswith(parent):
        raise HubError(412, MOVED_ON)


def _fetch_from_xet(hub: Hub, repo: Repo, operations: list[tuple[str, dict[str, Any]]]) -> None:
    """Take over the large files that came through hf_xet since the last commit."""
    wanted = {value["oid"] for key, value in operations if key == "lfsFile"} - repo.lfs.keys()
    if wanted:
        repo.lfs |= hub.stores.collect(repo.key, wanted)


def _apply_file(repo: Repo, head: Commit, files: Tree, value: dict[str, Any]) -> None:
    files[value["path"]] = Blob.regular(base64.b64decode(value["content"]))


def _apply_lfs_file(repo: Repo, head: Commit, files: Tree, value: dict[str, Any]) -> None:
    data = repo.lfs.get(value["oid"])
    if data is None or value.get("size", len(data)) != len(data):
        raise HubError(400, f"LFS pointer {value['oid']} points to a file that does not exist")
    files[value["path"]] = Blob.lfs(data)


def _apply_deleted_file(repo: Repo, head: Commit, files: Tree, value: dict[str, Any]) -> None:
    if files.pop(value["path"], None) is None:
        raise entry_not_found("A file with this name doesn't exist", head.sha)


def _apply_deleted_folder(repo: Repo, head: Commit, files: Tree, value: dict[str, Any]) -> None:
    prefix = value["path"].rstrip("/") + "/"
    inside = [path for path in files if path.startswith(prefix)]
    if not inside:
        raise entry_not_found("A folder with this name doesn't exist", head.sha)
    for path in inside:
        del files[path]


_APPLY: dict[str, Callable[[Repo, Commit, Tree, dict[str, Any]], None]] = {
    "file": _apply_file,
    "lfsFile": _apply_lfs_file,
    "deletedFile": _apply_deleted_file,
    "deletedFolder": _apply_deleted_folder,
}


def _add_reference(repo: Repo, names: dict[str, str], name: str, revision: str) -> Response:
    if name in names:
        raise HubError(409, f"Reference already exists: {name}")
    names[name] = repo.resolve(revision).sha
    return JSONResponse({"success": True})


def _drop_reference(names: dict[str, str], name: str) -> Response:
    if names.pop(name, None) is None:
        raise HubError(404, f"Invalid rev id: {name}", "RevisionNotFound")
    return JSONResponse({"success": True})


_REVISION = r"(?P<revision>[^/]+)"
_REFERENCE = r"(?P<reference>[^/]+)"

ROUTES = [
    Route("POST", r"/api/validate-yaml", "validate_yaml", validate_yaml),
    Route("POST", rf"{API}/preupload/{_REVISION}", "preupload", preupload),
    Route("POST", rf"{API}/commit/{_REVISION}", "commit", commit),
    Route("POST", rf"{API}/branch/{_REFERENCE}", "branch", create_branch),
    Route("DELETE", rf"{API}/branch/{_REFERENCE}", "branch", delete_branch),
    Route("POST", rf"{API}/tag/{_REFERENCE}", "tag", create_tag),
    Route("DELETE", rf"{API}/tag/{_REFERENCE}", "tag", delete_tag),
    Route("POST", rf"{API}/super-squash/{_REFERENCE}", "super_squash", super_squash),
]
