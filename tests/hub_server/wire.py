"""What travels between the clients and the server: one call in, one reply or error out."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from tests.hub_server.accounts import Caller
from tests.hub_server.faults import Operation

if TYPE_CHECKING:
    from tests.hub_server.state import Hub

URL_PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}


class HubError(Exception):
    """A refusal, told the way the Hub does: a status, a text, and a code in a header.

    On a plain http endpoint the client recognises a missing repository, revision or file by the
    code alone.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        """Keep the parts of the reply; `extra` goes into its body."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}
        self.extra = extra

    def response(self) -> Response:
        """The reply that carries this error."""
        headers = {"X-Error-Message": self.message, **self.headers}
        if self.code is not None:
            headers["X-Error-Code"] = self.code
        return JSONResponse({"error": self.message, **self.extra}, self.status, headers)


def repo_not_found(caller: Caller | None) -> HubError:
    """The same for a missing and for a hidden repository; strangers without a token get 401."""
    if caller is None:
        return HubError(401, "Invalid username or password.", "RepoNotFound")
    return HubError(404, "Repository not found", "RepoNotFound")


def entry_not_found(message: str, commit: str) -> HubError:
    """Carries the commit too: the client remembers which files a commit does not have."""
    return HubError(404, message, "EntryNotFound", {"X-Repo-Commit": commit})


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated and routed. `path` is raw; `params` are its decoded parts."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Headers
    body: bytes
    base: str
    caller: Caller | None
    params: Mapping[str, str]

    @property
    def kind(self) -> str:
        """`model`, `dataset` or `space`; file URLs of models have no kind in their path."""
        return self.params.get("kind", "models").removesuffix("s")

    @property
    def repo_id(self) -> str:
        """Namespace and name."""
        return f"{self.params['namespace']}/{self.params['name']}"

    def json(self) -> dict[str, Any]:
        """The JSON body; an empty one reads as an empty object."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise HubError(400, f"Invalid JSON body: {error}") from error
        if not isinstance(value, dict):
            raise HubError(400, "Expected a JSON object")
        return value

    def form(self) -> dict[str, list[str]]:
        """The form-encoded body."""
        return parse_qs(self.body.decode())

    def flag(self, name: str) -> bool:
        """Whether a query parameter is set and does not say no."""
        return self.query.get(name, ["false"])[0].lower() in {"1", "true"}


Handler = Callable[["Hub", Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a pattern for the raw path; `operation` is the name faults are matched by."""

    method: str
    pattern: str
    operation: Operation
    handler: Handler


API = r"/api/(?P<kind>models|datasets|spaces)/(?P<namespace>[^/]+)/(?P<name>[^/]+)"
SPACE_API = r"/api/(?P<kind>spaces)/(?P<namespace>[^/]+)/(?P<name>[^/]+)"
STORAGE = r"/lfs/(?P<kind>models|datasets|spaces)/(?P<namespace>[^/]+)/(?P<name>[^/]+)/(?P<oid>\w+)"
FILES = r"(?:/(?P<kind>datasets|spaces))?/(?P<namespace>[^/]+)/(?P<name>[^/]+)"


def paged(call: Call, items: Sequence[object], size: int) -> Response:
    """One page of a listing, with a `Link` to the next while there is more."""
    start = int(call.query.get("cursor", ["0"])[0])
    response = JSONResponse(list(items[start : start + size]))
    if start + size < len(items):
        query = urlencode({**call.query, "cursor": start + size}, doseq=True)
        response.headers["Link"] = f'<{call.base}{call.path}?{query}>; rel="next"'
    return response


def iso(seconds: float) -> str:
    """A date in the only form the client parses."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
