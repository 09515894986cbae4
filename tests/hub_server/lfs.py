"""Large files on their way in: the tokens hf_xet asks for, and the plain LFS protocol."""

import hashlib
import math
import secrets
import time
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.hub_server.repos import Repo
from tests.hub_server.state import Hub
from tests.hub_server.wire import API, FILES, STORAGE, Call, HubError, Route
from tests.hub_server.xet import TOKEN_LIFETIME


def xet_write_token(hub: Hub, call: Call) -> Response:
    """Open a store for hf_xet; without this route it could send no large file at all."""
    repo = hub.writable(call, propose=call.flag("create_pr"))
    address = hub.stores.open(repo.key)
    token, expires = secrets.token_hex(16), int(time.time()) + TOKEN_LIFETIME
    return JSONResponse(
        {"casUrl": address, "accessToken": token, "exp": expires},
        headers={
            "X-Xet-Cas-Url": address,
            "X-Xet-Access-Token": token,
            "X-Xet-Token-Expiration": str(expires),
        },
    )


def batch(hub: Hub, call: Call) -> Response:
    """Say where to send each large file; one that is here already needs no sending."""
    repo = hub.writable(call)
    request = call.json()
    in_parts = "multipart" in request.get("transfers", [])
    objects = [
        {
            "oid": item["oid"],
            "size": item["size"],
            **_actions(hub, call, repo, item["oid"], item["size"] if in_parts else 0),
        }
        for item in request["objects"]
    ]
    return JSONResponse({"transfer": "multipart" if in_parts else "basic", "objects": objects})


def upload(hub: Hub, call: Call) -> Response:
    """Take a whole large file."""
    hub.check_signature(call)
    _store(_repo(hub, call), call.params["oid"], call.body)
    return Response()


def upload_part(hub: Hub, call: Call) -> Response:
    """Take one part; the client sends its ETag back when it has sent all."""
    hub.check_signature(call)
    parts = _repo(hub, call).parts.setdefault(call.params["oid"], {})
    parts[int(call.params["part"])] = call.body
    return Response(headers={"ETag": f'"{_etag(call.body)}"'})


def complete(hub: Hub, call: Call) -> Response:
    """Join the parts of a large file."""
    hub.check_signature(call)
    repo = _repo(hub, call)
    parts = repo.parts.get(call.params["oid"], {})
    for part in call.json()["parts"]:
        if part["etag"].strip('"') != _etag(parts.get(part["partNumber"], b"")):
            raise HubError(400, f"Part {part['partNumber']} is not what was sent")
    _store(repo, call.params["oid"], b"".join(parts[number] for number in sorted(parts)))
    repo.parts.pop(call.params["oid"], None)
    return Response()


def verify(hub: Hub, call: Call) -> Response:
    """Confirm that a large file is here in full."""
    repo = hub.writable(call)
    wanted = call.json()
    data = repo.lfs.get(wanted["oid"])
    if data is None or len(data) != wanted["size"]:
        raise HubError(404, f"No object {wanted['oid']} of {wanted['size']} bytes")
    return JSONResponse({"success": True})


def _actions(hub: Hub, call: Call, repo: Repo, oid: str, size: int) -> dict[str, Any]:
    """Where to send a file: in parts when `size` is more than one part can hold."""
    if oid in repo.lfs:
        return {}
    path = f"/lfs/{repo.kind}s/{repo.id}/{oid}"
    upload_to: dict[str, Any] = {"href": f"{call.base}{path}?{hub.sign(path)}"}
    if size > hub.lfs_part_size:
        count = math.ceil(size / hub.lfs_part_size)
        paths = {number: f"{path}/{number}" for number in range(1, count + 1)}
        upload_to["header"] = {
            "chunk_size": str(hub.lfs_part_size),
            **{str(number): f"{call.base}{p}?{hub.sign(p)}" for number, p in paths.items()},
        }
    verify_at = {"href": f"{call.base}{call.path.removesuffix('/objects/batch')}/verify"}
    return {"actions": {"upload": upload_to, "verify": verify_at}}


def _repo(hub: Hub, call: Call) -> Repo:
    try:
        return hub.repos[call.kind, call.repo_id]
    except KeyError:
        raise HubError(404, "No such repository") from None


def _store(repo: Repo, oid: str, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != oid:
        raise HubError(400, "The content does not have the announced SHA-256")
    repo.lfs[oid] = data


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


_LFS = rf"{FILES}\.git/info/lfs"

ROUTES = [
    Route("GET", rf"{API}/xet-write-token/(?P<revision>[^/]+)", "xet_token", xet_write_token),
    Route("POST", rf"{_LFS}/objects/batch", "lfs_batch", batch),
    Route("POST", rf"{_LFS}/verify", "lfs_verify", verify),
    Route("PUT", STORAGE, "lfs_upload", upload),
    Route("PUT", rf"{STORAGE}/(?P<part>\d+)", "lfs_upload", upload_part),
    Route("POST", STORAGE, "lfs_complete", complete),
]
