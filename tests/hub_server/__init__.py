"""A loopback server that speaks the Hub's HTTP protocol, for tests with the real clients.

Everything is kept in memory and everything is a test's to set, break and look at::

    with HubServer() as hub:
        token = hub.add_user("alice")
        api = HfApi(endpoint=hub.url, token=token)
        api.create_repo("alice/seeds", repo_type="dataset")
        hub.fail(Fault("commit", drop=True, applied=True))  # applied, but the reply is lost

In the same process pass `endpoint=hub.url` to `HfApi`; `huggingface_hub` reads `HF_ENDPOINT` only
when it is imported, so `datasets` needs a subprocess with `hub.client_env(token)`.

Large files work through hf_xet (see `xet`) as well as through the plain LFS protocol, which is what
clients use with `HF_HUB_DISABLE_XET=1` or when given a file object.

Not here: discussions (a pull request exists only as the `refs/pr/N` that `create_pr` makes), gated
access, `.gitignore` filtering, copies of LFS files between repositories, the dataset viewer.
"""

from tests.hub_server.faults import Fault
from tests.hub_server.repos import Commit
from tests.hub_server.server import HubServer
from tests.hub_server.state import Record

__all__ = ["Commit", "Fault", "HubServer", "Record"]
