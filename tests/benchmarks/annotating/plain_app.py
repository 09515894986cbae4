"""The same work in plain Gradio, as many would write it: a sample, two buttons, a file of votes."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Final

import gradio as gr

from tests.factories import a_sample

SAMPLES: Final = [a_sample(number) for number in range(2_000)]


def main() -> None:
    """Serve on the port in ``GRADIO_SERVER_PORT`` until killed."""
    votes = Path(tempfile.mkdtemp(prefix="plain-")) / "votes.jsonl"

    def vote(number: int, good: bool) -> tuple[int, str]:
        with votes.open("a") as file:
            file.write(json.dumps({"sample": SAMPLES[number].sample_id, "good": good}) + "\n")
        return number + 1, _shown(number + 1)

    with gr.Blocks(analytics_enabled=False) as page:
        number = gr.State(0)
        sample = gr.Markdown(_shown(0), elem_id="sample")
        with gr.Row():
            bad, good = gr.Button("Bad"), gr.Button("Good")
        for button, label in ((bad, False), (good, True)):
            button.click(
                lambda at, good=label: vote(at, good),
                number,
                [number, sample],
                show_progress="hidden",
            )
    page.launch(
        server_name="127.0.0.1",
        server_port=int(os.environ["GRADIO_SERVER_PORT"]),
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
    )
    while True:
        time.sleep(3_600)


def _shown(number: int) -> str:
    sample = SAMPLES[number % len(SAMPLES)]
    return f"## {sample.instruction}\n\n{sample.completions[0].text}"


if __name__ == "__main__":
    main()
