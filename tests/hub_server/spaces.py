"""What only Spaces have: secrets, variables and a runtime."""

from typing import Any

from starlette.responses import JSONResponse, Response

from tests.hub_server.repos import Repo, Setting, Space
from tests.hub_server.state import Hub
from tests.hub_server.wire import SPACE_API, Call, HubError, Route, iso


def get_secrets(hub: Hub, call: Call) -> Response:
    """List the secrets without their values."""
    return JSONResponse(_told(_space(hub, call).secrets, with_values=False))


def set_secret(hub: Hub, call: Call) -> Response:
    """Set a secret."""
    _set(_space(hub, call).secrets, call.json(), hub.now())
    return JSONResponse({})


def delete_secret(hub: Hub, call: Call) -> Response:
    """Remove a secret, if there is one."""
    _space(hub, call).secrets.pop(call.json()["key"], None)
    return JSONResponse({})


def get_variables(hub: Hub, call: Call) -> Response:
    """List the variables."""
    return JSONResponse(_told(_space(hub, call).variables, with_values=True))


def set_variable(hub: Hub, call: Call) -> Response:
    """Set a variable, and list all."""
    variables = _space(hub, call).variables
    _set(variables, call.json(), hub.now())
    return JSONResponse(_told(variables, with_values=True))


def delete_variable(hub: Hub, call: Call) -> Response:
    """Remove a variable, if there is one, and list those left."""
    variables = _space(hub, call).variables
    variables.pop(call.json()["key"], None)
    return JSONResponse(_told(variables, with_values=True))


def runtime(hub: Hub, call: Call) -> Response:
    """Tell what the Space is doing."""
    return JSONResponse(runtime_of(hub.readable(call)))


def restart(hub: Hub, call: Call) -> Response:
    """Start the Space again, also out of a pause."""
    space = _running(hub, call)
    space.stage = None
    space.restarts += 1
    return JSONResponse(runtime_of(hub.readable(call)))


def pause(hub: Hub, call: Call) -> Response:
    """Pause the Space."""
    _running(hub, call).stage = "PAUSED"
    return JSONResponse(runtime_of(hub.readable(call)))


def hardware(hub: Hub, call: Call) -> Response:
    """Ask for other hardware."""
    wanted = call.json()
    _running(hub, call).hardware = wanted["flavor"]
    return _sleep(hub, call, wanted.get("sleepTimeSeconds"))


def sleep_time(hub: Hub, call: Call) -> Response:
    """Set after how many idle seconds the Space goes to sleep."""
    return _sleep(hub, call, call.json()["seconds"])


def configure(space: Space, wanted: dict[str, Any], now: float) -> None:
    """Apply the Space options that come with a creation or a duplication."""
    space.hardware = wanted.get("hardware", space.hardware)
    space.sleep_time = wanted.get("sleepTimeSeconds", space.sleep_time)
    for entry in wanted.get("secrets", []):
        _set(space.secrets, entry, now)
    for entry in wanted.get("variables", []):
        _set(space.variables, entry, now)


def runtime_of(repo: Repo) -> dict[str, Any]:
    """The runtime as the Hub tells it: a Space runs as soon as it has an app file."""
    space = repo.space
    if space is None:
        raise HubError(404, "Not a Space")
    app = {"docker": "Dockerfile", "static": "README.md"}.get(space.sdk, "app.py")
    present = app in repo.resolve("main").files
    stage = space.stage or ("RUNNING" if present else "NO_APP_FILE")
    return {
        "stage": stage,
        "hardware": {
            "current": space.hardware if stage == "RUNNING" else None,
            "requested": space.hardware,
        },
        "storage": None,
        "gcTimeout": space.sleep_time,
        "replicas": {"requested": 1},
        "devMode": False,
        "domains": [{"domain": f"{repo.id.replace('/', '-')}.hf.space", "stage": "READY"}],
    }


def _space(hub: Hub, call: Call) -> Space:
    hub.writable(call)
    return hub.space(call.repo_id)


def _running(hub: Hub, call: Call) -> Space:
    space = _space(hub, call)
    if space.sdk == "static":
        raise HubError(400, "Static Spaces have no runtime to control")
    return space


def _sleep(hub: Hub, call: Call, seconds: int | None) -> Response:
    space = _running(hub, call)
    space.sleep_time = space.sleep_time if seconds is None else seconds
    return JSONResponse(runtime_of(hub.readable(call)))


def _set(entries: dict[str, Setting], wanted: dict[str, Any], now: float) -> None:
    entries[wanted["key"]] = Setting(wanted["value"], wanted.get("description"), now)


def _told(entries: dict[str, Setting], *, with_values: bool) -> dict[str, dict[str, str]]:
    told: dict[str, dict[str, str]] = {}
    for key, entry in entries.items():
        told[key] = {"updatedAt": iso(entry.updated_at)}
        if entry.description is not None:
            told[key]["description"] = entry.description
        if with_values:
            told[key]["value"] = entry.value
    return told


ROUTES = [
    Route("GET", rf"{SPACE_API}/secrets", "secrets", get_secrets),
    Route("POST", rf"{SPACE_API}/secrets", "secrets", set_secret),
    Route("DELETE", rf"{SPACE_API}/secrets", "secrets", delete_secret),
    Route("GET", rf"{SPACE_API}/variables", "variables", get_variables),
    Route("POST", rf"{SPACE_API}/variables", "variables", set_variable),
    Route("DELETE", rf"{SPACE_API}/variables", "variables", delete_variable),
    Route("GET", rf"{SPACE_API}/runtime", "runtime", runtime),
    Route("POST", rf"{SPACE_API}/restart", "restart", restart),
    Route("POST", rf"{SPACE_API}/pause", "pause", pause),
    Route("POST", rf"{SPACE_API}/hardware", "hardware", hardware),
    Route("POST", rf"{SPACE_API}/sleeptime", "sleep_time", sleep_time),
]
