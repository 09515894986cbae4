"""The card: every config loads by name, and a person's own words stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub.repocard import metadata_load

from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.samples import to_parquet
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.curation import exports
from pipeline.curation.card import update_card
from pipeline.curation.rounds import open_round
from tests.factories import a_run, a_sample, fill, pair, thumb
from tests.hub_server import HubServer

CONFIGS = ["samples", "feedback", "sft", "preference", "kto"]
_LOAD = """
import json, sys
from datasets import load_dataset
print(json.dumps({c: load_dataset(sys.argv[1], c, split="train").num_rows for c in sys.argv[2:]}))
"""


def load_all(where: str, env: dict[str, str], configs: list[str]) -> dict[str, int]:
    """Load configs with the real ``datasets``, in a process and a cache of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, where, *configs],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counts


def work(store: Store) -> None:
    """A project with samples, feedback and exports."""
    samples = [a_sample(number) for number in range(3)]
    fill(store, samples)
    events = [thumb(samples[0], 0, True), thumb(samples[0], 1, False), pair(samples[1], "left")]
    lines = "".join(event.to_line() + "\n" for event in events).encode()
    store.commit({"feedback/2026/01/01/a-000001.jsonl": lines}, message="Add")
    made = exports.export(store, ["sft", "preference", "kto", "feedback"])
    store.commit(exports.files(made), message="Export")
    update_card(store)


def test_every_config_loads_from_a_folder(folder: Path, tmp_path: Path) -> None:
    work(FolderStore(folder))
    env = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    assert load_all(str(folder), env, CONFIGS) == {
        "samples": 3, "feedback": 3, "sft": 2, "preference": 1, "kto": 2,
    }  # fmt: skip


def test_every_config_loads_from_the_hub(hub: HubServer) -> None:
    token = hub.add_user("ana")
    work(HubStore("ana/farming", token=token, hub=hub.url))
    assert load_all("ana/farming", hub.client_env(token), CONFIGS) == {
        "samples": 3, "feedback": 3, "sft": 2, "preference": 1, "kto": 2,
    }  # fmt: skip


def test_records_of_runs_and_rounds_are_no_part_of_any_config(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(folder)
    work(store)
    run = a_run()
    store.commit({layout.run_record(run.run_id): run.to_json()}, message="Add")
    open_round(store, 2)
    update_card(store)
    assert (folder / "rounds/0002.json").exists()
    env = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    assert load_all(str(folder), env, CONFIGS)["samples"] == 3


def test_the_card_tells_of_ratings_flags_and_rounds_only_if_there_are_any(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    text = (folder / "README.md").read_text()
    assert "rated by" not in text
    assert "Rules marked" not in text
    assert "built on" not in text
    sample = a_sample(9, flags=("duplicate", "duplicate", "mine|x"))
    rated = tuple(c.model_copy(update={"judge_rating": 4.0}) for c in sample.completions)
    sample = sample.model_copy(update={"completions": rated})
    store.commit({layout.sample_shard("more", 0): to_parquet([sample])}, message="Add")
    update_card(store)
    assert (
        "2 completions are rated by a judge, a language model" in (folder / "README.md").read_text()
    )
    run = a_run(settings={"judge": {"model": {"model": "m/judge"}}})
    store.commit({layout.run_record(run.run_id): run.to_json()}, message="Add")
    open_round(store, 2)
    update_card(store)
    text = (folder / "README.md").read_text()
    assert "2 completions are rated by `m/judge`, a language model, not by people." in text
    assert "Round 2 built on the judgements given before" in text
    assert "- `duplicate`: 1 (The instruction is another one's word for word.)" in text
    assert "mine\\|x" in text


def test_an_export_without_rows_is_not_listed(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(folder)
    work(store)
    samples = [a_sample(number) for number in range(3)]
    back = [
        event.model_copy(update={"event_id": f"back {n}", "status": "withdrawn"})
        for n, event in enumerate([thumb(samples[0], 0, True), thumb(samples[0], 1, False)])
    ]
    lines = "".join(event.to_line() + "\n" for event in back).encode()
    store.commit({"feedback/2027/01/01/b-000001.jsonl": lines}, message="Withdraw")
    made = exports.export(store, ["sft", "preference", "kto", "feedback"])
    store.commit(exports.files(made), message="Export")
    update_card(store)
    env = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    listed = ["samples", "feedback", "sft", "preference"]
    assert load_all(str(folder), env, listed) == {
        "samples": 3, "feedback": 5, "sft": 1, "preference": 1,
    }  # fmt: skip
    front = metadata_load(folder / "README.md")
    assert front is not None
    assert [config["config_name"] for config in front["configs"]] == listed


def test_only_configs_that_hold_something_are_listed(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1)])
    update_card(store)
    front = metadata_load(folder / "README.md")
    assert front is not None
    assert [config["config_name"] for config in front["configs"]] == ["samples"]


def test_what_a_person_wrote_into_the_card_stays(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1)])
    update_card(store)
    card = folder / "README.md"
    text = card.read_text().replace("language:", "license: cc-by-4.0\nlanguage:")
    card.write_text(f"{text}\n## How we chose the topics\n\nBy asking farmers.\n")
    work(store)
    text = card.read_text()
    assert "license: cc-by-4.0" in text
    assert "By asking farmers." in text
    assert text.count("written by Seedbed: begin") == 1
    assert "`kto`" in text


def test_the_same_facts_give_the_same_card(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    before = (folder / "README.md").read_bytes()
    update_card(store)
    assert (folder / "README.md").read_bytes() == before


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "# x\n---\nlicense: mit\n---", "[x](javascript:y) | `z`"]
)
def test_a_hostile_domain_cannot_break_the_card(folder: Path, text: str) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1)])
    seed = json.loads((folder / "seed_data.json").read_text())
    seed["domain"] = seed["description"] = text
    (folder / "seed_data.json").write_text(json.dumps(seed))
    update_card(store)
    card = (folder / "README.md").read_text()
    front = metadata_load(folder / "README.md")
    assert front is not None
    assert "license" not in front
    assert [config["config_name"] for config in front["configs"]] == ["samples"]
    assert "<script" not in card.split("---\n", 2)[2]


def test_the_card_follows_the_seed_and_keeps_a_persons_tags(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1)])
    (folder / "README.md").write_text("---\ntags: mine\npretty_name: Old\n---\nText\n")
    update_card(store)
    front = metadata_load(folder / "README.md")
    assert front is not None
    assert front["pretty_name"] == "Farming"
    assert "mine" in front["tags"]


@pytest.mark.parametrize("broken", ["foo: [", "- a"])
def test_a_card_with_broken_yaml_is_named_and_left_alone(folder: Path, broken: str) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1)])
    text = f"---\n{broken}\n---\nText\n"
    (folder / "README.md").write_text(text)
    with pytest.raises(InvalidInput, match=r"README\.md"):
        update_card(store)
    assert (folder / "README.md").read_text() == text
