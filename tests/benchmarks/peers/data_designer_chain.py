"""The chains by NeMo Data Designer: one column for each call.

    python data_designer_chain.py ORDER FOLDER [--pools 2] [--buffer ROWS] [--resume]

Its limit of calls under way belongs to a model. With one pool all columns share a model that may be
called as often as the order says; with two, half of it each goes to the answers and to the rest.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner

_PROVIDER = "loopback"


def main() -> None:
    """Run the order's rows and print how many came out whole."""
    parser = argparse.ArgumentParser()
    parser.add_argument("order", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pools", type=int, default=1)
    parser.add_argument("--buffer", type=int, help="rows that are kept together")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    order = json.loads(arguments.order.read_text(encoding="utf-8"))
    provider = dd.ModelProvider(name=_PROVIDER, endpoint=order["url"], api_key="none")
    designer = DataDesigner(arguments.folder, model_providers=[provider])
    run: dict[str, Any] = {"otel_metrics_port": None}
    if arguments.buffer:
        run["buffer_size"] = arguments.buffer
    designer.set_run_config(dd.RunConfig(**run))
    begun = arguments.resume and (arguments.folder / "dataset").exists()
    made = designer.create(
        columns(order, arguments.pools, arguments.folder),
        num_records=len(order["rows"]),
        resume=dd.ResumeMode.ALWAYS if begun else dd.ResumeMode.NEVER,
    ).load_dataset()
    last = made["judgement"]
    print(json.dumps({"rows": int((last.notna() & (last.str.len() > 0)).sum())}))


def columns(order: dict[str, Any], pools: int, folder: Path) -> dd.DataDesignerConfigBuilder:
    """The seed rows, and what is written for each."""
    models = [order["writer"], order["answerers"][0]][:pools]
    parameters = dd.ChatCompletionInferenceParams(
        temperature=order["temperature"],
        max_tokens=order["max_tokens"],
        max_parallel_requests=order["in_flight"] // pools,
        timeout=120,
    )
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias=name,
                model=name,
                provider=_PROVIDER,
                inference_parameters=parameters,
                skip_health_check=True,
            )
            for name in models
        ]
    )
    # A file, because a frame in memory cannot be told apart from another one at a resume.
    seeds = folder.with_name("seeds.parquet")
    if not seeds.exists():
        pd.DataFrame(order["rows"]).to_parquet(seeds)
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(seeds)))

    def write(name: str, model: str, system: str, prompt: str) -> None:
        builder.add_column(
            dd.LLMTextColumnConfig(
                name=name, model_alias=model, system_prompt=system, prompt=prompt
            )
        )

    write("question", models[0], "{{ instruction_system }}", "{{ instruction_user }}")
    for index in range(len(order["answerers"])):
        write(f"answer_{index}", models[-1], "{{ answer_system }}", "{{ question }}")
    labels = [(chr(65 + i), f"answer_{i}") for i in range(len(order["answerers"]))]
    prompt = order["judge_prompt"].format(
        count=len(labels),
        domain="farming",
        question="{{ question }}",
        answers="\n\n".join(f"Answer {mark}:\n{{{{ {name} }}}}" for mark, name in labels),
    )
    write("judgement", models[0], "You are a fair judge.", prompt)
    return builder


if __name__ == "__main__":
    main()
