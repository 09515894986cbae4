"""The chains as a distilabel DAG, one Task after another, with distilabel's defaults.

    python stock.py ORDER FOLDER

Steps between the Tasks turn what one wrote into the messages of the next.
"""

import json
import sys
from pathlib import Path
from typing import Any

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import GroupColumns, KeepColumns, LoadDataFromDicts, StepInput, step
from distilabel.steps.tasks import ChatGeneration


def conversation(system: str, user: str) -> list[dict[str, str]]:
    """The messages of one call."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


@step(inputs=["generation", "answer_system"], outputs=["question", "messages"])  # type: ignore[untyped-decorator]
def ask_question(inputs: StepInput) -> Any:  # noqa: ANN401 - distilabel's step
    """Take the question out of the list and make it the next prompt."""
    for row in inputs:
        row["question"] = row["generation"].splitlines()[-1].partition(". ")[2]
        row["messages"] = conversation(row["answer_system"], row["question"])
    yield inputs


@step(inputs=["question", "answers", "judge_prompt"], outputs=["messages"])  # type: ignore[untyped-decorator]
def ask_judge(inputs: StepInput) -> Any:  # noqa: ANN401 - distilabel's step
    """Put both answers into the judge's prompt."""
    for row in inputs:
        labelled = (f"Answer {chr(65 + i)}:\n{text}" for i, text in enumerate(row["answers"]))
        prompt = row["judge_prompt"].format(
            count=len(row["answers"]),
            domain="farming",
            question=row["question"],
            answers="\n\n".join(labelled),
        )
        row["messages"] = conversation("You are a fair judge.", prompt)
    yield inputs


def main() -> None:
    """Run the order's rows and print how many came out whole."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    data = [
        {
            "messages": conversation(row["instruction_system"], row["instruction_user"]),
            "answer_system": row["answer_system"],
            "judge_prompt": order["judge_prompt"],
        }
        for row in order["rows"]
    ]

    def chat(name: str, model: str) -> ChatGeneration:
        llm = OpenAILLM(
            model=model,
            base_url=order["url"],
            api_key="none",
            generation_kwargs={
                "temperature": order["temperature"],
                "max_new_tokens": order["max_tokens"],
            },
        )
        return ChatGeneration(name=name, llm=llm)

    with Pipeline(name="chains", cache_dir=sys.argv[2]) as pipeline:
        load = LoadDataFromDicts(data=data)
        question = ask_question(name="question")
        answers = [chat(f"answer_{i}", model) for i, model in enumerate(order["answerers"])]
        group = GroupColumns(columns=["generation"], output_columns=["answers"])
        load >> chat("write", order["writer"]) >> question >> answers >> group
        keep = KeepColumns(columns=["question", "answers", "judge_prompt"])
        group >> keep >> ask_judge(name="ask_judge") >> chat("judge", order["judge"])
    made = pipeline.run(use_cache=False)["default"]["train"]
    print(json.dumps({"rows": sum(bool(row["generation"]) for row in made)}))


if __name__ == "__main__":
    main()
