"""The Hub's client, bounded, and its errors in words a person can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import httpx2
from huggingface_hub import HfApi, set_client_factory
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils._datetime import parse_datetime
from huggingface_hub.utils._http import (
    get_session,
    hf_raise_for_status,
    hf_request_event_hook,
    parse_ratelimit_headers,
)

from pipeline.core.errors import (
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    ProjectNotFound,
    RateLimited,
    SeedbedError,
    StoreUnavailable,
)

_TIMEOUT: Final = httpx2.Timeout(30, connect=10)
_LONGEST_WAIT: Final = 20.0
_SIGN_IN: Final = (
    "sign in with an account that may use it (on a command line: `hf auth login`, or set HF_TOKEN; "
    "the owner of a Space checks its secret HF_TOKEN)"
)
_OF_THE_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


class MovedOn(StoreUnavailable):
    """The branch has a newer commit than the one this commit was built on."""

    def __init__(self) -> None:
        super().__init__("Somebody else committed at the same time.", "Try again.")


def client(hub: str, token: str | None) -> HfApi:
    """A client that acts as ``token``; None is anonymous, whoever is logged in on the machine."""
    return HfApi(endpoint=hub, token=token or False, library_name="seedbed")


def commit_dates(api: HfApi, dataset: str) -> Iterator[datetime]:
    """When each commit of a dataset was made, newest first; pages are asked for when needed.

    The client's own ``list_repo_commits`` fetches the whole history before it returns, and tries
    for half a minute.
    """
    url: str | None = f"{api.endpoint}/api/datasets/{dataset}/commits/main"
    while url is not None:
        page = get_session().get(url, headers=api._build_hf_headers())
        hf_raise_for_status(page)
        for item in page.json():
            yield parse_datetime(item["date"])
        url = page.links.get("next", {}).get("url")


@contextmanager
def errors(name: str, *, signed_in: bool, reading: bool = False) -> Iterator[None]:
    """Turn what the client raises about the repository ``name`` into a ``SeedbedError``.

    When only ``reading``, a refusal says no more than that nothing was found: the Hub does not tell
    what is hidden from what is not there.
    """
    try:
        yield
    except SeedbedError:
        raise
    except RepositoryNotFoundError as error:
        hopeless = "Invalid credentials" in str(error)
        raise (_refused() if hopeless else not_found(name)) from error
    except HFValidationError as error:
        raise InvalidInput(f"{name}: {error}", "Use another name.") from error
    except HfHubHTTPError as error:
        if reading and _hides(error, signed_in=signed_in):
            raise not_found(name) from error
        raise _http_error(name, error, signed_in=signed_in) from error
    except LocalEntryNotFoundError as error:
        raise _away(name, "no answer") from error
    except (httpx2.HTTPError, OSError, RuntimeError, ValueError, KeyError) as error:
        # A proxy's page in place of the Hub's JSON is a ValueError or a KeyError.
        # Uploads of large files go through a client that raises built-in errors.
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise _disk(name, error) from error
        raise _away(name, str(error) or type(error).__name__) from error


def not_found(name: str) -> ProjectNotFound:
    """What can be said of a repository that the Hub does not show to these credentials."""
    return ProjectNotFound(
        f"There is no project {name} on the Hub, or it is private and you are not signed in with a "
        "token that may see it.",
        f"If it is there, {_SIGN_IN}; if not, make it with: python -m pipeline init {name}",
    )


def _hides(error: HfHubHTTPError, *, signed_in: bool) -> bool:
    status = error.response.status_code
    return status in (403, 404) or (status == 401 and not signed_in)


def _http_error(name: str, error: HfHubHTTPError, *, signed_in: bool) -> SeedbedError:
    status = error.response.status_code
    if status == 401:
        return _refused() if signed_in else _anonymous(name)
    if status == 403:
        return NotAllowed(
            f"This account or token may not write to {name}.",
            "Ask its owner for write access, or use a token with write permission.",
        )
    if status == 412:
        return MovedOn()
    if status == 429:
        return _rate_limited(error.response)
    if status in (400, 404, 413, 422):
        return InvalidInput(
            f"The Hub did not accept this for {name}: {error.server_message}.",
            "Nothing was written.",
        )
    return _away(name, f"it answered {status}")


def _away(name: str, why: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"The Hub cannot be reached for {name}: {why.rstrip('.')}.",
        "Nothing is lost; try again in a moment.",
    )


def _disk(name: str, error: OSError) -> StoreUnavailable:
    where = f" ({error.filename})" if error.filename else ""
    return StoreUnavailable(
        f"The disk of this machine refused a working copy of {name}: {error.strerror}{where}.",
        "Free some space or check its permissions, then run the same again.",
    )


def _refused() -> NotSignedIn:
    return NotSignedIn(
        "The Hub does not accept this token.",
        "Make a new one under Settings, Access Tokens, on the Hub, or sign in again; on a command "
        "line, with `hf auth login`. The owner of a Space puts it into its secret HF_TOKEN.",
    )


def _anonymous(name: str) -> NotSignedIn:
    return NotSignedIn(
        f"Nobody is signed in to use {name}.", f"{_SIGN_IN[0].upper()}{_SIGN_IN[1:]}."
    )


def _rate_limited(response: httpx2.Response) -> RateLimited:
    return RateLimited(
        "The Hub asks to wait: too many requests or commits within the hour.",
        _told_to_wait(response),
    )


def _told_to_wait(response: httpx2.Response) -> float | None:
    """Seconds the Hub asks to wait, by either of the headers its client obeys."""
    window = parse_ratelimit_headers(response.headers)
    if window is not None and window.remaining == 0:
        return float(window.reset_in_seconds)
    after = response.headers.get("Retry-After", "")
    return float(after) if after.isdigit() else None


def _refuse_long_waits(response: httpx2.Response) -> None:
    # The client would sleep as long as it is told to, an hour if need be.
    if response.status_code in (429, 503) and (_told_to_wait(response) or 0) > _LONGEST_WAIT:
        raise _rate_limited(response)


def bounded_client() -> httpx2.Client:
    """The HTTP client of this process: no wait is longer than a person would accept."""
    return httpx2.Client(
        event_hooks={"request": [hf_request_event_hook], "response": [_refuse_long_waits]},
        follow_redirects=True,
        timeout=_TIMEOUT,
    )


# One client serves the whole process; without this it waits for ever on a silent Hub.
set_client_factory(bounded_client)
