"""Identity, and repositories as wholes: make, find, change, move, copy, delete."""

import contextlib
from collections import deque
from dataclasses import replace
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.hub_server.repos import CardError, Commit, Repo, Space, front_matter
from tests.hub_server.spaces import configure, runtime_of
from tests.hub_server.state import Hub
from tests.hub_server.wire import (
    API,
    URL_PREFIX,
    Call,
    HubError,
    Route,
    iso,
    paged,
    repo_not_found,
)


def whoami(hub: Hub, call: Call) -> Response:
    """Tell a token's user and role."""
    caller = call.caller
    if caller is None:
        raise HubError(401, "Invalid username or password.")
    token: dict[str, Any] = {"displayName": "test", "role": caller.role}
    if caller.role == "fineGrained":
        token["fineGrained"] = {
            "global": [],
            "scoped": [
                {
                    "entity": {"type": "user" if name == caller.name else "org", "name": name},
                    "permissions": ["repo.content.read", "repo.write"],
                }
                for name in [caller.name, *sorted(caller.orgs)]
            ],
        }
    return JSONResponse(
        {
            "type": "user",
            "id": caller.name,
            "name": caller.name,
            "fullname": caller.name.title(),
            "email": f"{caller.name}@example.org",
            "orgs": [
                {"name": org, **({"roleInOrg": caller.org_role} if caller.org_role else {})}
                for org in sorted(caller.orgs)
            ],
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


def create(hub: Hub, call: Call) -> Response:
    """Make a repository; a name that is taken answers with its URL, which `exist_ok` needs."""
    wanted = call.json()
    kind = wanted.get("type", "model")
    namespace = wanted.get("organization") or (call.caller.name if call.caller else "")
    repo_id = f"{namespace}/{wanted['name']}"
    _may_create(call, kind, namespace)
    _refuse_taken(hub, call, kind, repo_id)
    repo = hub.create_repo(repo_id, kind, sdk=wanted.get("sdk", "gradio"))
    repo.visibility = wanted.get("visibility", "public")
    if repo.space is not None:
        configure(repo.space, wanted, hub.now())
    return JSONResponse({"url": _url(call, kind, repo_id), "name": repo_id, "id": repo_id})


def delete(hub: Hub, call: Call) -> Response:
    """Delete a repository."""
    repo = hub.writable(_aimed(call, call.json(), "organization", "name"))
    del hub.repos[repo.key]
    return PlainTextResponse("OK")


def move(hub: Hub, call: Call) -> Response:
    """Rename or transfer a repository; its old address redirects from then on."""
    wanted = call.json()
    kind = wanted.get("type", "model")
    namespace, name = wanted["fromRepo"].split("/")
    source = {"type": kind, "namespace": namespace, "name": name}
    repo = hub.writable(_aimed(call, source, "namespace", "name"))
    target = wanted["toRepo"]
    _may_create(call, kind, target.split("/")[0])
    _refuse_taken(hub, call, kind, target)
    del hub.repos[repo.key]
    hub.moved[repo.key] = target
    repo.id = target
    hub.repos[repo.key] = repo
    hub.moved.pop(repo.key, None)
    return JSONResponse({"success": True})


def settings(hub: Hub, call: Call) -> Response:
    """Change who may see a repository."""
    repo = hub.writable(call)
    wanted = call.json()
    repo.visibility = wanted.get("visibility", repo.visibility)
    repo.gated = wanted.get("gated", repo.gated)
    return JSONResponse({"visibility": repo.visibility, "gated": repo.gated})


EXPANDABLE = {
    *("author", "cardData", "citation", "createdAt", "datasets", "description", "disabled"),
    *("downloads", "downloadsAllTime", "gated", "lastModified", "likes", "mainSize", "models"),
    *("paperswithcode_id", "private", "resourceGroup", "runtime", "sdk", "sha", "siblings"),
    *("subdomain", "tags", "trendingScore", "usedStorage"),
}
"""What the real Hub knows, of datasets and Spaces; some of it this server does not tell."""


def info(hub: Hub, call: Call) -> Response:
    """Describe a repository at a revision, with the names of its files, or only what is wanted."""
    repo = hub.readable(call)
    head = repo.resolve(call.params.get("revision", "main"))
    wanted = call.query.get("expand", [])
    if unknown := set(wanted) - EXPANDABLE:
        raise HubError(400, f"Invalid option for expand: {sorted(unknown)[0]!r}")
    if not wanted:
        siblings = _siblings(head, call.flag("blobs"))
        return JSONResponse({**describe(repo, head), "siblings": siblings})
    told = describe(repo, head)
    if "siblings" in wanted:
        told["siblings"] = _siblings(head, blobs=False)
    return JSONResponse({k: v for k, v in told.items() if k in {"_id", "id", *wanted}})


def auth_check(hub: Hub, call: Call) -> Response:
    """Answer whether the repository may be read."""
    hub.readable(call)
    return JSONResponse({})


def listing(hub: Hub, call: Call) -> Response:
    """List what the caller may see, by author, part of the name, or tags; newest change first."""
    told = []
    for repo in list(hub.repos.values()):
        if repo.kind != call.kind or not hub.can_read(call.caller, repo):
            continue
        described = describe(repo, repo.resolve("main"))
        if _selected(call, described):
            told.append(described)
    told.sort(key=lambda described: str(described["lastModified"]), reverse=True)
    limit = int(call.query.get("limit", [str(hub.page_size)])[0])
    return paged(call, told, min(limit, hub.page_size))


def duplicate(hub: Hub, call: Call) -> Response:
    """Copy a repository with its history; a Space's variables come along, its secrets never."""
    source = hub.readable(call)
    wanted = call.json()
    target = wanted["repository"]
    _may_create(call, source.kind, target.split("/")[0])
    _refuse_taken(hub, call, source.kind, target)
    space = None
    if source.space is not None:
        space = Space(source.space.sdk, variables=dict(source.space.variables))
        configure(space, wanted, hub.now())
    copy = replace(
        source,
        id=target,
        created_at=hub.now(),
        visibility=wanted.get("visibility", source.visibility),
        branches={"main": source.branches["main"]},
        tags={},
        pulls={},
        history=dict(source.history),
        lfs=dict(source.lfs),
        parts={},
        commit_times=deque(),
        space=space,
    )
    hub.repos[copy.key] = copy
    hub.moved.pop(copy.key, None)
    return JSONResponse({"url": _url(call, copy.kind, copy.id), "filesCopyPending": False})


def describe(repo: Repo, head: Commit) -> dict[str, Any]:
    """What the Hub tells about a repository in listings."""
    card: dict[str, Any] = {}
    readme = head.files.get("README.md")
    if readme is not None:
        with contextlib.suppress(CardError):
            card = front_matter(readme.data.decode(errors="replace"))
    tags = card.get("tags")
    described: dict[str, Any] = {
        "_id": repo.id,
        "id": repo.id,
        "author": repo.namespace,
        "sha": head.sha,
        "createdAt": iso(repo.created_at),
        "lastModified": iso(head.date),
        "private": repo.visibility == "private",
        "gated": repo.gated,
        "disabled": False,
        "tags": [str(tag) for tag in tags] if isinstance(tags, list) else [],
        "likes": 0,
        "downloads": 0,
        "cardData": card or None,
    }
    if repo.space is not None:
        described |= {"sdk": repo.space.sdk, "runtime": runtime_of(repo)}
    return described


def _siblings(head: Commit, blobs: bool) -> list[dict[str, Any]]:
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in sorted(head.files)]
    for sibling in siblings if blobs else []:
        blob = head.files[sibling["rfilename"]]
        sibling |= {"size": len(blob.data), "blobId": blob.oid}
        if blob.sha256 is not None:
            sibling["lfs"] = {
                "sha256": blob.sha256,
                "size": len(blob.data),
                "pointerSize": blob.pointer_size,
            }
    return siblings


def _selected(call: Call, described: dict[str, Any]) -> bool:
    query = call.query
    return (
        described["author"] in query.get("author", [described["author"]])
        and all(text.lower() in described["id"].lower() for text in query.get("search", []))
        and set(query.get("filter", [])) <= set(described["tags"])
    )


def _aimed(call: Call, wanted: dict[str, Any], namespace: str, name: str) -> Call:
    """The call as if its path had named the repository that its body names."""
    kind = wanted.get("type") or "model"
    owner = wanted.get(namespace) or (call.caller.name if call.caller else "")
    return replace(call, params={"kind": f"{kind}s", "namespace": owner, "name": wanted[name]})


def _may_create(call: Call, kind: str, namespace: str) -> None:
    if call.caller is None:
        raise repo_not_found(None)
    if not call.caller.can_write or not call.caller.belongs_to(namespace):
        raise HubError(
            403, f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"'
        )


def _refuse_taken(hub: Hub, call: Call, kind: str, repo_id: str) -> None:
    if (kind, repo_id) in hub.repos:
        raise HubError(409, f"You already created this {kind} repo", url=_url(call, kind, repo_id))


def _url(call: Call, kind: str, repo_id: str) -> str:
    return f"{call.base}/{URL_PREFIX[kind]}{repo_id}"


ROUTES = [
    Route("GET", r"/api/whoami-v2", "whoami", whoami),
    Route("POST", r"/api/repos/create", "create_repo", create),
    Route("DELETE", r"/api/repos/delete", "delete_repo", delete),
    Route("POST", r"/api/repos/move", "move_repo", move),
    Route("GET", r"/api/(?P<kind>models|datasets|spaces)", "list", listing),
    Route("GET", API, "info", info),
    Route("GET", rf"{API}/revision/(?P<revision>[^/]+)", "info", info),
    Route("PUT", rf"{API}/settings", "settings", settings),
    Route("GET", rf"{API}/auth-check", "auth_check", auth_check),
    Route("POST", rf"{API}/duplicate", "duplicate", duplicate),
]
