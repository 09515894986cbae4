"""Every export trains as it is: no column is renamed, dropped or rewritten on the way."""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from datasets import DatasetDict, load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import (
    DPOConfig,
    DPOTrainer,
    KTOConfig,
    KTOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from tests.training import tiny

PROJECT: Final = Path(os.environ["SEEDBED_TRAINING_PROJECT"])
README: Final = Path(__file__).parents[2] / "README.md"
TRAINERS: Final[dict[str, tuple[str, Callable[..., Any], Callable[..., Any]]]] = {
    "sft": ("sft", SFTConfig, SFTTrainer),
    "dpo": ("preference", DPOConfig, DPOTrainer),
    "orpo": ("preference", ORPOConfig, ORPOTrainer),
    "kto": ("kto", KTOConfig, KTOTrainer),
    "reward": ("reward", RewardConfig, RewardTrainer),
}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save(tmp_path_factory.mktemp("model"))


def exported(config: str, form: str) -> DatasetDict:
    if form == "text":
        return load_dataset(str(PROJECT / "text" / config))
    return load_dataset(str(PROJECT), config)


@pytest.mark.parametrize("form", ["conversational", "text"])
@pytest.mark.parametrize("name", TRAINERS)
def test_an_export_trains(name: str, form: str, model: str, tmp_path: Path) -> None:
    config, settings, trainer = TRAINERS[name]
    data = exported(config, form)
    taught: Any = model
    if name == "reward":
        taught = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1)
    elif name == "orpo":
        from transformers import AutoModelForCausalLM

        taught = AutoModelForCausalLM.from_pretrained(model)
    made = trainer(
        model=taught,
        args=settings(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=2,
            per_device_eval_batch_size=2,
            max_length=2_048,
            logging_steps=1,
            report_to=[],
            use_cpu=True,
            bf16=False,
            save_strategy="no",
        ),
        train_dataset=data["train"],
        eval_dataset=data["test"],
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    told = made.train()
    assert told.global_step == 2
    assert math.isfinite(told.training_loss)
    assert math.isfinite(made.evaluate()["eval_loss"])


def section() -> str:
    """What the README says on training."""
    return README.read_text(encoding="utf-8").partition("## Train on it")[2].partition("\n## ")[0]


def commands() -> list[str]:
    """Its lines that call TRL."""
    return re.findall(r"^trl .*$", re.sub(r"\\\n\s*", "", section()), re.MULTILINE)


def scripts() -> list[str]:
    """Its blocks of Python that train."""
    blocks = re.findall(r"```python\n(.*?)```", section(), re.DOTALL)
    return [block for block in blocks if ".train()" in block]


def run(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "'train_loss'" in done.stdout + done.stderr


@pytest.mark.parametrize("line", commands(), ids=lambda line: " ".join(line.split()[:2]))
def test_the_readmes_commands_work_as_written(line: str, model: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    for option, value in {"--model_name_or_path": model, "--dataset_name": str(PROJECT)}.items():
        words[words.index(option) + 1] = value
    few = ["--max_steps", "2", "--report_to", "none", "--use_cpu", "true", "--bf16", "false"]
    few += ["--per_device_train_batch_size", "2", "--max_length", "2048"]
    run([*words, *few], tmp_path)


@pytest.mark.parametrize("script", scripts())
def test_the_readmes_scripts_work_as_written(script: str, model: str, tmp_path: Path) -> None:
    few = 'max_steps=2, use_cpu=True, bf16=False, report_to="none", output_dir='
    script = re.sub(r'^model = ".*"', f"model = {model!r}", script, flags=re.MULTILINE)
    script = script.replace('"ana/farming"', repr(str(PROJECT))).replace("output_dir=", few)
    run([sys.executable, "-c", script], tmp_path)
