"""Run the server by hand: `python -m tests.hub_server --port 8000 --user alice`."""

import argparse
import signal
import threading
from typing import cast, get_args

from tests.hub_server.accounts import Role
from tests.hub_server.server import HubServer


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a free one by default")
    parser.add_argument(
        "--user",
        action="append",
        default=[],
        metavar="NAME[:TOKEN[:ROLE]]",
        help="may be repeated; role is write, read or fineGrained",
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as tidily as by Ctrl-C
    with HubServer(port=arguments.port) as hub:
        print(f"HF_ENDPOINT={hub.url}")
        for user in arguments.user:
            name, _, rest = user.partition(":")
            token, _, role = rest.partition(":")
            if role and role not in get_args(Role):
                parser.error(f"role {role!r} is none of {', '.join(get_args(Role))}")
            token = hub.add_user(name, token or None, cast(Role, role or "write"))
            print(f"{name}: {token}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
