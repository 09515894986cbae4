"""The card: every config loads by name, and a person's own words stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard
from huggingface_hub.repocard import metadata_load

from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.layout import ExportFormat
from pipeline.core.samples import to_parquet
from pipeline.core.schema import AccessSettings, CardSettings, CurationSettings, Project
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.curation import exports
from pipeline.curation.card import update_card
from pipeline.curation.formats import features
from pipeline.curation.rounds import open_round
from tests.factories import a_run, a_sample, fill, pair, thumb
from tests.hub_server import HubServer

EXPORTS: list[ExportFormat] = [*layout.TRAINING_FORMATS, "feedback"]
CONFIGS = ["samples", "feedback", "sft", "preference", "kto", "reward"]
COUNTS = {"samples": 3, "feedback": 3, "sft": 2, "preference": 1, "kto": 4, "reward": 1}
_LOAD = """
import json, sys
from datasets import load_dataset
loaded = {c: load_dataset(sys.argv[1], c) for c in sys.argv[2:]}
print(json.dumps({c: sum(split.num_rows for split in d.values()) for c, d in loaded.items()}))
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


def exported(store: Store) -> None:
    """Export everything into the project, with names as its settings say."""
    with tempfile.TemporaryDirectory() as folder:
        made = exports.export(store, EXPORTS, exports.options_for(store), Path(folder))
        exports.into_project(store, made)


def work(store: Store) -> None:
    """A project with samples, feedback and exports."""
    samples = [a_sample(number) for number in range(3)]
    fill(store, samples)
    events = [thumb(samples[0], 0, True), thumb(samples[0], 1, False), pair(samples[1], "left")]
    lines = "".join(event.to_line() + "\n" for event in events).encode()
    store.commit({"feedback/2026/01/01/a-000001.jsonl": lines}, message="Add")
    exported(store)


def test_every_config_loads_from_a_folder(folder: Path, tmp_path: Path) -> None:
    work(FolderStore(folder))
    env = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    assert load_all(str(folder), env, CONFIGS) == COUNTS


def test_every_config_loads_from_the_hub(hub: HubServer) -> None:
    token = hub.add_user("ana")
    work(HubStore("ana/farming", token=token, hub=hub.url))
    assert load_all("ana/farming", hub.client_env(token), CONFIGS) == COUNTS


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
    exported(store)
    env = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    listed = ["samples", "feedback", "sft", "preference", "kto", "reward"]
    assert load_all(str(folder), env, listed) == COUNTS | {"feedback": 5, "sft": 1, "kto": 2}
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
    assert "| `kto` | 4 |" in text


def test_a_licence_and_configs_of_ones_own_stay(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1)])
    card = folder / "README.md"
    mine = {"config_name": "mine", "data_files": "extra/*.parquet"}
    card.write_text(f"---\nlicense: mit\nconfigs:\n- {json.dumps(mine)}\n---\nText\n")
    work(store)
    front = metadata_load(card)
    assert front is not None
    assert front["license"] == "mit"
    assert front["configs"][-1] == mine
    project = Project(card=CardSettings(licence="cc-by-4.0"))
    (folder / "project.json").write_bytes(project.to_json())
    update_card(store)
    front = metadata_load(card)
    assert front is not None
    assert front["license"] == "cc-by-4.0"


def test_the_yaml_tells_columns_rows_and_sizes_as_libraries_read_them(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    loaded = DatasetCard.load(folder / "README.md")
    assert loaded.data.size_categories == ["n<1K"]
    infos = DatasetInfosDict.from_dataset_card_data(loaded.data)
    kto = infos["kto"]
    assert kto.features == features("kto", "conversational")
    assert sum(split.num_examples for split in kto.splits.values()) == 4
    files = [folder / path for path in store.paths("data/kto")]
    assert kto.download_size == sum(path.stat().st_size for path in files)
    assert "samples" not in infos  # they grow without the card, and would not match it
    found = MetadataConfigs.from_dataset_card_data(loaded.data)
    assert found.get_default_config_name() == "samples"


def test_samples_grow_without_breaking_what_the_card_told(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(folder)
    work(store)
    more = to_parquet([a_sample(9)])
    store.commit({layout.sample_shard("more", 0): more}, message="Add")
    env = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    assert load_all(str(folder), env, ["samples"]) == {"samples": 4}


def test_the_card_tells_what_is_missing_and_how_to_train(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    project = Project(curation=CurationSettings(test_share=0))
    (folder / "project.json").write_bytes(project.to_json())
    exported(store)
    text = (folder / "README.md").read_text()
    assert "- `exam`: a reviewed exam question" in text
    assert "`load_dataset` does not know it" in text
    assert "| DPO | `preference` | 1 | 3,000 | 2,999 |" in text
    assert "`kto` has 2 good and 2 not good completions in train" in text
    assert "| ana | 3 |" in text
    assert "How far that can be trusted:\n\n- Agreement on thumbs cannot be told" in text


def test_pseudonyms_keep_names_out_of_the_card_at_once(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    assert "| ana | 3 |" in (folder / "README.md").read_text()
    project = Project(access=AccessSettings(pseudonyms=True))
    (folder / "project.json").write_bytes(project.to_json())
    update_card(store)
    text = (folder / "README.md").read_text()
    assert "ana" not in text.split()
    assert "Their names are not in the dataset." in text


def test_what_failed_and_what_runs_cost_is_told(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    run = a_run(
        samples=3, calls=12, cost=0.5, missing=1,
        failures=[{"stage": "answer", "kind": "timeout", "count": 2, "example": "x"}],
        dropped={"refusal": 4},
    )  # fmt: skip
    store.commit({layout.run_record(run.run_id): run.to_json()}, message="Add")
    update_card(store)
    text = (folder / "README.md").read_text()
    assert "made 3 samples with 12 calls" in text
    assert "$0.50" in text
    assert "- failed, answer timeout: 2" in text
    assert "- dropped as `refusal`: 4" in text


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
