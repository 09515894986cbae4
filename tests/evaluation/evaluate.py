"""Runs in LightEval's environment: a tiny random model takes each exam in the folder named.

The model knows nothing, so that what is looked at is not its score but that every question was
asked, in each way, and that chance is what comes out where many are asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def make_model(folder: Path) -> None:
    """A model of two layers that was never trained, with a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*letters, "<end>"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", bos_token="<end>", pad_token="<end>"
    )
    fast.save_pretrained(folder)
    end = vocabulary["<end>"]
    config = GPT2Config(
        vocab_size=len(vocabulary), n_positions=1024, n_embd=32, n_layer=2, n_head=2,
        bos_token_id=end, eos_token_id=end,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)


def evaluate(model: Path, exam: Path, tasks: str, out: Path) -> dict[str, dict[str, float]]:
    """The results by task, from LightEval's own command line."""
    command = [
        str(Path(sys.executable).with_name("lighteval")), "accelerate",
        f"model_name={model},batch_size=4", tasks,
        "--custom-tasks", str(exam / "evaluation" / "lighteval_task.py"),
        "--output-dir", str(out), "--save-details",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{exam.name} failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    report = json.loads(next(out.rglob("results_*.json")).read_text())
    results: dict[str, dict[str, float]] = report["results"]
    return results


def asked(out: Path) -> dict[str, list[dict[str, Any]]]:
    """What was asked, by task, from the details that LightEval keeps."""
    import pyarrow.parquet as pq

    found = {}
    for path in out.rglob("details_*.parquet"):
        found[path.name.split("_20")[0]] = pq.read_table(path).to_pylist()
    return found


def check(folder: Path) -> None:
    """Take every exam in ``folder`` and say what came of it."""
    model = folder / "model"
    make_model(model)
    for exam in sorted(folder.glob("exam-*")):
        name = exam.name.replace("-", "_")
        told = exam / "counts.json"
        counts = json.loads(told.read_text()) if told.exists() else {"train": 9, "test": 4}
        wanted = {
            f"{name}:{way}_{split}|{shots}": count
            for split, count in counts.items()
            for way, shots in zip(
                ("letters", "cloze"), (0, 2) if split == "train" else (2, 0), strict=True
            )
        }
        out = folder / f"out-{exam.name}"
        results = evaluate(model, exam, ",".join(wanted), out)
        details = asked(out)
        all_places: list[int] = []
        for task, count in wanted.items():
            scores = {key: value for key, value in results[task].items() if "stderr" not in key}
            rows = next(rows for key, rows in details.items() if task in key)
            docs = [row["doc"] for row in rows]
            assert len(docs) == count, (task, len(docs))
            assert {len(doc["choices"]) for doc in docs} == {4}
            places = [int(doc["gold_index"][0]) if isinstance(doc["gold_index"], list)
                      else int(doc["gold_index"]) for doc in docs]  # fmt: skip
            all_places += places
            assert all(0 <= value <= 1 for value in scores.values()), scores
            print(f"{exam.name} {task}: {count} questions, {scores}")
        # Thirteen questions, each asked in two ways.
        assert sorted(all_places.count(place) for place in range(4)) == [6, 6, 6, 8], all_places
    print("LightEval ran every exam.")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
