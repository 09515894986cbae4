"""The Hub on a socket."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.hub_server.app import HubApp
from tests.hub_server.openid import CLIENT, CLIENT_SECRET
from tests.hub_server.state import Hub
from tests.loopback import HOST, Loopback


class HubServer(Hub):
    """A `Hub` that serves clients from a thread of its own, from `start` to `stop`.

    As a context manager it does both, and removes its temporary directory at the end. After `stop`
    connections are refused; `start` brings it back at the same address with all it knew.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        page_size: int = 1000,
        commit_quota: int | None = 128,
        commit_retry_after: bool = False,
        lfs_part_size: int = 16 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take a port, a free one when 0, and the settings of `Hub`."""
        super().__init__(
            page_size=page_size,
            commit_quota=commit_quota,
            commit_retry_after=commit_retry_after,
            lfs_part_size=lfs_part_size,
            clock=clock,
        )
        self._loopback = Loopback(HubApp(self), port)

    @property
    def port(self) -> int:
        """Where it listens; 0 until it was started, unless one was given."""
        return self._loopback.port

    @property
    def url(self) -> str:
        """The endpoint to give to clients, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and remove the temporary directory."""
        self.stop()
        self._directory.cleanup()

    def start(self) -> Self:
        """Begin to serve; on a free port the first time, unless one was given."""
        self._loopback.start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on; what was stored stays."""
        self._loopback.stop()

    def sign_in_env(self, space: str, scopes: str) -> dict[str, str]:
        """Environment of a Space whose visitors sign in here, to be laid over `client_env`.

        Set `signing_in` to whoever shall press the button.
        """
        return {
            "SYSTEM": "spaces",
            "SPACE_ID": space,
            "OAUTH_CLIENT_ID": CLIENT,
            "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
            "OAUTH_SCOPES": scopes,
            "OPENID_PROVIDER_URL": self.url,
        }

    def client_env(self, token: str | None = None, *, xet: bool = True) -> dict[str, str]:
        """Environment for a client in a subprocess, to be laid over `os.environ`.

        Each call gives an empty cache of its own, so that nothing is read from the user's. Without
        `xet` large files are sent by the plain LFS protocol. This server poses as the proxy to all
        other hosts, which it answers with 404: `datasets` asks its viewer on a host of its own, and
        nothing must leave the machine.
        """
        home = Path(tempfile.mkdtemp(dir=self.directory, prefix="home-"))
        loopback = "127.0.0.1,localhost"
        return {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": token or "",
            "HF_HOME": str(home),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_XET_CACHE": str(home / "xet"),
            "HF_ASSETS_CACHE": str(home / "assets"),
            "HF_DATASETS_CACHE": str(home / "datasets"),
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "0" if xet else "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), self.url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), loopback),
        }
