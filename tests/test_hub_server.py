"""The loopback Hub, as its real clients see it.

In-process tests give `HfApi` the endpoint; `datasets` and the environment switches of
`huggingface_hub` are read at import, so what depends on them runs in a subprocess.
"""

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    set_client_factory,
)
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._http import default_client_factory

from pipeline.core.hub import bounded_client
from tests.hub_server import Fault, HubServer

REPO = "alice/seeds"
DROPPED = (httpx2.RemoteProtocolError, httpx2.ReadError)


@pytest.fixture(autouse=True)
def _impatient() -> None:
    """The real client waits here as long as it does."""


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Fail a test that looks for another machine, and keep caches out of the user's home."""
    look_up = socket.getaddrinfo
    strays: list[object] = []

    def checked(host: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        if host not in {"127.0.0.1", "localhost"}:
            strays.append(host)
            raise OSError(f"a test tried to reach {host!r}")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", checked)
    # Otherwise the first request of a process fetches a list of agents from the real Hub.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # These tests are about the clients as they are installed, not as the product bounds them.
    set_client_factory(default_client_factory)
    yield
    set_client_factory(bounded_client)
    assert strays == []


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A server where alice, of the organisation acme, has an empty dataset."""
    with HubServer() as server:
        server.add_user("alice", token="alice-token", orgs=["acme"])
        server.create_repo(REPO)
        yield server


@pytest.fixture
def alice(hub: HubServer) -> HfApi:
    """Alice's client."""
    return HfApi(endpoint=hub.url, token="alice-token")


def client(hub: HubServer, name: str, **options: Any) -> HfApi:  # noqa: ANN401
    """A client for a new user."""
    return HfApi(endpoint=hub.url, token=hub.add_user(name, **options))


def put(api: HfApi, path: str, data: bytes, repo_id: str = REPO, **options: Any) -> str:  # noqa: ANN401
    """Commit one file and return the new head."""
    operations = [CommitOperationAdd(path, data)]
    commit = api.create_commit(
        repo_id, operations, commit_message=f"Add {path}", repo_type="dataset", **options
    )
    oid: str = commit.oid
    return oid


def fetch(api: HfApi, path: str, cache: Path, **options: Any) -> bytes:  # noqa: ANN401
    """Download one file and return its content."""
    local = api.hf_hub_download(REPO, path, repo_type="dataset", cache_dir=cache, **options)
    return Path(local).read_bytes()


def status_of(caught: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    """The HTTP status behind a client's exception."""
    return caught.value.response.status_code


def operations(hub: HubServer) -> list[str]:
    """The names of the operations requested so far."""
    return [record.operation for record in hub.requests]


def run(script: str, env: dict[str, str]) -> dict[str, Any]:
    """Run a client in a subprocess and return the JSON on the last line it prints."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


class TestPermissions:
    """Who may read and write."""

    def test_whoami_names_user_organisations_and_role(self, hub: HubServer, alice: HfApi) -> None:
        """A fine-grained token also lists what it covers."""
        reader = HfApi(endpoint=hub.url, token=hub.add_token("alice", "fineGrained"))
        assert alice.whoami()["name"] == "alice"
        assert [org["name"] for org in alice.whoami()["orgs"]] == ["acme"]
        assert alice.whoami()["auth"]["accessToken"]["role"] == "write"
        assert reader.whoami()["auth"]["accessToken"]["role"] == "fineGrained"

    def test_unknown_token_is_refused_and_not_taken_for_a_missing_repo(
        self, hub: HubServer
    ) -> None:
        """The client tells the two apart by the message in a header."""
        with pytest.raises(HfHubHTTPError, match="Invalid credentials") as caught:
            HfApi(endpoint=hub.url, token="wrong").repo_info(REPO, repo_type="dataset")
        assert status_of(caught) == 401
        assert not isinstance(caught.value, RepositoryNotFoundError)

    def test_read_token_reads_but_does_not_write(self, hub: HubServer) -> None:
        """Creating a repository is a write too."""
        reader = HfApi(endpoint=hub.url, token=hub.add_token("alice", "read"))
        assert reader.repo_exists(REPO, repo_type="dataset")
        with pytest.raises(HfHubHTTPError, match="write token") as caught:
            put(reader, "a.txt", b"a")
        assert status_of(caught) == 403
        with pytest.raises(HfHubHTTPError, match="rights to create") as caught:
            reader.create_repo("alice/more", repo_type="dataset")
        assert status_of(caught) == 403

    def test_stranger_does_not_write(self, hub: HubServer) -> None:
        """A write token is for its user's own namespaces."""
        with pytest.raises(HfHubHTTPError) as caught:
            put(client(hub, "mallory"), "a.txt", b"a")
        assert status_of(caught) == 403

    def test_anonymous_reads_but_does_not_write(self, hub: HubServer) -> None:
        """Without a token the refusal is 401."""
        nobody = HfApi(endpoint=hub.url, token=False)
        assert nobody.list_repo_files(REPO, repo_type="dataset") == [".gitattributes"]
        with pytest.raises(HfHubHTTPError) as caught:
            put(nobody, "a.txt", b"a")
        assert status_of(caught) == 401

    def test_member_writes_to_the_organisation(self, hub: HubServer, alice: HfApi) -> None:
        """An outsider neither creates nor commits there."""
        alice.create_repo("acme/seeds", repo_type="dataset")
        head = put(alice, "a.txt", b"a", "acme/seeds")
        assert hub.head("acme/seeds") == head
        with pytest.raises(HfHubHTTPError) as caught:
            client(hub, "mallory").create_repo("acme/more", repo_type="dataset")
        assert status_of(caught) == 403

    def test_private_repo_is_hidden(self, hub: HubServer, alice: HfApi) -> None:
        """To strangers it looks like a missing one, with 404 or, without a token, 401."""
        alice.update_repo_settings(REPO, private=True, repo_type="dataset")
        assert alice.repo_info(REPO, repo_type="dataset").private
        nobody = HfApi(endpoint=hub.url, token=False)
        for api, status in [(client(hub, "mallory"), 404), (nobody, 401)]:
            with pytest.raises(RepositoryNotFoundError) as caught:
                api.repo_info(REPO, repo_type="dataset")
            assert status_of(caught) == status
            assert not list(api.list_datasets(author="alice"))


class TestRepos:
    """Repositories as wholes."""

    def test_create_is_repeatable_only_with_exist_ok(self, alice: HfApi) -> None:
        """The refusal carries the URL that `exist_ok` answers with."""
        with pytest.raises(HfHubHTTPError) as caught:
            alice.create_repo(REPO, repo_type="dataset")
        assert status_of(caught) == 409
        assert alice.create_repo(REPO, repo_type="dataset", exist_ok=True).repo_id == REPO

    @pytest.mark.parametrize("kind", ["model", "dataset", "space"])
    def test_new_repo_has_an_initial_commit(self, alice: HfApi, kind: str) -> None:
        """The three kinds do not share names."""
        sdk = "gradio" if kind == "space" else None
        repo = alice.create_repo("alice/new", repo_type=kind, space_sdk=sdk, private=True)
        assert (repo.repo_type, repo.repo_id) == (kind, "alice/new")
        expected = [".gitattributes", "README.md"] if kind == "space" else [".gitattributes"]
        assert alice.list_repo_files("alice/new", repo_type=kind) == expected
        assert alice.repo_info("alice/new", repo_type=kind).private

    def test_deleted_repo_is_gone(self, alice: HfApi) -> None:
        """Deleting it again is an error unless the caller says otherwise."""
        alice.delete_repo(REPO, repo_type="dataset")
        assert not alice.repo_exists(REPO, repo_type="dataset")
        alice.delete_repo(REPO, repo_type="dataset", missing_ok=True)
        with pytest.raises(RepositoryNotFoundError):
            alice.delete_repo(REPO, repo_type="dataset")

    def test_moved_repo_redirects_reads_and_writes(self, hub: HubServer, alice: HfApi) -> None:
        """The old name goes on working, for a POST as well."""
        alice.move_repo(REPO, "acme/moved", repo_type="dataset")
        assert put(alice, "a.txt", b"a") == hub.head("acme/moved")
        assert alice.repo_info(REPO, repo_type="dataset").id == "acme/moved"

    def test_listing_selects_by_author_name_and_tag(self, hub: HubServer, alice: HfApi) -> None:
        """Tags are those of the card on `main`."""
        hub.create_repo("bob/seeds")
        hub.create_repo("alice/other")
        hub.write(REPO, {"README.md": b"---\ntags: [seedbed]\nlicense: mit\n---\n# Seeds\n"})
        assert {info.id for info in alice.list_datasets(author="alice")} == {REPO, "alice/other"}
        assert {info.id for info in alice.list_datasets(search="seeds")} == {REPO, "bob/seeds"}
        (info,) = alice.list_datasets(filter="seedbed")
        assert info.id == REPO
        assert info.card_data is not None
        assert info.card_data["license"] == "mit"

    def test_duplicate_copies_files_and_their_history(self, hub: HubServer, alice: HfApi) -> None:
        """Afterwards the two live apart."""
        hub.write(REPO, {"data/a.parquet": b"PAR1"})
        copy = alice.duplicate_repo(REPO, "alice/copy", repo_type="dataset")
        put(alice, "b.txt", b"b", "alice/copy")
        assert copy.repo_id == "alice/copy"
        assert hub.files("alice/copy") == {**hub.files(REPO), "b.txt": b"b"}
        assert len(hub.commits("alice/copy")) == len(hub.commits(REPO)) + 1


class TestReading:
    """Trees, references and files."""

    def test_second_download_asks_but_does_not_fetch(
        self, hub: HubServer, alice: HfApi, tmp_path: Path
    ) -> None:
        """The ETag of a HEAD is enough, for a regular file and for a large one."""
        hub.write(REPO, {"a.txt": b"text", "a.parquet": b"PAR1"})
        for path, content in [("a.txt", b"text"), ("a.parquet", b"PAR1")]:
            assert fetch(alice, path, tmp_path) == content
            hub.clear_requests()
            assert fetch(alice, path, tmp_path) == content
            assert [record.method for record in hub.requests] == ["HEAD"]

    def test_large_file_comes_from_another_origin_without_the_token(
        self, hub: HubServer, alice: HfApi, tmp_path: Path
    ) -> None:
        """Its link works by itself, also for a private repository."""
        alice.update_repo_settings(REPO, private=True, repo_type="dataset")
        hub.write(REPO, {"a.parquet": b"PAR1"})
        assert fetch(alice, "a.parquet", tmp_path) == b"PAR1"
        by_operation = {record.operation: record for record in hub.requests}
        assert by_operation["resolve"].user == "alice"
        assert by_operation["lfs_download"].user is None
        forged = httpx2.get(hub.url + by_operation["lfs_download"].path)
        assert forged.status_code == 403

    def test_missing_file_and_revision_are_told_apart(self, alice: HfApi, tmp_path: Path) -> None:
        """A missing file comes with the commit that lacks it."""
        with pytest.raises(RemoteEntryNotFoundError) as caught:
            fetch(alice, "none.txt", tmp_path)
        assert caught.value.response.headers["X-Repo-Commit"]
        with pytest.raises(RevisionNotFoundError):
            fetch(alice, "none.txt", tmp_path, revision="none")
        with pytest.raises(RemoteEntryNotFoundError):
            list(alice.list_repo_tree(REPO, "none", repo_type="dataset"))

    def test_listing_follows_pages(self, hub: HubServer, alice: HfApi) -> None:
        """Every page but the last links to the next."""
        hub.page_size = 4
        hub.write(REPO, {f"data/{number}.txt": b"x" for number in range(10)})
        assert len(alice.list_repo_files(REPO, repo_type="dataset")) == 11
        assert operations(hub) == ["tree"] * 3
        assert len(alice.list_repo_commits(REPO, repo_type="dataset")) == 2

    def test_tree_lists_directories_and_last_commits(self, hub: HubServer, alice: HfApi) -> None:
        """Names that need escaping included."""
        hub.write(REPO, {"a b/ü#.txt": b"1", "c/d/e.parquet": b"2"}, message="first")
        hub.write(REPO, {"c/d/f.txt": b"3"}, message="second")
        tree = list(alice.list_repo_tree(REPO, repo_type="dataset", recursive=True, expand=True))
        titles = {entry.path: entry.last_commit["title"] for entry in tree if entry.last_commit}
        assert titles == {
            ".gitattributes": "initial commit",
            "a b": "first",
            "a b/ü#.txt": "first",
            "c": "second",
            "c/d": "second",
            "c/d/e.parquet": "first",
            "c/d/f.txt": "second",
        }
        below = alice.list_repo_tree(REPO, "c/d", repo_type="dataset")
        assert [entry.path for entry in below] == ["c/d/e.parquet", "c/d/f.txt"]
        paths = ["c", "a b/ü#.txt", "none"]
        infos = alice.get_paths_info(REPO, paths, repo_type="dataset")
        assert {entry.path for entry in infos} == {"c", "a b/ü#.txt"}

    def test_part_of_a_file_is_read(self, hub: HubServer, alice: HfApi) -> None:
        """From a regular file and through the redirect of a large one."""
        content = bytes(range(256)) * 4
        hub.write(REPO, {"a.txt": b"0123456789", "a.bin": content})
        files = HfFileSystem(endpoint=hub.url, token=alice.token, skip_instance_cache=True)
        with files.open(f"datasets/{REPO}/a.bin", "rb", block_size=100) as file:
            file.seek(300)
            assert file.read(5) == content[300:305]
        assert files.cat_file(f"datasets/{REPO}/a.txt", start=2, end=5) == b"234"
        assert 206 in {record.status for record in hub.requests}
        url = f"{hub.url}/datasets/{REPO}/resolve/main/a.txt"
        part = httpx2.get(url, headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.text) == (206, "234")
        assert part.headers["Content-Range"] == "bytes 2-4/10"
        beyond = httpx2.get(url, headers={"Range": "bytes=10-"})
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")

    def test_every_kind_of_revision_is_readable(
        self, hub: HubServer, alice: HfApi, tmp_path: Path
    ) -> None:
        """Branch, tag, hash and pull request, whose names travel as one escaped segment."""
        first = put(alice, "a.txt", b"1")
        alice.create_branch(REPO, branch="side/one", repo_type="dataset")
        alice.create_tag(REPO, tag="v1", repo_type="dataset")
        pull = alice.create_commit(
            REPO,
            [CommitOperationAdd("a.txt", b"3")],
            commit_message="Propose",
            repo_type="dataset",
            create_pr=True,
        )
        put(alice, "a.txt", b"2")
        put(alice, "a.txt", b"4", revision="side/one")
        expected = {"main": b"2", "v1": b"1", first: b"1", "refs/pr/1": b"3", "side/one": b"4"}
        for revision, content in expected.items():
            assert fetch(alice, "a.txt", tmp_path, revision=revision) == content
        refs = alice.list_repo_refs(REPO, repo_type="dataset", include_pull_requests=True)
        assert {ref.name for ref in refs.branches} == {"main", "side/one"}
        assert [ref.name for ref in refs.tags] == ["v1"]
        assert pull.pr_revision == "refs/pr/1"
        assert [ref.ref for ref in refs.pull_requests or []] == ["refs/pr/1"]
        with pytest.raises(HfHubHTTPError) as caught:
            alice.create_branch(REPO, branch="side/one", repo_type="dataset")
        assert status_of(caught) == 409
        alice.delete_branch(REPO, branch="side/one", repo_type="dataset")
        alice.delete_tag(REPO, tag="v1", repo_type="dataset")
        refs = alice.list_repo_refs(REPO, repo_type="dataset")
        assert [ref.name for ref in [*refs.branches, *refs.tags]] == ["main"]

    def test_snapshot_has_every_file(self, hub: HubServer, alice: HfApi, tmp_path: Path) -> None:
        """Regular and large."""
        hub.write(REPO, {"a.txt": b"1", "data/b.parquet": b"2"})
        folder = Path(alice.snapshot_download(REPO, repo_type="dataset", cache_dir=tmp_path))
        found = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        assert found == hub.files(REPO)

    def test_rate_limit_is_told_and_on_demand_enforced(self, hub: HubServer, alice: HfApi) -> None:
        """Refused requests say that nothing is left, which is what the client waits on."""
        hub.rate_limits["api"] = 1
        url = f"{hub.url}/api/datasets/{REPO}"
        assert httpx2.get(url).headers["RateLimit"].startswith('"api";r=1;t=')
        assert httpx2.get(url).status_code == 200
        hub.enforce_rate_limits = True
        with pytest.raises(HfHubHTTPError, match="'api' rate limit"):
            HfApi(endpoint=hub.url, token=False).repo_info(REPO, repo_type="dataset")
        hub.advance(301)
        assert httpx2.get(url).headers["RateLimit"].startswith('"api";r=0;t=')


class TestCommits:
    """Writing, and what refuses it."""

    def test_commit_applies_all_operations(self, hub: HubServer, alice: HfApi) -> None:
        """Adding, copying, deleting a file, deleting a folder."""
        hub.write(REPO, {"old.txt": b"1", "gone/a.txt": b"2", "gone/b.txt": b"3", "c.bin": b"4"})
        alice.create_commit(
            REPO,
            [
                CommitOperationAdd("new.txt", b"5"),
                CommitOperationCopy("c.bin", "copy.bin"),
                CommitOperationDelete("old.txt"),
                CommitOperationDelete("gone/"),
            ],
            commit_message="Title",
            commit_description="Body",
            repo_type="dataset",
        )
        files = hub.files(REPO)
        del files[".gitattributes"]
        assert files == {"new.txt": b"5", "c.bin": b"4", "copy.bin": b"4"}
        newest = alice.list_repo_commits(REPO, repo_type="dataset")[0]
        assert (newest.title, newest.message, newest.authors) == ("Title", "Body", ["alice"])

    def test_commit_on_an_old_parent_is_refused(self, hub: HubServer, alice: HfApi) -> None:
        """Nothing of it is applied."""
        parent = hub.head(REPO)
        moved = hub.write(REPO, {"theirs.txt": b"1"}, user="bob")
        with pytest.raises(HfHubHTTPError, match="branch was updated") as caught:
            put(alice, "mine.txt", b"2", parent_commit=parent)
        assert status_of(caught) == 412
        assert hub.head(REPO) == moved
        assert put(alice, "mine.txt", b"2", parent_commit=moved) == hub.head(REPO)

    def test_one_of_many_commits_on_the_same_parent_wins(
        self, hub: HubServer, alice: HfApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The check and the change are one step, however long it takes."""
        monkeypatch.setattr(hub, "check_quota", lambda repo: time.sleep(0.02))
        parent = hub.head(REPO)

        def attempt(number: int) -> bool:
            try:
                put(alice, f"{number}.txt", b"x", parent_commit=parent)
            except HfHubHTTPError as error:
                assert error.response.status_code == 412
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(16))) == 1
        assert len(hub.commits(REPO)) == 2

    def test_same_content_makes_no_commit(self, hub: HubServer, alice: HfApi) -> None:
        """The client learns from the preupload that nothing has changed."""
        put(alice, "a.txt", b"1")
        put(alice, "a.parquet", b"2")
        head = hub.head(REPO)
        hub.clear_requests()
        assert put(alice, "a.txt", b"1") == put(alice, "a.parquet", b"2") == head
        assert "commit" not in operations(hub)

    def test_deleting_a_missing_file_fails(self, alice: HfApi) -> None:
        """As a missing entry."""
        with pytest.raises(RemoteEntryNotFoundError, match="doesn't exist"):
            alice.delete_file("none.txt", REPO, repo_type="dataset")

    def test_unknown_large_file_is_refused(self, hub: HubServer, alice: HfApi) -> None:
        """A commit cannot name content that was never sent."""
        lines = [
            {"key": "header", "value": {"summary": "Add"}},
            {"key": "lfsFile", "value": {"path": "a.bin", "algo": "sha256", "oid": "0" * 64}},
        ]
        reply = httpx2.post(
            f"{hub.url}/api/datasets/{REPO}/commit/main",
            content="\n".join(json.dumps(line) for line in lines),
            headers={"Authorization": f"Bearer {alice.token}"},
        )
        assert reply.status_code == 400
        assert len(hub.commits(REPO)) == 1

    def test_card_that_is_not_yaml_is_refused(self, alice: HfApi) -> None:
        """Before the commit is made."""
        with pytest.raises(ValueError, match="Invalid metadata"):
            put(alice, "README.md", b"---\ntags: [\n---\n")

    def test_quota_refuses_until_the_hour_has_passed(self, hub: HubServer, alice: HfApi) -> None:
        """For one repository, not for its neighbours."""
        hub.commit_quota = 2
        hub.create_repo("alice/other")
        put(alice, "1.txt", b"x")
        hub.advance(1800)
        put(alice, "2.txt", b"x")
        with pytest.raises(HfHubHTTPError, match=r"commits \(2 per hour\)") as caught:
            put(alice, "3.txt", b"x")
        assert status_of(caught) == 429
        assert "Retry-After" not in caught.value.response.headers
        assert ";r=0;" not in caught.value.response.headers["RateLimit"]
        put(alice, "3.txt", b"x", "alice/other")
        hub.commit_retry_after = True
        with pytest.raises(HfHubHTTPError) as caught:
            put(alice, "3.txt", b"x")
        assert 1790 <= int(caught.value.response.headers["Retry-After"]) <= 1800
        hub.advance(1801)
        assert put(alice, "3.txt", b"x") == hub.head(REPO)

    def test_clock_dates_the_commits(self, hub: HubServer, alice: HfApi) -> None:
        """It can be replaced while the server runs."""
        hub.clock = lambda: 1_000_000_000.5
        put(alice, "a.txt", b"x")
        newest = alice.list_repo_commits(REPO, repo_type="dataset")[0]
        assert newest.created_at.isoformat() == "2001-09-09T01:46:40.500000+00:00"

    def test_squash_leaves_one_commit(self, hub: HubServer, alice: HfApi) -> None:
        """With the same files."""
        put(alice, "a.txt", b"x")
        before = hub.files(REPO)
        alice.super_squash_history(REPO, repo_type="dataset")
        assert (len(hub.commits(REPO)), hub.files(REPO)) == (1, before)


class TestLargeFiles:
    """The three ways a large file comes in."""

    @pytest.fixture
    def parquet(self, tmp_path: Path) -> bytes:
        """A genuine one, with repetition that hf_xet compresses."""
        arrow: Any = pytest.importorskip("pyarrow")
        tables: Any = pytest.importorskip("pyarrow.parquet")
        table = arrow.table({"n": list(range(50_000)), "s": ["a word", "another"] * 25_000})
        tables.write_table(table, tmp_path / "a.parquet", compression="none")
        return (tmp_path / "a.parquet").read_bytes()

    def test_round_trip_through_xet(
        self, hub: HubServer, alice: HfApi, parquet: bytes, tmp_path: Path
    ) -> None:
        """Bytes and paths go this way; a second version shares most of its chunks."""
        put(alice, "data/a.parquet", parquet)
        put(alice, "data/a.parquet", parquet + b"more")
        put(alice, "data/b.parquet", parquet)
        assert operations(hub).count("xet_token") == 3
        assert hub.files(REPO)["data/a.parquet"] == parquet + b"more"
        assert fetch(alice, "data/b.parquet", tmp_path) == parquet
        (info,) = alice.get_paths_info(REPO, "data/b.parquet", repo_type="dataset")
        assert getattr(info, "size", None) == len(parquet)

    @pytest.mark.filterwarnings("ignore:Use 'content=")  # the client's own
    @pytest.mark.parametrize("part_size", [10**9, 100_000])
    def test_round_trip_through_lfs(
        self, hub: HubServer, alice: HfApi, parquet: bytes, tmp_path: Path, part_size: int
    ) -> None:
        """A file object goes this way, whole or in parts."""
        hub.lfs_part_size = part_size
        operation = CommitOperationAdd("a.parquet", io.BytesIO(parquet))
        alice.create_commit(REPO, [operation], commit_message="Add", repo_type="dataset")
        assert "lfs_verify" in operations(hub)
        assert ("lfs_complete" in operations(hub)) == (part_size < len(parquet))
        assert fetch(alice, "a.parquet", tmp_path) == parquet

    def test_folder_upload(self, hub: HubServer, alice: HfApi, tmp_path: Path) -> None:
        """Regular and large files together, in one commit."""
        for name in ("a.txt", "b.parquet", "sub/c.bin"):
            path = tmp_path / "folder" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() * 1000)
        alice.upload_folder(repo_id=REPO, folder_path=tmp_path / "folder", repo_type="dataset")
        assert hub.files(REPO)["sub/c.bin"] == b"sub/c.bin" * 1000
        assert len(hub.commits(REPO)) == 2

    def test_folder_upload_without_xet(self, hub: HubServer, tmp_path: Path) -> None:
        """With the switch that only a fresh process reads."""
        (tmp_path / "a.parquet").write_bytes(b"PAR1")
        script = f"""
import json
from huggingface_hub import HfApi
HfApi().upload_folder(repo_id={REPO!r}, folder_path={str(tmp_path)!r}, repo_type="dataset")
print(json.dumps({{}}))
"""
        run(script, hub.client_env("alice-token", xet=False))
        assert hub.files(REPO)["a.parquet"] == b"PAR1"
        assert "lfs_upload" in operations(hub)
        assert "xet_token" not in operations(hub)


def test_datasets_pushes_loads_and_streams(hub: HubServer) -> None:
    """Two configurations in one repository, read back by name."""
    script = f"""
import json
from datasets import Dataset, load_dataset
Dataset.from_dict({{"n": [1, 2, 3]}}).push_to_hub({REPO!r}, "numbers")
Dataset.from_dict({{"s": ["a", "b"]}}).push_to_hub({REPO!r}, "words", split="test")
print(json.dumps({{
    "loaded": load_dataset({REPO!r}, "numbers", split="train")["n"][:],
    "streamed": list(load_dataset({REPO!r}, "words", split="test", streaming=True)),
}}))
"""
    answer = run(script, hub.client_env("alice-token"))
    assert answer == {"loaded": [1, 2, 3], "streamed": [{"s": "a"}, {"s": "b"}]}
    assert {"README.md", "numbers/train-00000-of-00001.parquet"} <= hub.files(REPO).keys()
    strays = [record.path for record in hub.requests if record.operation == "unknown"]
    assert all("://datasets-server." in path for path in strays), strays


class TestSpaces:
    """Secrets, variables and the runtime."""

    @pytest.fixture
    def space(self, alice: HfApi) -> str:
        """A Space made with a secret and a variable."""
        return alice.create_repo(
            "alice/app",
            repo_type="space",
            space_sdk="gradio",
            space_secrets=[{"key": "TOKEN", "value": "hidden", "description": "Of the Hub"}],
            space_variables=[{"key": "MODE", "value": "fast"}],
        ).repo_id

    def test_secret_values_never_come_back(self, hub: HubServer, alice: HfApi, space: str) -> None:
        """Only the test sees them."""
        alice.add_space_secret(space, "OTHER", "secret too")
        told = alice.get_space_secrets(space)
        assert {key: secret.description for key, secret in told.items()} == {
            "TOKEN": "Of the Hub",
            "OTHER": None,
        }
        reply = httpx2.get(
            f"{hub.url}/api/spaces/{space}/secrets",
            headers={"Authorization": f"Bearer {alice.token}"},
        )
        assert "hidden" not in reply.text
        assert hub.secrets(space) == {"TOKEN": "hidden", "OTHER": "secret too"}
        alice.delete_space_secret(space, "OTHER")
        assert hub.secrets(space) == {"TOKEN": "hidden"}

    def test_variables_are_set_and_removed(self, hub: HubServer, alice: HfApi, space: str) -> None:
        """Every call answers with all of them."""
        told = alice.add_space_variable(space, "SIZE", "big")
        assert {key: variable.value for key, variable in told.items()} == {
            "MODE": "fast",
            "SIZE": "big",
        }
        assert set(alice.delete_space_variable(space, "MODE")) == {"SIZE"}
        assert hub.variables(space) == {"SIZE": "big"}
        assert set(alice.get_space_variables(space)) == {"SIZE"}

    def test_stranger_sees_no_settings(self, hub: HubServer, space: str) -> None:
        """Not even the names of secrets."""
        with pytest.raises(HfHubHTTPError) as caught:
            client(hub, "mallory").get_space_secrets(space)
        assert status_of(caught) == 403

    def test_runtime_follows_the_app_file_and_the_owner(
        self, hub: HubServer, alice: HfApi, space: str
    ) -> None:
        """A stage can also be forced, to see how a client takes a failed build."""
        assert alice.get_space_runtime(space).stage == "NO_APP_FILE"
        hub.write(space, {"app.py": b""}, repo_type="space")
        assert alice.get_space_runtime(space).stage == "RUNNING"
        assert alice.pause_space(space).stage == "PAUSED"
        assert alice.restart_space(space).stage == "RUNNING"
        assert hub.space(space).restarts == 1
        hub.space(space).stage = "BUILD_ERROR"
        assert alice.get_space_runtime(space).stage == "BUILD_ERROR"

    def test_duplicate_takes_variables_but_no_secrets(self, hub: HubServer, space: str) -> None:
        """The new owner sets their own."""
        hub.write(space, {"app.py": b"print()"}, repo_type="space")
        bob = client(hub, "bob")
        copy = bob.duplicate_repo(
            space, repo_type="space", space_secrets=[{"key": "MINE", "value": "1"}]
        )
        assert copy.repo_id == "bob/app"
        assert hub.files("bob/app", "space") == hub.files(space, "space")
        assert hub.variables("bob/app") == {"MODE": "fast"}
        assert hub.secrets("bob/app") == {"MINE": "1"}


class TestFaults:
    """Each fault as the client meets it."""

    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_refused_commit_raises_at_once(self, hub: HubServer, alice: HfApi, status: int) -> None:
        """The client does not repeat a commit; the next one finds all well."""
        fault = hub.fail(Fault("commit", status=status))
        with pytest.raises(HfHubHTTPError) as caught:
            put(alice, "a.txt", b"x")
        assert status_of(caught) == status
        assert (len(hub.commits(REPO)), fault.hits) == (1, 1)
        assert put(alice, "a.txt", b"x") == hub.head(REPO)

    def test_dropped_commit_is_not_applied(self, hub: HubServer, alice: HfApi) -> None:
        """The exception is not one of the Hub's."""
        hub.fail(Fault("commit", drop=True))
        with pytest.raises(DROPPED):
            put(alice, "a.txt", b"x")
        assert len(hub.commits(REPO)) == 1
        assert hub.requests[-1].status is None

    def test_lost_reply_leaves_a_commit_to_be_found(self, hub: HubServer, alice: HfApi) -> None:
        """Reading the head again shows it, and repeating the commit adds none."""
        hub.fail(Fault("commit", drop=True, applied=True))
        with pytest.raises(DROPPED):
            put(alice, "a.txt", b"x")
        assert alice.repo_info(REPO, repo_type="dataset").sha == hub.head(REPO)
        assert put(alice, "a.txt", b"x") == hub.head(REPO)
        assert len(hub.commits(REPO)) == 2

    def test_applied_commit_can_answer_500(self, hub: HubServer, alice: HfApi) -> None:
        """It looks like a refusal and is none."""
        hub.fail(Fault("commit", status=500, applied=True))
        with pytest.raises(HfHubHTTPError) as caught:
            put(alice, "a.txt", b"x")
        assert status_of(caught) == 500
        assert hub.files(REPO)["a.txt"] == b"x"

    def test_retried_operation_waits_as_told(self, hub: HubServer, alice: HfApi) -> None:
        """One second more than Retry-After, without the caller knowing."""
        hub.fail(Fault("preupload", status=429, retry_after=0))
        begun = time.monotonic()
        put(alice, "a.txt", b"x")
        assert time.monotonic() - begun >= 1
        statuses = [record.status for record in hub.requests if record.operation == "preupload"]
        assert statuses == [429, 200]

    def test_failing_head_serves_the_stale_copy(
        self, hub: HubServer, alice: HfApi, tmp_path: Path
    ) -> None:
        """Faults can be aimed by method and path."""
        hub.write(REPO, {"a.txt": b"old"})
        fetch(alice, "a.txt", tmp_path)
        hub.write(REPO, {"a.txt": b"new"})
        fault = hub.fail(Fault(method="HEAD", path=r"/resolve/main/a\.txt$", status=503))
        assert fetch(alice, "a.txt", tmp_path) == b"old"
        assert fault.hits == 1
        assert fetch(alice, "a.txt", tmp_path) == b"new"

    def test_slow_answer_is_slow_for_one_operation(self, hub: HubServer, alice: HfApi) -> None:
        """Until it is cleared."""
        hub.fail(Fault("info", latency=0.3, times=None))
        begun = time.monotonic()
        alice.repo_info(REPO, repo_type="dataset")
        alice.list_repo_refs(REPO, repo_type="dataset")
        assert 0.3 <= time.monotonic() - begun < 0.6
        hub.clear_faults()
        begun = time.monotonic()
        alice.repo_info(REPO, repo_type="dataset")
        assert time.monotonic() - begun < 0.3

    def test_fault_can_spare_the_first(self, hub: HubServer, alice: HfApi) -> None:
        """To fail in the middle of a series."""
        hub.fail(Fault("commit", status=503, skip=1, times=2))
        outcomes = []
        for number in range(4):
            try:
                put(alice, f"{number}.txt", b"x")
                outcomes.append(True)
            except HfHubHTTPError:
                outcomes.append(False)
        assert outcomes == [True, False, False, True]

    def test_fault_without_an_effect_is_refused(self) -> None:
        """It would be a test that tests nothing."""
        with pytest.raises(ValueError, match="status, drop or latency"):
            Fault("commit", times=3)
        with pytest.raises(ValueError, match="unknown operation 'comit'"):
            Fault("comit", status=500)  # type: ignore[arg-type]

    def test_outage_drops_everything_and_ends(self, hub: HubServer, alice: HfApi) -> None:
        """Whatever other faults there are."""
        with hub.outage():
            with pytest.raises(DROPPED):
                alice.whoami()
            with pytest.raises(DROPPED):
                alice.repo_info(REPO, repo_type="dataset")
        assert alice.whoami()["name"] == "alice"

    def test_stopped_server_refuses_and_comes_back_with_all_it_knew(
        self, hub: HubServer, alice: HfApi
    ) -> None:
        """At the same address."""
        head = put(alice, "a.txt", b"x")
        hub.stop()
        with pytest.raises(httpx2.ConnectError):
            alice.repo_info(REPO, repo_type="dataset")
        hub.start()
        assert alice.repo_info(REPO, repo_type="dataset").sha == head


def test_bad_request_is_one_for_the_client(hub: HubServer, alice: HfApi) -> None:
    """A static Space has nothing to restart."""
    alice.create_repo("alice/page", repo_type="space", space_sdk="static")
    with pytest.raises(BadRequestError):
        alice.restart_space("alice/page")


def test_server_runs_from_the_command_line() -> None:
    """It prints the endpoint, then its users and their tokens."""
    command = [sys.executable, "-m", "tests.hub_server", "--user", "alice:secret:read"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
        assert process.stdout.readline().strip() == "alice: secret"
        told = HfApi(endpoint=endpoint, token="secret").whoami()
        process.terminate()
    assert told["auth"]["accessToken"]["role"] == "read"
