"""Making, reopening and saving projects."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import Conflict, InvalidInput, NotSignedIn, ProjectNotFound
from pipeline.core.projects import (
    load_feedback,
    load_project,
    load_seed,
    make_project,
    open_store,
    require_project,
    save_seed,
)
from pipeline.core.samples import COLUMNS, read_samples, to_parquet
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.web.visitor import Visitor, writing_store
from tests.factories import a_sample, a_seed, fill, thumb


def test_a_project_is_a_folder_or_a_name() -> None:
    for name in ("./x", "../x", "/x", "~/x"):
        assert isinstance(open_store(Settings(project=name)), FolderStore)
    assert isinstance(open_store(Settings(project="ana/farming")), HubStore)
    with pytest.raises(InvalidInput, match="names no project"):
        open_store(Settings(project="farming"))


def test_making_a_project_again_leaves_it_alone(folder: Path) -> None:
    store = FolderStore(folder)
    with pytest.raises(ProjectNotFound, match="python -m pipeline init"):
        require_project(store)
    make_project(store, a_seed(), Project())
    make_project(store, Seed(domain="other"), Project())
    require_project(store)
    assert load_seed(store).seed == a_seed()
    assert load_project(store) == Project()


def test_what_was_saved_is_reopened_exactly(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, Seed(), Project())
    opened = load_seed(store)
    seed = a_seed().model_copy(update={"description": "<img src=x onerror=alert(1)>\n\n“ä”"})
    saved = save_seed(store, seed, expect=opened.etag, message="Save")
    assert load_seed(store) == saved
    assert saved.seed == seed


def test_a_second_save_from_an_old_page_is_a_conflict(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    old = load_seed(store)
    save_seed(store, a_seed().model_copy(update={"domain": "Theirs"}), expect=old.etag, message="S")
    with pytest.raises(Conflict):
        save_seed(store, a_seed().model_copy(update={"domain": "My"}), expect=old.etag, message="S")
    assert load_seed(store).seed.domain == "Theirs"


def test_samples_survive_parquet_and_are_read_once(folder: Path) -> None:
    store = FolderStore(folder)
    samples = [
        a_sample(1, ["ä\0<script>", "b"]),
        a_sample(2, flags=("refusal",), span={"start": 1, "end": 9}, document="a.txt"),
        a_sample(3, kind="exam", question="Q", answer="A", distractors=("x", "y", "z")),
    ]
    fill(store, samples)
    store.commit({"samples/run/00001.parquet": to_parquet(samples[:1])}, message="Again")
    assert list(read_samples(store)) == samples
    assert pq.read_schema(folder / "samples/run/00000.parquet").equals(COLUMNS)


def test_a_shard_that_is_no_parquet_is_named(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1)])
    (folder / "samples/run/00001.parquet").write_bytes(b"rubbish")
    with pytest.raises(InvalidInput, match=r"00001\.parquet"):
        list(read_samples(store))


def test_feedback_of_all_files_is_folded_and_bad_lines_are_located(folder: Path) -> None:
    store = FolderStore(folder)
    sample = a_sample(1)
    fill(store, [sample])
    store.commit(
        {
            "feedback/2026/01/01/a-000001.jsonl": thumb(sample, 0, True).to_line().encode(),
            "feedback/2026/01/02/b-000001.jsonl": b"not json\n",
        },
        message="Add",
    )
    feedback = load_feedback(store)
    assert len(list(feedback.current())) == 1
    assert [bad.file for bad in feedback.bad_lines] == ["feedback/2026/01/02/b-000001.jsonl"]


def test_on_a_space_nobody_writes_with_the_owners_token() -> None:
    settings = Settings(project="ana/farming", hf_token="hf_owner", on_space=True)
    with pytest.raises(NotSignedIn):
        writing_store(settings, Visitor())
    store = writing_store(settings, Visitor("bob", "hf_bob"))
    assert isinstance(store, HubStore)
    assert store._api.token == "hf_bob"


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = Settings(hf_token="hf_secret", api_key="sk-secret")
    assert "secret" not in f"{settings!r} {Visitor('bob', 'hf_secret')!r}"


def test_hosts_of_the_key_are_read_as_they_are_compared() -> None:
    named = " Models.example.org , 10.0.0.7:8000,,[FD00::7]:8000"
    settings = Settings.from_env({"SEEDBED_API_HOST": named})
    assert settings.api_hosts == {"models.example.org", "10.0.0.7:8000", "[fd00::7]:8000"}
    assert Settings.from_env({}).api_hosts == frozenset()


@pytest.mark.parametrize("value", ["https://h/v1", "h/v1", "u@h", "a b", "h:port", "*"])
def test_what_is_no_host_is_named(value: str) -> None:
    with pytest.raises(InvalidInput, match="SEEDBED_API_HOST"):
        Settings.from_env({"SEEDBED_API_HOST": f"good.example,{value}"})


@pytest.mark.parametrize("value", ["huggingface.co", "ftp://x"])
def test_a_wrong_endpoint_is_named(value: str) -> None:
    with pytest.raises(InvalidInput, match="HF_ENDPOINT"):
        Settings.from_env({"HF_ENDPOINT": value})
