"""Signing in with this Hub: the OpenID Connect provider that a Space's sign-in button leads to.

Nobody is asked: whoever is `signing_in` consents at once, and grants all that was asked for but
what is in `withheld`.
"""

import secrets
import time
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.hub_server.state import Grant, Hub
from tests.hub_server.wire import Call, HubError, Route

CLIENT = "loopback-client"
CLIENT_SECRET = "loopback-secret"
_LASTS = 8 * 3600


@dataclass(frozen=True, slots=True)
class _Keys:
    key: RSAKey

    @property
    def public(self) -> dict[str, object]:
        return {**self.key.as_dict(private=False), "use": "sig", "alg": "RS256"}


@cache
def _keys() -> _Keys:
    return _Keys(RSAKey.generate_key(2048, {"kid": "loopback"}))


def metadata(hub: Hub, call: Call) -> Response:
    """Tell where everything is."""
    return JSONResponse(
        {
            "issuer": call.base,
            "authorization_endpoint": f"{call.base}/oauth/authorize",
            "token_endpoint": f"{call.base}/oauth/token",
            "jwks_uri": f"{call.base}/oauth/jwks",
            "userinfo_endpoint": f"{call.base}/oauth/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    )


def jwks(hub: Hub, call: Call) -> Response:
    """The key that identities are signed with."""
    return JSONResponse({"keys": [_keys().public]})


def authorize(hub: Hub, call: Call) -> Response:
    """Send the browser back with a code, as somebody who pressed “Authorize”."""
    asked = {name: values[0] for name, values in call.query.items()}
    if asked.get("client_id") != CLIENT or hub.signing_in is None:
        raise HubError(400, "Nobody signs in here")
    code = secrets.token_urlsafe(16)
    granted = frozenset(asked.get("scope", "").split()) - hub.withheld
    hub.grants[code] = Grant(hub.signing_in, granted, asked.get("nonce"))
    answer = urlencode({"code": code, "state": asked.get("state", "")})
    target = asked["redirect_uri"]
    return RedirectResponse(f"{target}{'&' if '?' in target else '?'}{answer}", 302)


def token(hub: Hub, call: Call) -> Response:
    """Change a code for a token, once."""
    form = {name: values[0] for name, values in call.form().items()}
    kind, _, basic = call.headers.get("authorization", "").partition(" ")
    name, _, secret = b64decode(basic).decode().partition(":") if kind == "Basic" else ("", "", "")
    if (unquote(name), unquote(secret)) != (CLIENT, CLIENT_SECRET):
        raise HubError(401, "invalid_client")
    grant = hub.grants.pop(form.get("code", ""), None)
    if grant is None:
        raise HubError(400, "invalid_grant")
    access = hub.accounts.add_token(
        grant.user, "write", f"hf_oauth_{secrets.token_hex(24)}", grant.scopes
    )
    now = int(time.time())
    claims = {
        "iss": call.base,
        "sub": grant.user,
        "aud": CLIENT,
        "iat": now,
        "exp": now + _LASTS,
        "nonce": grant.nonce,
        "name": grant.user.title(),
        "preferred_username": grant.user,
        "profile": f"{call.base}/{grant.user}",
        "picture": f"{call.base}/avatars/{grant.user}.svg",
    }
    return JSONResponse(
        {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": _LASTS,
            "scope": " ".join(sorted(grant.scopes)),
            "id_token": jwt.encode({"alg": "RS256", "kid": "loopback"}, claims, _keys().key),
        }
    )


ROUTES = [
    Route("GET", r"/\.well-known/openid-configuration", "openid", metadata),
    Route("GET", r"/oauth/jwks", "openid", jwks),
    Route("GET", r"/oauth/authorize", "openid", authorize),
    Route("POST", r"/oauth/token", "openid", token),
]
